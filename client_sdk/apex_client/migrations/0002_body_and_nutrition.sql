-- The body, nutrition, what a coach keeps about an athlete, and the whole profile; what 0001_ground.sql says of rows and
-- views holds here, too.

CREATE TABLE client_file_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    status TEXT,
    subscription_tier TEXT,
    tags TEXT,
    archived INTEGER,
    notes TEXT,
    program_notes TEXT,
    created_at TEXT
);

CREATE TABLE body_metric_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    date TEXT,
    measured_at TEXT,
    weight_kg REAL,
    weight REAL,
    weight_unit TEXT,
    body_fat_percent REAL,
    chest_cm REAL,
    shoulders_cm REAL,
    biceps_cm REAL,
    arms_cm REAL,
    forearms_cm REAL,
    waist_cm REAL,
    hips_cm REAL,
    thighs_cm REAL,
    calves_cm REAL,
    source TEXT,
    notes TEXT,
    created_at TEXT,
    length_unit TEXT
);
CREATE INDEX body_metric_rows_by_date ON body_metric_rows (date);

CREATE TABLE progress_photo_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    date TEXT,
    taken_at TEXT,
    type TEXT,
    pose TEXT,
    media_id TEXT,
    content_type TEXT,
    size_bytes INTEGER,
    width_px INTEGER,
    height_px INTEGER,
    check_in_id TEXT,
    notes TEXT,
    created_at TEXT
);
CREATE INDEX progress_photo_rows_by_date ON progress_photo_rows (date);

CREATE TABLE nutrition_log_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    date TEXT,
    notes TEXT,
    meal_count INTEGER NOT NULL,
    food_count INTEGER NOT NULL,
    energy_kcal REAL,
    protein_g REAL,
    carbs_g REAL,
    fat_g REAL,
    fiber_g REAL,
    created_at TEXT
);
CREATE INDEX nutrition_log_rows_by_date ON nutrition_log_rows (date);

CREATE TABLE logged_food_rows (
    record_no INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    meal_key TEXT,
    meal_name TEXT,
    food_id TEXT,
    name TEXT,
    quantity REAL,
    unit TEXT,
    grams REAL,
    energy_kcal REAL,
    protein_g REAL,
    carbs_g REAL,
    fat_g REAL,
    fiber_g REAL,
    sugar_g REAL,
    sodium_mg REAL,
    source TEXT,
    barcode TEXT,
    PRIMARY KEY (record_no, position)
) WITHOUT ROWID;

CREATE TRIGGER nutrition_log_row_is_gone AFTER DELETE ON nutrition_log_rows
BEGIN
    DELETE FROM logged_food_rows WHERE record_no = OLD.record_no;
END;

CREATE TABLE nutrition_target_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    start_date TEXT,
    energy_kcal REAL,
    protein_g REAL,
    carbs_g REAL,
    fat_g REAL,
    fiber_g REAL,
    notes TEXT,
    created_at TEXT
);
CREATE INDEX nutrition_target_rows_by_start ON nutrition_target_rows (start_date);

CREATE TABLE meal_plan_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT,
    status TEXT,
    start_date TEXT,
    end_date TEXT,
    notes TEXT,
    source_id TEXT,
    days TEXT,
    meals TEXT,
    foods TEXT,
    created_at TEXT,
    day_count INTEGER NOT NULL,
    meal_count INTEGER NOT NULL,
    food_count INTEGER NOT NULL
);

CREATE TABLE food_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT,
    brand TEXT,
    barcode TEXT,
    energy_kcal REAL,
    protein_g REAL,
    carbs_g REAL,
    fat_g REAL,
    fiber_g REAL,
    sugar_g REAL,
    sodium_mg REAL,
    servings TEXT,
    source TEXT,
    source_id TEXT
);
CREATE INDEX food_rows_by_barcode ON food_rows (barcode);

CREATE TABLE questionnaire_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT,
    description TEXT,
    active INTEGER,
    questions TEXT,
    created_at TEXT,
    question_count INTEGER NOT NULL
);

