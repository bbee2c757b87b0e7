-- A photo that was deleted can be restored for a while; then its picture goes, too.

ALTER TABLE media ADD COLUMN unnamed_since timestamptz;
COMMENT ON COLUMN media.unnamed_since IS 'of a photo that no record names: since when';
CREATE INDEX media_unnamed ON media (unnamed_since) WHERE unnamed_since IS NOT NULL;
