-- What a coach keeps about an athlete, the body, and nutrition, as rows; what 0021_projections.sql says holds here, too.

CREATE TABLE client_files (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    status text,
    subscription_tier text,
    archived boolean NOT NULL,
    PRIMARY KEY (scope_id, record_id)
);

CREATE TABLE body_metrics (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    date date,
    measured_at timestamp,
    utc_offset_minutes integer,
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
    PRIMARY KEY (scope_id, record_id)
);
CREATE INDEX body_metrics_by_date ON body_metrics (scope_id, date);
COMMENT ON COLUMN body_metrics.measured_at IS 'the athlete''s wall clock';

CREATE TABLE progress_photos (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    date date,
    type text,
    media_id text,
    check_in_id text,
    size_bytes bigint,
    width_px bigint,
    height_px bigint,
    PRIMARY KEY (scope_id, record_id)
);
CREATE INDEX progress_photos_by_date ON progress_photos (scope_id, date);

CREATE TABLE nutrition_logs (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    date date,
    meal_count integer NOT NULL,
    food_count integer NOT NULL,
    energy_kcal double precision,
    protein_g double precision,
    carbs_g double precision,
    fat_g double precision,
    fiber_g double precision,
    PRIMARY KEY (scope_id, record_id)
);
CREATE INDEX nutrition_logs_by_date ON nutrition_logs (scope_id, date);
COMMENT ON TABLE nutrition_logs IS 'what each day adds up to, from foods whose meal is not deleted';

CREATE TABLE nutrition_targets (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    start_date date,
    energy_kcal double precision,
    protein_g double precision,
    carbs_g double precision,
    fat_g double precision,
    fiber_g double precision,
    PRIMARY KEY (scope_id, record_id)
);
CREATE INDEX nutrition_targets_by_start ON nutrition_targets (scope_id, start_date);

CREATE TABLE meal_plans (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    status text,
    start_date date,
    end_date date,
    source_id text,
    day_count integer NOT NULL,
    meal_count integer NOT NULL,
    food_count integer NOT NULL,
    PRIMARY KEY (scope_id, record_id)
);

CREATE TABLE foods (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    name bytea,
    brand bytea,
    barcode text,
    source text,
    energy_kcal double precision,
    protein_g double precision,
    carbs_g double precision,
    fat_g double precision,
    fiber_g double precision,
    PRIMARY KEY (scope_id, record_id)
);
CREATE INDEX foods_by_barcode ON foods (scope_id, barcode) WHERE barcode IS NOT NULL;
COMMENT ON TABLE foods IS 'nutrients of 100 g';
COMMENT ON COLUMN foods.name IS 'sealed with the key of the coach; plain UTF-8 in the built-in library';
COMMENT ON COLUMN foods.brand IS 'as name';

CREATE TABLE questionnaires (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    active boolean NOT NULL,
    question_count integer NOT NULL,
    PRIMARY KEY (scope_id, record_id)
);

ALTER TABLE client_files ENABLE ROW LEVEL SECURITY;
ALTER TABLE client_files FORCE ROW LEVEL SECURITY;
ALTER TABLE body_metrics ENABLE ROW LEVEL SECURITY;
ALTER TABLE body_metrics FORCE ROW LEVEL SECURITY;
ALTER TABLE progress_photos ENABLE ROW LEVEL SECURITY;
ALTER TABLE progress_photos FORCE ROW LEVEL SECURITY;
ALTER TABLE nutrition_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE nutrition_logs FORCE ROW LEVEL SECURITY;
ALTER TABLE nutrition_targets ENABLE ROW LEVEL SECURITY;
ALTER TABLE nutrition_targets FORCE ROW LEVEL SECURITY;
ALTER TABLE meal_plans ENABLE ROW LEVEL SECURITY;
ALTER TABLE meal_plans FORCE ROW LEVEL SECURITY;
ALTER TABLE foods ENABLE ROW LEVEL SECURITY;
ALTER TABLE foods FORCE ROW LEVEL SECURITY;
ALTER TABLE questionnaires ENABLE ROW LEVEL SECURITY;
ALTER TABLE questionnaires FORCE ROW LEVEL SECURITY;

CREATE POLICY client_files_owner ON client_files TO CURRENT_USER USING (true);
CREATE POLICY body_metrics_owner ON body_metrics TO CURRENT_USER USING (true);
CREATE POLICY progress_photos_owner ON progress_photos TO CURRENT_USER USING (true);
CREATE POLICY nutrition_logs_owner ON nutrition_logs TO CURRENT_USER USING (true);
CREATE POLICY nutrition_targets_owner ON nutrition_targets TO CURRENT_USER USING (true);
CREATE POLICY meal_plans_owner ON meal_plans TO CURRENT_USER USING (true);
CREATE POLICY foods_owner ON foods TO CURRENT_USER USING (true);
CREATE POLICY questionnaires_owner ON questionnaires TO CURRENT_USER USING (true);

CREATE POLICY client_files_commit ON client_files TO apex_commit USING (true);
CREATE POLICY body_metrics_commit ON body_metrics TO apex_commit USING (true);
CREATE POLICY progress_photos_commit ON progress_photos TO apex_commit USING (true);
CREATE POLICY nutrition_logs_commit ON nutrition_logs TO apex_commit USING (true);
CREATE POLICY nutrition_targets_commit ON nutrition_targets TO apex_commit USING (true);
CREATE POLICY meal_plans_commit ON meal_plans TO apex_commit USING (true);
CREATE POLICY foods_commit ON foods TO apex_commit USING (true);
CREATE POLICY questionnaires_commit ON questionnaires TO apex_commit USING (true);

CREATE POLICY client_files_read ON client_files FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY body_metrics_read ON body_metrics FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY progress_photos_read ON progress_photos FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY nutrition_logs_read ON nutrition_logs FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY nutrition_targets_read ON nutrition_targets FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY meal_plans_read ON meal_plans FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY foods_read ON foods FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
CREATE POLICY questionnaires_read ON questionnaires FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));

GRANT SELECT ON
    client_files, body_metrics, progress_photos, nutrition_logs, nutrition_targets, meal_plans, foods, questionnaires
    TO apex_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    client_files, body_metrics, progress_photos, nutrition_logs, nutrition_targets, meal_plans, foods, questionnaires
    TO apex_commit;

-- Where there are records, their rows are made anew when the server starts.
UPDATE server_identity SET projections_version = 4 WHERE NOT EXISTS (SELECT 1 FROM records);
