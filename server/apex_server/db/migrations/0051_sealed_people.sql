-- Names and addresses of people, sealed: with the key of whoever they are about. An address is found by a keyed hash.
--
-- Plain and sealed columns stand side by side while what exists is sealed; then the plain ones go, and the tables are
-- written anew, because a dropped column stays in the rows that had it.

ALTER TABLE users RENAME COLUMN email TO plain_email;
ALTER TABLE users RENAME COLUMN name TO plain_name;
ALTER TABLE users ADD COLUMN email_index bytea, ADD COLUMN email bytea, ADD COLUMN name bytea;
ALTER TABLE devices RENAME COLUMN name TO plain_name;
ALTER TABLE devices ADD COLUMN name bytea;
ALTER TABLE invites ADD COLUMN email_index bytea;

-- python: apex_server.vault.first_sealing:seal_people

DROP FUNCTION apex_login_account(text, bytea);
DROP FUNCTION apex_invite_offer(bytea);
DROP FUNCTION apex_accept_invite(bytea);

ALTER TABLE users DROP COLUMN plain_email, DROP COLUMN email_typed, DROP COLUMN plain_name;
ALTER TABLE users
    ALTER COLUMN email_index SET NOT NULL,
    ALTER COLUMN email SET NOT NULL,
    ALTER COLUMN name SET NOT NULL,
    ADD CONSTRAINT users_email_unique UNIQUE (email_index),
    ADD CHECK (length(email_index) = 32);
ALTER TABLE devices DROP COLUMN plain_name, ALTER COLUMN name SET NOT NULL;
ALTER TABLE invites DROP COLUMN email, ADD CHECK (length(email_index) = 32);

COMMENT ON COLUMN users.email_index IS 'keyed hash of the address, NFKC and in lower case: what sign-in compares';
COMMENT ON COLUMN users.email IS 'as it was typed, sealed with the key of the user';
COMMENT ON COLUMN users.name IS 'sealed with the key of the user';
COMMENT ON COLUMN devices.name IS 'sealed with the key of the user';
COMMENT ON COLUMN invites.email_index IS 'as users.email_index; null: for whoever holds the code';

CLUSTER users USING users_pkey;
ALTER TABLE users SET WITHOUT CLUSTER;
CLUSTER devices USING devices_pkey;
ALTER TABLE devices SET WITHOUT CLUSTER;
CLUSTER invites USING invites_pkey;
ALTER TABLE invites SET WITHOUT CLUSTER;

GRANT SELECT (email_index, email, name), UPDATE (email_index, email, name) ON users TO apex_app;
GRANT SELECT (email_index, email, name) ON users TO apex_commit;
GRANT UPDATE (name) ON devices TO apex_app;
GRANT SELECT (name) ON devices TO apex_commit;

CREATE FUNCTION apex_login_account(asked_email_index bytea, asked_device_token_hash bytea)
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
    WHERE users.email_index = asked_email_index;
END;
COMMENT ON FUNCTION apex_login_account IS 'device_id: the known device that the token proves, if it does';

CREATE FUNCTION apex_invite_offer(asked_code_hash bytea)
    RETURNS TABLE (
        coach_id uuid, coach_name bytea, wrapped bytea, master_key_id text, expires_at timestamptz, used boolean
    )
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT invites.coach_id, users.name, data_keys.wrapped, data_keys.master_key_id, invites.expires_at,
        invites.used_at IS NOT NULL
    FROM invites
    JOIN users ON users.id = invites.coach_id
    JOIN data_keys ON data_keys.user_id = invites.coach_id AND data_keys.destroyed_at IS NULL
    WHERE invites.code_hash = asked_code_hash;
END;
COMMENT ON FUNCTION apex_invite_offer IS 'who invites, sealed, with the key to it';

CREATE FUNCTION apex_accept_invite(asked_code_hash bytea)
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
COMMENT ON FUNCTION apex_accept_invite IS 'the signed-in athlete accepts; one invite makes one relation, even in a race';

REVOKE EXECUTE ON FUNCTION apex_login_account, apex_invite_offer, apex_accept_invite FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_login_account, apex_invite_offer, apex_accept_invite TO apex_app;
