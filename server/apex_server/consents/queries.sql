-- name: list_consents
-- What a person ever consented to, the latest first; a hundred of a kind are years of giving and taking back.
SELECT kind, version, given_at, withdrawn_at, expires_at,
    withdrawn_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AS stands
FROM consents
WHERE user_id = $1
ORDER BY given_at DESC, kind
LIMIT 300;

-- name: lock_person
-- Two requests at once leave one consent standing and not two.
SELECT pg_advisory_xact_lock(3, hashtext($1::text));

-- name: get_standing
-- The same consent given again changes nothing, so its time stays true.
SELECT version, expires_at
FROM consents
WHERE user_id = $1
    AND kind = $2
    AND withdrawn_at IS NULL
    AND (expires_at IS NULL OR expires_at > now());

-- name: withdraw
-- Taken back, replaced, or tidied up after it ran out. The time is that of holding the lock, not of asking for it.
UPDATE consents
SET withdrawn_at = clock_timestamp()
WHERE user_id = $1
    AND kind = $2
    AND withdrawn_at IS NULL;

-- name: give
-- A consent to support ends by itself.
INSERT INTO consents (user_id, kind, version, given_at, expires_at)
SELECT $1, $2, $3, moment.now, moment.now + $4::interval
FROM clock_timestamp() AS moment (now);

-- name: end_looks
-- Whoever takes back their consent ends what support is looking at, not only what it may read next.
UPDATE support_looks
SET ended_at = now()
WHERE user_id = $1
    AND ended_at IS NULL;

-- name: find_stop_link
-- Before anybody is signed in: who got the mail. It is good as often as it is pressed.
SELECT user_id
FROM apex_mail_token_owner($1)
WHERE purpose = 'stop_messages'
    AND expires_at > $2;

-- name: stands_under_link
-- Whether what a mail with this link ($2) went under still stands; what was given since is for later mails to end.
SELECT EXISTS (
    SELECT 1
    FROM consents
    JOIN mail_tokens ON mail_tokens.user_id = consents.user_id
    WHERE consents.user_id = $1
        AND consents.kind = 'messages'
        AND consents.withdrawn_at IS NULL
        AND mail_tokens.token_hash = $2
        AND mail_tokens.created_at > consents.given_at
);
