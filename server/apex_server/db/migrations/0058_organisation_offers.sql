-- What the holder of a code may know before accepting: whose organisation it is, or who reads along with a coach.
-- Names are sealed with the owner's key, so the wrapped key comes with them.

DROP FUNCTION apex_organisation_offer(bytea);
CREATE FUNCTION apex_organisation_offer(asked_code_hash bytea)
    RETURNS TABLE (
        owner_id uuid, organisation_name bytea, owner_name bytea, wrapped bytea, master_key_id text,
        expires_at timestamptz, used boolean
    )
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT invite.owner_id, organisations.name, users.name, data_keys.wrapped, data_keys.master_key_id,
        invite.expires_at, invite.used_at IS NOT NULL
    FROM organisation_invites AS invite
    JOIN organisations ON organisations.owner_id = invite.owner_id
    JOIN users ON users.id = invite.owner_id
    JOIN data_keys ON data_keys.user_id = invite.owner_id AND data_keys.destroyed_at IS NULL
    WHERE invite.code_hash = asked_code_hash;
END;
COMMENT ON FUNCTION apex_organisation_offer IS 'who invites a coach, sealed, with the key to it';

CREATE FUNCTION apex_invite_reader(asked_code_hash bytea)
    RETURNS TABLE (owner_id uuid, organisation_name bytea, wrapped bytea, master_key_id text)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT member.owner_id, organisations.name, data_keys.wrapped, data_keys.master_key_id
    FROM invites
    JOIN organisation_coaches AS member ON member.coach_id = invites.coach_id AND member.ended_at IS NULL
    JOIN organisations ON organisations.owner_id = member.owner_id
    JOIN data_keys ON data_keys.user_id = member.owner_id AND data_keys.destroyed_at IS NULL
    WHERE invites.code_hash = asked_code_hash;
END;
COMMENT ON FUNCTION apex_invite_reader IS 'the organisation whose owner reads along with the coach of an invite, if any';

REVOKE EXECUTE ON FUNCTION apex_organisation_offer, apex_invite_reader FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_organisation_offer, apex_invite_reader TO apex_app;