ALTER TABLE profile_rows ADD COLUMN phone TEXT;
ALTER TABLE profile_rows ADD COLUMN avatar_media_id TEXT;
ALTER TABLE profile_rows ADD COLUMN weak_points TEXT;
ALTER TABLE profile_rows ADD COLUMN injuries TEXT;
ALTER TABLE profile_rows ADD COLUMN nutrition_habits TEXT;
ALTER TABLE profile_rows ADD COLUMN volume_tolerance TEXT;
ALTER TABLE profile_rows ADD COLUMN recovery_status TEXT;
ALTER TABLE profile_rows ADD COLUMN equipment TEXT;
ALTER TABLE profile_rows ADD COLUMN session_duration_minutes INTEGER;
ALTER TABLE profile_rows ADD COLUMN check_in_day_number INTEGER;
ALTER TABLE profile_rows ADD COLUMN target_weight REAL;
ALTER TABLE profile_rows ADD COLUMN target_weight_unit TEXT;
ALTER TABLE profile_rows ADD COLUMN height REAL;
ALTER TABLE profile_rows ADD COLUMN height_unit TEXT;
ALTER TABLE profile_rows ADD COLUMN created_at TEXT;
ALTER TABLE check_in_rows ADD COLUMN questionnaire_id TEXT;
ALTER TABLE program_rows ADD COLUMN athlete_feedback TEXT;

CREATE VIEW profiles AS
SELECT
    row.id,
    substr(scope.name, 9) AS athlete_id,
    row.name,
    row.phone,
    row.avatar_media_id,                                -- SHA-256 of the picture
    row.date_of_birth,
    row.gender,
    row.training_age_years,
    row.goals,                                          -- JSON list
    row.weak_points,                                    -- JSON list
    row.injuries,                                       -- JSON map
    row.nutrition_habits,
    row.volume_tolerance,
    row.recovery_status,
    row.equipment,                                      -- JSON list
    row.training_days_per_week,
    row.session_duration_minutes,
    row.check_in_day_number,                            -- when a check-in is due, 1 (Monday) to 7
    row.target_weight_kg,
    row.target_weight,                                  -- as it was typed, in target_weight_unit
    row.target_weight_unit,
    row.height_cm,
    row.height,                                         -- as it was typed, in height_unit
    row.height_unit,
    row.load_unit,                                      -- what loads are shown in
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM profile_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW client_files AS
SELECT
    row.id,
    substr(scope.name, 46) AS athlete_id,               -- whom the coach keeps it about
    row.status,                                         -- active, inactive, needs-attention, overdue
    row.subscription_tier,                              -- premium, standard, basic
    row.tags,                                           -- JSON list
    row.archived,
    row.notes,                                          -- for the coach alone
    row.program_notes,                                  -- JSON map by program
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM client_file_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW body_metrics AS
SELECT
    row.id,
    substr(scope.name, 9) AS athlete_id,
    row.date,
    row.measured_at,
    row.weight_kg,
    row.weight,                                         -- as it was typed, in weight_unit
    row.weight_unit,
    row.body_fat_percent,
    row.chest_cm,
    row.shoulders_cm,
    row.biceps_cm,
    row.arms_cm,
    row.forearms_cm,
    row.waist_cm,
    row.hips_cm,
    row.thighs_cm,
    row.calves_cm,
    row.length_unit,                                    -- what the girths were typed in
    row.source,                                         -- app or file it was imported from; null when it was typed
    row.notes,
    row.created_at,
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM body_metric_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW progress_photos AS
SELECT
    row.id,
    substr(scope.name, 9) AS athlete_id,
    row.date,
    row.taken_at,
    row.type,                                           -- front, back, side-left, side-right, other
    row.pose,
    row.media_id,                                       -- SHA-256 of the picture
    row.content_type,
    row.size_bytes,
    row.width_px,
    row.height_px,
    row.check_in_id,
    row.notes,
    row.created_at,
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM progress_photo_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW nutrition_logs AS
SELECT
    row.id,
    substr(scope.name, 9) AS athlete_id,
    row.date,
    row.notes,
    row.meal_count,                                     -- meals with food
    row.food_count,
    row.energy_kcal,                                    -- of the whole day, as the four after it
    row.protein_g,
    row.carbs_g,
    row.fat_g,
    row.fiber_g,
    row.created_at,
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM nutrition_log_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW logged_foods AS
SELECT
    log.id AS nutrition_log_id,
    entry.key,
    entry.position,                                     -- from 1, meal by meal
    entry.meal_key,
    entry.meal_name,
    entry.food_id,                                      -- id in the library, where it is known
    entry.name,
    entry.quantity,                                     -- as it was typed, in unit
    entry.unit,
    entry.grams,
    entry.energy_kcal,                                  -- of that much, as the six after it
    entry.protein_g,
    entry.carbs_g,
    entry.fat_g,
    entry.fiber_g,
    entry.sugar_g,
    entry.sodium_mg,
    entry.source,                                       -- database, custom, barcode
    entry.barcode,
    log.date
