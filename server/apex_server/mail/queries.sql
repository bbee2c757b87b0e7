-- name: queue_mail
-- To oneself. What waits already is not asked for twice.
INSERT INTO mails (purpose, user_id, email_change_id, asked_at, due_at, dropped_factors)
VALUES ($2, $1, $3, $4, $4, $5)
ON CONFLICT DO NOTHING;

-- name: queue_mail_to_index
-- Before anybody is signed in: to whoever has the address, if anybody has. Only the worker finds out.
INSERT INTO mails (purpose, email_index, asked_at, due_at)
VALUES ($2, $1, $3, $3)
ON CONFLICT DO NOTHING;

-- name: queue_invite_mails
-- To whom somebody has invited, by that person's own word alone: nobody looks whether anybody has the address. Not due
-- before that person has confirmed theirs ($3), by which the letter names them.
INSERT INTO mails (purpose, user_id, invite_id, invite_code, asked_at, due_at)
SELECT 'invite', apex_user_id(), asked.invite_id, asked.invite_code, now(),
    CASE WHEN $3 THEN now() ELSE 'infinity' END
FROM unnest($1::uuid[], $2::bytea[]) AS asked (invite_id, invite_code)
ON CONFLICT DO NOTHING;

-- name: release_invite_mails
-- What waited for their coach to confirm an address is due now.
SELECT apex_release_invite_letters($1);

-- name: tell_of_other_accounts
-- To whoever has just confirmed an address: that other accounts under it cannot be confirmed any more.
SELECT apex_tell_of_other_accounts($1, $2);

-- name: get_mailed_invite
-- What the letter of an invite needs; nothing where nobody can accept it any more.
SELECT email, expires_at
FROM invites
WHERE id = $1
    AND used_at IS NULL
    AND revoked_at IS NULL
    AND expires_at > $2;

-- name: note_invite_letter
-- Its coach sees what became of it, and when.
UPDATE invites
SET letter = $2,
    letter_at = $3
WHERE id = $1;

-- name: press_for_link
-- By somebody signed in, for their own address: in front of what waits, and once.
SELECT apex_press_for_link($1);

