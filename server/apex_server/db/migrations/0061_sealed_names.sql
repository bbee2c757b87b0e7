-- Names that people give exercises are their own words, so they stand sealed in the projections, too: alike where they
-- are equal, so that they can still be looked for. Anything else in a projection is a number, a time, an id, or one of a
-- few known words. The rows are made anew from the documents when the server starts.

DROP INDEX exercises_by_name;
ALTER TABLE logged_exercises ALTER COLUMN name TYPE bytea USING NULL;
ALTER TABLE exercises
    ALTER COLUMN name TYPE bytea USING NULL,
    ALTER COLUMN muscle_group TYPE bytea USING NULL;
COMMENT ON COLUMN logged_exercises.name IS 'sealed with the key of the athlete; equal names look alike';
COMMENT ON COLUMN exercises.name IS 'sealed with the key of the coach; plain UTF-8 in the built-in library';
COMMENT ON COLUMN exercises.muscle_group IS 'as name';

TRUNCATE workout_logs, logged_exercises, logged_sets, check_ins, programs, exercises, profiles, insights;
UPDATE server_identity SET projections_version = CASE WHEN EXISTS (SELECT 1 FROM records) THEN 0 ELSE 2 END;
