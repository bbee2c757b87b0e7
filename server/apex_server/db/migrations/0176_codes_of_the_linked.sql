-- As before, but for whoever is linked already: the code they enter is judged like anybody's, and only the one that they took
-- themselves is good again.

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
    linked boolean;
BEGIN
    SELECT * INTO athlete FROM users WHERE id = apex_user_id() AND role = 'athlete';
    SELECT * INTO invite FROM invites WHERE code_hash = asked_code_hash FOR UPDATE;
    linked := EXISTS (
        SELECT 1 FROM coach_athletes AS pair
        WHERE pair.coach_id = invite.coach_id AND pair.athlete_id = athlete.id AND pair.ended_at IS NULL
    );
    refusal := CASE
        WHEN athlete.id IS NULL THEN 'not_an_athlete'
        WHEN invite.code_hash IS NULL THEN 'unknown'
        -- Who took it already gets the same answer again: the first one may have been lost on its way.
        WHEN linked AND invite.used_by = athlete.id THEN NULL
        WHEN invite.used_at IS NOT NULL THEN 'used'
        WHEN invite.revoked_at IS NOT NULL THEN 'revoked'
        WHEN invite.expires_at <= now() THEN 'expired'
        WHEN invite.email_index <> athlete.email_index THEN 'for_another'
        WHEN invite.email_index IS NOT NULL AND athlete.email_verified_at IS NULL THEN 'unverified'
    END;
    -- An athlete of this coach uses up no code that anybody may hold; one for their address alone is of use to nobody else.
    IF refusal IS NULL AND invite.used_at IS NULL AND (NOT linked OR invite.email_index IS NOT NULL) THEN
        INSERT INTO coach_athletes (coach_id, athlete_id, since)
        VALUES (invite.coach_id, athlete.id, now())
        ON CONFLICT DO NOTHING;
        UPDATE invites SET used_by = athlete.id, used_at = now(), email = NULL WHERE code_hash = asked_code_hash;
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

CREATE OR REPLACE FUNCTION apex_join_organisation(asked_code_hash bytea, own_email_index bytea, coaches_max integer)
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
    belongs boolean;
BEGIN
    -- A coach who accepts two invites at once joins one organisation after the other has been refused, or joined.
    SELECT id INTO coach FROM users WHERE id = apex_user_id() AND role = 'coach' FOR NO KEY UPDATE;
    SELECT * INTO invite FROM organisation_invites WHERE code_hash = asked_code_hash FOR UPDATE;
    belongs := EXISTS (
        SELECT 1 FROM organisation_coaches AS member
        WHERE member.owner_id = invite.owner_id AND member.coach_id = coach AND member.ended_at IS NULL
    );
    IF NOT belongs THEN
        -- Coaches join one organisation one after the other, so its bound holds.
        PERFORM 1 FROM organisations WHERE organisations.owner_id = invite.owner_id FOR UPDATE;
    END IF;
    refusal := CASE
        WHEN coach IS NULL THEN 'not_a_coach'
        WHEN invite.code_hash IS NULL THEN 'unknown'
        -- Who took it already gets the same answer again: the first one may have been lost on its way.
        WHEN belongs AND invite.used_by = coach THEN NULL
        WHEN invite.used_at IS NOT NULL THEN 'used'
        WHEN invite.expires_at <= now() THEN 'expired'
        WHEN invite.email_index IS NOT NULL AND invite.email_index IS DISTINCT FROM own_email_index
            THEN 'for_another'
        WHEN belongs THEN NULL
        WHEN EXISTS (
            SELECT 1 FROM organisation_coaches AS member
            WHERE member.coach_id = coach AND member.ended_at IS NULL
        ) THEN 'elsewhere'
        WHEN (
            SELECT count(*) FROM organisation_coaches AS member
            WHERE member.owner_id = invite.owner_id AND member.ended_at IS NULL
        ) >= coaches_max THEN 'full'
    END;
    -- A coach who belongs to it uses up no code that anybody may hold; one for their address is of use to nobody else.
    IF refusal IS NULL AND invite.used_at IS NULL AND (NOT belongs OR invite.email_index IS NOT NULL) THEN
        INSERT INTO organisation_coaches (owner_id, coach_id, since)
        VALUES (invite.owner_id, coach, now())
        ON CONFLICT DO NOTHING;
        UPDATE organisation_invites SET used_by = coach, used_at = now() WHERE code_hash = asked_code_hash;
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
