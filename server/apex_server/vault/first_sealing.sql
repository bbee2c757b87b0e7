-- name: has_users
-- Nothing to seal, no key needed.
SELECT EXISTS (SELECT 1 FROM users);

-- name: plain_users_after
-- A page of users as they stood before.
SELECT id, plain_email, email_typed, plain_name
FROM users
WHERE id > $1
ORDER BY id
LIMIT $2;

-- name: seal_user
-- The plain columns are dropped when all are sealed.
UPDATE users
SET email_index = $2, email = $3, name = $4
WHERE id = $1;

-- name: plain_devices_after
-- A page of devices as they stood before.
SELECT id, user_id, plain_name
FROM devices
WHERE id > $1
ORDER BY id
LIMIT $2;

-- name: seal_device
-- As for users.
UPDATE devices
SET name = $2
WHERE id = $1;

-- name: plain_invites
-- Those for one address alone; of a coach there are 200 at a time.
SELECT code_hash, email
FROM invites
WHERE email IS NOT NULL
ORDER BY code_hash;

-- name: seal_invite
-- Acceptance compares, and nobody is ever shown the address.
UPDATE invites
SET email_index = $2
WHERE code_hash = $1;
