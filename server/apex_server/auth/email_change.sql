-- name: get_email
-- One's own address, sealed, and what it is found by.
SELECT email_index, email
FROM users
WHERE id = $1;

-- name: set_email
-- An address that has not answered yet is nobody's.
UPDATE users
SET email_index = $2,
    email = $3,
    email_verified_at = NULL
WHERE id = $1;

-- name: add_email_change
-- Asked for; the account has its old address until the new one answers.
INSERT INTO email_changes (id, user_id, old_index, old_email, new_index, new_email, asked_at)
VALUES ($2, $1, $3, $4, $5, $6, $7);

-- name: get_email_change
-- What a link is about.
SELECT id, old_email, new_index, new_email, asked_at
FROM email_changes
WHERE id = $2
    AND user_id = $1;

-- name: note_email_changed
-- From here on the old address has its time to object, if it ever was the account's.
UPDATE email_changes
SET confirmed_at = $3,
    undo_until = $4
WHERE id = $2
    AND user_id = $1;

-- name: note_email_changes_undone
-- This one and all that came after it.
UPDATE email_changes
SET undone_at = $3
WHERE user_id = $1
    AND asked_at >= $2
    AND undone_at IS NULL;

-- name: drop_open_email_changes
-- With the mails about them that wait, and the links in those that have gone.
DELETE FROM email_changes
WHERE user_id = $1
    AND confirmed_at IS NULL;

-- name: drop_links
-- Links of these kinds that still lie in some mailbox do nothing any more.
DELETE FROM mail_tokens
WHERE user_id = $1
    AND purpose = ANY($2::text[])
    AND used_at IS NULL;

-- name: drop_later_undo_links
-- Ways back to addresses that came later. Those to earlier ones stay: whoever owns them may still take the account back.
DELETE FROM mail_tokens
USING email_changes AS later
WHERE mail_tokens.user_id = $1
    AND mail_tokens.purpose = 'undo_email'
    AND mail_tokens.used_at IS NULL
    AND later.id = mail_tokens.email_change_id
    AND later.asked_at >= $2;
