-- Accounts: who may sign in, on which devices and for how long, who coaches whom, and what scopes follow from that.
--
-- Row-level security is on every table of a person; a policy named `..._owner`, where there is one, is for the owner
-- of the schema. The owner never serves requests: it migrates, and it runs the SECURITY DEFINER functions below, which
-- are the only way to what must be read before anybody is signed in (docs/decisions/accounts_before_sign_in.md).

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL CONSTRAINT users_email_unique UNIQUE,
    email_typed text NOT NULL,
    password_hash text NOT NULL,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('athlete', 'coach')),
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN users.email IS 'NFKC, lower case: what sign-in compares';

CREATE TABLE devices (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('phone', 'watch', 'tablet', 'web', 'desktop')),
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    removed_at timestamptz,
    UNIQUE (id, user_id)
);
CREATE INDEX devices_of_user ON devices (user_id, last_seen_at DESC);
COMMENT ON COLUMN devices.token_hash IS 'SHA-256 of the secret by which the device proves to be itself';

-- A device that was forked takes a new client id and its old one stays bound for ever, because ops bear it.
CREATE TABLE client_ids (
    client_id bigint PRIMARY KEY CHECK (client_id BETWEEN 1 AND 9007199254740991),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id uuid,
    bound_at timestamptz NOT NULL,
    FOREIGN KEY (device_id, user_id) REFERENCES devices (id, user_id) ON DELETE CASCADE
);
CREATE INDEX client_ids_of_device ON client_ids (device_id, bound_at DESC);
CREATE INDEX client_ids_of_user ON client_ids (user_id);
COMMENT ON COLUMN client_ids.device_id IS 'null: the server itself writes under this id on behalf of the user';

-- A session is a family of refresh tokens: one sign-in on one device, and everything exchanged since.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text CHECK (end_reason IN ('logout', 'logout_everywhere', 'device_removed', 'token_reused')),
    UNIQUE (id, user_id),
    FOREIGN KEY (device_id, user_id) REFERENCES devices (id, user_id) ON DELETE CASCADE,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX sessions_of_user ON sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_of_device ON sessions (device_id) WHERE ended_at IS NULL;

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    session_id uuid NOT NULL,
    user_id uuid NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    parent_hash bytea,
    used_at timestamptz,
    used_by_device boolean,
    CHECK ((used_at IS NULL) = (used_by_device IS NULL)),
    FOREIGN KEY (session_id, user_id) REFERENCES sessions (id, user_id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id, expires_at);
CREATE INDEX refresh_tokens_of_parent ON refresh_tokens (parent_hash);
COMMENT ON COLUMN refresh_tokens.parent_hash IS 'the token that was exchanged for this one; null: a sign-in';
COMMENT ON COLUMN refresh_tokens.used_by_device IS 'whether the exchange was proven to come from the family''s device';

CREATE TABLE login_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account bytea NOT NULL,
    origin bytea NOT NULL,
    attempted_at timestamptz NOT NULL
);
CREATE INDEX login_attempts_of_account ON login_attempts (account, attempted_at DESC);
CREATE INDEX login_attempts_of_origin ON login_attempts (origin, attempted_at DESC);
CREATE INDEX login_attempts_by_age ON login_attempts (attempted_at);
COMMENT ON COLUMN login_attempts.account IS 'fingerprint of address and origin together; no address stands here';

