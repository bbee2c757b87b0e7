-- By what a database is known in the directory of media that it uses: for good, as a restore brings it back. Only what
-- lies in a directory of no other database, and has no row, is a stray.
ALTER TABLE server_identity ADD COLUMN database_id uuid NOT NULL DEFAULT gen_random_uuid();
COMMENT ON COLUMN server_identity.database_id IS 'of this data through all its lives, unlike the epoch';

ALTER TABLE media_garbage ADD COLUMN stray boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN media_garbage.stray IS 'it had no row; left where another database uses the directory as well';
UPDATE media_garbage SET stray = true WHERE tried_at > now();
GRANT INSERT (stray) ON media_garbage TO apex_commit;
