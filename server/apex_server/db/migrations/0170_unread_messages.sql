-- Whoever consents to it is told by mail of messages that wait for them: who wrote and how many, never what.

ALTER TABLE consents ADD COLUMN letter_at timestamptz;
ALTER TABLE consents ADD CONSTRAINT consents_letter_of_messages CHECK (letter_at IS NULL OR kind = 'messages');
COMMENT ON COLUMN consents.letter_at IS 'when the last letter that it allows was asked for';
CREATE INDEX consents_to_letters ON consents (user_id) WHERE kind = 'messages' AND withdrawn_at IS NULL;

GRANT UPDATE (letter_at) ON consents TO apex_commit;
CREATE POLICY consents_letter ON consents FOR UPDATE TO apex_commit
    USING (kind = 'messages') WITH CHECK (kind = 'messages');

-- The token of the link that ends such letters.
ALTER TABLE mail_tokens DROP CONSTRAINT mail_tokens_purpose_check;
ALTER TABLE mail_tokens ADD CONSTRAINT mail_tokens_purpose_check
    CHECK (purpose IN ('verify_email', 'reset_password', 'confirm_email', 'undo_email', 'stop_messages'));
COMMENT ON TABLE mail_tokens IS
    'what the links in mails hold, as fingerprints; each is used once, but for those that only ever stop mails';

-- How long a message has waited is told by the server's clock: when it came, not when its device says it was written.
CREATE FUNCTION apex_waiting_messages(asked_user uuid, came_until timestamptz)
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
                SELECT max(audit.committed_at) AS at
                FROM audit
                WHERE audit.scope_id = records.scope_id AND audit.seq = records.seq
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
COMMENT ON FUNCTION apex_waiting_messages IS
    'unread by somebody in each of their threads, that came until then; a hundred stands for a hundred or more';
REVOKE EXECUTE ON FUNCTION apex_waiting_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_waiting_messages TO apex_commit;
