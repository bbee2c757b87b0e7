-- What records name media: every leaf called `…media_id` has a column, and all of them together are a view.
--
-- Media that a record named once and none names any more are read by nobody, and go after a while; so do those of a
-- photo that was deleted, of a message that was taken back. What no record has named yet stays: its record may be late.

CREATE TABLE check_in_photos (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    photo_key text NOT NULL,
    media_id text NOT NULL,
    PRIMARY KEY (scope_id, record_id, photo_key)
);
COMMENT ON TABLE check_in_photos IS 'photos of check-ins that name media';

ALTER TABLE check_in_photos ENABLE ROW LEVEL SECURITY;
ALTER TABLE check_in_photos FORCE ROW LEVEL SECURITY;
CREATE POLICY check_in_photos_owner ON check_in_photos TO CURRENT_USER USING (true);
CREATE POLICY check_in_photos_commit ON check_in_photos TO apex_commit USING (true);
CREATE POLICY check_in_photos_read ON check_in_photos FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
GRANT SELECT ON check_in_photos TO apex_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON check_in_photos TO apex_commit;

ALTER TABLE profiles ADD COLUMN avatar_media_id text;
ALTER TABLE messages ADD COLUMN thumbnail_media_id text;

CREATE INDEX check_in_photos_by_media ON check_in_photos (media_id);
CREATE INDEX progress_photos_by_media ON progress_photos (media_id) WHERE media_id IS NOT NULL;
CREATE INDEX profiles_by_avatar ON profiles (avatar_media_id) WHERE avatar_media_id IS NOT NULL;
CREATE INDEX messages_by_media ON messages (media_id) WHERE media_id IS NOT NULL;
CREATE INDEX messages_by_thumbnail ON messages (thumbnail_media_id) WHERE thumbnail_media_id IS NOT NULL;
CREATE INDEX media_by_name ON media (media_id);

CREATE VIEW named_media WITH (security_invoker = true) AS
SELECT scope_id, media_id FROM progress_photos WHERE media_id IS NOT NULL
UNION ALL
SELECT scope_id, media_id FROM check_in_photos
UNION ALL
SELECT scope_id, avatar_media_id FROM profiles WHERE avatar_media_id IS NOT NULL
UNION ALL
SELECT scope_id, media_id FROM messages WHERE media_id IS NOT NULL
UNION ALL
SELECT scope_id, thumbnail_media_id FROM messages WHERE thumbnail_media_id IS NOT NULL;
COMMENT ON VIEW named_media IS 'which media the records of a scope name';
GRANT SELECT ON named_media TO apex_app, apex_commit;

ALTER TABLE media ADD COLUMN was_named boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN media.was_named IS 'a record of its scope named it once, and perhaps still does';
COMMENT ON COLUMN media.unnamed_since IS 'since when no record names what one named once';
UPDATE media SET unnamed_since = NULL WHERE unnamed_since IS NOT NULL;

CREATE FUNCTION apex_note_named_media() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE media
    SET was_named = true
    WHERE media.scope_id = OLD.scope_id AND media.media_id = to_jsonb(OLD) ->> TG_ARGV[0] AND NOT media.was_named;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION apex_note_named_media IS 'keeps in mind that a row named media, before it is changed or gone';

CREATE TRIGGER progress_photo_named AFTER UPDATE OR DELETE ON progress_photos
    FOR EACH ROW WHEN (OLD.media_id IS NOT NULL) EXECUTE FUNCTION apex_note_named_media('media_id');
CREATE TRIGGER check_in_photo_named AFTER UPDATE OR DELETE ON check_in_photos
    FOR EACH ROW EXECUTE FUNCTION apex_note_named_media('media_id');
CREATE TRIGGER profile_named AFTER UPDATE OR DELETE ON profiles
    FOR EACH ROW WHEN (OLD.avatar_media_id IS NOT NULL) EXECUTE FUNCTION apex_note_named_media('avatar_media_id');
CREATE TRIGGER message_named AFTER UPDATE OR DELETE ON messages
    FOR EACH ROW WHEN (OLD.media_id IS NOT NULL) EXECUTE FUNCTION apex_note_named_media('media_id');
CREATE TRIGGER message_thumbnail_named AFTER UPDATE OR DELETE ON messages
    FOR EACH ROW WHEN (OLD.thumbnail_media_id IS NOT NULL)
    EXECUTE FUNCTION apex_note_named_media('thumbnail_media_id');

UPDATE server_identity SET projections_version = 7 WHERE NOT EXISTS (SELECT 1 FROM records);
