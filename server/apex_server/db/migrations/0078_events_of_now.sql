-- Whoever holds the login of requests adds events of now, by somebody who is there, and in the form that events have.
--
-- Without the key of chains, which is not in this database, an event that is made up breaks its chain, and
-- `apex-server verify` names it; what this function can tell by itself it refuses at once.

CREATE OR REPLACE FUNCTION apex_add_event(
    asked_subject uuid,
    asked_seq bigint,
    asked_at timestamptz,
    asked_action text,
    asked_actor uuid,
    asked_actor_role text,
    asked_device uuid,
    asked_sealed bytea,
    asked_link bytea,
    asked_state bytea
)
    RETURNS boolean
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    WITH advanced AS (
        UPDATE event_chains
        SET seq = asked_seq, state = asked_state
        WHERE event_chains.subject_id = asked_subject
            AND event_chains.seq = asked_seq - 1
            AND asked_at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()
            AND asked_actor_role IS NOT DISTINCT FROM (SELECT users.role FROM users WHERE users.id = asked_actor)
            AND asked_action ~ '^[a-z_]{1,40}$'
            AND coalesce(length(asked_sealed), 0) <= 2048
            AND length(asked_state) = 32
            AND asked_link = substring(sha256(asked_state) FROM 1 FOR 16)
        RETURNING event_chains.subject_id
    )
    INSERT INTO account_events (subject_id, seq, at, action, actor_id, actor_role, device_id, sealed, link)
    SELECT advanced.subject_id, asked_seq, asked_at, asked_action, asked_actor, asked_actor_role, asked_device,
        asked_sealed, asked_link
    FROM advanced
    RETURNING true;
END;
COMMENT ON FUNCTION apex_add_event IS
    'adds the next event of a chain; null: the chain stands elsewhere, or nobody could have seen that happen now';
