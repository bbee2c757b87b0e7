-- name: get_authenticated_at
-- When the person of this session last proved who they are; nothing when it has ended, which waits for us otherwise.
SELECT authenticated_at
FROM sessions
WHERE id = $2
    AND user_id = $1
    AND ended_at IS NULL
FOR NO KEY UPDATE;

-- name: get_second_factor_at
-- When the person of this session last showed a passkey, or a code beside the password.
SELECT second_factor_at
FROM sessions
WHERE id = $2
    AND user_id = $1
    AND ended_at IS NULL;

-- name: get_email_verified_at
-- Null: no mail to this address was ever answered.
SELECT email_verified_at
FROM users
WHERE id = $1;
