-- What the sets of a session and of each exercise in it come to stands beside them, so that years of training are added
-- up without reading a set. Sets of an exercise that the log does not name are in the session's figures alone. A rebuild
-- fills the columns.

DROP VIEW hard_sets;

ALTER TABLE logged_sets DROP COLUMN hard_share;

ALTER TABLE workout_logs
    ADD COLUMN completed_sets integer NOT NULL DEFAULT 0,
    ADD COLUMN hard_sets double precision NOT NULL DEFAULT 0,
    ADD COLUMN volume_load_kg double precision NOT NULL DEFAULT 0;

ALTER TABLE logged_exercises
    ADD COLUMN hard_sets double precision NOT NULL DEFAULT 0,
    ADD COLUMN volume_load_kg double precision NOT NULL DEFAULT 0,
    ADD COLUMN top_load_kg double precision,
    ADD COLUMN top_reps integer,
    ADD COLUMN top_rpe double precision,
    ADD COLUMN epley_kg double precision,
    ADD COLUMN epley_low_confidence boolean,
    ADD COLUMN rpe_table_kg double precision,
    ADD COLUMN rpe_table_low_confidence boolean;

COMMENT ON COLUMN workout_logs.completed_sets IS 'without warm-ups';
COMMENT ON COLUMN workout_logs.hard_sets IS 'completed, no warm-up, hard where effort was logged; later drops are halves';
COMMENT ON COLUMN workout_logs.volume_load_kg IS 'reps times load of hard sets, where the load that moved is known';
COMMENT ON COLUMN logged_exercises.hard_sets IS 'as of the session';
COMMENT ON COLUMN logged_exercises.volume_load_kg IS 'as of the session';
COMMENT ON COLUMN logged_exercises.top_load_kg IS 'of the heaviest hard set, of equals the one with most reps';
COMMENT ON COLUMN logged_exercises.top_reps IS 'of the same set';
COMMENT ON COLUMN logged_exercises.top_rpe IS 'of the same set, as logged or told from its reps in reserve';
COMMENT ON COLUMN logged_exercises.epley_kg IS 'the best one-rep maximum estimated by Epley';
COMMENT ON COLUMN logged_exercises.epley_low_confidence IS 'from more than ten reps, or little effort';
COMMENT ON COLUMN logged_exercises.rpe_table_kg IS 'the best one-rep maximum estimated by the RPE table';
COMMENT ON COLUMN logged_exercises.rpe_table_low_confidence IS 'as of Epley';

UPDATE server_identity SET projections_version = 8 WHERE NOT EXISTS (SELECT 1 FROM records);
