-- An athlete is told which coach made a program of theirs, and a coach the same of another one's. `client_ids` shows each of
-- them their own devices alone, so the name of the writer is looked up here: only of coaches, and only of ids that somebody
-- has already, as they stand in the documents that they read.

CREATE FUNCTION apex_coaches_behind(asked_clients bigint[]) RETURNS TABLE (client_id bigint, coach_id uuid)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT bound.client_id, bound.user_id
    FROM client_ids AS bound
    JOIN users ON users.id = bound.user_id AND users.role = 'coach'
    WHERE bound.client_id = ANY (asked_clients)
    ORDER BY bound.client_id;
END;
COMMENT ON FUNCTION apex_coaches_behind IS 'the coaches who wrote under some client ids; of nobody else, anything';
REVOKE EXECUTE ON FUNCTION apex_coaches_behind FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_coaches_behind TO apex_app;
