-- name: add_data_key
-- The policy refuses a key under any master key but the installation's current one.
INSERT INTO data_keys (user_id, wrapped, master_key_id, created_at)
VALUES ($1, $2, $3, now());

-- name: get_data_keys
-- Whoever sees a user sees their wrapped key; a destroyed one is as absent as a foreign one.
SELECT user_id, wrapped, master_key_id
FROM data_keys
WHERE user_id = ANY($1::uuid[]) AND destroyed_at IS NULL;

-- name: destroy_data_key
-- The row stays for ever, so that a restored backup knows whose records nobody may bring back.
INSERT INTO data_keys (user_id, created_at, destroyed_at)
VALUES ($1, now(), now())
ON CONFLICT (user_id) DO UPDATE
SET wrapped = NULL, master_key_id = NULL, destroyed_at = coalesce(data_keys.destroyed_at, excluded.destroyed_at);

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
