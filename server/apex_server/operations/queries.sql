-- name: list_tables
-- What there is to back up; a new table is found by itself. What an extension brought is the extension's.
SELECT relation.relname AS name, pg_table_size(relation.oid) AS bytes,
    (
        SELECT array_agg(attname ORDER BY attnum)
        FROM pg_attribute
        WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    ) AS columns,
    row_security_active(relation.oid) AND NOT EXISTS (
        SELECT 1
        FROM pg_policy
        WHERE polrelid = relation.oid
            AND polpermissive
            AND polcmd IN ('*', 'r')
            AND pg_get_expr(polqual, polrelid) = 'true'
            AND polroles && ARRAY(SELECT oid FROM pg_roles WHERE pg_has_role(oid, 'USAGE'))
    ) AS hides_rows
FROM pg_class AS relation
WHERE relation.relnamespace = 'public'::regnamespace
    AND relation.relkind = 'r'
    AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE pg_depend.objid = relation.oid AND pg_depend.deptype = 'e')
ORDER BY relation.relname;

-- name: list_references
-- A row is restored after the rows that it refers to.
SELECT child.relname AS child, parent.relname AS parent
FROM pg_constraint
JOIN pg_class AS child ON child.oid = pg_constraint.conrelid
JOIN pg_class AS parent ON parent.oid = pg_constraint.confrelid
WHERE pg_constraint.contype = 'f' AND child.oid <> parent.oid
ORDER BY child.relname, parent.relname;

-- name: list_schema
-- Which migrations made the schema.
SELECT version, name, sha256
FROM schema_migrations
ORDER BY version;

-- name: get_life
-- Which epoch is backed up, and by which Postgres.
SELECT epoch, current_setting('server_version') AS postgres_version
FROM server_identity;

-- name: note_backup
-- Former data keys that only older ones need may go.
UPDATE server_identity
SET backed_up_at = greatest(backed_up_at, $1);

-- name: list_other_logins
-- Whoever is connected remembers things of the old data.
SELECT DISTINCT usename::text AS login
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
ORDER BY login;

-- name: drop_tables
-- As a statement, null where there is none; views, policies and sequences go with their tables.
SELECT 'DROP TABLE ' || string_agg(format('public.%I', relname), ', ') || ' CASCADE'
FROM pg_class
WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'p')
    AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE pg_depend.objid = pg_class.oid AND pg_depend.deptype = 'e');

-- name: drop_routines
-- What migrations defined beside tables.
SELECT 'DROP ROUTINE ' || string_agg(oid::regprocedure::text, ', ') || ' CASCADE'
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE pg_depend.objid = pg_proc.oid AND pg_depend.deptype = 'e');

-- name: drop_types
-- Enumerations; the row types of tables are gone by now.
SELECT 'DROP TYPE ' || string_agg(format('public.%I', typname), ', ') || ' CASCADE'
FROM pg_type
WHERE typnamespace = 'public'::regnamespace
    AND typtype IN ('e', 'd')
    AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE pg_depend.objid = pg_type.oid AND pg_depend.deptype = 'e');

-- name: list_forced
-- Row-level security that binds even the owner, and does not let them COPY.
SELECT relname AS name
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relforcerowsecurity
ORDER BY relname;

-- name: forget_uploads
-- What was on its way begins anew: the parts of it are in no backup, and devices keep it until it is looked at.
DELETE FROM media
WHERE state IN ('open', 'checking');

-- name: list_ready_media
-- Some pieces of media whose files are to be there, in the order of their ids.
SELECT id, stored_bytes, thumbnail_bytes
FROM media
WHERE state = 'ready' AND id > $1
ORDER BY id
LIMIT $2;

-- name: verify_media_bytes
-- How much there is to look at.
SELECT coalesce(sum(stored_bytes + coalesce(thumbnail_bytes, 0)), 0)::bigint
FROM media
WHERE state = 'ready';

-- name: verify_media
-- Some of them, with what opens them.
SELECT id, owner_id, content_type, digest, stored_bytes, thumbnail_bytes, key_sealed
FROM media
WHERE state = 'ready' AND id > $1
ORDER BY id
LIMIT $2;

-- name: still_ready_media
-- Of those that were not found as they should be, the ones that nobody has deleted since.
SELECT id, kind, scope
FROM media
WHERE state = 'ready' AND id = ANY ($1::uuid[])
ORDER BY id;

-- name: begin_epoch
-- The restored data begins a new life, and its relational rows are still to be made.
UPDATE server_identity
SET epoch = substring(sha256(epoch || uuid_send(gen_random_uuid())) FROM 1 FOR 8),
    epoch_began_at = now(),
    projections_version = 0
RETURNING epoch;

-- name: get_database_id
-- By what the directory of media knows this database.
SELECT database_id
FROM server_identity;

-- name: become_another_database
-- What was restored beside the database that it is a copy of.
UPDATE server_identity
SET database_id = gen_random_uuid();

-- name: verify_scopes
-- Where to begin, and how much there is.
SELECT name, record_count
FROM scopes
ORDER BY name;

-- name: verify_scope
-- What the scope says of all its records together, and what they say.
SELECT scope_id, seq, digest, record_count,
    (SELECT count(*) FROM records WHERE records.scope_id = scopes.scope_id) AS records_found,
    (SELECT coalesce(max(records.seq), 0) FROM records WHERE records.scope_id = scopes.scope_id) AS last_seq
FROM scopes
WHERE name = $1;

