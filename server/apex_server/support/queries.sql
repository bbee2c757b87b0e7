-- name: begin_look
-- Nothing when there is no such person or no consent of theirs: support cannot tell which.
SELECT look_id
FROM apex_begin_look($1, $2, $3, $4);

-- name: get_look
-- The look that was just begun.
SELECT id, support_id, user_id, ticket, began_at, expires_at, ended_at
FROM support_looks
WHERE id = $2
    AND support_id = $1;

-- name: list_looks
-- Support sees its own looks; everybody else who looked at them.
SELECT id, support_id, user_id, ticket, began_at, expires_at, ended_at
FROM support_looks
WHERE $1 IN (support_id, user_id)
ORDER BY began_at DESC, id
LIMIT 200;

-- name: end_look
-- Either side ends it at once.
UPDATE support_looks
SET ended_at = now()
WHERE id = $2
    AND $1 IN (support_id, user_id)
    AND ended_at IS NULL
RETURNING id, support_id, user_id, ticket, began_at, expires_at, ended_at;

-- name: get_present_look
-- The look that this session of a support account began, if it stands; the read is recorded, and then made, under it.
SELECT look.id, look.user_id, look.ticket
FROM support_looks AS look
WHERE look.support_id = $1
    AND look.session_id = $2
    AND look.ended_at IS NULL
    AND look.expires_at > now()
    AND apex_consented(look.user_id, 'support_access');
