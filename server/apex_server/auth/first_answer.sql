-- name: get_first_answered_at
-- Null: nobody has shown to read the mails of this account.
SELECT first_answered_at
FROM users
WHERE id = $1;

-- name: remove_passkeys_between
-- Added while somebody else was in the account, for all we know.
DELETE FROM passkeys
WHERE user_id = $1
    AND created_at > $2
    AND ($3::timestamptz IS NULL OR created_at < $3)
RETURNING true AS was_in_use;

-- name: remove_totp_between
-- As for passkeys.
DELETE FROM totp_seeds
WHERE user_id = $1
    AND (confirmed_at IS NULL OR (confirmed_at > $2 AND ($3::timestamptz IS NULL OR confirmed_at < $3)))
RETURNING confirmed_at IS NOT NULL AS was_in_use;

-- name: remove_phones_between
-- As for passkeys.
DELETE FROM phones
WHERE user_id = $1
    AND (confirmed_at IS NULL OR (confirmed_at > $2 AND ($3::timestamptz IS NULL OR confirmed_at < $3)))
RETURNING confirmed_at IS NOT NULL AS was_in_use;

-- name: remove_loose_recovery_codes
-- Codes stand in for a second factor; without one they are somebody else's way in.
DELETE FROM recovery_codes
WHERE user_id = $1
    AND NOT EXISTS (SELECT 1 FROM totp_seeds WHERE totp_seeds.user_id = $1)
    AND NOT EXISTS (SELECT 1 FROM phones WHERE phones.user_id = $1);

-- name: list_links
-- Everybody that an account works with, as coach or as athlete; bounded by the tier of the coach.
SELECT coach_id, athlete_id
FROM coach_athletes
WHERE $1 IN (coach_id, athlete_id)
    AND ended_at IS NULL
ORDER BY coach_id, athlete_id;

-- name: end_links
-- For good; only a new invite makes a new one.
UPDATE coach_athletes
SET ended_at = now(),
    ended_by = $1
WHERE $1 IN (coach_id, athlete_id)
    AND ended_at IS NULL;

-- name: withdraw_consents
-- Given by whoever was there before.
UPDATE consents
SET withdrawn_at = clock_timestamp()
WHERE user_id = $1
    AND withdrawn_at IS NULL
RETURNING kind;

-- name: end_looks_at
-- With the consent that they stood on.
UPDATE support_looks
SET ended_at = now()
WHERE user_id = $1
    AND ended_at IS NULL;

-- name: drop_deletion
-- Whoever chooses a password means to stay.
DELETE FROM account_deletions
WHERE user_id = $1
RETURNING user_id;

-- name: drop_awaiting_invite
-- To a coach that somebody else chose.
DELETE FROM awaiting_invites
WHERE user_id = $1;

-- name: drop_open_invites
-- Codes that are in others' hands.
SELECT apex_drop_own_open_invites();

-- name: drop_exports
-- Copies that somebody else asked for, with the pieces that are made.
DELETE FROM exports
WHERE user_id = $1;

-- name: forget_device_tokens
-- No device of before is known any more; it may still sign in as a new one, with the new password.
UPDATE devices
SET token_hash = sha256(uuid_send(gen_random_uuid()))
WHERE user_id = $1;
