-- name: count_open_invites
-- A coach's open invites are bounded; used and expired ones do not count.
SELECT count(*)
FROM invites
WHERE coach_id = $1
    AND used_at IS NULL
    AND expires_at > now();

-- name: add_invite
-- Only the code's fingerprint is kept; the coach is shown the code once.
INSERT INTO invites (code_hash, coach_id, email_index, created_at, expires_at)
VALUES ($2, $1, $3, now(), now() + $4::interval)
RETURNING expires_at;

-- name: get_invite_offer
-- Whoever holds a code may know who invites; nothing else about the invite.
SELECT coach_id, coach_name, wrapped, master_key_id, expires_at, used, expires_at <= now() AS expired
FROM apex_invite_offer($1);

-- name: list_athletes
-- All current athletes of a coach: names are sealed, so they are sorted and cut into pages once they are open.
SELECT users.id, users.name, pair.since
FROM coach_athletes AS pair
JOIN users ON users.id = pair.athlete_id
WHERE pair.coach_id = $1
    AND pair.ended_at IS NULL
ORDER BY users.id
LIMIT $2;

-- name: list_linked_coaches
-- Whom an athlete has to choose from when they end a relation without naming the coach.
SELECT coach_id
FROM coach_athletes
WHERE athlete_id = $1
    AND ended_at IS NULL
ORDER BY since
LIMIT 2;

-- name: end_link
-- Either side ends it, for good; only a new invite makes a new one.
UPDATE coach_athletes
SET ended_at = now(),
    ended_by = $1
WHERE coach_id = $2
    AND athlete_id = $3
    AND ended_at IS NULL
    AND $1 IN (coach_id, athlete_id)
RETURNING coach_id;