CREATE TABLE coach_athletes (
    coach_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    athlete_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    since timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by uuid,
    PRIMARY KEY (coach_id, athlete_id, since),
    CHECK (coach_id <> athlete_id),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE UNIQUE INDEX coach_athletes_current ON coach_athletes (coach_id, athlete_id) WHERE ended_at IS NULL;
CREATE INDEX coach_athletes_current_of_athlete ON coach_athletes (athlete_id) WHERE ended_at IS NULL;

CREATE TABLE invites (
    code_hash bytea PRIMARY KEY CHECK (length(code_hash) = 32),
    coach_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_by uuid REFERENCES users (id) ON DELETE SET NULL,
    used_at timestamptz
);
CREATE INDEX invites_of_coach ON invites (coach_id, expires_at);

-- Who sees and writes what.

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
ALTER TABLE devices ENABLE ROW LEVEL SECURITY;
ALTER TABLE devices FORCE ROW LEVEL SECURITY;
ALTER TABLE client_ids ENABLE ROW LEVEL SECURITY;
ALTER TABLE client_ids FORCE ROW LEVEL SECURITY;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens FORCE ROW LEVEL SECURITY;
ALTER TABLE login_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_attempts FORCE ROW LEVEL SECURITY;
ALTER TABLE coach_athletes ENABLE ROW LEVEL SECURITY;
ALTER TABLE coach_athletes FORCE ROW LEVEL SECURITY;
ALTER TABLE invites ENABLE ROW LEVEL SECURITY;
ALTER TABLE invites FORCE ROW LEVEL SECURITY;

CREATE POLICY users_owner ON users TO CURRENT_USER USING (true);
CREATE POLICY devices_owner ON devices TO CURRENT_USER USING (true);
CREATE POLICY refresh_tokens_owner ON refresh_tokens TO CURRENT_USER USING (true);
CREATE POLICY login_attempts_owner ON login_attempts TO CURRENT_USER USING (true);
CREATE POLICY coach_athletes_owner ON coach_athletes TO CURRENT_USER USING (true);
CREATE POLICY invites_owner ON invites TO CURRENT_USER USING (true);

-- A coach and an athlete see each other's name while they work together, and the coach which device a set came from.
-- The lists are not correlated with the row, so Postgres makes each once a query and not once a row.
CREATE POLICY users_seen ON users FOR SELECT USING (
    id = apex_user_id()
    OR id IN (
        SELECT pair.athlete_id
        FROM coach_athletes AS pair
        WHERE pair.coach_id = apex_user_id() AND pair.ended_at IS NULL
        UNION ALL
        SELECT pair.coach_id
        FROM coach_athletes AS pair
        WHERE pair.athlete_id = apex_user_id() AND pair.ended_at IS NULL
    )
);
CREATE POLICY users_registered ON users FOR INSERT WITH CHECK (id = apex_user_id());
CREATE POLICY users_changed ON users FOR UPDATE USING (id = apex_user_id()) WITH CHECK (id = apex_user_id());

CREATE POLICY devices_seen ON devices FOR SELECT USING (
    user_id = apex_user_id()
    OR user_id IN (
        SELECT pair.athlete_id
        FROM coach_athletes AS pair
        WHERE pair.coach_id = apex_user_id() AND pair.ended_at IS NULL
    )
);
CREATE POLICY devices_added ON devices FOR INSERT WITH CHECK (user_id = apex_user_id());
CREATE POLICY devices_changed ON devices FOR UPDATE
    USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());

CREATE POLICY client_ids_seen ON client_ids FOR SELECT USING (
    user_id = apex_user_id()
    OR user_id IN (
        SELECT pair.athlete_id
        FROM coach_athletes AS pair
        WHERE pair.coach_id = apex_user_id() AND pair.ended_at IS NULL
    )
);
CREATE POLICY client_ids_bound ON client_ids FOR INSERT WITH CHECK (user_id = apex_user_id());

CREATE POLICY sessions_own ON sessions USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
CREATE POLICY refresh_tokens_own ON refresh_tokens
    USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());

-- Either side sees the relation and may end it; nobody can begin one except by accepting an invite, or revive one.
CREATE POLICY coach_athletes_seen ON coach_athletes FOR SELECT USING (apex_user_id() IN (coach_id, athlete_id));
CREATE POLICY coach_athletes_ended ON coach_athletes FOR UPDATE
    USING (apex_user_id() IN (coach_id, athlete_id) AND ended_at IS NULL)
    WITH CHECK (apex_user_id() IN (coach_id, athlete_id) AND ended_by = apex_user_id());

CREATE POLICY invites_seen ON invites FOR SELECT USING (coach_id = apex_user_id());
CREATE POLICY invites_made ON invites FOR INSERT WITH CHECK (
    coach_id = apex_user_id()
    AND EXISTS (SELECT 1 FROM users WHERE users.id = apex_user_id() AND users.role = 'coach')
);

