-- What the device holds: scopes, records with their place between here and the server, and what was refused.

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE held_scopes (
    scope_no INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    cursor BLOB NOT NULL DEFAULT x'',
    digest BLOB NOT NULL DEFAULT x'00000000000000000000000000000000',
    remaining INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0
);

-- `acked`, `sent` and `next` are clocks of the device's own ops: durable on the server, frozen, and the next to be used.
-- The document comes last, so that reading the rest of a row never touches it.
CREATE TABLE held_records (
    record_no INTEGER PRIMARY KEY,
    record_id TEXT NOT NULL,
    scope_no INTEGER NOT NULL REFERENCES held_scopes (scope_no),
    collection TEXT NOT NULL,
    acked INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    next INTEGER NOT NULL,
    offer INTEGER NOT NULL,
    blocked TEXT NOT NULL,
    pending_since_us INTEGER NOT NULL,
    changed_us INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,
    needs_review INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    digest BLOB NOT NULL,
    receipt BLOB NOT NULL,
    pull_receipt BLOB NOT NULL,
    pull_clock INTEGER NOT NULL,
    document BLOB NOT NULL
);
CREATE UNIQUE INDEX held_records_by_id ON held_records (record_id, scope_no);
CREATE INDEX held_records_pending ON held_records (pending_since_us, record_no) WHERE pending_since_us > 0;
CREATE INDEX held_records_blocked ON held_records (record_no) WHERE blocked <> '';
CREATE INDEX held_records_conflicted ON held_records (record_no) WHERE conflicts > 0;
CREATE INDEX held_records_in_review ON held_records (record_no) WHERE needs_review;

CREATE TABLE rejections (
    id INTEGER PRIMARY KEY,
    record_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    collection TEXT NOT NULL,
    code TEXT NOT NULL,
    field TEXT NOT NULL,
    message TEXT NOT NULL,
    patches BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    held INTEGER NOT NULL
);

-- What the records fold to, for apps to query through the views below. One row of a record may be made anew at any time.

CREATE TABLE workout_log_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    date TEXT,
    start_time TEXT,
    end_time TEXT,
    duration_minutes REAL,
    title TEXT,
    program_id TEXT,
    week_number INTEGER,
    day_number INTEGER,
    fatigue INTEGER,
    pump INTEGER,
    mood INTEGER,
    notes TEXT,
    completed INTEGER NOT NULL,
    source TEXT,
    created_at TEXT,
    exercise_count INTEGER NOT NULL,
    set_count INTEGER NOT NULL,
    volume_load_kg REAL NOT NULL,
    average_rpe REAL
);
CREATE INDEX workout_log_rows_by_date ON workout_log_rows (date, start_time);

CREATE TABLE logged_exercise_rows (
    record_no INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    exercise_id TEXT,
    name TEXT,
    skipped INTEGER NOT NULL,
    superset TEXT,
    notes TEXT,
    PRIMARY KEY (record_no, position)
) WITHOUT ROWID;

CREATE TABLE logged_set_rows (
    record_no INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    exercise_key TEXT,
    exercise_name TEXT,
    type TEXT NOT NULL,
    reps INTEGER,
    load_kg REAL,
    load REAL,
    load_unit TEXT,
    rpe REAL,
    rir REAL,
    completed INTEGER NOT NULL,
    failure_reason TEXT,
    distance_m REAL,
    duration_seconds REAL,
    notes TEXT,
    volume_load_kg REAL NOT NULL,
    PRIMARY KEY (record_no, position)
) WITHOUT ROWID;

-- Instead of foreign keys, which would be looked up for every set of a first sync.
CREATE TRIGGER workout_log_row_is_gone AFTER DELETE ON workout_log_rows
BEGIN
    DELETE FROM logged_exercise_rows WHERE record_no = OLD.record_no;
    DELETE FROM logged_set_rows WHERE record_no = OLD.record_no;
END;

CREATE TABLE check_in_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    date TEXT,
    week_number INTEGER,
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
    energy INTEGER,
    hunger INTEGER,
    stress INTEGER,
    sleep INTEGER,
    adherence INTEGER,
    enjoyment INTEGER,
    soreness INTEGER,
    motivation INTEGER,
    notes TEXT,
    questionnaire TEXT,
    photo_count INTEGER NOT NULL,
    submitted_at TEXT,
    coach_feedback TEXT,
    coach_reviewed INTEGER NOT NULL,
    reviewed_at TEXT,
    ai_summary TEXT,
    ai_recommendations TEXT,
    ai_flags TEXT,
    created_at TEXT
);
CREATE INDEX check_in_rows_by_date ON check_in_rows (date, submitted_at);

