-- Mail, and what hangs on it: verified addresses, forgotten passwords, changed addresses; and when a session was last
-- proven. What waits to be sent names a person and a purpose; addresses and tokens are put in by the worker alone.

ALTER TABLE users ADD COLUMN email_verified_at timestamptz;
COMMENT ON COLUMN users.email_verified_at IS 'null: no mail to this address was ever answered';
GRANT SELECT (email_verified_at), UPDATE (email_verified_at) ON users TO apex_app;
GRANT SELECT (email_verified_at) ON users TO apex_commit;
CREATE POLICY users_mailed ON users FOR SELECT TO apex_commit USING (true);

ALTER TABLE sessions ADD COLUMN authenticated_at timestamptz;
UPDATE sessions SET authenticated_at = created_at;
ALTER TABLE sessions ALTER COLUMN authenticated_at SET NOT NULL;
COMMENT ON COLUMN sessions.authenticated_at IS 'when its person last proved who they are: dangerous acts ask for a late one';
GRANT UPDATE (authenticated_at) ON sessions TO apex_app;

-- The list of reasons grows with every way to end a session, and the code holds it closed.
ALTER TABLE sessions DROP CONSTRAINT sessions_end_reason_check;
ALTER TABLE sessions ADD CONSTRAINT sessions_end_reason_check CHECK (end_reason ~ '^[a-z_]{1,40}$');

CREATE TABLE email_changes (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    old_index bytea NOT NULL CHECK (length(old_index) = 32),
    old_email bytea NOT NULL,
    new_index bytea NOT NULL CHECK (length(new_index) = 32),
    new_email bytea NOT NULL,
    asked_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    undo_until timestamptz,
    undone_at timestamptz,
    UNIQUE (id, user_id),
    CHECK ((confirmed_at IS NULL) = (undo_until IS NULL))
);
CREATE INDEX email_changes_of_user ON email_changes (user_id, asked_at DESC);
CREATE INDEX email_changes_by_old_address ON email_changes (old_index) WHERE undo_until IS NOT NULL AND undone_at IS NULL;
COMMENT ON COLUMN email_changes.old_email IS 'as it was typed, sealed with the key of the user';
COMMENT ON COLUMN email_changes.undo_until IS 'so long the old address can put things back, and nobody else can take it';

CREATE TABLE mail_tokens (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('verify_email', 'reset_password', 'confirm_email', 'undo_email')),
    email_change_id uuid,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    FOREIGN KEY (email_change_id, user_id) REFERENCES email_changes (id, user_id) ON DELETE CASCADE,
    CHECK ((purpose IN ('confirm_email', 'undo_email')) = (email_change_id IS NOT NULL))
);
CREATE INDEX mail_tokens_of_user ON mail_tokens (user_id, purpose, created_at DESC);
CREATE INDEX mail_tokens_by_age ON mail_tokens (expires_at);
COMMENT ON TABLE mail_tokens IS 'what the links in mails hold, as fingerprints; each is used once';

CREATE TABLE mails (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose ~ '^[a-z_]{1,40}$'),
    user_id uuid REFERENCES users (id) ON DELETE CASCADE,
    email_index bytea CHECK (length(email_index) = 32),
    email_change_id uuid REFERENCES email_changes (id) ON DELETE CASCADE,
    asked_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    failed_at timestamptz,
    failure text,
    CHECK (num_nonnulls(user_id, email_index) = 1),
    CHECK ((failed_at IS NULL) = (failure IS NULL))
);
CREATE INDEX mails_due ON mails (due_at) WHERE failed_at IS NULL;
CREATE INDEX mails_failed ON mails (failed_at DESC) WHERE failed_at IS NOT NULL;
CREATE INDEX mails_of_change ON mails (email_change_id) WHERE email_change_id IS NOT NULL;
CREATE UNIQUE INDEX mails_waiting ON mails (user_id, email_index, purpose, email_change_id)
    NULLS NOT DISTINCT WHERE failed_at IS NULL;
