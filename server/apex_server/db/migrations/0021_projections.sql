-- Records as rows, for coaches' queries and analysis: what apex_server/sync/projections.py makes of each document.
--
-- Nothing here is a source: every row can be made anew from its record, and is, in the commit that changes it. Types are
-- wide and nothing is checked, because a merged record may break any bound and must not fail its batch. No free text
-- stands here (notes, titles, feedback): it stays in the document.

CREATE TABLE workout_logs (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    date date,
    start_time timestamp,
    end_time timestamp,
    utc_offset_minutes integer,
    duration_minutes double precision,
    program_id text,
    week_number bigint,
    day_number bigint,
    fatigue bigint,
    pump bigint,
    mood bigint,
    completed boolean,
    source text,
    PRIMARY KEY (scope_id, record_id)
);
CREATE INDEX workout_logs_by_date ON workout_logs (scope_id, date);
COMMENT ON COLUMN workout_logs.date IS 'the day named, else the day it started';
COMMENT ON COLUMN workout_logs.start_time IS 'the athlete''s wall clock';
COMMENT ON COLUMN workout_logs.utc_offset_minutes IS 'of that wall clock, where the device knew it';

CREATE TABLE logged_exercises (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    exercise_key text NOT NULL,
    position integer NOT NULL,
    exercise_id text,
    name text,
    skipped boolean NOT NULL,
    superset text,
    PRIMARY KEY (scope_id, record_id, exercise_key)
);
COMMENT ON COLUMN logged_exercises.position IS 'from 1, in the reader''s order; deleted entries are left out';

CREATE TABLE logged_sets (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    set_key text NOT NULL,
    exercise_key text,
    position integer NOT NULL,
    type text NOT NULL,
    reps bigint,
    load_kg double precision,
    load double precision,
    load_unit text,
    rpe double precision,
    rir double precision,
    completed boolean NOT NULL,
    failure_reason text,
    distance_m double precision,
    duration_seconds double precision,
    PRIMARY KEY (scope_id, record_id, set_key)
);
COMMENT ON COLUMN logged_sets.position IS 'from 1 through the session; sets that are deleted, or whose exercise is, are left out';
COMMENT ON COLUMN logged_sets.load IS 'as typed, in load_unit, where that was not kilograms';

CREATE TABLE check_ins (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    date date,
    week_number bigint,
    weight_kg double precision,
    weight double precision,
    weight_unit text,
    body_fat_percent double precision,
    chest_cm double precision,
    shoulders_cm double precision,
    biceps_cm double precision,
    arms_cm double precision,
    forearms_cm double precision,
    waist_cm double precision,
    hips_cm double precision,
    thighs_cm double precision,
    calves_cm double precision,
    energy bigint,
    hunger bigint,
    stress bigint,
    sleep bigint,
    adherence bigint,
    enjoyment bigint,
    soreness bigint,
    motivation bigint,
    photo_count integer NOT NULL,
    submitted_at timestamp,
    utc_offset_minutes integer,
    coach_reviewed boolean NOT NULL,
    reviewed_at timestamp,
    PRIMARY KEY (scope_id, record_id)
);
CREATE INDEX check_ins_by_date ON check_ins (scope_id, date);
COMMENT ON COLUMN check_ins.submitted_at IS 'the athlete''s wall clock; null: a draft';
COMMENT ON COLUMN check_ins.utc_offset_minutes IS 'of submitted_at';

CREATE TABLE programs (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    type text,
    difficulty text,
    status text,
    start_date date,
    end_date date,
    duration_weeks bigint,
    weekly_volume text,
    intensity_zone text,
    source_id text,
    week_count integer NOT NULL,
    day_count integer NOT NULL,
    exercise_count integer NOT NULL,
    set_count integer NOT NULL,
    PRIMARY KEY (scope_id, record_id)
);

CREATE TABLE exercises (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    name text,
    muscle_group text,
    movement_pattern text,
    PRIMARY KEY (scope_id, record_id)
);
CREATE INDEX exercises_by_name ON exercises (scope_id, name);

