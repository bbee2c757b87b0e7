-- What is replicated: scopes with their feed, records as documents, who changed what, and what waits for analysis.
--
-- Every table of a scope is keyed by the scope first, so it shards and partitions by scope. Only the commit path writes
-- here; whoever reads does so under row-level security, through the one policy function of scopes.

-- seq is the counter that makes the feed gapless: a commit holds this row from its first statement to its end.
-- Nothing indexed changes with a commit, and the free space of a page keeps such an update on it.
CREATE TABLE scopes (
    scope_id uuid PRIMARY KEY,
    name text NOT NULL CONSTRAINT scopes_name_unique UNIQUE,
    seq bigint NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 16),
    record_count bigint NOT NULL,
    created_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON COLUMN scopes.scope_id IS 'the athlete''s user id for athlete:…, else derived from the name';
COMMENT ON COLUMN scopes.digest IS 'the sum of the digests of all records at seq';

CREATE TABLE records (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    seq bigint NOT NULL,
    collection text NOT NULL,
    doc bytea NOT NULL,
    digest bytea NOT NULL,
    needs_review boolean NOT NULL,
    has_conflicts boolean NOT NULL,
    deleted boolean NOT NULL,
    is_long boolean NOT NULL,
    PRIMARY KEY (scope_id, record_id)
);
-- Op bytes do not compress alone, and a record is always read whole: keep it in its row while four fit on a page.
ALTER TABLE records ALTER COLUMN doc SET STORAGE EXTERNAL;
ALTER TABLE records SET (toast_tuple_target = 4080);
CREATE UNIQUE INDEX records_feed ON records (scope_id, seq);
CREATE INDEX records_to_look_at ON records (scope_id, seq) WHERE needs_review OR has_conflicts;
CREATE INDEX records_to_compact ON records (scope_id, record_id) WHERE is_long;
COMMENT ON COLUMN records.doc IS 'a Yjs update in the grammar of docs/protocol.md';
COMMENT ON COLUMN records.deleted IS 'the folded state says so; the document stays';
COMMENT ON COLUMN records.is_long IS 'its history is worth compacting';

-- One row for each author whose clocks a commit added to a record. By it the feed knows what a reader wrote itself, and
-- what the record was at the reader's cursor.
CREATE TABLE audit (
    scope_id uuid NOT NULL,
    seq bigint NOT NULL,
    client_id bigint NOT NULL,
    record_id uuid NOT NULL,
    previous_seq bigint NOT NULL,
    first_clock bigint NOT NULL,
    next_clock bigint NOT NULL,
    user_id uuid,
    device_id uuid,
    committed_at timestamptz NOT NULL,
    PRIMARY KEY (scope_id, seq, client_id)
);
COMMENT ON COLUMN audit.client_id IS 'whose clocks; user and device are who brought them';
COMMENT ON COLUMN audit.previous_seq IS 'where the record stood in the feed before; 0: it is new';
COMMENT ON COLUMN audit.user_id IS 'null: the system';
COMMENT ON COLUMN audit.device_id IS 'null: written through the server';

-- What the dead clocks were, refused or compacted away, so that an op that is sent again gets the same answer, and
-- another one shows as a fork.
CREATE TABLE dead_ops (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    client_id bigint NOT NULL,
    clock bigint NOT NULL,
    hash bytea NOT NULL,
    code text,
    field text,
    message text,
    PRIMARY KEY (scope_id, record_id, client_id, clock)
);
COMMENT ON COLUMN dead_ops.code IS 'why it was refused; null: it was taken, and compacted away later';

-- The athletes whose records changed since they were last analysed. A sweeper turns settled rows into jobs.
CREATE TABLE dirty (
    athlete_id uuid NOT NULL,
    kind text NOT NULL,
    watermark bigint NOT NULL,
    first_marked_at timestamptz NOT NULL,
    last_marked_at timestamptz NOT NULL,
    PRIMARY KEY (athlete_id, kind)
) WITH (fillfactor = 50);
CREATE INDEX dirty_by_age ON dirty (last_marked_at);
COMMENT ON COLUMN dirty.watermark IS 'the seq of the athlete''s scope at the last mark';

