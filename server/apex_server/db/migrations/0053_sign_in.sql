-- What proves a person beside the password: codes of an authenticator app, codes by SMS, recovery codes, passkeys.
--
-- Secrets that must be read again (seeds, phone numbers) stand sealed under the person's key; all others only as
-- fingerprints. Rows are seen and changed as the person they belong to; what comes before anybody is signed in goes
-- through the SECURITY DEFINER functions at the end, as in 0010_accounts.sql.

CREATE TABLE totp_seeds (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    seed_sealed bytea NOT NULL,
    offered_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0
);
COMMENT ON COLUMN totp_seeds.last_step IS 'the newest 30-second step whose code was taken: no code is taken twice';

CREATE TABLE phones (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    number_sealed bytea NOT NULL,
    number_index bytea NOT NULL CHECK (length(number_index) = 32),
    added_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    code_hash bytea CHECK (length(code_hash) = 32),
    code_expires_at timestamptz,
    code_tries smallint NOT NULL DEFAULT 0,
    CHECK ((code_hash IS NULL) = (code_expires_at IS NULL))
);
COMMENT ON COLUMN phones.number_index IS 'keyed hash: what counts messages to one number without knowing it';

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash bytea NOT NULL CHECK (length(code_hash) = 32),
    made_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

-- The right password was given and a second factor is awaited.
CREATE TABLE mfa_challenges (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_print bytea NOT NULL CHECK (length(device_print) = 32),
    known_device_id uuid,
    attempts_key bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    tries smallint NOT NULL DEFAULT 0,
    used_at timestamptz,
    sms_code_hash bytea CHECK (length(sms_code_hash) = 32)
);
CREATE INDEX mfa_challenges_of_user ON mfa_challenges (user_id, expires_at);
COMMENT ON COLUMN mfa_challenges.device_print IS 'fingerprint of what the device said of itself: no other may go on';
COMMENT ON COLUMN mfa_challenges.attempts_key IS 'login_attempts.account of this sign-in: forgotten once it is done';
COMMENT ON COLUMN mfa_challenges.known_device_id IS 'the device that proved to be known; null: a stranger so far';

CREATE TABLE code_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id uuid,
    attempted_at timestamptz NOT NULL
);
CREATE INDEX code_attempts_of_user ON code_attempts (user_id, attempted_at DESC);

CREATE TABLE sms_sends (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    number_index bytea NOT NULL CHECK (length(number_index) = 32),
    to_confirm boolean NOT NULL,
    sent_at timestamptz NOT NULL
);
CREATE INDEX sms_sends_of_user ON sms_sends (user_id, sent_at DESC);
CREATE INDEX sms_sends_to_confirm ON sms_sends (number_index, sent_at DESC) WHERE to_confirm;
CREATE INDEX sms_sends_by_age ON sms_sends (sent_at);
COMMENT ON COLUMN sms_sends.to_confirm IS 'to a number that is not known to be the person''s own';

CREATE TABLE passkeys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    credential_id bytea NOT NULL CONSTRAINT passkeys_credential_unique UNIQUE CHECK (length(credential_id) <= 1023),
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name_sealed bytea NOT NULL,
    synced boolean NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    copied_at timestamptz
);
CREATE INDEX passkeys_of_user ON passkeys (user_id, created_at);
COMMENT ON COLUMN passkeys.synced IS 'whether its owner''s account with the maker of the device holds copies of it';
COMMENT ON COLUMN passkeys.copied_at IS 'its counter ran backwards, so two parties hold it: it opens nothing any more';

-- Challenges are signed by the server and stored only once they were answered rightly, so a stranger fills no table.
CREATE TABLE used_passkey_challenges (
    challenge_hash bytea PRIMARY KEY CHECK (length(challenge_hash) = 32),
    expires_at timestamptz NOT NULL
);
CREATE INDEX used_passkey_challenges_by_age ON used_passkey_challenges (expires_at);

ALTER TABLE totp_seeds ENABLE ROW LEVEL SECURITY;
ALTER TABLE totp_seeds FORCE ROW LEVEL SECURITY;
ALTER TABLE phones ENABLE ROW LEVEL SECURITY;
ALTER TABLE phones FORCE ROW LEVEL SECURITY;
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_codes FORCE ROW LEVEL SECURITY;
ALTER TABLE mfa_challenges ENABLE ROW LEVEL SECURITY;
ALTER TABLE mfa_challenges FORCE ROW LEVEL SECURITY;
ALTER TABLE code_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE code_attempts FORCE ROW LEVEL SECURITY;
ALTER TABLE sms_sends ENABLE ROW LEVEL SECURITY;
ALTER TABLE sms_sends FORCE ROW LEVEL SECURITY;
ALTER TABLE passkeys ENABLE ROW LEVEL SECURITY;
ALTER TABLE passkeys FORCE ROW LEVEL SECURITY;
ALTER TABLE used_passkey_challenges ENABLE ROW LEVEL SECURITY;
ALTER TABLE used_passkey_challenges FORCE ROW LEVEL SECURITY;

CREATE POLICY totp_seeds_owner ON totp_seeds TO CURRENT_USER USING (true);
CREATE POLICY phones_owner ON phones TO CURRENT_USER USING (true);
CREATE POLICY recovery_codes_owner ON recovery_codes TO CURRENT_USER USING (true);
CREATE POLICY mfa_challenges_owner ON mfa_challenges TO CURRENT_USER USING (true);
CREATE POLICY code_attempts_owner ON code_attempts TO CURRENT_USER USING (true);
CREATE POLICY sms_sends_owner ON sms_sends TO CURRENT_USER USING (true);
CREATE POLICY passkeys_owner ON passkeys TO CURRENT_USER USING (true);
CREATE POLICY used_passkey_challenges_owner ON used_passkey_challenges TO CURRENT_USER USING (true);

