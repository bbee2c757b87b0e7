-- Every sync asks whether something is damaged; nearly always nothing is, anywhere, and that is one probe of an empty index.

CREATE FUNCTION apex_has_damage() RETURNS boolean
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
    RETURN EXISTS (SELECT 1 FROM records WHERE records.damaged_at IS NOT NULL);
COMMENT ON FUNCTION apex_has_damage IS 'whether any document of the installation does not open';
REVOKE EXECUTE ON FUNCTION apex_has_damage FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_has_damage TO apex_app, apex_commit;
