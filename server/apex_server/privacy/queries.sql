-- name: list_events
-- What happened to the asker, the newest first, from a place downwards.
SELECT seq, at, action, actor_id, actor_role, device_id, sealed
FROM account_events
WHERE subject_id = $1 AND seq < $2
ORDER BY seq DESC
LIMIT $3;

-- name: list_changes
-- Who added what to the records of one scope; row-level security lets nobody see the audit of a foreign one.
SELECT audit.seq, audit.committed_at, records.collection, audit.record_id, audit.user_id, audit.device_id,
    audit.client_id, audit.next_clock - audit.first_clock AS ops
FROM (
    SELECT seq
    FROM audit
    WHERE scope_id = $1 AND seq < $2
    GROUP BY seq
    ORDER BY seq DESC
    LIMIT $3
) AS page
JOIN audit ON audit.scope_id = $1 AND audit.seq = page.seq
JOIN records ON records.scope_id = $1 AND records.record_id = audit.record_id
ORDER BY audit.seq DESC, audit.client_id;

-- name: get_deletion
-- At most one at a time.
SELECT asked_at, erase_at
FROM account_deletions
WHERE user_id = $1;

-- name: ask_for_deletion
-- Asked for again, the first time counts.
INSERT INTO account_deletions (user_id, asked_at, erase_at)
VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING user_id;

-- name: cancel_deletion
-- Waits for an erasure that has begun, and finds nothing then.
DELETE FROM account_deletions
WHERE user_id = $1
RETURNING user_id;

-- name: list_exports
-- The latest first; they are few, and old ones are dropped.
SELECT id, asked_at, parts_done, parts_total, bytes, ready_at, expires_at, failed_at
FROM exports
WHERE user_id = $1 AND ($2::uuid IS NULL OR id = $2)
ORDER BY asked_at DESC, id
LIMIT 50;

-- name: count_exports_lately
-- Each reads everything somebody has.
SELECT count(*)
FROM exports
WHERE user_id = $1 AND asked_at > $2;

-- name: ask_for_export
-- One at a time is under way.
INSERT INTO exports (id, user_id, asked_at)
VALUES ($2, $1, $3)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: get_chunk
-- Pieces are read one at a time, so a download takes little memory, and ends with the session that asked for it.
SELECT sealed
FROM export_chunks
WHERE export_id = $1 AND user_id = $2 AND place = $3
    AND EXISTS (
        SELECT 1
        FROM sessions
        WHERE id = $4 AND user_id = $2 AND ended_at IS NULL
    );