CREATE TABLE program_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT,
    description TEXT,
    type TEXT,
    difficulty TEXT,
    status TEXT,
    start_date TEXT,
    end_date TEXT,
    duration_weeks INTEGER,
    weekly_volume TEXT,
    intensity_zone TEXT,
    goals TEXT,
    notes TEXT,
    source_id TEXT,
    week_count INTEGER NOT NULL,
    day_count INTEGER NOT NULL,
    exercise_count INTEGER NOT NULL,
    set_count INTEGER NOT NULL,
    created_at TEXT
);

CREATE TABLE exercise_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT,
    muscle_group TEXT,
    secondary_muscles TEXT,
    movement_pattern TEXT,
    equipment TEXT,
    instructions TEXT
);
CREATE INDEX exercise_rows_by_name ON exercise_rows (name);

CREATE TABLE insight_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    athlete_id TEXT,
    kind TEXT,
    about_id TEXT,
    type TEXT,
    priority TEXT,
    title TEXT,
    summary TEXT,
    recommendations TEXT,
    status TEXT,
    dismissed_reason TEXT,
    acted_at TEXT,
    superseded_by TEXT,
    worded_by TEXT,
    confidence REAL,
    created_at TEXT
);

CREATE TABLE published_insight_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    source_id TEXT,
    type TEXT,
    title TEXT,
    summary TEXT,
    recommendations TEXT,
    flags TEXT,
    published_at TEXT
);

CREATE TABLE profile_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT,
    date_of_birth TEXT,
    gender TEXT,
    training_age_years REAL,
    goals TEXT,
    training_days_per_week INTEGER,
    target_weight_kg REAL,
    height_cm REAL,
    load_unit TEXT
);

CREATE TABLE conflict_rows (
    record_no INTEGER NOT NULL REFERENCES held_records (record_no) ON DELETE CASCADE,
    path TEXT NOT NULL,
    keys TEXT NOT NULL,
    kept TEXT,
    discarded TEXT NOT NULL,
    PRIMARY KEY (record_no, path)
) WITHOUT ROWID;

-- Words of titles, names and notes, as far as they are indexed; the rowid is the record_no.
CREATE VIRTUAL TABLE words USING fts5 (title, names, notes, tokenize = "unicode61 remove_diacritics 2");

-- Records to be indexed anew; those beyond the setting `words_up_to` were never indexed.
CREATE TABLE words_due (
    record_no INTEGER PRIMARY KEY
);

-- What apps query. Deleted records and entries are left out; times are text as the athlete's clock showed them, flags 0 or
-- 1, lists and maps JSON, loads kilograms.

CREATE VIEW workout_logs AS
SELECT
    log.id,                                             -- UUID of the record
    substr(scope.name, 9) AS athlete_id,                -- UUID of the athlete, `self` before the first sign-in
    log.date,                                           -- calendar day, 2026-03-01
    log.start_time,
    log.end_time,
    log.duration_minutes,
    log.title,
    log.program_id,
    log.week_number,
    log.day_number,                                     -- 1 (Monday) to 7
    log.fatigue,                                        -- 1 to 10, as pump and mood
    log.pump,
    log.mood,
    log.notes,
    log.completed,
    log.source,                                         -- strong, hevy …; null when it was logged here
    log.created_at,
    log.exercise_count,
    log.set_count,
    log.volume_load_kg,                                 -- reps times load of the hard sets
    log.average_rpe,                                    -- of the hard sets, null when none was rated
    record.needs_review,                                -- merged values break a bound
    record.conflicts,                                   -- how many leaves were written concurrently
    record.pending_since_us > 0 AS pending,             -- has work the server does not have
    record.changed_us                                   -- when it last changed on this device
FROM workout_log_rows AS log
JOIN held_records AS record ON record.record_no = log.record_no
JOIN held_scopes AS scope ON scope.scope_no = log.scope_no;

CREATE VIEW logged_exercises AS
SELECT
    log.id AS workout_id,
    entry.key,                                          -- id of the entry within its workout
    entry.position,                                     -- from 1
    entry.exercise_id,                                  -- id in the library, where it is known
    entry.name,
    entry.skipped,
    entry.superset,                                     -- entries of one workout with one label are done in alternation
    entry.notes,
    log.date
FROM logged_exercise_rows AS entry
JOIN workout_log_rows AS log ON log.record_no = entry.record_no;