COMMENT ON TABLE mails IS 'what is to be sent; a row goes when its mail has gone, and stays with its reason when it failed';
COMMENT ON COLUMN mails.email_index IS 'whoever has this address, if anybody: asked for before anybody was signed in';

-- A refused sign-in costs the same whether the account exists: it is written down here, and the worker finds out.
CREATE TABLE refused_sign_ins (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email_index bytea NOT NULL CHECK (length(email_index) = 32),
    address bytea NOT NULL,
    refused_at timestamptz NOT NULL
);
COMMENT ON COLUMN refused_sign_ins.address IS 'sealed with a key of the installation';

-- An invite for one address alone is accepted when the address has been shown to be the athlete's.
CREATE TABLE awaiting_invites (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    code_hash bytea NOT NULL CHECK (length(code_hash) = 32),
    asked_at timestamptz NOT NULL
);

ALTER TABLE email_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE email_changes FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail_tokens FORCE ROW LEVEL SECURITY;
ALTER TABLE mails ENABLE ROW LEVEL SECURITY;
ALTER TABLE mails FORCE ROW LEVEL SECURITY;
ALTER TABLE refused_sign_ins ENABLE ROW LEVEL SECURITY;
ALTER TABLE refused_sign_ins FORCE ROW LEVEL SECURITY;
ALTER TABLE awaiting_invites ENABLE ROW LEVEL SECURITY;
ALTER TABLE awaiting_invites FORCE ROW LEVEL SECURITY;

CREATE POLICY email_changes_owner ON email_changes TO CURRENT_USER USING (true);
CREATE POLICY mail_tokens_owner ON mail_tokens TO CURRENT_USER USING (true);
CREATE POLICY mails_owner ON mails TO CURRENT_USER USING (true);
CREATE POLICY refused_sign_ins_owner ON refused_sign_ins TO CURRENT_USER USING (true);
CREATE POLICY refused_sign_ins_commit ON refused_sign_ins TO apex_commit USING (true);
CREATE POLICY refused_sign_ins_noted ON refused_sign_ins FOR INSERT TO apex_app WITH CHECK (true);
CREATE POLICY awaiting_invites_owner ON awaiting_invites TO CURRENT_USER USING (true);
CREATE POLICY email_changes_commit ON email_changes TO apex_commit USING (true);
CREATE POLICY mail_tokens_commit ON mail_tokens TO apex_commit USING (true);
CREATE POLICY mails_commit ON mails TO apex_commit USING (true);

CREATE POLICY email_changes_own ON email_changes TO apex_app
    USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
CREATE POLICY mail_tokens_own ON mail_tokens TO apex_app
    USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
CREATE POLICY awaiting_invites_own ON awaiting_invites TO apex_app
    USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
-- One asks for a mail to oneself; not signed in, for the one mail that helps whoever cannot sign in. Nobody reads any.
CREATE POLICY mails_asked ON mails FOR INSERT TO apex_app
    WITH CHECK (user_id = apex_user_id() OR (user_id IS NULL AND purpose = 'reset_password'));

GRANT SELECT, INSERT ON email_changes TO apex_app;
GRANT UPDATE (confirmed_at, undo_until, undone_at) ON email_changes TO apex_app;
GRANT SELECT, DELETE ON mail_tokens TO apex_app;
GRANT UPDATE (used_at) ON mail_tokens TO apex_app;
GRANT INSERT ON mails TO apex_app;
GRANT INSERT ON refused_sign_ins TO apex_app;
GRANT SELECT, UPDATE, DELETE ON refused_sign_ins TO apex_commit;
GRANT SELECT, INSERT, UPDATE, DELETE ON awaiting_invites TO apex_app;
GRANT SELECT, DELETE ON email_changes TO apex_commit;
GRANT SELECT, INSERT, DELETE ON mail_tokens TO apex_commit;
GRANT SELECT, INSERT, UPDATE, DELETE ON mails TO apex_commit;

