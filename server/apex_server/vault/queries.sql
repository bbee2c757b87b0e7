-- name: add_data_key
-- The policy refuses a key under any master key but the installation's current one.
INSERT INTO data_keys (user_id, wrapped, master_key_id, created_at)
VALUES ($1, $2, $3, now());

-- name: lock_data_key
-- Its keys change one after the other, and a rotation of the master key waits.
SELECT wrapped, master_key_id
FROM data_keys
WHERE user_id = $1 AND destroyed_at IS NULL
FOR UPDATE;

-- name: put_data_key
-- Other keys of the same person; the policy refuses them under any master key but the current one.
UPDATE data_keys
SET wrapped = $2, master_key_id = $3
WHERE user_id = $1;

-- name: get_data_key
-- Whoever sees a user sees their wrapped key; a destroyed one is as absent as a foreign one.
SELECT user_id, wrapped, master_key_id
FROM data_keys
WHERE user_id = $1 AND destroyed_at IS NULL;

-- name: get_data_keys
-- The same for several.
SELECT user_id, wrapped, master_key_id
FROM data_keys
WHERE user_id = ANY($1::uuid[]) AND destroyed_at IS NULL;

-- name: destroy_data_key
-- The row stays for ever, so that a restored backup knows whose records nobody may bring back.
INSERT INTO data_keys (user_id, created_at, destroyed_at)
VALUES ($1, now(), now())
ON CONFLICT (user_id) DO UPDATE
SET wrapped = NULL, master_key_id = NULL, renewal = NULL, due_at = NULL,
    destroyed_at = coalesce(data_keys.destroyed_at, excluded.destroyed_at);

-- name: list_server_keys
-- Read once per process.
SELECT name, wrapped, master_key_id
FROM server_keys
ORDER BY name;

-- name: add_server_key
-- Two processes may start for the first time at once; the first one counts.
INSERT INTO server_keys (name, wrapped, master_key_id)
VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING;

-- name: all_under
-- Whether a rotation is done.
SELECT NOT EXISTS (SELECT 1 FROM server_keys WHERE master_key_id <> $1)
    AND NOT EXISTS (SELECT 1 FROM data_keys WHERE master_key_id <> $1);

-- name: lock_server_keys_not_under
-- Waits for keys that are just being added under the former master key.
SELECT name, wrapped, master_key_id
FROM server_keys
WHERE master_key_id <> $1
ORDER BY name
FOR UPDATE;

-- name: put_server_key_under
-- The same key, wrapped anew.
UPDATE server_keys
SET wrapped = $2, master_key_id = $3
WHERE name = $1;

-- name: lock_data_keys_not_under
-- Two rotations at once do different ones; a key that is destroyed meanwhile stays destroyed.
SELECT user_id, wrapped, master_key_id
FROM data_keys
WHERE master_key_id <> $1
ORDER BY user_id
LIMIT $2
FOR UPDATE;

-- name: put_data_keys_under
-- The same keys, wrapped anew.
UPDATE data_keys
SET wrapped = rotated.wrapped, master_key_id = $3
FROM unnest($1::uuid[], $2::bytea[]) AS rotated (user_id, wrapped)
WHERE data_keys.user_id = rotated.user_id;

-- name: list_data_keys
-- For the key file: every key there is, and every one that was.
SELECT user_id, wrapped, master_key_id, created_at, destroyed_at, renewed_at, renewal, opens_since
FROM data_keys
ORDER BY user_id;

-- name: list_erased_tokens
-- For the key file: by what devices of erased people are known.
SELECT token_hash
FROM erased_tokens
ORDER BY token_hash;

-- name: list_erased_client_ids
-- For the key file: the ids that nobody may take up again.
SELECT client_id
FROM erased_client_ids
ORDER BY client_id;
