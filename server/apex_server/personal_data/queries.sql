-- name: list_due_deletions
-- Whose time of grace is over, who has waited for longest first.
SELECT user_id
FROM account_deletions
WHERE erase_at <= $1
ORDER BY erase_at
LIMIT $2;

-- name: lock_due_deletion
-- Taken back at the last moment, or under way elsewhere: then there is no row.
SELECT user_id
FROM account_deletions
WHERE user_id = $1 AND erase_at <= $2
FOR UPDATE SKIP LOCKED;

-- name: take_time
-- Erasing years of training takes longer than any commit may.
SELECT set_config('statement_timeout', '600s', true), set_config('lock_timeout', '60s', true);

-- name: erase_account
-- Everything of one person, in every table.
SELECT apex_erase_account($1, $2);

-- name: last_erasure
-- Whether the key file has to be written anew; every erasure has a moment of its own.
SELECT max(erased_at)
FROM erased_accounts;

-- name: list_unswept
-- Erased a while ago, and not looked at since.
SELECT user_id
FROM erased_accounts
WHERE swept_at IS NULL AND erased_at <= $1
ORDER BY erased_at
LIMIT $2;

-- name: note_swept
-- Once is enough.
UPDATE erased_accounts
SET swept_at = $2
WHERE user_id = $1;

