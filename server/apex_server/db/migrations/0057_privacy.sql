-- Leaving, and taking one's data along: exports, deletion with its time of grace, erasure, and what is left after it.

CREATE TABLE account_deletions (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    asked_at timestamptz NOT NULL,
    erase_at timestamptz NOT NULL CHECK (erase_at > asked_at)
);
CREATE INDEX account_deletions_due ON account_deletions (erase_at);

CREATE TABLE exports (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    asked_at timestamptz NOT NULL,
    taken_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    parts_done integer NOT NULL DEFAULT 0,
    parts_total integer NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    ready_at timestamptz,
    expires_at timestamptz,
    failed_at timestamptz,
    UNIQUE (id, user_id),
    CHECK ((ready_at IS NULL) = (expires_at IS NULL))
);
CREATE UNIQUE INDEX exports_under_way ON exports (user_id) WHERE ready_at IS NULL AND failed_at IS NULL;
CREATE INDEX exports_of_user ON exports (user_id, asked_at DESC);
COMMENT ON COLUMN exports.taken_at IS 'when a worker last took it up, or told how far it is';

CREATE TABLE export_chunks (
    export_id uuid NOT NULL,
    user_id uuid NOT NULL,
    place integer NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (export_id, place),
    FOREIGN KEY (export_id, user_id) REFERENCES exports (id, user_id) ON DELETE CASCADE
);
ALTER TABLE export_chunks ALTER COLUMN sealed SET STORAGE EXTERNAL;
COMMENT ON COLUMN export_chunks.sealed IS 'a piece of the zip, sealed with the person''s key';

-- What is left of an account: that it was, and what its devices must be told. None of it names anybody.
CREATE TABLE erased_accounts (
    user_id uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL,
    swept_at timestamptz
);
COMMENT ON COLUMN erased_accounts.swept_at IS 'when was looked once more for what somebody was writing at that moment';
CREATE INDEX erased_accounts_to_sweep ON erased_accounts (erased_at) WHERE swept_at IS NULL;
CREATE TABLE erased_tokens (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32)
);
COMMENT ON TABLE erased_tokens IS 'secrets of sessions and devices of erased accounts: who shows one is told to forget';
CREATE TABLE erased_client_ids (
    client_id bigint PRIMARY KEY
);
COMMENT ON TABLE erased_client_ids IS 'they may stand in records of others, so no device may take one up again';

ALTER TABLE account_deletions ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_deletions FORCE ROW LEVEL SECURITY;
ALTER TABLE exports ENABLE ROW LEVEL SECURITY;
ALTER TABLE exports FORCE ROW LEVEL SECURITY;
ALTER TABLE export_chunks ENABLE ROW LEVEL SECURITY;
ALTER TABLE export_chunks FORCE ROW LEVEL SECURITY;
ALTER TABLE erased_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE erased_accounts FORCE ROW LEVEL SECURITY;
ALTER TABLE erased_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE erased_tokens FORCE ROW LEVEL SECURITY;
ALTER TABLE erased_client_ids ENABLE ROW LEVEL SECURITY;
ALTER TABLE erased_client_ids FORCE ROW LEVEL SECURITY;

CREATE POLICY account_deletions_owner ON account_deletions TO CURRENT_USER USING (true);
CREATE POLICY exports_owner ON exports TO CURRENT_USER USING (true);
CREATE POLICY export_chunks_owner ON export_chunks TO CURRENT_USER USING (true);
CREATE POLICY erased_accounts_owner ON erased_accounts TO CURRENT_USER USING (true);
CREATE POLICY erased_tokens_owner ON erased_tokens TO CURRENT_USER USING (true);
CREATE POLICY erased_client_ids_owner ON erased_client_ids TO CURRENT_USER USING (true);

CREATE POLICY account_deletions_commit ON account_deletions TO apex_commit USING (true);
CREATE POLICY exports_commit ON exports TO apex_commit USING (true);
CREATE POLICY export_chunks_commit ON export_chunks TO apex_commit USING (true);
CREATE POLICY erased_accounts_commit ON erased_accounts TO apex_commit USING (true);

CREATE POLICY account_deletions_own ON account_deletions TO apex_app
    USING (user_id = apex_user_id()) WITH CHECK (user_id = apex_user_id());