CREATE VIEW logged_sets AS
SELECT
    log.id AS workout_id,
    entry.key,
    entry.exercise_key,                                 -- key in logged_exercises
    entry.exercise_name,
    entry.position,                                     -- from 1, through the whole workout
    entry.type,                                         -- working, warmup, dropset, amrap, backoff, failure
    entry.reps,
    entry.load_kg,                                      -- negative is assistance
    entry.load,                                         -- as it was typed, in load_unit; null when typed in kilograms
    entry.load_unit,
    entry.rpe,
    entry.rir,
    entry.completed,
    entry.failure_reason,
    entry.distance_m,
    entry.duration_seconds,
    entry.notes,
    entry.volume_load_kg,                               -- reps times load where it is a hard set, else 0
    log.date
FROM logged_set_rows AS entry
JOIN workout_log_rows AS log ON log.record_no = entry.record_no;

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
    row.questionnaire,                                  -- JSON map
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
    row.created_at,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM program_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW exercises AS
SELECT
    row.id,
    scope.name AS scope,                                -- global, or library:<coach>
    row.name,
    row.muscle_group,
    row.secondary_muscles,                              -- JSON list
    row.movement_pattern,
    row.equipment,                                      -- JSON list
    row.instructions
FROM exercise_rows AS row
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW insights AS
SELECT
    row.id,
    row.athlete_id,
    row.kind,                                           -- check_in or training
    row.about_id,                                       -- the record it speaks of
    row.type,
    row.priority,                                       -- low, medium, high, critical
    row.title,
    row.summary,
    row.recommendations,                                -- JSON list
    row.status,                                         -- draft, approved, dismissed, superseded
    row.dismissed_reason,
    row.acted_at,
    row.superseded_by,
    row.worded_by,                                      -- rules or model
    row.confidence,
    row.created_at,
    record.changed_us
FROM insight_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no;

CREATE VIEW published_insights AS
SELECT
    row.id,
    substr(scope.name, 9) AS athlete_id,
    row.source_id,                                      -- the insight it was made from
    row.type,
    row.title,
    row.summary,
    row.recommendations,                                -- JSON list
    row.flags,                                          -- JSON list
    row.published_at,
    record.changed_us
FROM published_insight_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW athletes AS
SELECT
    substr(scope.name, 9) AS id,                        -- `self` before the first sign-in
    (
        SELECT profile.name
        FROM profile_rows AS profile
        WHERE profile.scope_no = scope.scope_no
        LIMIT 1
    ) AS name,
    scope.role,                                         -- the role this device's user has with the athlete
    (SELECT count(*) FROM workout_log_rows AS log WHERE log.scope_no = scope.scope_no) AS workouts,
    (SELECT count(*) FROM check_in_rows AS row WHERE row.scope_no = scope.scope_no) AS check_ins,
    (SELECT max(log.date) FROM workout_log_rows AS log WHERE log.scope_no = scope.scope_no) AS last_workout_date,
    (SELECT max(row.date) FROM check_in_rows AS row WHERE row.scope_no = scope.scope_no) AS last_check_in_date,
    (
        SELECT count(*)
        FROM held_records AS record
        WHERE record.scope_no = scope.scope_no AND record.pending_since_us > 0
    ) AS pending,
    (
        SELECT count(*)
        FROM held_records AS record
        WHERE record.scope_no = scope.scope_no AND record.conflicts > 0
    ) AS conflicted
FROM held_scopes AS scope
WHERE scope.name LIKE 'athlete:%';

CREATE VIEW conflicts AS
SELECT
    record.record_id,
    record.collection,
    scope.name AS scope,
    row.path,                                           -- dotted, sets.k3f9.reps
    row.keys,                                           -- the path as a JSON list
    row.kept,                                           -- JSON [value, client id, microseconds]; null where it is gone
    row.discarded                                       -- JSON list of the same
FROM conflict_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = record.scope_no;

CREATE VIEW outbox AS
SELECT
    record.record_id,
    record.collection,
    scope.name AS scope,
    record.next - record.acked AS ops,                  -- own ops the server has not acknowledged
    record.sent > record.acked AS sent,                 -- some of them have been sent before
    record.pending_since_us
FROM held_records AS record
JOIN held_scopes AS scope ON scope.scope_no = record.scope_no
WHERE record.pending_since_us > 0;

CREATE VIEW rejected AS
SELECT
    rejection.id,
    rejection.record_id,
    rejection.collection,
    rejection.scope,
    rejection.code,
    rejection.field,
    rejection.message,
    rejection.at_us,
    rejection.held                                      -- still in the record, whose sending is stopped
FROM rejections AS rejection;
