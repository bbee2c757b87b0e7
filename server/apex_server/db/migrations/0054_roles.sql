-- Roles beyond athlete and coach: who owns an organisation and reads with its coaches, whom support may look at and for
-- how long, and what people have consented to.
--
-- apex_server/policy.py says the same in Python; a property test holds the two equal.

ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE users ADD CONSTRAINT users_role_check CHECK (role IN ('athlete', 'coach', 'owner', 'support'));

-- Support accounts are made by the operator of the server, never by a request.
CREATE POLICY users_registered_for_themselves ON users AS RESTRICTIVE FOR INSERT TO apex_app
    WITH CHECK (role IN ('athlete', 'coach', 'owner'));

-- An owner has one organisation, so its id is theirs.
CREATE TABLE organisations (
    owner_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    name bytea NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN organisations.name IS 'sealed with the owner''s data key';

CREATE TABLE organisation_coaches (
    owner_id uuid NOT NULL REFERENCES organisations (owner_id) ON DELETE CASCADE,
    coach_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    since timestamptz NOT NULL,
    ended_at timestamptz,
    ended_by uuid,
    PRIMARY KEY (owner_id, coach_id, since),
    CHECK (owner_id <> coach_id),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX organisation_coaches_current ON organisation_coaches (owner_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX organisation_coaches_one_each ON organisation_coaches (coach_id) WHERE ended_at IS NULL;
COMMENT ON TABLE organisation_coaches IS 'a coach belongs to one organisation at a time, whose owner reads what they read';

CREATE TABLE organisation_invites (
    code_hash bytea PRIMARY KEY CHECK (length(code_hash) = 32),
    owner_id uuid NOT NULL REFERENCES organisations (owner_id) ON DELETE CASCADE,
    email_index bytea,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_by uuid REFERENCES users (id) ON DELETE SET NULL,
    used_at timestamptz
);
CREATE INDEX organisation_invites_of_owner ON organisation_invites (owner_id, expires_at);
COMMENT ON COLUMN organisation_invites.email_index IS 'as users.email_index; null: for whoever holds the code';

-- A row per consent given; the present one of a kind is the one not withdrawn and not run out.
CREATE TABLE consents (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('ai_analysis', 'support_access', 'messages')),
    version text NOT NULL CHECK (version ~ '^[A-Za-z0-9._-]{1,40}$'),
    given_at timestamptz NOT NULL,
    withdrawn_at timestamptz CHECK (withdrawn_at >= given_at),
    expires_at timestamptz,
    PRIMARY KEY (user_id, kind, given_at),
    CONSTRAINT consents_to_support_end CHECK (
        CASE
            WHEN kind = 'support_access'
                THEN expires_at IS NOT NULL AND expires_at > given_at AND expires_at <= given_at + interval '7 days'
            ELSE expires_at IS NULL
        END
    )
);
CREATE UNIQUE INDEX consents_standing ON consents (user_id, kind) WHERE withdrawn_at IS NULL;
COMMENT ON COLUMN consents.version IS 'of the text that was consented to';
COMMENT ON COLUMN consents.withdrawn_at IS 'when it was taken back, or another one took its place';

CREATE FUNCTION apex_consented(asked_user uuid, asked_kind text) RETURNS boolean
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
    RETURN EXISTS (
        SELECT 1
        FROM consents
        WHERE consents.user_id = asked_user
            AND consents.kind = asked_kind
            AND consents.withdrawn_at IS NULL
            AND (consents.expires_at IS NULL OR consents.expires_at > now())
    );
COMMENT ON FUNCTION apex_consented IS 'whether a consent of this kind stands now, as far as the asker may know';

-- Support looks at one person at a time, for a named ticket, and not for long.
CREATE TABLE support_looks (
    id uuid PRIMARY KEY,
    support_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    ticket text NOT NULL CHECK (ticket ~ '^[A-Za-z0-9-]{1,40}$'),
    began_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE UNIQUE INDEX support_looks_one_each ON support_looks (support_id) WHERE ended_at IS NULL;
CREATE INDEX support_looks_of_support ON support_looks (support_id, began_at DESC);
CREATE INDEX support_looks_of_user ON support_looks (user_id, began_at DESC);
COMMENT ON COLUMN support_looks.ticket IS 'a number in the support''s own books; no text of a person';

CREATE FUNCTION apex_looked_at(asking_support uuid) RETURNS uuid
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
    RETURN (
        SELECT look.user_id
        FROM support_looks AS look
        WHERE look.support_id = asking_support
            AND look.ended_at IS NULL
            AND look.expires_at > now()
            AND apex_consented(look.user_id, 'support_access')
    );
COMMENT ON FUNCTION apex_looked_at IS 'the one person whom a support account may read at this moment; null: nobody';

-- The policy of scopes, anew: the same branches as in policy.py, in the same order.

CREATE OR REPLACE FUNCTION apex_scopes_of(asking_user uuid) RETURNS TABLE (scope text, role text)
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
    WHERE pair.athlete_id = asking_user AND pair.ended_at IS NULL
    UNION ALL
    SELECT own.prefix || member.coach_id::text, 'reader'
    FROM organisation_coaches AS member
    CROSS JOIN (VALUES ('coach:'), ('library:')) AS own (prefix)
    WHERE member.owner_id = asking_user AND member.ended_at IS NULL
    UNION ALL
    -- An athlete may have several coaches of one organisation, and is still one scope.
    (
        SELECT DISTINCT 'athlete:' || pair.athlete_id::text, 'reader'
        FROM organisation_coaches AS member
        JOIN coach_athletes AS pair ON pair.coach_id = member.coach_id AND pair.ended_at IS NULL
        WHERE member.owner_id = asking_user AND member.ended_at IS NULL
    )
    UNION ALL
    SELECT 'private:' || pair.coach_id::text || ':' || pair.athlete_id::text, 'reader'
    FROM organisation_coaches AS member
    JOIN coach_athletes AS pair ON pair.coach_id = member.coach_id AND pair.ended_at IS NULL
    WHERE member.owner_id = asking_user AND member.ended_at IS NULL;
END;
COMMENT ON FUNCTION apex_scopes_of IS 'every scope that is replicated to the user, and the writer role they have in it';

-- What support may look at is read through the server alone, so it stands apart from what is replicated.
CREATE FUNCTION apex_supported_scopes_of(asking_support uuid) RETURNS TABLE (scope text, role text)
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
BEGIN ATOMIC
    SELECT own.prefix || users.id::text, 'support'
    FROM users
    JOIN (
        VALUES ('athlete', 'athlete:'), ('coach', 'coach:'), ('coach', 'library:')
    ) AS own (user_role, prefix) ON own.user_role = users.role
    WHERE users.id = apex_looked_at(asking_support);
END;
COMMENT ON FUNCTION apex_supported_scopes_of IS 'what somebody who consented has of their own, and no other person in it';

CREATE FUNCTION apex_readable_scopes_of(asking_user uuid) RETURNS TABLE (scope text, role text)
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
BEGIN ATOMIC
    SELECT granted.scope, granted.role
    FROM apex_scopes_of(asking_user) AS granted
    UNION ALL
    SELECT granted.scope, granted.role
    FROM apex_supported_scopes_of(asking_user) AS granted;
END;
COMMENT ON FUNCTION apex_readable_scopes_of IS 'every scope a request of the user may read; for row-level security';

CREATE FUNCTION apex_read_access(asking_user uuid, asked_scope text) RETURNS text
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
    RETURN (SELECT granted.role FROM apex_readable_scopes_of(asking_user) AS granted WHERE granted.scope = asked_scope);
COMMENT ON FUNCTION apex_read_access IS 'athlete, coach, reader or support; null: the user may not read the scope';

CREATE OR REPLACE FUNCTION apex_readable_scope_ids() RETURNS uuid[]
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(array_agg(scopes.scope_id), '{}')
    FROM apex_readable_scopes_of(apex_user_id()) AS granted
    JOIN scopes ON scopes.name = granted.scope;
END;

ALTER POLICY scopes_read ON scopes USING (
    name = ANY (ARRAY(SELECT granted.scope FROM apex_readable_scopes_of(apex_user_id()) AS granted))
);

REVOKE EXECUTE ON FUNCTION
    apex_consented, apex_looked_at, apex_supported_scopes_of, apex_readable_scopes_of, apex_read_access
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    apex_consented, apex_looked_at, apex_supported_scopes_of, apex_readable_scopes_of, apex_read_access
    TO apex_app, apex_commit;

-- Who sees and writes what. No policy of a table refers to one whose policy refers back, so Postgres can plan them all.

ALTER TABLE organisations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organisations FORCE ROW LEVEL SECURITY;
ALTER TABLE organisation_coaches ENABLE ROW LEVEL SECURITY;
ALTER TABLE organisation_coaches FORCE ROW LEVEL SECURITY;
ALTER TABLE organisation_invites ENABLE ROW LEVEL SECURITY;
ALTER TABLE organisation_invites FORCE ROW LEVEL SECURITY;
ALTER TABLE consents ENABLE ROW LEVEL SECURITY;
ALTER TABLE consents FORCE ROW LEVEL SECURITY;
ALTER TABLE support_looks ENABLE ROW LEVEL SECURITY;
ALTER TABLE support_looks FORCE ROW LEVEL SECURITY;

CREATE POLICY organisations_owner ON organisations TO CURRENT_USER USING (true);
CREATE POLICY organisation_coaches_owner ON organisation_coaches TO CURRENT_USER USING (true);
CREATE POLICY organisation_invites_owner ON organisation_invites TO CURRENT_USER USING (true);
CREATE POLICY consents_owner ON consents TO CURRENT_USER USING (true);
CREATE POLICY support_looks_owner ON support_looks TO CURRENT_USER USING (true);

CREATE FUNCTION apex_owners_reading() RETURNS SETOF uuid
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT member.owner_id
    FROM organisation_coaches AS member
    WHERE member.coach_id = apex_user_id() AND member.ended_at IS NULL
    UNION
    SELECT member.owner_id
    FROM coach_athletes AS pair
    JOIN organisation_coaches AS member ON member.coach_id = pair.coach_id AND member.ended_at IS NULL
    WHERE pair.athlete_id = apex_user_id() AND pair.ended_at IS NULL;
END;
COMMENT ON FUNCTION apex_owners_reading IS 'the owners who read along with the asker, or with a coach of theirs';

CREATE FUNCTION apex_organisations_of_my_coaches() RETURNS TABLE (coach_id uuid, owner_id uuid, since timestamptz)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT member.coach_id, member.owner_id, member.since
    FROM coach_athletes AS pair
    JOIN organisation_coaches AS member ON member.coach_id = pair.coach_id AND member.ended_at IS NULL
    WHERE pair.athlete_id = apex_user_id() AND pair.ended_at IS NULL
    ORDER BY member.since, member.coach_id;
END;
COMMENT ON FUNCTION apex_organisations_of_my_coaches IS 'an athlete learns who reads along, and since when';

-- Owners see their coaches and their coaches' athletes by name, and those see the owner.
CREATE POLICY users_seen_in_organisations ON users FOR SELECT USING (
    id IN (
        SELECT member.coach_id
        FROM organisation_coaches AS member
        WHERE member.owner_id = apex_user_id() AND member.ended_at IS NULL
        UNION ALL
        SELECT pair.athlete_id
        FROM organisation_coaches AS member
        JOIN coach_athletes AS pair ON pair.coach_id = member.coach_id AND pair.ended_at IS NULL
        WHERE member.owner_id = apex_user_id() AND member.ended_at IS NULL
        UNION ALL
        SELECT reading.owner_id
        FROM apex_owners_reading() AS reading (owner_id)
    )
);
CREATE POLICY users_seen_by_support ON users FOR SELECT USING (id = (SELECT apex_looked_at(apex_user_id())));

CREATE POLICY coach_athletes_seen_by_owner ON coach_athletes FOR SELECT USING (
    coach_id IN (
        SELECT member.coach_id
        FROM organisation_coaches AS member
        WHERE member.owner_id = apex_user_id() AND member.ended_at IS NULL
    )
    AND ended_at IS NULL
);

CREATE POLICY organisations_seen ON organisations FOR SELECT USING (
    owner_id = apex_user_id() OR owner_id IN (SELECT reading.owner_id FROM apex_owners_reading() AS reading (owner_id))
);
CREATE POLICY organisations_made ON organisations FOR INSERT WITH CHECK (
    owner_id = apex_user_id()
    AND EXISTS (SELECT 1 FROM users WHERE users.id = apex_user_id() AND users.role = 'owner')
);
CREATE POLICY organisations_changed ON organisations FOR UPDATE
    USING (owner_id = apex_user_id()) WITH CHECK (owner_id = apex_user_id());

CREATE POLICY organisation_coaches_seen ON organisation_coaches FOR SELECT
    USING (apex_user_id() IN (owner_id, coach_id));
CREATE POLICY organisation_coaches_ended ON organisation_coaches FOR UPDATE
    USING (apex_user_id() IN (owner_id, coach_id) AND ended_at IS NULL)
    WITH CHECK (apex_user_id() IN (owner_id, coach_id) AND ended_by = apex_user_id());

CREATE POLICY organisation_invites_seen ON organisation_invites FOR SELECT USING (owner_id = apex_user_id());
CREATE POLICY organisation_invites_made ON organisation_invites FOR INSERT WITH CHECK (owner_id = apex_user_id());

CREATE POLICY consents_own ON consents USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
CREATE POLICY consents_seen_by_support ON consents FOR SELECT USING (
    kind = 'support_access'
    AND user_id IN (
        SELECT look.user_id
        FROM support_looks AS look
        WHERE look.support_id = apex_user_id() AND look.ended_at IS NULL
    )
);

CREATE POLICY support_looks_seen ON support_looks FOR SELECT USING (apex_user_id() IN (support_id, user_id));
CREATE POLICY support_looks_ended ON support_looks FOR UPDATE
    USING (apex_user_id() IN (support_id, user_id) AND ended_at IS NULL)
    WITH CHECK (apex_user_id() IN (support_id, user_id));

GRANT SELECT, INSERT ON organisations TO apex_app;
GRANT UPDATE (name) ON organisations TO apex_app;
GRANT SELECT ON organisation_coaches TO apex_app;
GRANT UPDATE (ended_at, ended_by) ON organisation_coaches TO apex_app;
GRANT SELECT, INSERT ON organisation_invites TO apex_app;
GRANT SELECT, INSERT ON consents TO apex_app;
GRANT UPDATE (withdrawn_at) ON consents TO apex_app;
GRANT SELECT ON support_looks TO apex_app;
GRANT UPDATE (ended_at) ON support_looks TO apex_app;

GRANT SELECT ON organisation_coaches, consents, support_looks TO apex_commit;
CREATE POLICY consents_commit ON consents FOR SELECT TO apex_commit USING (true);

-- What takes more than the asker may see; as in 0010, each takes a secret or the asker's own right and gives no more.

CREATE FUNCTION apex_organisation_offer(asked_code_hash bytea)
    RETURNS TABLE (owner_id uuid, expires_at timestamptz, used boolean)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT organisation_invites.owner_id, organisation_invites.expires_at, organisation_invites.used_at IS NOT NULL
    FROM organisation_invites
    WHERE organisation_invites.code_hash = asked_code_hash;
END;

CREATE FUNCTION apex_join_organisation(asked_code_hash bytea, own_email_index bytea, coaches_max integer)
    RETURNS TABLE (outcome text, owner_id uuid, since timestamptz)
    LANGUAGE plpgsql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    coach uuid;
    invite organisation_invites;
    refusal text;
BEGIN
    -- A coach who accepts two invites at once joins one organisation after the other has been refused, or joined.
    SELECT id INTO coach FROM users WHERE id = apex_user_id() AND role = 'coach' FOR NO KEY UPDATE;
    SELECT * INTO invite FROM organisation_invites WHERE code_hash = asked_code_hash FOR UPDATE;
    refusal := CASE
        WHEN coach IS NULL THEN 'not_a_coach'
        WHEN invite.code_hash IS NULL THEN 'unknown'
    END;
    -- Who belongs to it already gets the same answer again: the first one may have been lost on its way.
    IF refusal IS NULL AND NOT EXISTS (
        SELECT 1 FROM organisation_coaches AS member
        WHERE member.owner_id = invite.owner_id AND member.coach_id = coach AND member.ended_at IS NULL
    ) THEN
        -- Coaches join one organisation one after the other, so its bound holds.
        PERFORM 1 FROM organisations WHERE organisations.owner_id = invite.owner_id FOR UPDATE;
        refusal := CASE
            WHEN invite.used_at IS NOT NULL THEN 'used'
            WHEN invite.expires_at <= now() THEN 'expired'
            WHEN invite.email_index IS NOT NULL AND invite.email_index IS DISTINCT FROM own_email_index
                THEN 'for_another'
            WHEN EXISTS (
                SELECT 1 FROM organisation_coaches AS member
                WHERE member.coach_id = coach AND member.ended_at IS NULL
            ) THEN 'elsewhere'
            WHEN (
                SELECT count(*) FROM organisation_coaches AS member
                WHERE member.owner_id = invite.owner_id AND member.ended_at IS NULL
            ) >= coaches_max THEN 'full'
        END;
        IF refusal IS NULL THEN
            INSERT INTO organisation_coaches (owner_id, coach_id, since)
            VALUES (invite.owner_id, coach, now())
            ON CONFLICT DO NOTHING;
            UPDATE organisation_invites SET used_by = coach, used_at = now() WHERE code_hash = asked_code_hash;
        END IF;
    END IF;
    IF refusal IS NOT NULL THEN
        RETURN QUERY SELECT refusal, NULL::uuid, NULL::timestamptz;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 'joined', member.owner_id, member.since
    FROM organisation_coaches AS member
    WHERE member.owner_id = invite.owner_id AND member.coach_id = coach AND member.ended_at IS NULL;
END
$$;
COMMENT ON FUNCTION apex_join_organisation IS 'the signed-in coach joins; one invite makes one membership, even in a race';

CREATE FUNCTION apex_begin_look(asked_user uuid, asked_ticket text, span interval)
    RETURNS TABLE (look_id uuid, expires_at timestamptz)
    LANGUAGE plpgsql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    support uuid;
    ends_at timestamptz;
BEGIN
    SELECT id INTO support FROM users WHERE id = apex_user_id() AND role = 'support';
    SELECT least(consents.expires_at, now() + span) INTO ends_at
    FROM consents
    WHERE user_id = asked_user
        AND kind = 'support_access'
        AND withdrawn_at IS NULL
        AND consents.expires_at > now();
    IF support IS NULL OR ends_at IS NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(2, hashtext(support::text));
    UPDATE support_looks SET ended_at = now() WHERE support_id = support AND ended_at IS NULL;
    RETURN QUERY
    INSERT INTO support_looks (id, support_id, user_id, ticket, began_at, expires_at)
    VALUES (gen_random_uuid(), support, asked_user, asked_ticket, now(), ends_at)
    RETURNING id, support_looks.expires_at;
END
$$;
COMMENT ON FUNCTION apex_begin_look IS 'no row: no such person, or no consent of theirs; who asks cannot tell which';

REVOKE EXECUTE ON FUNCTION
    apex_owners_reading,
    apex_organisations_of_my_coaches,
    apex_organisation_offer,
    apex_join_organisation,
    apex_begin_look
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    apex_owners_reading,
    apex_organisations_of_my_coaches,
    apex_organisation_offer,
    apex_join_organisation,
    apex_begin_look
    TO apex_app;