CREATE POLICY totp_seeds_own ON totp_seeds USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
CREATE POLICY phones_own ON phones USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
CREATE POLICY recovery_codes_own ON recovery_codes
    USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
CREATE POLICY mfa_challenges_own ON mfa_challenges
    USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
CREATE POLICY code_attempts_own ON code_attempts
    USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
CREATE POLICY passkeys_own ON passkeys USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());

GRANT SELECT, INSERT, DELETE ON totp_seeds TO apex_app;
GRANT UPDATE (seed_sealed, offered_at, confirmed_at, last_step) ON totp_seeds TO apex_app;
GRANT SELECT, INSERT, DELETE ON phones TO apex_app;
GRANT UPDATE (number_sealed, number_index, added_at, confirmed_at, code_hash, code_expires_at, code_tries)
    ON phones TO apex_app;
GRANT SELECT, INSERT, DELETE ON recovery_codes TO apex_app;
GRANT UPDATE (used_at) ON recovery_codes TO apex_app;
GRANT SELECT, INSERT, DELETE ON mfa_challenges TO apex_app;
GRANT UPDATE (tries, used_at, sms_code_hash) ON mfa_challenges TO apex_app;
GRANT SELECT, INSERT, DELETE ON code_attempts TO apex_app;
GRANT SELECT, INSERT, DELETE ON passkeys TO apex_app;
GRANT UPDATE (sign_count, name_sealed, last_used_at, copied_at) ON passkeys TO apex_app;

-- Who changes a password, by whatever way, ends what the old one had begun.
CREATE FUNCTION apex_forget_mfa_challenges() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    DELETE FROM mfa_challenges WHERE user_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_password_changed AFTER UPDATE OF password_hash ON users
    FOR EACH ROW WHEN (OLD.password_hash IS DISTINCT FROM NEW.password_hash)
    EXECUTE FUNCTION apex_forget_mfa_challenges();

CREATE FUNCTION apex_mfa_challenge_owner(asked_token_hash bytea) RETURNS uuid
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
    RETURN (SELECT mfa_challenges.user_id FROM mfa_challenges WHERE mfa_challenges.token_hash = asked_token_hash);

CREATE FUNCTION apex_passkey_owner(asked_credential_id bytea) RETURNS uuid
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
    RETURN (SELECT passkeys.user_id FROM passkeys WHERE passkeys.credential_id = asked_credential_id);

CREATE FUNCTION apex_use_passkey_challenge(asked_hash bytea, asked_expires_at timestamptz, asked_at timestamptz)
    RETURNS boolean
    LANGUAGE plpgsql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    DELETE FROM used_passkey_challenges
    WHERE challenge_hash IN (
        SELECT challenge_hash FROM used_passkey_challenges WHERE expires_at <= asked_at
        ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    INSERT INTO used_passkey_challenges (challenge_hash, expires_at) VALUES (asked_hash, asked_expires_at)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION apex_use_passkey_challenge IS 'false: it was used before';

-- Messages to a number that nobody has confirmed are counted by number and for the whole server as well: anybody may
-- type a stranger's number. Those counts must not stand in the way of a person's sign-in with their own.
CREATE FUNCTION apex_begin_sms(
    asked_number_index bytea,
    asked_to_confirm boolean,
    asked_at timestamptz,
    pause interval,
    span interval,
    person_limit integer,
    number_limit integer,
    server_limit integer
)
    RETURNS interval
    LANGUAGE plpgsql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    waiting interval;
BEGIN
    -- Messages queue here for the moment of counting, so a volley cannot slip under the limits.
    PERFORM pg_advisory_xact_lock(53, 0);
    DELETE FROM sms_sends
    WHERE id IN (
        SELECT id FROM sms_sends WHERE sent_at <= asked_at - span
        ORDER BY sent_at LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    SELECT max(earlier.free_at) - asked_at INTO waiting
    FROM (
        (
            SELECT sent_at + pause AS free_at FROM sms_sends
            WHERE user_id = apex_user_id() AND sent_at > asked_at - pause
            ORDER BY sent_at DESC LIMIT 1
        )
        UNION ALL
        (
            SELECT sent_at + span FROM sms_sends
            WHERE user_id = apex_user_id() AND sent_at > asked_at - span
            ORDER BY sent_at DESC OFFSET person_limit - 1 LIMIT 1
        )
        UNION ALL
        (
            SELECT sent_at + span FROM sms_sends
            WHERE asked_to_confirm AND to_confirm AND number_index = asked_number_index
                AND sent_at > asked_at - span
            ORDER BY sent_at DESC OFFSET number_limit - 1 LIMIT 1
        )
        UNION ALL
        (
            SELECT sent_at + span FROM sms_sends
            WHERE asked_to_confirm AND to_confirm AND sent_at > asked_at - span
            ORDER BY sent_at DESC OFFSET server_limit - 1 LIMIT 1
        )
    ) AS earlier;
    IF waiting IS NULL THEN
        INSERT INTO sms_sends (user_id, number_index, to_confirm, sent_at)
        VALUES (apex_user_id(), asked_number_index, asked_to_confirm, asked_at);
    END IF;
    RETURN waiting;
END
$$;
COMMENT ON FUNCTION apex_begin_sms IS 'counts a message of the person to the number; not null: how long to wait instead';

REVOKE EXECUTE ON FUNCTION
    apex_forget_mfa_challenges,
    apex_mfa_challenge_owner,
    apex_passkey_owner,
    apex_use_passkey_challenge,
    apex_begin_sms
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    apex_mfa_challenge_owner,
    apex_passkey_owner,
    apex_use_passkey_challenge,
    apex_begin_sms
    TO apex_app;
