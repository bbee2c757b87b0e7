-- Invites that are mailed, listed and taken back. What is taken back stays for as long as others do, so that whoever tries
-- its code is told; the address it went to does not.

ALTER TABLE invites ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid();
ALTER TABLE invites ADD UNIQUE (id, coach_id);
ALTER TABLE invites ADD COLUMN email bytea;
ALTER TABLE invites ADD COLUMN mailed boolean NOT NULL DEFAULT false;
ALTER TABLE invites ADD COLUMN mail_sent_at timestamptz;
ALTER TABLE invites ADD COLUMN revoked_at timestamptz;
COMMENT ON COLUMN invites.id IS 'what its coach calls it by; it opens nothing';
COMMENT ON COLUMN invites.email IS 'as it was typed, sealed with the key of the coach, while the invite is open';
COMMENT ON COLUMN invites.mailed IS 'true: a letter was asked for; counted per coach and day';
COMMENT ON COLUMN invites.mail_sent_at IS 'when the letter went';
CREATE INDEX invites_open ON invites (coach_id, created_at DESC, id DESC) WHERE used_at IS NULL AND revoked_at IS NULL;

GRANT UPDATE (revoked_at, email, draft) ON invites TO apex_app;
CREATE POLICY invites_revoked ON invites FOR UPDATE TO apex_app
    USING (coach_id = apex_user_id() AND used_at IS NULL) WITH CHECK (coach_id = apex_user_id());
GRANT SELECT (id, email, email_index, revoked_at) ON invites TO apex_commit;
GRANT UPDATE (mail_sent_at) ON invites TO apex_commit;

-- The letter of an invite: the one letter whose code somebody else has, too, so it waits with it, sealed.
ALTER TABLE mails ADD COLUMN invite_id uuid;
ALTER TABLE mails ADD COLUMN invite_code bytea;
ALTER TABLE mails ADD FOREIGN KEY (invite_id, user_id) REFERENCES invites (id, coach_id) ON DELETE CASCADE;
ALTER TABLE mails ADD CHECK (num_nonnulls(invite_id, invite_code) <> 1);
COMMENT ON COLUMN mails.invite_code IS 'sealed with the key of the coach, until the letter has gone';
CREATE INDEX mails_of_invite ON mails (invite_id) WHERE invite_id IS NOT NULL;
DROP INDEX mails_waiting;
CREATE UNIQUE INDEX mails_waiting ON mails (user_id, email_index, purpose, email_change_id, about_id, invite_id)
    NULLS NOT DISTINCT WHERE failed_at IS NULL;

CREATE OR REPLACE FUNCTION apex_press_for_link(at_time timestamptz) RETURNS void
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    INSERT INTO mails (purpose, user_id, asked_at, due_at, pressed)
    SELECT 'verify_email', users.id, at_time, at_time, true
    FROM users
    WHERE users.id = apex_user_id() AND users.email_verified_at IS NULL
    ON CONFLICT (user_id, email_index, purpose, email_change_id, about_id, invite_id) WHERE failed_at IS NULL
    DO UPDATE SET pressed = true, asked_at = excluded.asked_at, due_at = excluded.due_at, crowd = NULL;
END;

DROP FUNCTION apex_invite_offer;
CREATE FUNCTION apex_invite_offer(asked_code_hash bytea)
    RETURNS TABLE (
        coach_id uuid, coach_name bytea, wrapped bytea, master_key_id text, expires_at timestamptz,
        used boolean, revoked boolean
    )
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT invites.coach_id, users.name, data_keys.wrapped, data_keys.master_key_id, invites.expires_at,
        invites.used_at IS NOT NULL, invites.revoked_at IS NOT NULL
    FROM invites
    JOIN users ON users.id = invites.coach_id
    JOIN data_keys ON data_keys.user_id = invites.coach_id AND data_keys.destroyed_at IS NULL
    WHERE invites.code_hash = asked_code_hash;
END;
COMMENT ON FUNCTION apex_invite_offer IS 'who invites, sealed, with the key to it';
REVOKE EXECUTE ON FUNCTION apex_invite_offer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_invite_offer TO apex_app;

-- As before, but for what was taken back; and once it is accepted, the address it went to is gone.
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
            WHEN invite.revoked_at IS NOT NULL THEN 'revoked'
            WHEN invite.expires_at <= now() THEN 'expired'
            WHEN invite.email_index <> athlete.email_index THEN 'for_another'
            WHEN invite.email_index IS NOT NULL AND athlete.email_verified_at IS NULL THEN 'unverified'
        END;
        IF refusal IS NULL THEN
            INSERT INTO coach_athletes (coach_id, athlete_id, since)
            VALUES (invite.coach_id, athlete.id, now())
            ON CONFLICT DO NOTHING;
            UPDATE invites SET used_by = athlete.id, used_at = now(), email = NULL WHERE code_hash = asked_code_hash;
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