GRANT SELECT (id, email, email_typed, name, role, created_at) ON users TO apex_app;
GRANT INSERT ON users TO apex_app;
GRANT UPDATE (email, email_typed, password_hash, name) ON users TO apex_app;
GRANT SELECT, INSERT ON devices TO apex_app;
GRANT UPDATE (name, token_hash, last_seen_at, removed_at) ON devices TO apex_app;
GRANT SELECT, INSERT ON client_ids TO apex_app;
GRANT SELECT, INSERT ON sessions TO apex_app;
GRANT UPDATE (last_used_at, ended_at, end_reason) ON sessions TO apex_app;
GRANT SELECT, INSERT, DELETE ON refresh_tokens TO apex_app;
GRANT UPDATE (used_at, used_by_device) ON refresh_tokens TO apex_app;
GRANT SELECT ON coach_athletes TO apex_app;
GRANT UPDATE (ended_at, ended_by) ON coach_athletes TO apex_app;
GRANT SELECT, INSERT ON invites TO apex_app;

GRANT SELECT (id, name, role) ON users TO apex_commit;
GRANT SELECT (id, user_id, name, kind, removed_at) ON devices TO apex_commit;
GRANT SELECT, INSERT ON client_ids TO apex_commit;
GRANT SELECT ON coach_athletes TO apex_commit;

-- The policy of scopes. One list says it all, so reading and writing, HTTP and sync cannot disagree.

CREATE FUNCTION apex_scopes_of(asking_user uuid) RETURNS TABLE (scope text, role text)
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
BEGIN ATOMIC
    SELECT 'global', 'reader'
    FROM users
    WHERE users.id = asking_user
    UNION ALL
    SELECT own.prefix || users.id::text, own.role
    FROM users
    JOIN (
        VALUES ('athlete', 'athlete:', 'athlete'), ('coach', 'coach:', 'coach'), ('coach', 'library:', 'coach')
    ) AS own (user_role, prefix, role) ON own.user_role = users.role
    WHERE users.id = asking_user
    UNION ALL
    SELECT 'athlete:' || pair.athlete_id::text, 'coach'
    FROM coach_athletes AS pair
    WHERE pair.coach_id = asking_user AND pair.ended_at IS NULL
    UNION ALL
    SELECT 'private:' || pair.coach_id::text || ':' || pair.athlete_id::text, 'coach'
    FROM coach_athletes AS pair
    WHERE pair.coach_id = asking_user AND pair.ended_at IS NULL
    UNION ALL
    SELECT 'library:' || pair.coach_id::text, 'reader'
    FROM coach_athletes AS pair
    WHERE pair.athlete_id = asking_user AND pair.ended_at IS NULL;
END;
COMMENT ON FUNCTION apex_scopes_of IS 'every scope granted to the user, and the writer role they have in it';

CREATE FUNCTION apex_scope_access(asking_user uuid, asked_scope text) RETURNS text
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
    RETURN (SELECT granted.role FROM apex_scopes_of(asking_user) AS granted WHERE granted.scope = asked_scope);
COMMENT ON FUNCTION apex_scope_access IS 'athlete, coach or reader; null: the scope is not granted to the user';

REVOKE EXECUTE ON FUNCTION apex_scopes_of, apex_scope_access FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_scopes_of, apex_scope_access TO apex_app, apex_commit;

-- Both say what they may under the policies of whoever calls them, so they can reveal nothing.

CREATE FUNCTION apex_bind_client_id(asking_user uuid, asking_device uuid, asked_client_id bigint) RETURNS boolean
    LANGUAGE sql
    VOLATILE
BEGIN ATOMIC
    INSERT INTO client_ids (client_id, user_id, device_id, bound_at)
    VALUES (asked_client_id, asking_user, asking_device, now())
    ON CONFLICT (client_id) DO NOTHING;
    SELECT EXISTS (
        SELECT 1
        FROM client_ids
        WHERE client_ids.client_id = asked_client_id
            AND client_ids.user_id = asking_user
            AND client_ids.device_id IS NOT DISTINCT FROM asking_device
    );
END;
COMMENT ON FUNCTION apex_bind_client_id IS 'binds on first use; false: the id belongs to another device or user';

REVOKE EXECUTE ON FUNCTION apex_bind_client_id FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_bind_client_id TO apex_app, apex_commit;

-- What must be known before anybody is signed in. Each takes a secret or an address and gives no more than its caller
-- needs to go on; the tables themselves stay shut.

