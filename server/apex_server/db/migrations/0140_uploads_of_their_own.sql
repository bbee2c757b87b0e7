-- An upload is its declarer's: nobody else goes on with it, ends it or stands in its way. What is ready is everybody's.

ALTER TABLE media DROP CONSTRAINT media_scope_id_media_id_key;
ALTER TABLE media ADD CONSTRAINT media_once_each UNIQUE (scope_id, media_id, uploaded_by);

DROP POLICY media_handed_in ON media;
CREATE POLICY media_handed_in ON media FOR UPDATE TO apex_app
    USING (
        uploaded_by = apex_user_id()
        AND state = 'open'
        AND apex_scope_access(apex_user_id(), scope) IN ('athlete', 'coach')
    )
    WITH CHECK (uploaded_by = apex_user_id() AND state = 'checking');
DROP POLICY media_begun_anew ON media;
CREATE POLICY media_begun_anew ON media FOR DELETE TO apex_app USING (
    uploaded_by = apex_user_id()
    AND state IN ('open', 'refused')
    AND apex_scope_access(apex_user_id(), scope) IN ('athlete', 'coach')
);

-- The quota is of a person, whatever scopes they can still see; what was refused takes no room.
CREATE FUNCTION apex_media_bytes(row_bytes_min bigint) RETURNS bigint
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
    SELECT coalesce(
        sum(greatest(size_bytes, coalesce(stored_bytes, 0) + coalesce(thumbnail_bytes, 0), row_bytes_min)), 0
    )::bigint
    FROM media
    WHERE uploaded_by = apex_user_id() AND state <> 'refused'
$$;
COMMENT ON FUNCTION apex_media_bytes IS 'what the caller has handed in, each for as much as it takes, and row_bytes_min at least';
REVOKE ALL ON FUNCTION apex_media_bytes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_media_bytes TO apex_app;

-- What has been looked at leaves a note of what came in, in the statement that says so. It is tried until it is deleted.
ALTER TABLE media_garbage ADD COLUMN raw_only boolean NOT NULL DEFAULT false;
ALTER TABLE media_garbage ADD COLUMN tried_at timestamptz;
COMMENT ON COLUMN media_garbage.raw_only IS 'what came in is to be deleted, and what was made of it is to stay';
COMMENT ON COLUMN media_garbage.tried_at IS 'what the store did not delete makes way for the others';
CREATE INDEX media_garbage_next ON media_garbage (tried_at NULLS FIRST, id);
GRANT INSERT (id, handle, raw_only), UPDATE (raw_only, tried_at) ON media_garbage TO apex_commit;

CREATE OR REPLACE FUNCTION apex_note_media_garbage() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO media_garbage (id, handle)
    SELECT gone.id, gone.handle FROM gone
    ON CONFLICT (id) DO UPDATE SET raw_only = false;
    RETURN NULL;
END
$$;

-- Deletions that failed before there was a second try.
INSERT INTO media_garbage (id, handle, raw_only)
SELECT id, handle, true FROM media WHERE state IN ('ready', 'refused')
ON CONFLICT DO NOTHING;

-- Refusals are forgotten like uploads that nobody went on with.
DROP INDEX media_open;
CREATE INDEX media_unfinished ON media (declared_at) WHERE state IN ('open', 'refused');