CREATE POLICY exports_own ON exports FOR SELECT TO apex_app USING (user_id = apex_user_id());
CREATE POLICY exports_asked ON exports FOR INSERT TO apex_app WITH CHECK (user_id = apex_user_id());
CREATE POLICY export_chunks_own ON export_chunks FOR SELECT TO apex_app USING (user_id = apex_user_id());
CREATE POLICY erased_client_ids_known ON erased_client_ids FOR SELECT USING (true);

GRANT SELECT, INSERT, DELETE ON account_deletions TO apex_app;
GRANT SELECT, DELETE ON account_deletions TO apex_commit;
GRANT UPDATE (erase_at) ON account_deletions TO apex_commit;
GRANT SELECT ON exports, export_chunks TO apex_app;
GRANT INSERT (id, user_id, asked_at) ON exports TO apex_app;
GRANT SELECT, UPDATE, DELETE ON exports TO apex_commit;
GRANT SELECT, INSERT, DELETE ON export_chunks TO apex_commit;
GRANT SELECT, UPDATE ON erased_accounts TO apex_commit;
GRANT SELECT ON erased_client_ids TO apex_app, apex_commit;

CREATE FUNCTION apex_is_erased(asked_token_hashes bytea[]) RETURNS boolean
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
    RETURN EXISTS (SELECT 1 FROM erased_tokens WHERE erased_tokens.token_hash = ANY(asked_token_hashes));
COMMENT ON FUNCTION apex_is_erased IS 'whether one of these is a secret of an account that was erased';

CREATE OR REPLACE FUNCTION apex_bind_client_id(asking_user uuid, asking_device uuid, asked_client_id bigint)
    RETURNS boolean
    LANGUAGE sql
    VOLATILE
BEGIN ATOMIC
    INSERT INTO client_ids (client_id, user_id, device_id, bound_at)
    SELECT asked_client_id, asking_user, asking_device, now()
    WHERE NOT EXISTS (SELECT 1 FROM erased_client_ids WHERE erased_client_ids.client_id = asked_client_id)
    ON CONFLICT (client_id) DO NOTHING;
    SELECT EXISTS (
        SELECT 1
        FROM client_ids
        WHERE client_ids.client_id = asked_client_id
            AND client_ids.user_id = asking_user
            AND client_ids.device_id IS NOT DISTINCT FROM asking_device
    );
END;
COMMENT ON FUNCTION apex_bind_client_id IS
    'binds on first use; false: the id belongs to another device or user, or did to somebody who was erased';

-- Erasure. Whatever has a scope goes with its scope, and whatever has a person's id with the person, in every table
-- there is or will be; what stays is named here.

CREATE FUNCTION apex_erase_scopes(asked_scope_ids uuid[]) RETURNS void
    LANGUAGE plpgsql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    named text;
BEGIN
    -- Whoever is writing there finishes first, and whoever comes later finds nothing to write to.
    PERFORM 1 FROM scopes WHERE scope_id = ANY(asked_scope_ids) ORDER BY scope_id FOR UPDATE;
    FOR named IN
        SELECT relation.relname
        FROM pg_attribute AS attribute
        JOIN pg_class AS relation ON relation.oid = attribute.attrelid
        WHERE relation.relnamespace = 'public'::regnamespace
            AND relation.relkind IN ('r', 'p')
            AND attribute.attname = 'scope_id'
            AND NOT attribute.attisdropped
        ORDER BY relation.relname = 'scopes', relation.relname
    LOOP
        EXECUTE format('DELETE FROM %I WHERE scope_id = ANY($1)', named) USING asked_scope_ids;
    END LOOP;
END
$$;
COMMENT ON FUNCTION apex_erase_scopes IS 'takes away scopes with everything in them, their audit and its chain included';

CREATE FUNCTION apex_erase_account(asked_user uuid, asked_at timestamptz) RETURNS void
    LANGUAGE plpgsql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    id_text text := asked_user::text;
    found record;
