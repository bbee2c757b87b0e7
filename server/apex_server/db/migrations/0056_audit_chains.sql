-- Who did what, in chains: each row bears the image of a keyed hash over everything before it, and where a chain stands is
-- kept apart from its rows. The key is not in this database, so nobody who writes here by hand can make the two agree.

CREATE TABLE event_chains (
    subject_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    seq bigint NOT NULL,
    state bytea NOT NULL CHECK (length(state) IN (0, 32))
);
COMMENT ON COLUMN event_chains.state IS 'the keyed hash over all events up to seq; empty: none yet';

CREATE TABLE account_events (
    subject_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    action text NOT NULL,
    actor_id uuid,
    actor_role text,
    device_id uuid,
    sealed bytea,
    link bytea NOT NULL CHECK (length(link) = 16),
    PRIMARY KEY (subject_id, seq)
);
COMMENT ON COLUMN account_events.actor_id IS 'null: the server itself, or somebody who is not signed in';
COMMENT ON COLUMN account_events.sealed IS 'network address and details, sealed with the subject''s key';
COMMENT ON COLUMN account_events.link IS 'an image of the chain''s state after this event';

ALTER TABLE event_chains ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_chains FORCE ROW LEVEL SECURITY;
ALTER TABLE account_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_events FORCE ROW LEVEL SECURITY;

CREATE POLICY event_chains_owner ON event_chains TO CURRENT_USER USING (true);
CREATE POLICY event_chains_commit ON event_chains FOR SELECT TO apex_commit USING (true);
CREATE POLICY account_events_owner ON account_events TO CURRENT_USER USING (true);
CREATE POLICY account_events_commit ON account_events FOR SELECT TO apex_commit USING (true);
CREATE POLICY account_events_own ON account_events FOR SELECT USING (subject_id = apex_user_id());

-- Nobody who serves may change or delete an event, and nobody inserts one but through the function below.
GRANT SELECT ON account_events TO apex_app, apex_commit;
GRANT SELECT ON event_chains TO apex_commit;

CREATE FUNCTION apex_begin_event(asked_subject uuid, asked_actor uuid)
    RETURNS TABLE (
        seq bigint, state bytea, at timestamptz, actor_role text, wrapped bytea, master_key_id text
    )
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    INSERT INTO event_chains (subject_id, seq, state)
    SELECT users.id, 0, ''::bytea
    FROM users
    WHERE users.id = asked_subject
    ON CONFLICT DO NOTHING;
    SELECT event_chains.seq, event_chains.state, clock_timestamp(),
        (SELECT users.role FROM users WHERE users.id = asked_actor), data_keys.wrapped, data_keys.master_key_id
    FROM event_chains
    LEFT JOIN data_keys ON data_keys.user_id = event_chains.subject_id
    WHERE event_chains.subject_id = asked_subject
    FOR NO KEY UPDATE OF event_chains;
END;
COMMENT ON FUNCTION apex_begin_event IS
    'locks the chain of a person until the transaction ends, and gives their wrapped key; no row: nobody of that id';

CREATE FUNCTION apex_add_event(
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
        WHERE event_chains.subject_id = asked_subject AND event_chains.seq = asked_seq - 1
        RETURNING event_chains.subject_id
    )
    INSERT INTO account_events (subject_id, seq, at, action, actor_id, actor_role, device_id, sealed, link)
    SELECT advanced.subject_id, asked_seq, asked_at, asked_action, asked_actor, asked_actor_role, asked_device,
        asked_sealed, asked_link
    FROM advanced
    RETURNING true;
END;
COMMENT ON FUNCTION apex_add_event IS 'adds the next event of a chain; null: the chain stands elsewhere';

REVOKE EXECUTE ON FUNCTION apex_begin_event, apex_add_event FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_begin_event, apex_add_event TO apex_app, apex_commit;

-- The same for what commits write: one chain for a scope, through the rows of `audit` in the order of seq and client id.
ALTER TABLE scopes ADD COLUMN chain bytea NOT NULL DEFAULT ''::bytea CHECK (length(chain) IN (0, 32));
COMMENT ON COLUMN scopes.chain IS 'the keyed hash over all rows of audit up to seq; empty: none yet';
ALTER TABLE audit ADD COLUMN link bytea CHECK (length(link) = 16);
COMMENT ON COLUMN audit.link IS 'an image of the chain''s state after this row; null: written before there were chains';

ALTER TABLE server_identity ADD COLUMN chained_since timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN server_identity.chained_since IS 'rows of audit that are younger have a link';