CREATE TABLE profiles (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    training_age_years double precision,
    volume_tolerance text,
    recovery_status text,
    training_days_per_week bigint,
    session_duration_minutes bigint,
    target_weight_kg double precision,
    height_cm double precision,
    load_unit text,
    PRIMARY KEY (scope_id, record_id)
);

CREATE TABLE insights (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    athlete_id text,
    kind text,
    about_id text,
    type text,
    priority text,
    status text,
    acted_at timestamp,
    superseded_by text,
    worded_by text,
    model_name text,
    confidence double precision,
    expires_at timestamp,
    facts_digest text,
    PRIMARY KEY (scope_id, record_id)
);
CREATE INDEX insights_by_status ON insights (scope_id, status);

ALTER TABLE workout_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE workout_logs FORCE ROW LEVEL SECURITY;
ALTER TABLE logged_exercises ENABLE ROW LEVEL SECURITY;
ALTER TABLE logged_exercises FORCE ROW LEVEL SECURITY;
ALTER TABLE logged_sets ENABLE ROW LEVEL SECURITY;
ALTER TABLE logged_sets FORCE ROW LEVEL SECURITY;
ALTER TABLE check_ins ENABLE ROW LEVEL SECURITY;
ALTER TABLE check_ins FORCE ROW LEVEL SECURITY;
ALTER TABLE programs ENABLE ROW LEVEL SECURITY;
ALTER TABLE programs FORCE ROW LEVEL SECURITY;
ALTER TABLE exercises ENABLE ROW LEVEL SECURITY;
ALTER TABLE exercises FORCE ROW LEVEL SECURITY;
ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE profiles FORCE ROW LEVEL SECURITY;
ALTER TABLE insights ENABLE ROW LEVEL SECURITY;
ALTER TABLE insights FORCE ROW LEVEL SECURITY;

CREATE POLICY workout_logs_owner ON workout_logs TO CURRENT_USER USING (true);
CREATE POLICY logged_exercises_owner ON logged_exercises TO CURRENT_USER USING (true);
CREATE POLICY logged_sets_owner ON logged_sets TO CURRENT_USER USING (true);
CREATE POLICY check_ins_owner ON check_ins TO CURRENT_USER USING (true);
CREATE POLICY programs_owner ON programs TO CURRENT_USER USING (true);
CREATE POLICY exercises_owner ON exercises TO CURRENT_USER USING (true);
CREATE POLICY profiles_owner ON profiles TO CURRENT_USER USING (true);
CREATE POLICY insights_owner ON insights TO CURRENT_USER USING (true);

CREATE POLICY workout_logs_commit ON workout_logs TO apex_commit USING (true);
CREATE POLICY logged_exercises_commit ON logged_exercises TO apex_commit USING (true);
CREATE POLICY logged_sets_commit ON logged_sets TO apex_commit USING (true);
CREATE POLICY check_ins_commit ON check_ins TO apex_commit USING (true);
CREATE POLICY programs_commit ON programs TO apex_commit USING (true);
CREATE POLICY exercises_commit ON exercises TO apex_commit USING (true);
CREATE POLICY profiles_commit ON profiles TO apex_commit USING (true);
CREATE POLICY insights_commit ON insights TO apex_commit USING (true);

CREATE POLICY workout_logs_read ON workout_logs FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY logged_exercises_read ON logged_exercises FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY logged_sets_read ON logged_sets FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY check_ins_read ON check_ins FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY programs_read ON programs FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY exercises_read ON exercises FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY profiles_read ON profiles FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY insights_read ON insights FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));

GRANT SELECT ON
    workout_logs, logged_exercises, logged_sets, check_ins, programs, exercises, profiles, insights
    TO apex_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    workout_logs, logged_exercises, logged_sets, check_ins, programs, exercises, profiles, insights
    TO apex_commit;
