-- The first id in a scope's name is of whose it is, the last (0169) of whom it is about. An erasure and a copy of everything
-- ask for both, and looked through the names of all scopes.

CREATE INDEX scopes_of ON scopes (split_part(name, ':', 2));

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
        WHERE split_part(scopes.name, ':', 2) = id_text
            OR right(scopes.name, 36) = id_text
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
