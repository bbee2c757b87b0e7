-- Whose athletes somebody reads along with is told in one place, for a list as for one athlete: each athlete once, with the
-- coach who has worked with them longest of those who have not archived them, or of all who have.

CREATE FUNCTION apex_clients_of(coaches uuid[], asked_athlete uuid)
    RETURNS TABLE (coach_id uuid, athlete_id uuid, since timestamptz, private_scope text, private_id uuid, file_id uuid)
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
BEGIN ATOMIC
    SELECT DISTINCT ON (link.athlete_id) link.coach_id, link.athlete_id, link.since,
        private.name, private.scope_id, kept.record_id
    FROM coach_athletes AS link
    LEFT JOIN scopes AS private
        ON private.name = 'private:' || link.coach_id::text || ':' || link.athlete_id::text
    LEFT JOIN LATERAL (
        SELECT client_files.record_id, client_files.archived
        FROM client_files
        WHERE client_files.scope_id = private.scope_id
        ORDER BY client_files.record_id
        LIMIT 1
    ) AS kept ON true
    WHERE link.coach_id = ANY (coaches)
        AND (asked_athlete IS NULL OR link.athlete_id = asked_athlete)
        AND link.ended_at IS NULL
    ORDER BY link.athlete_id, kept.archived IS TRUE, link.since, link.coach_id;
END;
COMMENT ON FUNCTION apex_clients_of IS
    'the athletes of some coaches, all or one, each with one of them, and where that coach keeps notes and a file';
REVOKE EXECUTE ON FUNCTION apex_clients_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_clients_of TO apex_app;
