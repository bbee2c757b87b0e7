-- name: get_epoch
-- Every cursor and receipt names the epoch it belongs to.
SELECT epoch
FROM server_identity;

-- name: begin_epoch
-- After a restore nothing that was handed out before may be taken for knowledge of this data.
UPDATE server_identity
SET epoch = substring(sha256(epoch || uuid_send(gen_random_uuid())) FROM 1 FOR 8), epoch_began_at = now()
RETURNING epoch;

-- name: get_projections_version
-- A server whose projections are of another version makes them anew.
SELECT projections_version
FROM server_identity;

-- name: set_projections_version
-- Said only after all rows were made by this version.
UPDATE server_identity
SET projections_version = $1;

-- name: bind_client_id
-- The server's own ids stand in every document it wrote to, so a device must not be able to claim one.
SELECT CASE
    WHEN EXISTS (SELECT 1 FROM server_client_ids WHERE server_client_ids.client_id = $3) THEN false
    ELSE apex_bind_client_id($1, $2, $3)
END;

-- name: draw_server_client_id
-- Two processes may draw for the same user at once; the first one counts.
INSERT INTO server_client_ids (client_id, epoch, user_id, drawn_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (epoch, user_id) DO NOTHING;

-- name: get_server_client_id
-- The id under which the server writes for a user, in this epoch alone.
SELECT client_id
FROM server_client_ids
WHERE epoch = $1 AND user_id IS NOT DISTINCT FROM $2;

-- name: bind_server_client_id
-- The coach sees which device a set came from, and the server is one of them.
INSERT INTO client_ids (client_id, user_id, device_id, bound_at)
VALUES ($1, $2, NULL, $3)
ON CONFLICT DO NOTHING;

-- name: view_scope
-- A scope nobody has written to yet has no row, and is empty.
SELECT asked.access, coalesce(scopes.seq, 0) AS seq, scopes.digest, coalesce(scopes.record_count, 0) AS record_count,
    coalesce(scopes.chain, '') AS chain
FROM (SELECT CASE WHEN $2::uuid IS NULL THEN 'system' ELSE apex_scope_access($2, $3) END AS access) AS asked
LEFT JOIN scopes ON scopes.scope_id = $1 AND scopes.name = $3;

-- name: view_records
-- What is dead of the clocks that the asking client sends is needed to know an op that is sent again.
SELECT records.record_id, records.collection, records.seq, records.doc, records.digest,
    (
        SELECT array_agg((dead.clock, dead.hash, dead.code, dead.field, dead.message))
        FROM dead_ops AS dead
        WHERE dead.scope_id = $1
            AND dead.record_id = records.record_id
            AND dead.client_id = $3
            AND dead.clock >= asked.first_clock
            AND dead.clock < asked.end_clock
    ) AS dead
FROM unnest($2::uuid[], $5::bigint[], $6::bigint[]) AS asked (record_id, first_clock, end_clock)
JOIN records ON records.scope_id = $1 AND records.record_id = asked.record_id AND records.seq > $4;

-- name: view_one
-- The same as the two above for a single record, in one round trip, with the key that opens it.
SELECT asked.access, coalesce(scopes.seq, 0) AS scope_seq, scopes.digest AS scope_digest,
    coalesce(scopes.record_count, 0) AS record_count, coalesce(scopes.chain, '') AS chain,
    keys.wrapped, keys.master_key_id,
    records.record_id, records.collection, records.seq, records.doc, records.digest,
    (
        SELECT array_agg((dead.clock, dead.hash, dead.code, dead.field, dead.message))
        FROM dead_ops AS dead
        WHERE dead.scope_id = $1
            AND dead.record_id = records.record_id
            AND dead.client_id = $5
            AND dead.clock >= $6
            AND dead.clock < $7
    ) AS dead
FROM (SELECT CASE WHEN $2::uuid IS NULL THEN 'system' ELSE apex_scope_access($2, $3) END AS access) AS asked
LEFT JOIN scopes ON scopes.scope_id = $1 AND scopes.name = $3
LEFT JOIN data_keys AS keys ON keys.user_id = $8 AND keys.destroyed_at IS NULL
LEFT JOIN records ON records.scope_id = $1 AND records.record_id = $4 AND asked.access IS NOT NULL;

-- name: lock_scope
-- Whoever holds this row is the one writer of the scope. Nobody waits for the lock of a scope that is not theirs.
SELECT seq, digest, record_count, chain
FROM scopes
WHERE scope_id = $1 AND ($2::uuid IS NULL OR apex_scope_access($2, $3) IS NOT NULL)
FOR NO KEY UPDATE;

-- name: access_now
-- The statement above saw the grants as they were before it waited; what was revoked meanwhile holds.
SELECT CASE WHEN $1::uuid IS NULL THEN 'system' ELSE apex_scope_access($1, $2) END;

-- name: create_scope
-- A scope begins with its first commit.
INSERT INTO scopes (scope_id, name, seq, digest, record_count, created_at)
SELECT $1, $3, 0, decode(repeat('00', 16), 'hex'), 0, now()
WHERE $2::uuid IS NULL OR apex_scope_access($2, $3) IS NOT NULL
ON CONFLICT DO NOTHING;

-- name: advance_scope
-- The last word of a commit: from here on readers see its changes.
UPDATE scopes
SET seq = $2, digest = $3, record_count = $4, chain = $5
WHERE scope_id = $1;

-- name: add_dead_ops
-- A clock dies once.
INSERT INTO dead_ops (scope_id, record_id, client_id, clock, hash, code, field, message)
SELECT $1, dead.record_id, dead.client_id, dead.clock, dead.hash, dead.code, dead.field, dead.message
FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bytea[], $6::text[], $7::bytea[], $8::bytea[])
    AS dead (record_id, client_id, clock, hash, code, field, message)
