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
RETURNING user_id, renewal, coalesce(renewed_at, created_at) AS renewed_at, resealed_at;

-- name: put_step
-- What comes next, and when; nothing where the person is not at the step any more from which that follows.
UPDATE data_keys
SET renewal = $3, due_at = $4
WHERE user_id = $1 AND renewal = $2
RETURNING user_id;

-- name: note_renewed
-- From now on another key seals.
UPDATE data_keys
SET renewal = 'resealing', due_at = $3, renewed_at = $3
WHERE user_id = $1 AND renewal = $2
RETURNING user_id;

-- name: note_resealed
-- From now on only backups need former keys.
UPDATE data_keys
SET renewal = 'kept', due_at = $3, resealed_at = $4
WHERE user_id = $1 AND renewal = $2
RETURNING user_id;

-- name: note_let_go
-- Of what older backups hold, nothing opens any more.
UPDATE data_keys
SET renewal = CASE WHEN $3::timestamptz IS NOT NULL THEN 'kept' END,
    due_at = $3,
    opens_since = greatest(opens_since, $4)
WHERE user_id = $1 AND renewal = $2
RETURNING user_id;

-- name: get_last_backup
-- Of which moment the last one is; null: of none that is known.
SELECT backed_up_at
FROM server_identity;

-- name: ask_for
-- Some of those after $5 whose key is so old, or one who is named; a renewal that is under way goes to its end first.
UPDATE data_keys
SET renewal = 'asked', due_at = $3
WHERE user_id IN (
    SELECT user_id
    FROM data_keys
    WHERE destroyed_at IS NULL
        AND (renewal IS NULL OR renewal = 'kept')
        AND ($1::uuid IS NULL OR user_id = $1)
        AND coalesce(renewed_at, created_at) <= $2
        AND user_id > $5
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
-- How far all are, and for how many of them there is no backup yet that does without their former keys.
SELECT renewal,
    count(*) AS people,
    min(due_at) AS next_at,
    count(*) FILTER (WHERE renewal = 'kept' AND coalesce(resealed_at >= backed_up_at, true)) AS without_backup
FROM data_keys, server_identity
WHERE renewal IS NOT NULL
GROUP BY renewal
ORDER BY array_position(ARRAY['asked', 'announced', 'resealing', 'kept'], renewal);

-- name: get_last
-- When a key was renewed at last, and of which moment the last backup is.
SELECT (SELECT max(renewed_at) FROM data_keys) AS renewed_at, backed_up_at
FROM server_identity;

-- name: list_scopes_about
-- The last name of a scope is whom it is about: a person's own, and two for each coach they ever had.
SELECT name, scope_id
FROM scopes
WHERE right(name, 36) = $1::text
ORDER BY name;