FROM logged_food_rows AS entry
JOIN nutrition_log_rows AS log ON log.record_no = entry.record_no;

CREATE VIEW nutrition_targets AS
SELECT
    row.id,
    substr(scope.name, 9) AS athlete_id,
    row.start_date,                                     -- until the next begin
    row.energy_kcal,
    row.protein_g,
    row.carbs_g,
    row.fat_g,
    row.fiber_g,
    row.notes,
    row.created_at,
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM nutrition_target_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW meal_plans AS
SELECT
    row.id,
    scope.name AS scope,                                -- athlete:<id> when assigned, private:… when a draft
    row.name,
    row.status,
    row.start_date,
    row.end_date,
    row.notes,
    row.source_id,                                      -- the plan it was made from
    row.days,                                           -- JSON map
    row.meals,                                          -- JSON map
    row.foods,                                          -- JSON map
    row.day_count,
    row.meal_count,
    row.food_count,
    row.created_at,
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM meal_plan_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW foods AS
SELECT
    row.id,
    scope.name AS scope,                                -- global, or library:<coach>
    row.name,
    row.brand,
    row.barcode,
    row.energy_kcal,                                    -- of 100 g, as the six after it
    row.protein_g,
    row.carbs_g,
    row.fat_g,
    row.fiber_g,
    row.sugar_g,
    row.sodium_mg,
    row.servings,                                       -- JSON map
    row.source,                                         -- usda, open_food_facts, custom
    row.source_id,
    record.changed_us
FROM food_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW questionnaires AS
SELECT
    row.id,
    scope.name AS scope,                                -- library:<coach>
    row.name,
    row.description,
    row.active,
    row.questions,                                      -- JSON map
    row.question_count,
    row.created_at,
    record.changed_us
FROM questionnaire_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

DROP VIEW check_ins;
CREATE VIEW check_ins AS
SELECT
    row.id,
    substr(scope.name, 9) AS athlete_id,
    row.date,
    row.week_number,
    row.weight_kg,
    row.weight,                                         -- as it was typed, in weight_unit
    row.weight_unit,
    row.body_fat_percent,
    row.chest_cm,
    row.shoulders_cm,
    row.biceps_cm,
    row.arms_cm,
    row.forearms_cm,
    row.waist_cm,
    row.hips_cm,
    row.thighs_cm,
    row.calves_cm,
    row.energy,                                         -- 1 to 10, as the seven after it
    row.hunger,
    row.stress,
    row.sleep,
    row.adherence,
    row.enjoyment,
    row.soreness,
    row.motivation,
    row.notes,
    row.questionnaire_id,                               -- whose questions were answered
    row.questionnaire,                                  -- JSON map of answers by the key of the question
    row.photo_count,
    row.submitted_at,                                   -- null while it is a draft
    row.coach_feedback,
    row.coach_reviewed,
    row.reviewed_at,
    row.ai_summary,                                     -- the analysis the coach approved
    row.ai_recommendations,                             -- JSON list
    row.ai_flags,                                       -- JSON list
    row.created_at,
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM check_in_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

DROP VIEW programs;
CREATE VIEW programs AS
SELECT
    row.id,
    scope.name AS scope,                                -- athlete:<id> when assigned, private:… when a draft
    row.name,
    row.description,
    row.type,
    row.difficulty,
    row.status,
    row.start_date,
    row.end_date,
    row.duration_weeks,
    row.weekly_volume,
    row.intensity_zone,
    row.goals,                                          -- JSON list
    row.notes,
    row.source_id,                                      -- the template it was made from
    row.week_count,
    row.day_count,
    row.exercise_count,
    row.set_count,
    row.athlete_feedback,
    row.created_at,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM program_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

-- Records that are here already: their rows are made anew when the file is opened.
INSERT INTO settings (name, value) SELECT 'rows_due', x'01' WHERE EXISTS (SELECT 1 FROM held_records);
