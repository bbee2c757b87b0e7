-- name: list_passkeys
-- In the order in which they were added.
SELECT id, credential_id, name_sealed, synced, created_at, last_used_at, copied_at
FROM passkeys
WHERE user_id = $1
ORDER BY created_at, id
LIMIT 100;

-- name: add_passkey
-- A credential belongs to one account.
INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, name_sealed, synced, created_at)
VALUES ($2, $1, $3, $4, $5, $6, $7, $8);

-- name: rename_passkey
-- Gives the passkey, or nothing when it is not there or not the caller's.
UPDATE passkeys
SET name_sealed = $3
WHERE id = $2
    AND user_id = $1
RETURNING id, credential_id, name_sealed, synced, created_at, last_used_at, copied_at;

-- name: remove_passkey
-- Gives the id of what was removed.
DELETE FROM passkeys
WHERE id = $2
    AND user_id = $1
RETURNING id;

-- name: find_passkey_owner
-- Before anybody is signed in: whose credential this is, so that the sign-in can act for them.
SELECT apex_passkey_owner($1);

-- name: get_passkey
-- Locked: two answers of one authenticator are judged one after the other.
SELECT id, public_key, sign_count, copied_at
FROM passkeys
WHERE user_id = $1
    AND credential_id = $2
FOR UPDATE;

-- name: note_passkey_used
-- The counter only rises.
UPDATE passkeys
SET sign_count = $3,
    last_used_at = $4
WHERE id = $2
    AND user_id = $1;

-- name: note_passkey_copied
-- It opens nothing any more, whoever holds it.
UPDATE passkeys
SET copied_at = $3
WHERE id = $2
    AND user_id = $1;

-- name: may_still_sign_in
-- False: sessions were ended after this sign-in was begun, so it counts with them. Holds that off until it is done.
SELECT apex_may_still_sign_in($1);

-- name: use_passkey_challenge
-- False: it was answered before.
SELECT apex_use_passkey_challenge($1, $2, $3);
