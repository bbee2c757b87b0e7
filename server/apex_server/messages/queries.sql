-- name: list_threads
-- The threads of somebody, with the newest message of each and what either side has not read; or one pair alone.
SELECT pair.coach_id, pair.athlete_id, pair.since, users.name, scopes.scope_id, newest.record_id, newest.sender,
    newest.sent_at, waiting.for_coach, waiting.for_athlete
FROM coach_athletes AS pair
JOIN users ON users.id = CASE WHEN pair.coach_id = $1 THEN pair.athlete_id ELSE pair.coach_id END
LEFT JOIN scopes ON scopes.name = 'thread:' || pair.coach_id::text || ':' || pair.athlete_id::text
LEFT JOIN LATERAL (
    SELECT said.record_id, said.sender, said.sent_at
    FROM messages AS said
    WHERE said.scope_id = scopes.scope_id
    ORDER BY said.sent_at DESC, said.record_id DESC, said.sender DESC
    LIMIT 1
) AS newest ON true
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE said.sender = 'athlete') AS for_coach,
        count(*) FILTER (WHERE said.sender = 'coach') AS for_athlete
    FROM messages AS said
    WHERE said.scope_id = scopes.scope_id AND said.read_at IS NULL AND NOT said.deleted
) AS waiting
WHERE $1 IN (pair.coach_id, pair.athlete_id)
    AND pair.ended_at IS NULL
    AND ($2::uuid IS NULL OR (pair.coach_id = $2 AND pair.athlete_id = $3))
ORDER BY pair.coach_id, pair.athlete_id
LIMIT 5000;

-- name: list_names
-- What the people of some threads are called.
SELECT id, name
FROM users
WHERE id = ANY ($1::uuid[])
ORDER BY id
LIMIT 10000;

-- name: list_pairs
-- Whose threads somebody has; the id of a thread follows from its two people.
SELECT pair.coach_id, pair.athlete_id
FROM coach_athletes AS pair
WHERE $1 IN (pair.coach_id, pair.athlete_id)
    AND pair.ended_at IS NULL
ORDER BY pair.coach_id, pair.athlete_id
LIMIT 5000;

-- name: list_messages
-- A page of a thread, the newest first.
SELECT said.sent_at, said.record_id, said.sender
FROM messages AS said
WHERE said.scope_id = $1
    AND ($3::uuid IS NULL OR (said.sent_at, said.record_id, said.sender) < ($2::timestamp, $3, $4::text))
ORDER BY said.sent_at DESC, said.record_id DESC, said.sender DESC
LIMIT $5;

-- name: count_unread
-- What was said to a side of these threads and not read yet.
SELECT count(*)
FROM messages AS said
JOIN scopes ON scopes.scope_id = said.scope_id
WHERE said.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND said.sender <> $1
    AND said.read_at IS NULL
    AND NOT said.deleted;

-- name: list_unread
-- Which of these messages are to be marked as read, and where they are.
SELECT scopes.name AS scope, said.record_id
FROM messages AS said
JOIN scopes ON scopes.scope_id = said.scope_id
WHERE said.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND said.record_id = ANY ($1::uuid[])
    AND said.sender <> $2
    AND said.read_at IS NULL
    AND NOT said.deleted
ORDER BY scopes.name, said.record_id
LIMIT 400;

-- name: newest_of_thread
-- What an answer must not stand above.
SELECT max(said.sent_at)
FROM messages AS said
WHERE said.scope_id = $1;

-- name: has_message
-- Whether there is something to answer.
SELECT EXISTS (
    SELECT 1
    FROM messages AS said
    WHERE said.scope_id = $1 AND said.record_id = $2
);
