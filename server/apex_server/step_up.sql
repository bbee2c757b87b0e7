-- name: get_authenticated_at
-- When the person of this session last proved who they are.
SELECT authenticated_at
FROM sessions
WHERE id = $2
    AND user_id = $1;

-- name: get_email_verified_at
-- Null: no mail to this address was ever answered.
SELECT email_verified_at
FROM users
WHERE id = $1;
