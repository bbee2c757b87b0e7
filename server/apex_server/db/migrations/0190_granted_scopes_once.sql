-- Every pull begins with what is granted to whoever asks. As with what they may read (0166), the owner of the tables tells
-- it, of the asker alone, and the policies of the tables that it is told from are not planned and run inside it: planning
-- them took 20 ms on every new connection, and running them half of the question.

CREATE FUNCTION apex_granted_scopes() RETURNS TABLE (scope text, role text)
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT granted.scope, granted.role
    FROM apex_scopes_of(apex_user_id()) AS granted;
END;
COMMENT ON FUNCTION apex_granted_scopes IS 'every scope that is replicated to whoever is asking, and their role in it';
REVOKE EXECUTE ON FUNCTION apex_granted_scopes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_granted_scopes TO apex_app;

ALTER POLICY scopes_read ON scopes USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