-- name: take_export
-- The oldest that nobody is at; the piece of work of a worker that died is begun anew.
UPDATE exports
SET taken_at = $1, attempts = attempts + 1
WHERE id = (
    SELECT waiting.id
    FROM exports AS waiting
    WHERE waiting.ready_at IS NULL
        AND waiting.failed_at IS NULL
        AND (waiting.taken_at IS NULL OR waiting.taken_at < $2)
    ORDER BY waiting.asked_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, user_id, attempts;

-- name: begin_export
-- What an attempt before had made is made again.
WITH gone AS (
    DELETE FROM export_chunks
    WHERE export_id = $1
)
UPDATE exports
SET parts_done = 0, parts_total = $2, bytes = 0, taken_at = $3
WHERE id = $1;

-- name: add_chunk
-- Pieces come in order.
INSERT INTO export_chunks (export_id, user_id, place, sealed)
VALUES ($1, $2, $3, $4);

-- name: note_progress
-- The person sees how far it is, and other workers that somebody is at it.
UPDATE exports
SET parts_done = $2, bytes = $3, taken_at = $4
WHERE id = $1;

-- name: finish_export
-- From now on it can be downloaded.
UPDATE exports
SET parts_done = parts_total, bytes = $2, ready_at = $3, expires_at = $4
WHERE id = $1;

-- name: fail_export
-- The person sees it and may ask again; an operator finds it in the log.
WITH gone AS (
    DELETE FROM export_chunks
    WHERE export_id = $1
)
UPDATE exports
SET failed_at = $2
WHERE id = $1;

-- name: forget_exports
-- A copy of everything lies about no longer than it must.
DELETE FROM exports
WHERE expires_at <= $1 OR failed_at <= $2;

-- name: list_own_scopes
-- What is a person's own: their records as an athlete, what they wrote as a coach, and their messages. Of what is about
-- them they have their threads alone.
SELECT scope_id, name, record_count
FROM scopes
WHERE split_part(name, ':', 2) = $1::text
    OR (right(name, 36) = $1::text AND name LIKE 'thread:%')
ORDER BY name
LIMIT 10000;

-- name: list_collections
-- A file for each.
SELECT DISTINCT collection
FROM records
WHERE scope_id = $1
ORDER BY collection
LIMIT 100;

-- name: export_records
-- Some records at a time.
SELECT record_id, seq, deleted, digest, doc
FROM records
WHERE scope_id = $1 AND collection = $2 AND record_id > $3
ORDER BY record_id
LIMIT $4;

-- name: export_changes
-- Who added what; whole seqs, so that none is cut.
SELECT seq, record_id, client_id, first_clock, next_clock, user_id, device_id, committed_at
FROM audit
WHERE scope_id = $1
    AND seq > $2
    AND seq <= (
        SELECT max(next.seq)
        FROM (SELECT seq FROM audit WHERE scope_id = $1 AND seq > $2 ORDER BY seq LIMIT $3) AS next
    )
ORDER BY seq, client_id;

-- name: export_events
-- What happened to the person.
SELECT seq, at, action, actor_id, actor_role, device_id, sealed
FROM account_events
WHERE subject_id = $1 AND seq > $2
ORDER BY seq
LIMIT $3;

-- name: export_account
-- Who the person is here.
SELECT id, email, name, role, created_at
FROM users
WHERE id = $1;

-- name: export_devices
-- Removed ones as well.
SELECT devices.id, devices.name, devices.kind, devices.created_at, devices.last_seen_at, devices.removed_at,
    ARRAY(
        SELECT client_ids.client_id FROM client_ids WHERE client_ids.device_id = devices.id ORDER BY client_ids.bound_at
    ) AS client_ids
FROM devices
WHERE devices.user_id = $1
ORDER BY devices.created_at, devices.id
LIMIT 10000;

-- name: export_apps
-- One at the most.
SELECT offered_at, confirmed_at
FROM totp_seeds
WHERE user_id = $1
ORDER BY offered_at
LIMIT 10;

-- name: export_phones
-- One at the most.
SELECT number_sealed AS number, added_at, confirmed_at
FROM phones
WHERE user_id = $1
ORDER BY added_at
LIMIT 10;

-- name: export_recovery_codes
-- When they were made and used.
SELECT made_at, used_at
FROM recovery_codes
WHERE user_id = $1
ORDER BY made_at, code_hash
LIMIT 100;

-- name: export_passkeys
-- Twenty at the most.
SELECT id, name_sealed AS name, synced, created_at, last_used_at, copied_at
FROM passkeys
WHERE user_id = $1
ORDER BY created_at, id
LIMIT 100;

-- name: export_sessions
-- Each sign-in.
SELECT id, device_id, created_at, last_used_at, ended_at, end_reason
FROM sessions
WHERE user_id = $1
ORDER BY created_at, id
LIMIT 100000;

-- name: export_consents
-- Each consent, given and taken back.
SELECT kind, version, given_at, withdrawn_at, expires_at, letter_at
FROM consents
WHERE user_id = $1
ORDER BY given_at, kind
LIMIT 100000;

-- name: export_coaching
-- Whom the person coaches or coached, and who coaches or coached them.
SELECT coach_id, athlete_id, since, ended_at
FROM coach_athletes
WHERE $1 IN (coach_id, athlete_id)
ORDER BY since, coach_id, athlete_id
LIMIT 100000;

-- name: export_organisations
-- Where the person owns or belongs.
SELECT owner_id, coach_id, since, ended_at
FROM organisation_coaches
WHERE $1 IN (owner_id, coach_id)
ORDER BY since, owner_id, coach_id
LIMIT 100000;

-- name: export_invites
-- The person's invites, with what they noted of whom each is for, and to which address it went while it is open.
SELECT created_at, expires_at, used_by, used_at, revoked_at, email, letter, letter_at, draft
FROM invites
WHERE coach_id = $1
ORDER BY created_at
LIMIT 100000;

-- name: export_media
-- Photos and files of the person's own scopes, the newest first.
SELECT scope_id, media_id, kind, content_type, stored_bytes, declared_at
FROM media
WHERE scope_id = ANY ($1::uuid[]) AND state = 'ready'
ORDER BY declared_at DESC, id
LIMIT $2;

-- name: export_worded_texts
-- What a model answered about the person.
SELECT created_at, reply
FROM worded_texts
WHERE athlete_id = $1
ORDER BY created_at
LIMIT $2;

-- name: forget_parted
-- Two years after they parted, what a coach noted about an athlete.
SELECT apex_forget_parted($1, $2);

-- name: forget_login_attempts
-- They count for minutes.
DELETE FROM login_attempts
WHERE id IN (SELECT id FROM login_attempts WHERE attempted_at < $1 ORDER BY attempted_at LIMIT $2);

-- name: forget_ended_sessions
-- Their tokens go with them.
DELETE FROM sessions
WHERE id IN (SELECT id FROM sessions WHERE ended_at < $1 ORDER BY ended_at LIMIT $2);

-- name: forget_unused_sessions
-- Nobody ever ended them, and they can end no more.
DELETE FROM sessions
WHERE id IN (SELECT id FROM sessions WHERE last_used_at < $1 ORDER BY last_used_at LIMIT $2);

-- name: end_unanswered
-- Nobody ever answered for the address, and nobody uses the account: as if its person had asked for its end.
WITH unused AS (
    SELECT users.id
    FROM users
    WHERE users.email_verified_at IS NULL
        AND users.created_at < $1
        AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.user_id = users.id AND sessions.last_used_at >= $1)
        AND NOT EXISTS (SELECT 1 FROM account_deletions WHERE account_deletions.user_id = users.id)
    ORDER BY users.created_at
    LIMIT $2
), ending AS (
    INSERT INTO account_deletions (user_id, asked_at, erase_at)
    SELECT unused.id, $3, $4
    FROM unused
    ON CONFLICT DO NOTHING
    RETURNING user_id
)
INSERT INTO mails (purpose, user_id, asked_at, due_at)
SELECT 'unanswered_account_ends', ending.user_id, $3, $3
FROM ending
ON CONFLICT DO NOTHING;

-- name: forget_invites
-- Used or not, they are over.
DELETE FROM invites
WHERE code_hash IN (SELECT code_hash FROM invites WHERE expires_at < $1 ORDER BY expires_at LIMIT $2);

-- name: forget_looks
-- Of support; the person's events still tell of them.
DELETE FROM support_looks
WHERE id IN (SELECT id FROM support_looks WHERE began_at < $1 ORDER BY began_at LIMIT $2);

-- name: export_email_changes
-- Addresses that the person had, or wanted to have.
SELECT asked_at, old_email, new_email
FROM email_changes
WHERE user_id = $1
ORDER BY asked_at
LIMIT 1000;

-- name: export_organisation
-- What the person owns.
SELECT owner_id, name, created_at
FROM organisations
WHERE owner_id = $1;
