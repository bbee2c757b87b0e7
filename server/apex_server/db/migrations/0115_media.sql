-- Media: what is known of pictures, recordings and files. Their bytes are in the media store, sealed like documents.
--
-- A piece of media belongs to a scope, as records do, and goes with it. It is named in records by the SHA-256 of the
-- bytes that were handed in, which a device knows before it has a network.

CREATE TABLE media (
    id uuid PRIMARY KEY,
    scope text NOT NULL,
    scope_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    media_id text NOT NULL CHECK (media_id ~ '^[0-9a-f]{64}$'),
    kind text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    uploaded_by uuid NOT NULL,
    handle text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'checking', 'ready', 'refused')),
    refusal text,
    declared_at timestamptz NOT NULL,
    taken_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    digest text,
    stored_bytes bigint,
    thumbnail_bytes bigint,
    width_px integer,
    height_px integer,
    UNIQUE (scope_id, media_id),
    CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    CHECK ((state = 'ready') = (digest IS NOT NULL AND stored_bytes IS NOT NULL))
);
COMMENT ON COLUMN media.owner_id IS 'the person whose key it is sealed with';
COMMENT ON COLUMN media.handle IS 'by what the store knows the upload';
COMMENT ON COLUMN media.digest IS 'SHA-256 of what is stored, which is not what came in: pictures are drawn anew';
CREATE INDEX media_to_check ON media (declared_at) WHERE state = 'checking';
CREATE INDEX media_open ON media (declared_at) WHERE state = 'open';
CREATE INDEX media_by_uploader ON media (uploaded_by);
CREATE INDEX media_by_owner ON media (owner_id);

-- Whatever takes a row away, erasure above all, leaves a note of what is to be deleted in the store.
CREATE TABLE media_garbage (
    id uuid PRIMARY KEY,
    handle text NOT NULL
);
COMMENT ON TABLE media_garbage IS 'objects of the store whose rows are gone; the worker deletes them';

CREATE FUNCTION apex_note_media_garbage() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO media_garbage (id, handle) SELECT gone.id, gone.handle FROM gone ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER media_gone AFTER DELETE ON media
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION apex_note_media_garbage();

ALTER TABLE media ENABLE ROW LEVEL SECURITY;
ALTER TABLE media FORCE ROW LEVEL SECURITY;
ALTER TABLE media_garbage ENABLE ROW LEVEL SECURITY;
ALTER TABLE media_garbage FORCE ROW LEVEL SECURITY;
CREATE POLICY media_owner ON media TO CURRENT_USER USING (true);
CREATE POLICY media_garbage_owner ON media_garbage TO CURRENT_USER USING (true);
CREATE POLICY media_commit ON media TO apex_commit USING (true);
CREATE POLICY media_garbage_commit ON media_garbage TO apex_commit USING (true);

CREATE POLICY media_read ON media FOR SELECT TO apex_app USING (
    scope = ANY (ARRAY(SELECT granted.scope FROM apex_readable_scopes_of(apex_user_id()) AS granted))
);
-- Who writes records in a scope hands in media there; who only reads along does not.
CREATE POLICY media_declared ON media FOR INSERT TO apex_app
    WITH CHECK (uploaded_by = apex_user_id() AND apex_scope_access(apex_user_id(), scope) IN ('athlete', 'coach'));
CREATE POLICY media_handed_in ON media FOR UPDATE TO apex_app
    USING (apex_scope_access(apex_user_id(), scope) IN ('athlete', 'coach'));
CREATE POLICY media_begun_anew ON media FOR DELETE TO apex_app
    USING (apex_scope_access(apex_user_id(), scope) IN ('athlete', 'coach'));

GRANT SELECT, DELETE ON media TO apex_app;
GRANT INSERT (id, scope, scope_id, owner_id, media_id, kind, content_type, size_bytes, uploaded_by, handle, declared_at)
    ON media TO apex_app;
GRANT UPDATE (state) ON media TO apex_app;
GRANT SELECT, UPDATE, DELETE ON media TO apex_commit;
GRANT SELECT, DELETE ON media_garbage TO apex_commit;