CREATE FUNCTION apex_mail_token_owner(asked_token_hash bytea)
    RETURNS TABLE (user_id uuid, purpose text, expires_at timestamptz, used_at timestamptz)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT mail_tokens.user_id, mail_tokens.purpose, mail_tokens.expires_at, mail_tokens.used_at
    FROM mail_tokens
    WHERE mail_tokens.token_hash = asked_token_hash;
END;
COMMENT ON FUNCTION apex_mail_token_owner IS 'whose mail a token was in, for whoever holds the token';

CREATE FUNCTION apex_email_is_kept(asked_email_index bytea, at_time timestamptz) RETURNS boolean
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT 1
        FROM email_changes
        WHERE email_changes.old_index = asked_email_index
            AND email_changes.undo_until > at_time
            AND email_changes.undone_at IS NULL
            AND email_changes.user_id IS DISTINCT FROM apex_user_id()
    );
END;
COMMENT ON FUNCTION apex_email_is_kept IS 'true: another account left this address lately and may still come back to it';

CREATE FUNCTION apex_own_password_hash() RETURNS text
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT users.password_hash FROM users WHERE users.id = apex_user_id();
END;
COMMENT ON FUNCTION apex_own_password_hash IS 'of whoever is signed in, to be checked against a password they give again';

REVOKE EXECUTE ON FUNCTION apex_mail_token_owner, apex_email_is_kept, apex_own_password_hash FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_mail_token_owner, apex_email_is_kept, apex_own_password_hash TO apex_app;

-- As before, but for one refusal: an invite for one address alone is for whoever reads the mails to it.

CREATE OR REPLACE FUNCTION apex_accept_invite(asked_code_hash bytea)
    RETURNS TABLE (outcome text, coach_id uuid, coach_name bytea, since timestamptz)
    LANGUAGE plpgsql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    athlete users;
    invite invites;
    refusal text;
BEGIN
    SELECT * INTO athlete FROM users WHERE id = apex_user_id() AND role = 'athlete';
    SELECT * INTO invite FROM invites WHERE code_hash = asked_code_hash FOR UPDATE;
    refusal := CASE
        WHEN athlete.id IS NULL THEN 'not_an_athlete'
        WHEN invite.code_hash IS NULL THEN 'unknown'
    END;
    -- Who is linked already gets the same answer again: the first one may have been lost on its way.
    IF refusal IS NULL AND NOT EXISTS (
        SELECT 1 FROM coach_athletes AS pair
        WHERE pair.coach_id = invite.coach_id AND pair.athlete_id = athlete.id AND pair.ended_at IS NULL
    ) THEN
        refusal := CASE
            WHEN invite.used_at IS NOT NULL THEN 'used'
            WHEN invite.expires_at <= now() THEN 'expired'
            WHEN invite.email_index <> athlete.email_index THEN 'for_another'
            WHEN invite.email_index IS NOT NULL AND athlete.email_verified_at IS NULL THEN 'unverified'
        END;
        IF refusal IS NULL THEN
            INSERT INTO coach_athletes (coach_id, athlete_id, since)
            VALUES (invite.coach_id, athlete.id, now())
            ON CONFLICT DO NOTHING;
            UPDATE invites SET used_by = athlete.id, used_at = now() WHERE code_hash = asked_code_hash;
        END IF;
    END IF;
    IF refusal IS NOT NULL THEN
        RETURN QUERY SELECT refusal, NULL::uuid, NULL::bytea, NULL::timestamptz;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 'linked', pair.coach_id, users.name, pair.since
    FROM coach_athletes AS pair
    JOIN users ON users.id = pair.coach_id
    WHERE pair.coach_id = invite.coach_id AND pair.athlete_id = athlete.id AND pair.ended_at IS NULL;
END
$$;
