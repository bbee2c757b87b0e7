-- A former data key opens backups from before its renewal; it may go once there is a later one. So the last is noted.

ALTER TABLE server_identity ADD COLUMN backed_up_at timestamptz;
COMMENT ON COLUMN server_identity.backed_up_at IS 'the moment that the last whole backup is of; null: none since this is noted';

ALTER TABLE data_keys ADD COLUMN resealed_at timestamptz;
COMMENT ON COLUMN data_keys.resealed_at IS 'since when nothing in the database needs a key from before the present one';
UPDATE data_keys SET resealed_at = now() WHERE renewal = 'kept';
ALTER TABLE data_keys ADD CHECK (renewal <> 'kept' OR resealed_at IS NOT NULL);

GRANT UPDATE (resealed_at) ON data_keys TO apex_commit;
