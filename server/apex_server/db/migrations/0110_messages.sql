-- Messages: a scope for each coach and athlete who work together, which nobody else reads: no other coach of the athlete,
-- no owner, and not support.

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
    SELECT 'thread:' || pair.coach_id::text || ':' || pair.athlete_id::text, 'coach'
    FROM coach_athletes AS pair
    WHERE pair.coach_id = asking_user AND pair.ended_at IS NULL
    UNION ALL
    SELECT 'thread:' || pair.coach_id::text || ':' || pair.athlete_id::text, 'athlete'
    FROM coach_athletes AS pair
    WHERE pair.athlete_id = asking_user AND pair.ended_at IS NULL
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

CREATE OR REPLACE FUNCTION apex_erase_account(asked_user uuid, asked_at timestamptz) RETURNS void
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
            OR scopes.name LIKE 'thread:' || id_text || ':%'
            OR scopes.name LIKE 'thread:%:' || id_text
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

-- Two years after a coach and an athlete parted, what the coach had noted about the athlete goes, and what they wrote.
CREATE OR REPLACE FUNCTION apex_forget_parted(ended_before timestamptz, pairs_max integer) RETURNS integer
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
            CROSS JOIN (VALUES ('private:'), ('thread:')) AS shared (prefix)
            JOIN scopes ON scopes.name = shared.prefix || parted.coach_id::text || ':' || parted.athlete_id::text
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

-- What a side said in a record: a row for each of the two at most, and one in honest records. Texts stay in the document.
CREATE TABLE messages (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    sender text NOT NULL,
    sent_at timestamp NOT NULL,
    type text,
    reply_to text,
    media_id text,
    duration_seconds double precision,
    read_at timestamp,
    deleted boolean NOT NULL,
    PRIMARY KEY (scope_id, record_id, sender)
);
CREATE INDEX messages_by_time ON messages (scope_id, sent_at, record_id, sender);
CREATE INDEX messages_unread ON messages (scope_id, sender) WHERE read_at IS NULL AND NOT deleted;
COMMENT ON COLUMN messages.sent_at IS 'UTC, by the clock of whoever sent it';
COMMENT ON COLUMN messages.read_at IS 'UTC; when the other side read it';
COMMENT ON COLUMN messages.deleted IS 'taken back';

ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE messages FORCE ROW LEVEL SECURITY;
CREATE POLICY messages_owner ON messages TO CURRENT_USER USING (true);
CREATE POLICY messages_commit ON messages TO apex_commit USING (true);
CREATE POLICY messages_read ON messages FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
GRANT SELECT ON messages TO apex_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON messages TO apex_commit;
