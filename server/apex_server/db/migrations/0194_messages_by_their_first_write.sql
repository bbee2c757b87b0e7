-- A message came when its record was first written: whoever changed it later, by sync, began its four hours anew and made
-- it news once more. The audit leads from a record's last write back to its first.

CREATE OR REPLACE FUNCTION apex_waiting_messages(asked_user uuid, came_until timestamptz)
    RETURNS TABLE (coach_id uuid, athlete_id uuid, sender_id uuid, messages bigint, newest_at timestamptz)
    LANGUAGE sql
    STABLE
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT pair.coach_id, pair.athlete_id, other.id, waiting.messages, waiting.newest_at
    FROM coach_athletes AS pair
    CROSS JOIN LATERAL (
        SELECT CASE WHEN pair.coach_id = asked_user THEN pair.athlete_id ELSE pair.coach_id END AS id,
            CASE WHEN pair.coach_id = asked_user THEN 'athlete' ELSE 'coach' END AS side
    ) AS other
    JOIN scopes ON scopes.name = 'thread:' || pair.coach_id::text || ':' || pair.athlete_id::text
    CROSS JOIN LATERAL (
        SELECT count(*) AS messages, max(one.came_at) AS newest_at
        FROM (
            SELECT came.at AS came_at
            FROM messages AS said
            JOIN records ON records.scope_id = said.scope_id AND records.record_id = said.record_id
            CROSS JOIN LATERAL (
                WITH RECURSIVE written (at, previous_seq, steps) AS (
                    SELECT audit.committed_at, audit.previous_seq, 1
                    FROM audit
                    WHERE audit.scope_id = records.scope_id AND audit.seq = records.seq
                    UNION
                    SELECT audit.committed_at, audit.previous_seq, written.steps + 1
                    FROM written
                    JOIN audit ON audit.scope_id = records.scope_id AND audit.seq = written.previous_seq
                    -- Nobody changes a message as often, and a hundred of them are looked at.
                    WHERE written.previous_seq > 0 AND written.steps < 50
                )
                SELECT written.at FROM written ORDER BY written.steps DESC LIMIT 1
            ) AS came
            WHERE said.scope_id = scopes.scope_id
                AND said.sender = other.side
                AND said.read_at IS NULL
                AND NOT said.deleted
                AND came.at <= came_until
            ORDER BY said.sent_at DESC
            LIMIT 100
        ) AS one
    ) AS waiting
    WHERE asked_user IN (pair.coach_id, pair.athlete_id)
        AND pair.ended_at IS NULL
        AND waiting.messages > 0;
END;