ON CONFLICT DO NOTHING;

-- name: mark_dirty
-- The sweeper waits for quiet since the last mark, but not for ever since the first.
INSERT INTO dirty (athlete_id, kind, watermark, first_marked_at, last_marked_at)
SELECT $1, marked.kind, $3, $4, $4
FROM unnest($2::text[]) AS marked (kind)
ON CONFLICT (athlete_id, kind) DO UPDATE
SET watermark = excluded.watermark, last_marked_at = excluded.last_marked_at;

-- name: save_one
-- A single change as one statement: nothing happens unless the scope still stands where it was read, and then nobody
-- else has changed anything in it. It does not wait for who holds the scope, because it sees the grants of its beginning
-- and might be overtaken by a revocation. The projections of the collection take the place of the comment (save_one.py).
WITH free AS MATERIALIZED (
    SELECT scope_id
    FROM scopes
    WHERE scope_id = $1
        AND seq = $3
        AND CASE WHEN $6::uuid IS NULL THEN 'system' ELSE apex_scope_access($6, name) END = $7
    FOR NO KEY UPDATE SKIP LOCKED
),
held AS (
    UPDATE scopes
    SET seq = scopes.seq + 1, digest = $4, record_count = $5, chain = $23
    FROM free
    WHERE scopes.scope_id = free.scope_id
    RETURNING scopes.seq
),
recorded AS (
    INSERT INTO records (
        scope_id, record_id, seq, collection, doc, digest, needs_review, has_conflicts, deleted, is_long
    )
    SELECT $1, $2, held.seq, $8, $9, $10, $11, $12, $13, $21
    FROM held
    ON CONFLICT (scope_id, record_id) DO UPDATE
    SET seq = excluded.seq,
        doc = excluded.doc,
        digest = excluded.digest,
        needs_review = excluded.needs_review,
        has_conflicts = excluded.has_conflicts,
        deleted = excluded.deleted,
        is_long = excluded.is_long,
        damaged_at = NULL
),
audited AS (
    INSERT INTO audit (
        scope_id, seq, client_id, record_id, previous_seq, first_clock, next_clock, user_id, device_id, committed_at,
        link
    )
    SELECT $1, held.seq, span.client_id, $2, $14, span.first_clock, span.next_clock, $6, $15, $16, span.link
    FROM held,
        unnest($17::bigint[], $18::bigint[], $19::bigint[], $22::bytea[])
            AS span (client_id, first_clock, next_clock, link)
),
marked AS (
    INSERT INTO dirty (athlete_id, kind, watermark, first_marked_at, last_marked_at)
    SELECT $1, mark.kind, held.seq, $16, $16
    FROM held, unnest($20::text[]) AS mark (kind)
    ON CONFLICT (athlete_id, kind) DO UPDATE
    SET watermark = excluded.watermark, last_marked_at = excluded.last_marked_at
)
/* projections */
SELECT seq
FROM held;

