-- name: take_due
-- One person's next step; whoever takes it has it until the lease is over.
UPDATE data_keys
SET due_at = $2
WHERE user_id = (
    SELECT user_id
    FROM data_keys
    WHERE due_at <= $1
    ORDER BY due_at, user_id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING user_id, renewal, coalesce(renewed_at, created_at) AS renewed_at;

-- name: put_step
-- What comes next, and when.
UPDATE data_keys
SET renewal = $2, due_at = $3
WHERE user_id = $1 AND destroyed_at IS NULL;

-- name: note_renewed
-- From now on another key seals.
UPDATE data_keys
SET renewal = 'resealing', due_at = $2, renewed_at = $2
WHERE user_id = $1 AND destroyed_at IS NULL;

-- name: note_let_go
-- Of what older backups hold, nothing opens any more.
UPDATE data_keys
SET renewal = CASE WHEN $2::timestamptz IS NOT NULL THEN 'kept' END,
    due_at = $2,
    opens_since = greatest(opens_since, $3)
WHERE user_id = $1 AND destroyed_at IS NULL;

-- name: ask_for
-- Some of those whose key is so old, or of one who is named; a renewal that is under way goes to its end first.
UPDATE data_keys
SET renewal = 'asked', due_at = $3
WHERE user_id IN (
    SELECT user_id
    FROM data_keys
    WHERE destroyed_at IS NULL
        AND (renewal IS NULL OR renewal = 'kept')
        AND ($1::uuid IS NULL OR user_id = $1)
        AND coalesce(renewed_at, created_at) <= $2
    ORDER BY user_id
    LIMIT $4
    FOR UPDATE
)
RETURNING user_id;

-- name: find_person
-- By the address that they have answered for.
SELECT id
FROM users
WHERE email_index = $1 AND email_verified_at IS NOT NULL;

-- name: count_renewals
-- How far all are.
SELECT renewal, count(*) AS people, min(due_at) AS next_at
FROM data_keys
WHERE renewal IS NOT NULL
GROUP BY renewal
ORDER BY renewal;

-- name: list_scopes_about
-- The last name of a scope is whom it is about: a person's own, and two for each coach they ever had.
SELECT name, scope_id
FROM scopes
WHERE name LIKE '%:' || $1::text
ORDER BY name;
