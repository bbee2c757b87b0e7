-- Support reads under one look and no other: the transaction of a read names it (apex.look_id), and row-level security
-- asks for that one. A look belongs to the session that began it, whose person had shown a second factor just before.
-- And what ends sessions voids what was begun before it.

ALTER TABLE sessions ADD COLUMN second_factor_at timestamptz;
COMMENT ON COLUMN sessions.second_factor_at IS
    'when its person last showed a passkey, or a code beside the password; null: never in this session';
GRANT UPDATE (second_factor_at) ON sessions TO apex_app;

ALTER TABLE users ADD COLUMN sessions_ended_at timestamptz;
COMMENT ON COLUMN users.sessions_ended_at IS 'when all, or all other, sessions were last ended: no sign-in begun before counts';
GRANT UPDATE (sessions_ended_at) ON users TO apex_app;

CREATE FUNCTION apex_may_still_sign_in(begun_at timestamptz) RETURNS boolean
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT 1
        FROM users
        WHERE users.id = apex_user_id()
            AND (users.sessions_ended_at IS NULL OR users.sessions_ended_at < begun_at)
        FOR NO KEY UPDATE
    );
END;
COMMENT ON FUNCTION apex_may_still_sign_in IS
    'whether no sessions of whoever asks were ended since; it stays so until the transaction ends';

-- What is under way belongs to no session, and is begun anew.
UPDATE support_looks SET ended_at = now() WHERE ended_at IS NULL;
ALTER TABLE support_looks ADD COLUMN session_id uuid;
COMMENT ON COLUMN support_looks.session_id IS 'of the support account: in no other may it read; null: from before 0072';

DROP FUNCTION apex_begin_look(uuid, text, interval);
CREATE FUNCTION apex_begin_look(asked_user uuid, asked_ticket text, span interval, asked_session uuid)
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
    SELECT users.id INTO support
    FROM users
    JOIN sessions ON sessions.user_id = users.id
    WHERE users.id = apex_user_id()
        AND users.role = 'support'
        AND sessions.id = asked_session
        AND sessions.ended_at IS NULL
        AND sessions.second_factor_at IS NOT NULL;
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
    INSERT INTO support_looks (id, support_id, user_id, ticket, began_at, expires_at, session_id)
    VALUES (gen_random_uuid(), support, asked_user, asked_ticket, now(), ends_at, asked_session)
    RETURNING id, support_looks.expires_at;
END
$$;
COMMENT ON FUNCTION apex_begin_look IS 'no row: no such person, or no consent of theirs; who asks cannot tell which';

CREATE OR REPLACE FUNCTION apex_looked_at(asking_support uuid) RETURNS uuid
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
    RETURN (
        SELECT look.user_id
        FROM support_looks AS look
        WHERE look.id = nullif(current_setting('apex.look_id', true), '')::uuid
            AND look.support_id = asking_support
            AND look.ended_at IS NULL
            AND look.expires_at > now()
            AND apex_consented(look.user_id, 'support_access')
    );
COMMENT ON FUNCTION apex_looked_at IS
    'the one person whom a support account may read in this transaction, which names its look; null: nobody';

REVOKE EXECUTE ON FUNCTION apex_may_still_sign_in, apex_begin_look FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_may_still_sign_in, apex_begin_look TO apex_app;
