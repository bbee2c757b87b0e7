-- The owner of an organisation may demand a second factor of its coaches, and so of themselves.

ALTER TABLE organisations ADD COLUMN second_factor_demanded boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN organisations.second_factor_demanded IS
    'whether its owner and its coaches may do no more than set one up in a session that has shown none';
GRANT UPDATE (second_factor_demanded) ON organisations TO apex_app;

CREATE FUNCTION apex_organisation_demands_second_factor() RETURNS boolean
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT 1
        FROM organisations
        WHERE organisations.second_factor_demanded
            AND organisations.owner_id IN (
                SELECT apex_user_id()
                UNION ALL
                SELECT member.owner_id
                FROM organisation_coaches AS member
                WHERE member.coach_id = apex_user_id()
                    AND member.ended_at IS NULL
            )
    );
END;
COMMENT ON FUNCTION apex_organisation_demands_second_factor IS 'of whoever asks, as its owner or one of its present coaches';
REVOKE EXECUTE ON FUNCTION apex_organisation_demands_second_factor FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_organisation_demands_second_factor TO apex_app;