BEGIN
    INSERT INTO erased_accounts (user_id, erased_at) VALUES (asked_user, asked_at) ON CONFLICT DO NOTHING;
    INSERT INTO erased_tokens (token_hash)
    SELECT refresh_tokens.token_hash FROM refresh_tokens WHERE refresh_tokens.user_id = asked_user
    UNION
    SELECT devices.token_hash FROM devices WHERE devices.user_id = asked_user
    ON CONFLICT DO NOTHING;
    INSERT INTO erased_client_ids (client_id)
    SELECT client_ids.client_id FROM client_ids WHERE client_ids.user_id = asked_user
    UNION
    SELECT server_client_ids.client_id FROM server_client_ids WHERE server_client_ids.user_id = asked_user
    ON CONFLICT DO NOTHING;
    PERFORM apex_erase_scopes(ARRAY(
        SELECT scopes.scope_id
        FROM scopes
        WHERE scopes.name IN ('athlete:' || id_text, 'coach:' || id_text, 'library:' || id_text)
            OR scopes.name LIKE 'private:' || id_text || ':%'
            OR scopes.name LIKE 'private:%:' || id_text
    ));
    -- Jobs name whom they are about in their key; their log may hold a traceback.
    DELETE FROM pgqueuer_log
    WHERE job_id IN (SELECT pgqueuer.id FROM pgqueuer WHERE pgqueuer.dedupe_key LIKE '%:' || id_text);
    DELETE FROM pgqueuer WHERE pgqueuer.dedupe_key LIKE '%:' || id_text;
    -- Left are who wrote what in the records of others, an id without a name; and that the key and the account were.
    FOR found IN
        SELECT relation.relname AS named, attribute.attname AS referring
        FROM pg_attribute AS attribute
        JOIN pg_class AS relation ON relation.oid = attribute.attrelid
        WHERE relation.relnamespace = 'public'::regnamespace
            AND relation.relkind IN ('r', 'p')
            AND attribute.attname IN (
                'user_id', 'athlete_id', 'coach_id', 'owner_id', 'subject_id', 'support_id', 'person_id'
            )
            AND attribute.atttypid = 'uuid'::regtype
            AND NOT attribute.attisdropped
            AND relation.relname NOT IN ('audit', 'data_keys', 'erased_accounts')
        ORDER BY relation.relname, attribute.attname
    LOOP
        EXECUTE format('DELETE FROM %I WHERE %I = $1', found.named, found.referring) USING asked_user;
    END LOOP;
    DELETE FROM users WHERE users.id = asked_user;
END
$$;
COMMENT ON FUNCTION apex_erase_account IS 'takes away a person, and everything that is theirs; may be run again';

-- Two years after a coach and an athlete parted, what the coach had noted about the athlete goes.
CREATE FUNCTION apex_forget_parted(ended_before timestamptz, pairs_max integer) RETURNS integer
    LANGUAGE plpgsql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    forgotten integer;
BEGIN
    WITH parted AS (
        SELECT pair.coach_id, pair.athlete_id
        FROM coach_athletes AS pair
        GROUP BY pair.coach_id, pair.athlete_id
        HAVING bool_and(pair.ended_at IS NOT NULL) AND max(pair.ended_at) < ended_before
        ORDER BY max(pair.ended_at)
        LIMIT pairs_max
    ),
    erased AS (
        SELECT apex_erase_scopes(ARRAY(
            SELECT scopes.scope_id
            FROM parted
            JOIN scopes ON scopes.name = 'private:' || parted.coach_id::text || ':' || parted.athlete_id::text
        ))
    ),
    gone AS (
        DELETE FROM coach_athletes
        USING parted, erased
        WHERE coach_athletes.coach_id = parted.coach_id AND coach_athletes.athlete_id = parted.athlete_id
        RETURNING 1
    )
    SELECT count(*) INTO forgotten FROM gone;
    RETURN forgotten;
END
$$;

REVOKE EXECUTE ON FUNCTION apex_is_erased, apex_erase_scopes, apex_erase_account, apex_forget_parted FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_is_erased TO apex_app;
GRANT EXECUTE ON FUNCTION apex_erase_account, apex_forget_parted TO apex_commit;

-- What the worker keeps no longer than it may: it needs no more than when things were.
CREATE POLICY login_attempts_forgotten ON login_attempts TO apex_commit USING (true);
CREATE POLICY sessions_forgotten ON sessions TO apex_commit USING (true);
CREATE POLICY invites_forgotten ON invites TO apex_commit USING (true);
CREATE POLICY support_looks_forgotten ON support_looks TO apex_commit USING (true);
GRANT SELECT (id, attempted_at), DELETE ON login_attempts TO apex_commit;
GRANT SELECT (id, ended_at, last_used_at), DELETE ON sessions TO apex_commit;
GRANT SELECT (code_hash, expires_at), DELETE ON invites TO apex_commit;
GRANT SELECT, DELETE ON support_looks TO apex_commit;