-- name: address_mails
-- Those that were asked for by address go to the account that has it; where none has, to the latest that name it.
WITH asked AS (
    DELETE FROM mails
    WHERE id IN (
        SELECT id
        FROM mails
        WHERE email_index IS NOT NULL
            AND failed_at IS NULL
            AND due_at <= $1
        ORDER BY due_at
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    RETURNING purpose, email_index, asked_at, due_at
)
INSERT INTO mails (purpose, user_id, asked_at, due_at)
SELECT asked.purpose, account.id, asked.asked_at, asked.due_at
FROM asked
CROSS JOIN LATERAL (
    SELECT users.id
    FROM users
    WHERE users.email_index = asked.email_index
        AND (
            users.email_verified_at IS NOT NULL
            OR NOT EXISTS (
                SELECT 1
                FROM users AS owner
                WHERE owner.email_index = asked.email_index AND owner.email_verified_at IS NOT NULL
            )
        )
    ORDER BY users.created_at DESC
    LIMIT $3
) AS account
ON CONFLICT DO NOTHING;

-- name: take_due_mails
-- Whoever takes a mail has it for a while; a worker that dies leaves it to be sent again. What waited for room at one
-- address is due at one moment: of a crowd the newest goes first, after what came in order. What somebody asked for
-- themselves does not stand in line behind the letters of invites.
WITH taken AS (
    UPDATE mails
    SET attempts = mails.attempts + 1,
        due_at = $1 + $2::interval
    WHERE mails.id IN (
        SELECT waiting.id
        FROM mails AS waiting
        WHERE waiting.due_at <= $1
            AND waiting.failed_at IS NULL
            AND waiting.user_id IS NOT NULL
        ORDER BY waiting.invite_id IS NOT NULL, waiting.due_at, CASE WHEN waiting.crowd IS NULL THEN waiting.asked_at END,
            waiting.asked_at DESC, waiting.id
        LIMIT $3
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id, purpose, user_id, email_change_id, about_id, invite_id, invite_code, noted_at, attempts, dropped_factors,
        pressed, crowd, asked_at
)
SELECT id, purpose, user_id, email_change_id, about_id, invite_id, invite_code, noted_at, attempts, dropped_factors, pressed
FROM taken
ORDER BY invite_id IS NOT NULL, CASE WHEN crowd IS NULL THEN asked_at END, asked_at DESC, id;

-- name: finish_mail
-- It has gone, or there is nobody to send it to.
DELETE FROM mails
WHERE id = $1;

-- name: note_mail
-- What it tells of is in the events of its person; sent again, it is not written down again.
UPDATE mails
SET noted_at = $2
WHERE id = $1;

-- name: postpone_mail
-- To be tried again.
UPDATE mails
SET due_at = $2
WHERE id = $1;

-- name: hold_mail
-- It will not go by itself; an operator sees it in the list, with the reason.
UPDATE mails
SET failed_at = $2,
    failure = $3
WHERE id = $1;

-- name: get_addressee
-- Where a person's mails go, sealed; when and on what the account was made; and whose the address is, if another's.
SELECT users.id, users.email_index, users.email, users.name, users.role, users.email_verified_at, users.created_at,
    (
        SELECT devices.kind
        FROM devices
        WHERE devices.user_id = users.id
        ORDER BY devices.created_at
        LIMIT 1
    ) AS device_kind,
    (
        SELECT owner.id
        FROM users AS owner
        WHERE owner.email_index = users.email_index
            AND owner.email_verified_at IS NOT NULL
            AND owner.id <> users.id
    ) AS owner_id
FROM users
WHERE users.id = $1;

-- name: list_former_addresses
-- A person's mails may have gone to any of them.
SELECT old_email, new_email
FROM email_changes
WHERE user_id = $1
ORDER BY asked_at DESC
LIMIT 100;

-- name: full_since
-- Null: an address may have another letter of a lane. Else when the oldest of those that fill it went.
SELECT sent_at
FROM address_letters
WHERE email_index = $1
    AND lane = $2
    AND sent_at > $3
    AND mail_id <> $4
ORDER BY sent_at DESC
OFFSET $5
LIMIT 1;

-- name: note_letter
-- It goes now; tried again, it counts once.
WITH gone AS (
    UPDATE mails
    SET crowd = NULL
    WHERE id = $1
)
INSERT INTO address_letters (mail_id, email_index, lane, sent_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (mail_id) DO UPDATE
SET sent_at = excluded.sent_at;

-- name: wait_for_room
-- That is no attempt at the post. $2: the crowd it waits in, if it does.
UPDATE mails
SET crowd = $2,
    due_at = $3,
    attempts = attempts - 1
WHERE id = $1;

-- name: drop_crowded_out
-- What waits for room behind so many newer ones would come when nobody looks for it; whoever wants it asks again.
DELETE FROM mails
WHERE id IN (
    SELECT id
    FROM mails
    WHERE crowd = $1
        AND pressed = $2
    ORDER BY asked_at DESC, id DESC
    OFFSET $3
);

-- name: forget_letters
-- They count for a day.
DELETE FROM address_letters
WHERE sent_at < $1;

-- name: add_mail_token
-- Only the fingerprint is kept.
INSERT INTO mail_tokens (token_hash, user_id, purpose, email_change_id, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: drop_mail_token
-- The mail it was made for did not go.
DELETE FROM mail_tokens
WHERE token_hash = $1;

-- name: list_held_mails
-- What an operator must look at, the newest first; no address stands here.
SELECT id, purpose, user_id, failed_at, failure, attempts
FROM mails
WHERE failed_at IS NOT NULL
ORDER BY failed_at DESC
LIMIT $1;

-- name: forget_held_mails
-- Nobody will mend what is so old.
DELETE FROM mails
WHERE failed_at < $1;

-- name: forget_mail_tokens
-- Long over; while they last, an old link is told from one that never was by nobody.
DELETE FROM mail_tokens
WHERE expires_at < $1;

-- name: get_email_change
-- Where the two letters about a changed address go, sealed.
SELECT old_email, old_index, new_email
FROM email_changes
WHERE id = $1;

-- name: list_waiting_messages
-- Who waits for somebody to read them, the latest first; of nobody who did not consent to hear of it, or does no longer.
SELECT waiting.coach_id, waiting.athlete_id, waiting.sender_id, sender.name, waiting.messages, waiting.newest_at
FROM users AS reader
CROSS JOIN LATERAL apex_waiting_messages(reader.id, $2) AS waiting
JOIN users AS sender ON sender.id = waiting.sender_id
WHERE reader.id = $1
    AND apex_consented(reader.id, 'messages')
    AND reader.email_verified_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM account_deletions WHERE account_deletions.user_id = reader.id)
ORDER BY waiting.newest_at DESC, waiting.sender_id
LIMIT 5000;
