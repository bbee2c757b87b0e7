-- Who registers an address may be somebody else than who reads its mail. What was there before the first mail was answered is
-- told from what came after: a new password that is chosen by mail takes it away.

ALTER TABLE users ADD COLUMN first_answered_at timestamptz;
COMMENT ON COLUMN users.first_answered_at IS
    'when a mail to the person was first answered; with another address they are the same person still';
UPDATE users
SET first_answered_at = least(users.email_verified_at, (
    SELECT min(email_changes.asked_at)
    FROM email_changes
    WHERE email_changes.user_id = users.id AND email_changes.undo_until > email_changes.confirmed_at
))
WHERE users.email_verified_at IS NOT NULL;
GRANT SELECT (first_answered_at), UPDATE (first_answered_at) ON users TO apex_app;

CREATE POLICY exports_dropped ON exports FOR DELETE TO apex_app USING (user_id = apex_user_id());
CREATE POLICY invites_dropped ON invites FOR DELETE TO apex_app USING (coach_id = apex_user_id() AND used_at IS NULL);
GRANT DELETE ON exports, invites TO apex_app;

ALTER TABLE mails ADD COLUMN dropped_factors text[] NOT NULL DEFAULT '{}'
    CHECK (dropped_factors <@ ARRAY['passkeys', 'totp', 'phone']);
COMMENT ON COLUMN mails.dropped_factors IS 'the kinds of ways to sign in that were taken away, for the letter to name';