-- Which life of the data this is: a restore from a backup begins a new epoch, with new client ids for the server.
CREATE TABLE server_identity (
    singleton boolean PRIMARY KEY CHECK (singleton),
    epoch bytea NOT NULL CHECK (length(epoch) = 8),
    epoch_began_at timestamptz NOT NULL,
    projections_version integer NOT NULL
);
INSERT INTO server_identity (singleton, epoch, epoch_began_at, projections_version)
VALUES (true, substring(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) FROM 1 FOR 8), now(), 1);
COMMENT ON COLUMN server_identity.projections_version IS 'of the code that made the rows that are there';

CREATE TABLE server_client_ids (
    client_id bigint PRIMARY KEY CHECK (client_id BETWEEN 1 AND 9007199254740991),
    epoch bytea NOT NULL,
    user_id uuid,
    drawn_at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (epoch, user_id)
);
COMMENT ON COLUMN server_client_ids.user_id IS 'on whose behalf the server writes under it; null: its own';

-- Who may read what. A subquery without reference to the row is evaluated once for a statement.

CREATE FUNCTION apex_readable_scope_ids() RETURNS uuid[]
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(array_agg(scopes.scope_id), '{}')
    FROM apex_scopes_of(apex_user_id()) AS granted
    JOIN scopes ON scopes.name = granted.scope;
END;
COMMENT ON FUNCTION apex_readable_scope_ids IS 'the scopes of whoever is asking, by key; for row-level security';
REVOKE EXECUTE ON FUNCTION apex_readable_scope_ids FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_readable_scope_ids TO apex_app, apex_commit;

ALTER TABLE scopes ENABLE ROW LEVEL SECURITY;
ALTER TABLE scopes FORCE ROW LEVEL SECURITY;
ALTER TABLE records ENABLE ROW LEVEL SECURITY;
ALTER TABLE records FORCE ROW LEVEL SECURITY;
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
ALTER TABLE dead_ops ENABLE ROW LEVEL SECURITY;
ALTER TABLE dead_ops FORCE ROW LEVEL SECURITY;
ALTER TABLE dirty ENABLE ROW LEVEL SECURITY;
ALTER TABLE dirty FORCE ROW LEVEL SECURITY;
ALTER TABLE server_client_ids ENABLE ROW LEVEL SECURITY;
ALTER TABLE server_client_ids FORCE ROW LEVEL SECURITY;

CREATE POLICY scopes_owner ON scopes TO CURRENT_USER USING (true);
CREATE POLICY records_owner ON records TO CURRENT_USER USING (true);
CREATE POLICY audit_owner ON audit TO CURRENT_USER USING (true);
CREATE POLICY dead_ops_owner ON dead_ops TO CURRENT_USER USING (true);
CREATE POLICY dirty_owner ON dirty TO CURRENT_USER USING (true);
CREATE POLICY server_client_ids_owner ON server_client_ids TO CURRENT_USER USING (true);

-- The commit path proves its authority in the statement that locks the scope. Where it could not be given BYPASSRLS,
-- these policies let it work all the same.
CREATE POLICY scopes_commit ON scopes TO apex_commit USING (true);
CREATE POLICY records_commit ON records TO apex_commit USING (true);
CREATE POLICY audit_commit ON audit TO apex_commit USING (true);
CREATE POLICY dead_ops_commit ON dead_ops TO apex_commit USING (true);
CREATE POLICY dirty_commit ON dirty TO apex_commit USING (true);
CREATE POLICY server_client_ids_commit ON server_client_ids TO apex_commit USING (true);

CREATE POLICY scopes_read ON scopes FOR SELECT USING (
    name = ANY (ARRAY(SELECT granted.scope FROM apex_scopes_of(apex_user_id()) AS granted))
);
CREATE POLICY records_read ON records FOR SELECT USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY audit_read ON audit FOR SELECT USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));

GRANT SELECT ON scopes, records, audit, server_identity TO apex_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON scopes, records, audit, dead_ops, dirty TO apex_commit;
GRANT SELECT, INSERT ON server_client_ids TO apex_commit;
GRANT SELECT, UPDATE ON server_identity TO apex_commit;
