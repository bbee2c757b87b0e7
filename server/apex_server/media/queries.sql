-- name: find_media
-- The one of a scope by what was handed in; row-level security shows it to whoever may read the scope.
SELECT id, state, refusal, size_bytes, handle
FROM media
WHERE scope_id = $1 AND media_id = $2;

-- name: may_hand_in
-- Who writes records in a scope hands in media there; who only reads along does not.
SELECT coalesce(apex_scope_access($1, $2) IN ('athlete', 'coach'), false);

-- name: find_upload
-- Any device of anybody who may hand in there goes on with it.
SELECT id, media_id, state, refusal, size_bytes, handle
FROM media
WHERE id = $1 AND apex_scope_access($2, scope) IN ('athlete', 'coach');

-- name: stored_bytes_of
-- What somebody has handed in altogether, of which their tier allows so much.
SELECT coalesce(sum(size_bytes), 0)::bigint
FROM media
WHERE uploaded_by = $1;

-- name: forget_spoilt
-- Bytes that were not what they were said to be may come once more, or that a machine under load had no time for.
DELETE FROM media
WHERE id = $1 AND refusal IN ('hash_mismatch', 'takes_too_long');

-- name: declare_media
-- Of two devices that hand in the same picture at once, one does.
INSERT INTO media
    (id, scope, scope_id, owner_id, media_id, kind, content_type, size_bytes, uploaded_by, handle, declared_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT DO NOTHING
RETURNING id, state, refusal, size_bytes, handle;

-- name: hand_in_media
-- All parts are there; what they are is for the worker to see.
UPDATE media
SET state = 'checking'
WHERE id = $1 AND state = 'open';

-- name: get_ready
-- The same bytes may have been handed in to several scopes of the reader's; each has them whole. What no record names
-- any more, of a photo that was deleted or a message that was taken back, is read by nobody.
SELECT id, owner_id, kind, content_type, digest, stored_bytes, thumbnail_bytes
FROM media
WHERE media_id = $1
    AND state = 'ready'
    AND ($2::uuid IS NULL OR scope_id = $2)
    AND (NOT was_named OR EXISTS (SELECT 1 FROM named_media AS named WHERE named.media_id = $1))
ORDER BY declared_at, id
LIMIT 1;

-- name: take_unchecked
-- The one that waits for longest and nobody is at; that of a worker that died is begun anew.
UPDATE media
SET taken_at = $1, attempts = attempts + 1
WHERE id = (
    SELECT waiting.id
    FROM media AS waiting
    WHERE waiting.state = 'checking' AND (waiting.taken_at IS NULL OR waiting.taken_at < $2)
    ORDER BY waiting.declared_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, owner_id, media_id, kind, content_type, size_bytes, handle, attempts;

-- name: put_back
-- The store was away, which says nothing of the picture.
UPDATE media
SET attempts = attempts - 1
WHERE id = $1;

-- name: note_ready
-- From now on it is read.
UPDATE media
SET state = 'ready', content_type = $2, digest = $3, stored_bytes = $4, thumbnail_bytes = $5, width_px = $6,
    height_px = $7
WHERE id = $1 AND state = 'checking';

-- name: note_refused
-- Whoever handed it in reads why.
UPDATE media
SET state = 'refused', refusal = $2
WHERE id = $1 AND state = 'checking';

-- name: forget_open
-- Uploads that nobody went on with.
DELETE FROM media
WHERE id IN (SELECT id FROM media WHERE state = 'open' AND declared_at < $1 ORDER BY declared_at LIMIT $2);

-- name: note_unnamed
-- What a record named once and none names now, in whichever scope; looked for once an hour.
UPDATE media
SET unnamed_since = $1
WHERE id IN (
    SELECT once.id
    FROM media AS once
    WHERE once.was_named
        AND once.unnamed_since IS NULL
        AND NOT EXISTS (SELECT 1 FROM named_media AS named WHERE named.media_id = once.media_id)
    ORDER BY once.id
    LIMIT $2
);

-- name: note_named
-- A record was restored, or another names it.
UPDATE media
SET unnamed_since = NULL
WHERE unnamed_since IS NOT NULL
    AND EXISTS (SELECT 1 FROM named_media AS named WHERE named.media_id = media.media_id);

-- name: forget_unnamed
-- Nobody restored them in time.
DELETE FROM media
WHERE id IN (SELECT id FROM media WHERE unnamed_since < $1 ORDER BY unnamed_since LIMIT $2);

-- name: list_garbage
-- What is left in the store of rows that are gone.
SELECT id, handle
FROM media_garbage
ORDER BY id
LIMIT $1;

-- name: forget_garbage
-- It is deleted there.
DELETE FROM media_garbage
WHERE id = $1;
