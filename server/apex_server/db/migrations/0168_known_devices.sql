-- A device that comes back after its session was forgotten is told that the session is over, and not that nobody knows
-- its token: its account stands.

CREATE FUNCTION apex_knows_device(asked_token_hash bytea) RETURNS boolean
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
    RETURN EXISTS (SELECT 1 FROM devices WHERE devices.token_hash = asked_token_hash);
COMMENT ON FUNCTION apex_knows_device IS 'whether this is the secret of a device of an account that stands, removed or not';

REVOKE EXECUTE ON FUNCTION apex_knows_device FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_knows_device TO apex_app;