-- name: granted_scopes
-- What a device may read, and how far each of it has come.
SELECT granted.scope, granted.role AS access, coalesce(scopes.seq, 0) AS seq, scopes.digest,
    coalesce(scopes.record_count, 0) AS record_count, (SELECT apex_has_damage()) AS is_damage_somewhere
FROM apex_granted_scopes() AS granted
LEFT JOIN scopes ON scopes.name = granted.scope
WHERE apex_user_id() = $1
ORDER BY granted.scope
LIMIT 20000;

-- name: damaged_digests
-- What is damaged is neither counted nor summed up for readers: nobody can be sent it.
SELECT scopes.name AS scope, array_agg(records.digest) AS digests
FROM records
JOIN scopes ON scopes.scope_id = records.scope_id
WHERE records.damaged_at IS NOT NULL
GROUP BY scopes.name
ORDER BY scopes.name
LIMIT 20000;

-- name: feed_above
-- Many of these the reader wrote itself and is not sent, so documents are read later, by id.
SELECT record_id, seq, octet_length(doc) - $4::integer AS doc_bytes
FROM records
WHERE scope_id = $1 AND seq > $2 AND damaged_at IS NULL
ORDER BY seq
LIMIT $3;

-- name: feed_below
-- A first sync shows the newest first. Sizes are summed before documents are read, so that large ones make small pages;
-- a document counts without its seal.
SELECT record_id, collection, seq, doc, digest
FROM (
    SELECT record_id, collection, seq, doc, digest, sum(octet_length(doc) - $5::integer) OVER (ORDER BY seq DESC) AS bytes
    FROM (
        SELECT record_id, collection, seq, doc, digest
        FROM records
        WHERE scope_id = $1 AND seq < $2 AND damaged_at IS NULL
        ORDER BY seq DESC
        LIMIT $3
    ) AS next
) AS sized
WHERE bytes - (octet_length(doc) - $5::integer) < $4
ORDER BY seq DESC;

-- name: first_seq
-- Where a device that brings records before it has read any begins to read.
SELECT min(seq)
FROM records
WHERE scope_id = $1 AND record_id = ANY($2::uuid[]);

-- name: count_outside
-- How much a page leaves for later ones; for a progress bar.
SELECT
    (SELECT count(*) FROM records WHERE scope_id = $1 AND seq < $2 AND damaged_at IS NULL)
    + (SELECT count(*) FROM records WHERE scope_id = $1 AND seq > $3 AND damaged_at IS NULL);

-- name: spans_between
-- What a stretch of the feed added to each record, by author.
SELECT record_id, client_id, min(first_clock) AS first_clock, min(previous_seq) AS previous_seq
FROM audit
WHERE scope_id = $1 AND seq > $2 AND seq <= $3
GROUP BY record_id, client_id;

-- name: records_by_id
-- For what a device asks for anew, and for reading single records.
SELECT record_id, collection, seq, doc, digest
FROM (
    SELECT record_id, collection, seq, doc, digest, sum(octet_length(doc) - $4::integer) OVER (ORDER BY record_id) AS bytes
    FROM records
    WHERE scope_id = $1 AND record_id = ANY($2::uuid[]) AND damaged_at IS NULL
) AS sized
WHERE bytes - (octet_length(doc) - $4::integer) < $3
ORDER BY record_id;

-- name: digests_of_scope
-- Narrows down where two replicas differ. The digest of what is damaged is zero: it adds nothing to a sum, and is not
-- that of whoever has the record, so that they offer it.
SELECT record_id, CASE WHEN damaged_at IS NULL THEN digest ELSE decode(repeat('00', 16), 'hex') END AS digest
FROM records
WHERE scope_id = $1
ORDER BY record_id;

-- name: mark_damaged
-- What was written anew since it was read has another seq, and is sound.
UPDATE records
SET damaged_at = now()
FROM unnest($2::uuid[], $3::bigint[]) AS found (record_id, seq)
WHERE records.scope_id = $1
    AND records.record_id = found.record_id
    AND records.seq = found.seq
    AND records.damaged_at IS NULL;

-- name: unmark_undamaged
-- A disk may have been mended.
UPDATE records
SET damaged_at = NULL
WHERE scope_id = $1 AND damaged_at IS NOT NULL AND record_id <> ALL($2::uuid[]);

-- name: all_scopes
-- For what goes through everything.
SELECT name
FROM scopes
ORDER BY name;
