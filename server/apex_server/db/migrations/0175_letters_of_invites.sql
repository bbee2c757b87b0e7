-- What became of an invite's letter stands with the invite, for its coach to read; and one that waits for the coach to confirm
-- their own address goes when they do.

ALTER TABLE invites ADD COLUMN letter text NOT NULL DEFAULT 'none'
    CHECK (letter IN ('none', 'unconfirmed', 'waiting', 'sent', 'too_many', 'refused'));
ALTER TABLE invites ADD COLUMN letter_at timestamptz;
COMMENT ON COLUMN invites.letter IS
    'none: it has no address; unconfirmed: the coach has not confirmed theirs; too_many: they had had their letters of the day';
COMMENT ON COLUMN invites.letter_at IS 'when it went or was refused; while it waits, when it is tried, if that is not at once';

UPDATE invites
SET letter = CASE
        WHEN mail_sent_at IS NOT NULL THEN 'sent'
        WHEN EXISTS (SELECT 1 FROM mails WHERE mails.invite_id = invites.id AND mails.failed_at IS NULL) THEN 'waiting'
        WHEN email_index IS NOT NULL THEN 'too_many'
        ELSE 'none'
    END,
    letter_at = mail_sent_at;
ALTER TABLE invites DROP COLUMN mailed;
ALTER TABLE invites DROP COLUMN mail_sent_at;

GRANT SELECT (letter, letter_at), UPDATE (letter, letter_at) ON invites TO apex_commit;

CREATE FUNCTION apex_release_invite_letters(at_time timestamptz) RETURNS void
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    UPDATE mails
    SET due_at = at_time
    WHERE mails.user_id = apex_user_id()
        AND mails.due_at = 'infinity'
        AND mails.failed_at IS NULL;
    UPDATE invites
    SET letter = 'waiting'
    WHERE invites.coach_id = apex_user_id()
        AND invites.letter = 'unconfirmed';
END;
COMMENT ON FUNCTION apex_release_invite_letters IS 'the coach has confirmed their address, by which letters name them';
REVOKE EXECUTE ON FUNCTION apex_release_invite_letters FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_release_invite_letters TO apex_app;

COMMENT ON TABLE address_letters IS 'what went lately to an address, to bound it; kept for two days';
