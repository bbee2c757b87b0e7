-- How many letters an address gets from accounts that it has not answered for is counted by the address, and outlives what was
-- in them: an account that moves on, or a link that is voided, makes no room for more.

CREATE TABLE address_letters (
    mail_id bigint PRIMARY KEY,
    email_index bytea NOT NULL CHECK (length(email_index) = 32),
    lane text NOT NULL CHECK (lane ~ '^[a-z_]{1,40}$'),
    sent_at timestamptz NOT NULL
);
CREATE INDEX address_letters_lately ON address_letters (email_index, lane, sent_at DESC);
CREATE INDEX address_letters_by_age ON address_letters (sent_at);
COMMENT ON TABLE address_letters IS 'what went lately to addresses that nobody may have answered for, to bound it; kept for two days';
COMMENT ON COLUMN address_letters.mail_id IS 'of mails; sent again, a mail counts once';

ALTER TABLE address_letters ENABLE ROW LEVEL SECURITY;
ALTER TABLE address_letters FORCE ROW LEVEL SECURITY;
CREATE POLICY address_letters_owner ON address_letters TO CURRENT_USER USING (true);
CREATE POLICY address_letters_commit ON address_letters TO apex_commit USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON address_letters TO apex_commit;

ALTER TABLE mails ADD COLUMN pressed boolean NOT NULL DEFAULT false;
ALTER TABLE mails ADD COLUMN crowd bytea CHECK (length(crowd) = 32);
CREATE INDEX mails_crowded ON mails (crowd, pressed, asked_at DESC, id DESC) WHERE crowd IS NOT NULL;
COMMENT ON COLUMN mails.pressed IS 'somebody signed in asked for it: it goes before what comes of registering';
COMMENT ON COLUMN mails.crowd IS 'the address that has had its letters for now; this one waits for room, with others';

-- Nobody reads or changes what waits; but asking again for the link of one's own address puts it in front.
CREATE FUNCTION apex_press_for_link(at_time timestamptz) RETURNS void
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    INSERT INTO mails (purpose, user_id, asked_at, due_at, pressed)
    SELECT 'verify_email', users.id, at_time, at_time, true
    FROM users
    WHERE users.id = apex_user_id() AND users.email_verified_at IS NULL
    ON CONFLICT (user_id, email_index, purpose, email_change_id, about_id) WHERE failed_at IS NULL
    DO UPDATE SET pressed = true, asked_at = excluded.asked_at, due_at = excluded.due_at, crowd = NULL;
END;
REVOKE EXECUTE ON FUNCTION apex_press_for_link FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_press_for_link TO apex_app;

-- Requests end no invites but those of an account that changes hands, and all of them.
REVOKE DELETE ON invites FROM apex_app;
DROP POLICY invites_dropped ON invites;
CREATE FUNCTION apex_drop_own_open_invites() RETURNS void
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    DELETE FROM invites WHERE invites.coach_id = apex_user_id() AND invites.used_at IS NULL;
END;
REVOKE EXECUTE ON FUNCTION apex_drop_own_open_invites FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_drop_own_open_invites TO apex_app;
