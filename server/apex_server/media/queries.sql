-- name: find_media
-- What is ready is ready for everybody of the scope; an upload is its declarer's. Where the store has lost what they had
-- handed in ($4), it is their upload in the place of that.
SELECT id, state, refusal, kind, content_type, size_bytes, handle, uploaded_by, stored_bytes
FROM media
WHERE scope_id = $1
    AND media_id = $2
    AND ((uploaded_by = $3 AND state <> 'ready') OR (state = 'ready' AND NOT $4::boolean))
ORDER BY state = 'ready' DESC, declared_at, id
LIMIT 1;

-- name: may_hand_in
-- Who writes records in a scope hands in media there; who only reads along does not.
SELECT coalesce(apex_scope_access($1, $2) IN ('athlete', 'coach'), false);

-- name: find_upload
-- Any device of its declarer goes on with it, for as long as they may hand in there.
SELECT id, media_id, state, refusal, size_bytes, handle
FROM media
WHERE id = $1 AND uploaded_by = $2 AND apex_scope_access($2, scope) IN ('athlete', 'coach');

-- name: lock_uploader
-- Until the end of the transaction: what somebody declares at once is counted one after the other.
SELECT pg_advisory_xact_lock(140, hashtext($1::uuid::text));

-- name: media_bytes
-- What the caller has handed in altogether, of which their tier allows so much.
SELECT apex_media_bytes($1);

-- name: forget_upload
-- It begins anew; what is ready or being looked at is never replaced.
DELETE FROM media
WHERE id = $1 AND state IN ('open', 'refused');

