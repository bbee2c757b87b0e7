-- name: accept_invite
-- The coach's rows are not the athlete's to see, so one function of the database does both sides of it at once.
SELECT outcome, coach_id, coach_name, since, since = now() AS is_new, apex_user_id() AS athlete_id
FROM apex_accept_invite($1);

-- name: get_invite_offer
-- Whoever holds a code may know who invites, and how the invite stands; nothing else about it.
SELECT coach_id, coach_name, wrapped, master_key_id, expires_at, used, revoked, expires_at <= now() AS expired
FROM apex_invite_offer($1);

-- name: await_invite
-- Meant for this address alone, which nobody has verified yet; a newer one takes the place of an older.
INSERT INTO awaiting_invites (user_id, code_hash, asked_at)
VALUES (apex_user_id(), $1, $2)
ON CONFLICT (user_id) DO UPDATE
SET code_hash = excluded.code_hash, asked_at = excluded.asked_at;

-- name: take_awaiting_invite
-- Tried once: what does not stand any more is to be asked for anew.
DELETE FROM awaiting_invites
WHERE user_id = apex_user_id()
RETURNING code_hash;