CREATE FUNCTION apex_begin_login(
    asked_account bytea,
    asked_origin bytea,
    asked_at timestamptz,
    span interval,
    account_limit integer,
    origin_limit integer
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
    -- Attempts of one origin queue here for the moment of counting, so a volley cannot slip under the limit.
    PERFORM pg_advisory_xact_lock(1, hashtext(encode(asked_origin, 'hex')));
    DELETE FROM login_attempts
    WHERE id IN (
        SELECT id FROM login_attempts WHERE attempted_at <= asked_at - span
        ORDER BY attempted_at LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    SELECT max(earlier.attempted_at) + span - asked_at INTO waiting
    FROM (
        (
            SELECT attempted_at FROM login_attempts
            WHERE account = asked_account AND attempted_at > asked_at - span
            ORDER BY attempted_at DESC OFFSET account_limit - 1 LIMIT 1
        )
        UNION ALL
        (
            SELECT attempted_at FROM login_attempts
            WHERE origin = asked_origin AND attempted_at > asked_at - span
            ORDER BY attempted_at DESC OFFSET origin_limit - 1 LIMIT 1
        )
    ) AS earlier;
    IF waiting IS NULL THEN
        INSERT INTO login_attempts (account, origin, attempted_at) VALUES (asked_account, asked_origin, asked_at);
    END IF;
    RETURN waiting;
END
$$;
COMMENT ON FUNCTION apex_begin_login IS 'counts an attempt to sign in; not null: how long to wait instead';

CREATE FUNCTION apex_forget_login_attempts(asked_account bytea) RETURNS void
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    DELETE FROM login_attempts WHERE login_attempts.account = asked_account;
END;

CREATE FUNCTION apex_login_account(asked_email text, asked_device_token_hash bytea)
    RETURNS TABLE (user_id uuid, password_hash text, role text, device_id uuid)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT users.id, users.password_hash, users.role, devices.id
    FROM users
    LEFT JOIN devices ON devices.user_id = users.id
        AND devices.token_hash = asked_device_token_hash
        AND devices.removed_at IS NULL
    WHERE users.email = asked_email;
END;
COMMENT ON FUNCTION apex_login_account IS 'device_id: the known device that the token proves, if it does';

CREATE FUNCTION apex_refresh_token_owner(asked_token_hash bytea) RETURNS TABLE (user_id uuid, session_id uuid)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT refresh_tokens.user_id, refresh_tokens.session_id
    FROM refresh_tokens
    WHERE refresh_tokens.token_hash = asked_token_hash;
END;

CREATE FUNCTION apex_invite_offer(asked_code_hash bytea)
    RETURNS TABLE (coach_id uuid, coach_name text, expires_at timestamptz, used boolean)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT invites.coach_id, users.name, invites.expires_at, invites.used_at IS NOT NULL
    FROM invites
    JOIN users ON users.id = invites.coach_id
    WHERE invites.code_hash = asked_code_hash;
END;

CREATE FUNCTION apex_accept_invite(asked_code_hash bytea)
    RETURNS TABLE (outcome text, coach_id uuid, coach_name text, since timestamptz)
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
            WHEN invite.email <> athlete.email THEN 'for_another'
        END;
        IF refusal IS NULL THEN
            INSERT INTO coach_athletes (coach_id, athlete_id, since)
            VALUES (invite.coach_id, athlete.id, now())
            ON CONFLICT DO NOTHING;
            UPDATE invites SET used_by = athlete.id, used_at = now() WHERE code_hash = asked_code_hash;
        END IF;
    END IF;
    IF refusal IS NOT NULL THEN
        RETURN QUERY SELECT refusal, NULL::uuid, NULL::text, NULL::timestamptz;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 'linked', pair.coach_id, users.name, pair.since
    FROM coach_athletes AS pair
    JOIN users ON users.id = pair.coach_id
    WHERE pair.coach_id = invite.coach_id AND pair.athlete_id = athlete.id AND pair.ended_at IS NULL;
END
$$;
COMMENT ON FUNCTION apex_accept_invite IS 'the signed-in athlete accepts; one invite makes one relation, even in a race';

REVOKE EXECUTE ON FUNCTION
    apex_begin_login,
    apex_forget_login_attempts,
    apex_login_account,
    apex_refresh_token_owner,
    apex_invite_offer,
    apex_accept_invite
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    apex_begin_login,
    apex_forget_login_attempts,
    apex_login_account,
    apex_refresh_token_owner,
    apex_invite_offer,
    apex_accept_invite
    TO apex_app;
