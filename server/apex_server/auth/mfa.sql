-- name: get_second_factors
-- What a person has beside the password; a seed or a number that was never confirmed is not one.
SELECT totp.confirmed_at IS NOT NULL AS totp,
    phones.number_sealed,
    phones.confirmed_at IS NOT NULL AS sms,
    (
        SELECT count(*)
        FROM recovery_codes
        WHERE recovery_codes.user_id = $1
            AND recovery_codes.used_at IS NULL
    ) AS recovery_codes_left,
    (
        SELECT count(*)
        FROM passkeys
        WHERE passkeys.user_id = $1
    ) AS passkeys
FROM (VALUES ($1::uuid)) AS person (id)
LEFT JOIN totp_seeds AS totp ON totp.user_id = person.id AND totp.confirmed_at IS NOT NULL
LEFT JOIN phones ON phones.user_id = person.id AND phones.confirmed_at IS NOT NULL;

-- name: lock_second_factors
-- One person's codes are checked one after the other, so a volley of guesses is counted.
SELECT pg_advisory_xact_lock(53, hashtext($1::uuid::text));

-- name: offer_totp_seed
-- A new offer replaces one that was never confirmed; nothing when the app is set up already.
INSERT INTO totp_seeds (user_id, seed_sealed, offered_at)
VALUES ($1, $2, $3)
ON CONFLICT (user_id) DO UPDATE
SET seed_sealed = excluded.seed_sealed,
    offered_at = excluded.offered_at
WHERE totp_seeds.confirmed_at IS NULL
RETURNING user_id;

-- name: get_totp_seed
-- Read under the person's lock.
SELECT seed_sealed, offered_at, confirmed_at, last_step
FROM totp_seeds
WHERE user_id = $1
FOR UPDATE;

-- name: take_totp_step
-- The code of a step is taken once; confirming takes one, too.
UPDATE totp_seeds
SET last_step = $2,
    confirmed_at = coalesce(confirmed_at, $3)
WHERE user_id = $1
    AND last_step < $2
RETURNING user_id;

-- name: remove_totp_seed
-- Gives the person when there was one.
DELETE FROM totp_seeds
WHERE user_id = $1
    AND confirmed_at IS NOT NULL
RETURNING user_id;

-- name: offer_phone
-- A new number replaces one that was never confirmed; nothing when one is confirmed already.
INSERT INTO phones (user_id, number_sealed, number_index, added_at, code_hash, code_expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (user_id) DO UPDATE
SET number_sealed = excluded.number_sealed,
    number_index = excluded.number_index,
    added_at = excluded.added_at,
    code_hash = excluded.code_hash,
    code_expires_at = excluded.code_expires_at,
    code_tries = 0
WHERE phones.confirmed_at IS NULL
RETURNING user_id;

-- name: get_phone
-- Read under the person's lock.
SELECT number_sealed, number_index, confirmed_at, code_hash, code_expires_at, code_tries
FROM phones
WHERE user_id = $1
FOR UPDATE;

-- name: count_phone_try
-- Before the code is compared.
UPDATE phones
SET code_tries = code_tries + 1
WHERE user_id = $1;

-- name: confirm_phone
-- The code is used up.
UPDATE phones
SET confirmed_at = $2,
    code_hash = NULL,
    code_expires_at = NULL
WHERE user_id = $1
    AND confirmed_at IS NULL
RETURNING user_id;

-- name: remove_phone
-- Gives whether it was in use.
DELETE FROM phones
WHERE user_id = $1
RETURNING confirmed_at IS NOT NULL;

-- name: begin_sms
-- Counts a message before it is sent; not null: how long to wait instead.
SELECT apex_begin_sms($1, $2, $3, $4, $5, $6, $7, $8);

-- name: add_recovery_codes
-- Only fingerprints are kept.
INSERT INTO recovery_codes (user_id, code_hash, made_at)
SELECT $1, made.code_hash, $3
FROM unnest($2::bytea[]) AS made (code_hash);

-- name: remove_recovery_codes
-- New ones replace the old, and without a second factor there is nothing to recover.
DELETE FROM recovery_codes
WHERE user_id = $1;

-- name: use_recovery_code
-- Once: of two that come at the same moment one finds it used.
UPDATE recovery_codes
SET used_at = $3
WHERE user_id = $1
    AND code_hash = $2
    AND used_at IS NULL
RETURNING user_id;

-- name: add_mfa_challenge
-- Only the fingerprint of the token is kept.
INSERT INTO mfa_challenges
    (token_hash, user_id, device_print, known_device_id, attempts_key, created_at, expires_at)
VALUES ($2, $1, $3, $4, $5, $6, $7);

-- name: drop_expired_mfa_challenges
-- A used one is kept for as long as it could still come back, and no longer.
DELETE FROM mfa_challenges
WHERE user_id = $1
    AND expires_at <= $2;

-- name: find_mfa_challenge_owner
-- Before anybody is signed in: whose token this is, so that the second step can act for them.
SELECT apex_mfa_challenge_owner($1);

-- name: get_mfa_challenge
-- Read under the person's lock.
SELECT device_print, known_device_id, attempts_key, expires_at, tries, used_at, sms_code_hash
FROM mfa_challenges
WHERE user_id = $1
    AND token_hash = $2
FOR UPDATE;

-- name: count_mfa_try
-- Before the code is compared.
UPDATE mfa_challenges
SET tries = tries + 1
WHERE user_id = $1
    AND token_hash = $2;

-- name: use_mfa_challenge
-- A token opens one session, and none once another device came with it.
UPDATE mfa_challenges
SET used_at = $3
WHERE user_id = $1
    AND token_hash = $2;

-- name: keep_sms_code
-- The newest code counts.
UPDATE mfa_challenges
SET sms_code_hash = $3
WHERE user_id = $1
    AND token_hash = $2;

-- name: next_free_code_attempt
-- When the oldest of the wrong codes that fill the window leaves it; null: there is room.
SELECT attempted_at
FROM code_attempts
WHERE user_id = $1
    AND device_id IS NOT DISTINCT FROM $2
    AND attempted_at > $3
ORDER BY attempted_at DESC
OFFSET $4
LIMIT 1;

-- name: add_code_attempt
-- A wrong code.
INSERT INTO code_attempts (user_id, device_id, attempted_at)
VALUES ($1, $2, $3);

-- name: drop_old_code_attempts
-- What no longer counts.
DELETE FROM code_attempts
WHERE user_id = $1
    AND attempted_at <= $2;