-- name: declare_media
-- From now on its parts may come.
INSERT INTO media
    (id, scope, scope_id, owner_id, media_id, kind, content_type, size_bytes, uploaded_by, handle, declared_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING id, state, refusal, size_bytes, handle;

-- name: hand_in_media
-- All parts are there; what they are is for the worker to see.
UPDATE media
SET state = 'checking'
WHERE id = $1 AND state = 'open';

-- name: get_ready
-- The same bytes may have been handed in to several scopes of the reader's; each has them whole. What no record of its
-- scope names any more, of a photo that was deleted or a message that was taken back, is read by nobody: whoever names it
-- elsewhere, having had it once, does not keep it.
SELECT id, owner_id, kind, content_type, digest, stored_bytes, thumbnail_bytes, key_sealed
FROM media
WHERE media_id = $1
    AND state = 'ready'
    AND ($2::uuid IS NULL OR scope_id = $2)
    AND (
        NOT was_named
        OR EXISTS (SELECT 1 FROM named_media AS named WHERE named.media_id = $1 AND named.scope_id = media.scope_id)
    )
ORDER BY declared_at, id
LIMIT 1;

-- name: take_unchecked
-- The one that waits for longest of whoever had their turn longest ago ($3, in that order; others come first), and that
-- nobody is at; that of a worker that died is begun anew.
UPDATE media
SET taken_at = $1, attempts = attempts + 1
WHERE id = (
    SELECT waiting.id
    FROM media AS waiting
    WHERE waiting.state = 'checking' AND (waiting.taken_at IS NULL OR waiting.taken_at < $2)
    ORDER BY array_position($3::uuid[], waiting.uploaded_by) NULLS FIRST, waiting.declared_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, owner_id, media_id, kind, content_type, size_bytes, uploaded_by, handle, attempts;

-- name: put_back
-- The store was away, which says nothing of the picture.
UPDATE media
SET attempts = attempts - 1
WHERE id = $1;

-- name: give_key
-- Once: whoever seals the same files again, beside another or after one who died, does so with the same key.
UPDATE media
SET key_sealed = coalesce(key_sealed, $2)
WHERE id = $1
RETURNING key_sealed;

-- name: replace_lost
-- What its uploader handed in once more, as the store had lost it, goes as the other becomes ready; that one is then as
-- named as it was. It is locked first: what another worker has refused meanwhile takes nobody's place.
WITH fresh AS (
    SELECT id, scope_id, media_id, uploaded_by
    FROM media
    WHERE id = $1 AND state = 'checking'
    FOR UPDATE
), lost AS (
    DELETE FROM media
    USING fresh
    WHERE media.scope_id = fresh.scope_id
        AND media.media_id = fresh.media_id
        AND media.uploaded_by = fresh.uploaded_by
        AND media.state = 'ready'
    RETURNING media.was_named, media.unnamed_since
)
UPDATE media
SET was_named = media.was_named OR lost.was_named, unnamed_since = lost.unnamed_since
FROM lost
WHERE media.id = $1;

-- name: note_ready
-- From now on it is read, and what came in is garbage: everything, where the row was erased meanwhile.
WITH kept AS (
    UPDATE media
    SET state = 'ready', content_type = $3, digest = $4, stored_bytes = $5, thumbnail_bytes = $6, width_px = $7,
        height_px = $8
    WHERE id = $1 AND state = 'checking'
)
INSERT INTO media_garbage (id, handle, raw_only)
VALUES ($1, $2, EXISTS (SELECT 1 FROM media WHERE id = $1))
ON CONFLICT (id) DO UPDATE SET raw_only = media_garbage.raw_only AND excluded.raw_only;

-- name: note_refused
-- Whoever handed it in reads why; what came in is garbage, as above.
WITH refused AS (
    UPDATE media
    SET state = 'refused', refusal = $3
    WHERE id = $1 AND state = 'checking'
)
INSERT INTO media_garbage (id, handle, raw_only)
VALUES ($1, $2, EXISTS (SELECT 1 FROM media WHERE id = $1))
ON CONFLICT (id) DO UPDATE SET raw_only = media_garbage.raw_only AND excluded.raw_only;

-- name: forget_unfinished
-- Uploads that nobody went on with, and refusals that were told for long enough.
DELETE FROM media
WHERE id IN (
    SELECT id
    FROM media
    WHERE state IN ('open', 'refused') AND declared_at < $1
    ORDER BY declared_at
    LIMIT $2
);

-- name: note_unnamed
-- What a record of its scope named once and none of them names now; looked for once an hour.
UPDATE media
SET unnamed_since = $1
WHERE id IN (
    SELECT once.id
    FROM media AS once
    WHERE once.was_named
        AND once.unnamed_since IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM named_media AS named WHERE named.media_id = once.media_id AND named.scope_id = once.scope_id
        )
    ORDER BY once.id
    LIMIT $2
);

-- name: note_named
-- A record was restored, or another of its scope names it.
UPDATE media
SET unnamed_since = NULL
WHERE unnamed_since IS NOT NULL
    AND EXISTS (
        SELECT 1 FROM named_media AS named WHERE named.media_id = media.media_id AND named.scope_id = media.scope_id
    );

-- name: forget_unnamed
-- Nobody restored them in time.
DELETE FROM media
WHERE id IN (SELECT id FROM media WHERE unnamed_since < $1 ORDER BY unnamed_since LIMIT $2);

-- name: get_database_id
-- By what this database is known in a directory of media.
SELECT database_id
FROM server_identity;

-- name: sample_ready
-- Any, for their ids are random.
SELECT id
FROM media
WHERE state = 'ready'
ORDER BY id
LIMIT $1;

-- name: note_strays
-- What the store has without a row is garbage from a time on ($2); looked for once a day, and noted once.
INSERT INTO media_garbage (id, handle, tried_at, stray)
SELECT stray.id, '', $2, true
FROM unnest($1::uuid[]) AS stray (id)
WHERE NOT EXISTS (SELECT 1 FROM media WHERE media.id = stray.id)
ON CONFLICT DO NOTHING;

-- name: take_garbage
-- What is left in the store and nobody wants, tried longest ago: one that the store does not
-- delete makes way for the others.
UPDATE media_garbage
SET tried_at = $1
WHERE id = (
    SELECT next.id
    FROM media_garbage AS next
    WHERE next.tried_at IS NULL OR next.tried_at < $1
    ORDER BY next.tried_at NULLS FIRST, next.id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, handle, raw_only, stray;

-- name: forget_garbage
-- It is deleted there; unless meanwhile there is more to delete.
DELETE FROM media_garbage
WHERE id = $1 AND raw_only = $2;
