-- name: find_login_accounts
-- Before anybody is signed in: what the password is checked against, and whether this is a device we know.
SELECT user_id, password_hash, has_address, device_id
FROM apex_login_accounts($1, $2);

-- name: begin_login
-- Counts the attempt before the password is checked, so that attempts at the same moment count each other.
SELECT apex_begin_login($1, $2, $3, $4, $5);

-- name: forget_login_attempts
-- The right password: whoever mistyped it before is no guesser.
SELECT apex_forget_login_attempts($1);

-- name: add_user
-- A registration acts as the user it creates.
INSERT INTO users (id, email_index, email, password_hash, name, role, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: still_has_password
-- Checking a password takes a while, in which it may have been changed.
SELECT apex_still_has_password($1);

-- name: change_password_hash
-- The same password under today's parameters.
UPDATE users
SET password_hash = $2
WHERE id = $1;

-- name: get_account
-- Everything about a user but the password hash, which no request can read.
SELECT id, email, name, role, created_at, email_verified_at IS NOT NULL AS email_verified
FROM users
WHERE id = $1;

-- name: list_coaches
-- An athlete sees who sees them.
SELECT pair.coach_id, users.name AS coach_name, pair.since
FROM coach_athletes AS pair
JOIN users ON users.id = pair.coach_id
WHERE pair.athlete_id = $1
    AND pair.ended_at IS NULL
ORDER BY pair.since, pair.coach_id
LIMIT 50;

-- name: find_device_of_client
-- The same installation signing in again without its token: same client id, kind and (compared once open) name.
SELECT devices.id, devices.name
FROM client_ids
JOIN devices ON devices.id = client_ids.device_id
WHERE client_ids.client_id = $2
    AND client_ids.user_id = $1
    AND devices.user_id = $1
    AND devices.kind = $3;

-- name: find_proven_device
-- Signed in by a passkey: whether the token that came along is that of a device of the same person.
SELECT id
FROM devices
WHERE user_id = $1
    AND token_hash = $2
    AND removed_at IS NULL;

-- name: get_device_kind
-- A token copied from a phone to a watch does not make the watch a phone.
SELECT kind
FROM devices
WHERE id = $2
    AND user_id = $1;

-- name: add_device
-- Every session is on a device, even one that did not introduce itself.
INSERT INTO devices (id, user_id, name, kind, token_hash, created_at, last_seen_at)
VALUES ($2, $1, $3, $4, $5, $6, $6);

-- name: see_device_again
-- Signing in brings a removed device back; its name may have changed, its token only when it had lost it.
UPDATE devices
SET name = coalesce($3, name),
    token_hash = coalesce($4, token_hash),
    last_seen_at = $5,
    removed_at = NULL
WHERE id = $2
    AND user_id = $1;

-- name: bind_client_id
-- False when the id belongs to another device, whoever's.
SELECT apex_bind_client_id($1, $2, $3);

-- name: list_devices
-- Removed devices are gone for their user, though their client ids stay bound.
SELECT devices.id,
    devices.name,
    devices.kind,
    (
        SELECT client_ids.client_id
        FROM client_ids
        WHERE client_ids.device_id = devices.id
        ORDER BY client_ids.bound_at DESC, client_ids.client_id
        LIMIT 1
    ) AS client_id,
    devices.created_at,
    devices.last_seen_at,
    devices.id = $2 AS current
FROM devices
WHERE devices.user_id = $1
    AND devices.removed_at IS NULL
    AND ($3::uuid IS NULL OR devices.id = $3)
ORDER BY devices.last_seen_at DESC, devices.id
LIMIT 200;

-- name: end_sessions_of_device
-- A removed device is signed out at once.
UPDATE sessions
SET ended_at = now(),
    end_reason = 'device_removed'
WHERE user_id = $1
    AND device_id = $2
    AND ended_at IS NULL;

-- name: remove_device
-- Gives the id of what was removed, or nothing when it was not there or not the user's.
UPDATE devices
SET removed_at = now()
WHERE id = $2
    AND user_id = $1
    AND removed_at IS NULL
RETURNING id;

-- name: add_session
-- One sign-in is one family of refresh tokens; with a passkey or a code beside the password it is worth more.
INSERT INTO sessions (id, user_id, device_id, created_at, last_used_at, authenticated_at, second_factor_at)
VALUES ($2, $1, $3, $4, $4, $4, CASE WHEN $5 THEN $4::timestamptz END);

-- name: get_own_password_hash
-- For a password that is given again by somebody who is signed in.
SELECT apex_own_password_hash();

-- name: note_authenticated
-- The person of this session has just proven to be there, with a second factor or without.
UPDATE sessions
SET authenticated_at = $3,
    second_factor_at = CASE WHEN $4 THEN $3::timestamptz ELSE second_factor_at END
WHERE id = $2
    AND user_id = $1
    AND ended_at IS NULL;

-- name: forget_second_factor
-- What was shown is no proof any more of whoever has none left.
UPDATE sessions
SET second_factor_at = NULL
WHERE user_id = $1
    AND second_factor_at IS NOT NULL
    AND ended_at IS NULL;

-- name: lacks_second_factor
-- Nothing where the session has ended, which an access token outlives by minutes. Else whether a second factor is demanded
-- of its person, who may read others ($3), by the operator ($4) or their organisation, and this session has shown none.
SELECT second_factor_at IS NULL AND $3 AND ($4 OR apex_organisation_demands_second_factor())
FROM sessions
WHERE id = $2
    AND user_id = $1
    AND ended_at IS NULL;

-- name: end_session
-- Ends one family, once; the first reason stands.
UPDATE sessions
SET ended_at = now(),
    end_reason = $3
WHERE id = $2
    AND user_id = $1
    AND ended_at IS NULL;

-- name: end_all_sessions
-- Signing out everywhere; what was begun before, and has no session yet, gets none.
WITH noted AS (
    UPDATE users
    SET sessions_ended_at = $2
    WHERE id = $1
)
UPDATE sessions
SET ended_at = now(),
    end_reason = 'logout_everywhere'
WHERE user_id = $1
    AND ended_at IS NULL;

-- name: end_other_sessions
-- A new password, or an address that was put back: whoever is signed in elsewhere, or is about to be, proves anew who
-- they are.
WITH noted AS (
    UPDATE users
    SET sessions_ended_at = $4
    WHERE id = $1
)
UPDATE sessions
SET ended_at = now(),
    end_reason = $3
WHERE user_id = $1
    AND id IS DISTINCT FROM $2
    AND ended_at IS NULL;

-- name: get_email_verified_at
-- Null: no mail to this address was ever answered.
SELECT email_verified_at
FROM users
WHERE id = $1;

-- name: is_own_email_kept
-- True: another account left this address lately and may still come back to it.
SELECT apex_email_is_kept(email_index, $2)
FROM users
WHERE id = $1;

-- name: note_email_verified
-- The first time stands; a row only where this is it. Of two accounts that answer for one address the second is refused.
UPDATE users
SET email_verified_at = $2,
    first_answered_at = coalesce(first_answered_at, $2)
WHERE id = $1
    AND email_verified_at IS NULL
RETURNING id;

-- name: find_link
-- Before anybody is signed in: whose mail this was in, so that using it can act for them.
SELECT user_id, purpose, expires_at, used_at
FROM apex_mail_token_owner($1);

-- name: use_link
-- Once: of two at the same moment the second finds it used.
UPDATE mail_tokens
SET used_at = $3
WHERE token_hash = $2
    AND user_id = $1
    AND used_at IS NULL
    AND expires_at > $3
RETURNING email_change_id;

-- name: find_refresh_token_owner
-- Before anybody is signed in: whose token this is, or of whose family ($2), so that the exchange can act for them.
SELECT user_id, session_id
FROM apex_refresh_token_owner($1)
UNION ALL
SELECT user_id, session_id
FROM apex_refresh_token_owner($2)
LIMIT 1;

-- name: is_erased
-- A token that is unknown may be one of an account that was erased: its device is told to forget.
SELECT apex_is_erased($1);

-- name: knows_device
-- A token that is unknown may be of a session that was forgotten, on a device that is not.
SELECT apex_knows_device($1);

-- name: lock_session
-- Exchanges of one family queue here, so that each sees what the one before it did; a sign-out waits, too.
SELECT id
FROM sessions
WHERE id = $2
    AND user_id = $1
FOR UPDATE;

-- name: get_refresh_token
-- Everything a presented token is judged by, or its family ($4) where it was dropped; read only under the lock of its
-- family.
SELECT token.expires_at,
    token.used_at,
    token.used_by_device,
    session.ended_at,
    session.created_at AS session_created_at,
    session.device_id,
    device.token_hash = $3 AS device_proven,
    EXISTS (
        SELECT 1
        FROM refresh_tokens AS sibling
        WHERE sibling.parent_hash = token.parent_hash
            AND sibling.user_id = $1
            AND sibling.token_hash <> token.token_hash
            AND sibling.used_at IS NOT NULL
    ) AS sibling_used,
    EXISTS (
        SELECT 1
        FROM refresh_tokens AS child
        WHERE child.parent_hash = token.token_hash
            AND child.user_id = $1
            AND child.used_at IS NOT NULL
    ) AS child_used,
    users.role
FROM refresh_tokens AS token
JOIN sessions AS session ON session.id = token.session_id
JOIN devices AS device ON device.id = session.device_id
JOIN users ON users.id = token.user_id
WHERE token.user_id = $1
    AND token.token_hash IN ($2, $4)
ORDER BY token.token_hash = $2 DESC
LIMIT 1;

-- name: add_refresh_token
-- Only the fingerprint is kept.
INSERT INTO refresh_tokens (token_hash, session_id, user_id, issued_at, expires_at, parent_hash)
VALUES ($2, $3, $1, $4, $5, $6);

-- name: add_token_family
-- The family's name is no token: as if it had been exchanged at the sign-in, and by nobody's device.
INSERT INTO refresh_tokens (token_hash, session_id, user_id, issued_at, expires_at, used_at, used_by_device)
VALUES ($2, $3, $1, $4, $5, $4, false);

-- name: use_refresh_token
-- A retry keeps the first use as it was: what counts is when and by whom the token was exchanged at first.
UPDATE refresh_tokens
SET used_at = $3,
    used_by_device = $4
WHERE token_hash = $2
    AND user_id = $1
    AND used_at IS NULL;

-- name: note_session_used
-- The 30 days of inactivity count from here; the device list shows it.
WITH used AS (
    UPDATE sessions
    SET last_used_at = $3
    WHERE id = $2
        AND user_id = $1
    RETURNING device_id
)
UPDATE devices
SET last_seen_at = $3
FROM used
WHERE devices.id = used.device_id
    AND devices.user_id = $1;

-- name: drop_expired_refresh_tokens
-- What it was is told by its family from now on, whose row expires with the session.
DELETE FROM refresh_tokens
WHERE session_id = $2
    AND user_id = $1
    AND expires_at <= $3;