-- name: verify_records
-- Some documents at a time, by the primary key: one at least, and no more than fit into memory.
SELECT record_id, collection, seq, doc, digest, needs_review, has_conflicts, deleted, is_long
FROM (
    SELECT record_id, collection, seq, doc, digest, needs_review, has_conflicts, deleted, is_long,
        sum(octet_length(doc)) OVER (ORDER BY record_id) - octet_length(doc) AS bytes_before
    FROM (
        SELECT record_id, collection, seq, doc, digest, needs_review, has_conflicts, deleted, is_long
        FROM records
        WHERE scope_id = $1 AND record_id > $2
        ORDER BY record_id
        LIMIT $3
    ) AS next
) AS sized
WHERE bytes_before < $4
ORDER BY record_id;

-- name: verify_audit
-- A line for each author of each record, whatever the number of commits; `gapless`: each began where the last ended.
SELECT record_id, client_id, max(next_clock) AS next_clock,
    bool_and(first_clock = clock_before AND next_clock > first_clock AND previous_seq < seq) AS gapless,
    max(seq) AS last_seq
FROM (
    SELECT record_id, client_id, seq, previous_seq, first_clock, next_clock,
        lag(next_clock, 1, 0::bigint) OVER (PARTITION BY record_id, client_id ORDER BY seq) AS clock_before
    FROM audit
    WHERE scope_id = $1
) AS change
GROUP BY record_id, client_id
ORDER BY record_id, client_id;

-- name: verify_dead_ops
-- As runs: a compaction lets thousands of clocks die that follow each other.
SELECT record_id, client_id, min(clock) AS first_clock, max(clock) + 1 AS end_clock
FROM (
    SELECT record_id, client_id, clock,
        clock - row_number() OVER (PARTITION BY record_id, client_id ORDER BY clock) AS run
    FROM dead_ops
    WHERE scope_id = $1
) AS numbered
GROUP BY record_id, client_id, run
ORDER BY record_id, client_id, first_clock;

-- name: verify_chained_since
-- Rows of the audit that are younger must have a link.
SELECT chained_since
FROM server_identity;

-- name: verify_scope_head
-- Where the chain of a scope is said to stand.
SELECT scope_id, chain
FROM scopes
WHERE name = $1;

-- name: verify_scope_chain
-- The whole audit of a scope in the order in which it was chained.
SELECT seq, client_id, record_id, previous_seq, first_clock, next_clock, user_id, device_id, committed_at, link
FROM audit
WHERE scope_id = $1
ORDER BY seq, client_id;

-- name: verify_event_chains
-- One person after the other; somebody with events and no head has lost it.
SELECT subject_id, coalesce(event_chains.seq, 0) AS seq, coalesce(event_chains.state, '') AS state
FROM event_chains
FULL JOIN (SELECT DISTINCT account_events.subject_id FROM account_events) AS told USING (subject_id)
ORDER BY subject_id;

-- name: verify_event_chain
-- The events of a person in the order in which they were chained.
SELECT seq, at, action, actor_id, actor_role, device_id, sealed, link
FROM account_events
WHERE subject_id = $1
ORDER BY seq;

-- name: put_server_key
-- A database of a backup has none; one that was migrated on the way has made its own, and keeps them.
INSERT INTO server_keys (name, wrapped, master_key_id)
VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING;

-- name: put_data_key
-- A key that was destroyed after the backup stays destroyed.
INSERT INTO data_keys (user_id, wrapped, master_key_id, created_at, destroyed_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id) DO UPDATE
SET wrapped = NULL, master_key_id = NULL, destroyed_at = excluded.destroyed_at
WHERE excluded.destroyed_at IS NOT NULL;

-- name: put_erased_tokens
-- What a backup from before an erasure does not know.
INSERT INTO erased_tokens (token_hash)
SELECT unnest($1::bytea[])
ON CONFLICT DO NOTHING;

-- name: put_erased_client_ids
-- The same for the ids under which they wrote, which may stand in records of others.
INSERT INTO erased_client_ids (client_id)
SELECT unnest($1::bigint[])
ON CONFLICT DO NOTHING;

-- name: list_brought_back
-- Who was erased after the backup was made.
SELECT users.id, data_keys.destroyed_at
FROM users
JOIN data_keys ON data_keys.user_id = users.id
WHERE data_keys.destroyed_at IS NOT NULL
ORDER BY users.id;

-- name: erase_account
-- As the worker does when the time of grace is over.
SELECT apex_erase_account($1, $2);

-- name: count_without_key
-- Whose records nobody could read.
SELECT count(*)
FROM users
WHERE NOT EXISTS (SELECT 1 FROM data_keys WHERE data_keys.user_id = users.id);

-- name: resume_renewal
-- What comes back may be sealed with former keys; servers that are not up yet hold none.
UPDATE data_keys
SET renewed_at = $2,
    renewal = CASE WHEN $3 = 'kept' THEN 'resealing' ELSE $3 END,
    due_at = CASE WHEN $3::text IS NOT NULL THEN now() END,
    opens_since = $4
WHERE user_id = $1 AND destroyed_at IS NULL;

-- name: count_renewed_since
-- Whose records of that moment no key opens any more.
SELECT count(*)
FROM users
JOIN data_keys ON data_keys.user_id = users.id
WHERE data_keys.destroyed_at IS NULL AND data_keys.opens_since > $1;

-- name: add_support
-- The one way to an account of support; its address counts as verified, for the operator has named it.
INSERT INTO users (id, email_index, email, name, password_hash, role, created_at, email_verified_at)
VALUES ($1, $2, $3, $4, $5, 'support', now(), now());
