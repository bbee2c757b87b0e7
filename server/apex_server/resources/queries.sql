-- name: get_record
-- A record by its id: the policies decide whether there is one, and the array makes it an index look-up. Devices make
-- ids, so several people can have a record of one id; what an athlete cannot have written comes first.
SELECT records.scope_id, scopes.name AS scope, records.record_id, records.digest, records.doc, records.deleted,
    (
        SELECT max(audit.committed_at)
        FROM audit
        WHERE audit.scope_id = records.scope_id AND audit.seq = records.seq
    ) AS synced_at
FROM records
JOIN scopes ON scopes.scope_id = records.scope_id
WHERE records.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND records.record_id = $2
    AND records.collection = $1
    AND ($3::uuid[] IS NULL OR records.scope_id = ANY ($3))
ORDER BY scopes.name LIKE 'athlete:%', records.scope_id
LIMIT 2;

-- name: get_records_by_id
-- The records of one bulk request, of which most are not there yet; as `get_record`, for many.
SELECT records.scope_id, scopes.name AS scope, records.record_id, records.digest, records.doc, records.deleted,
    NULL::timestamptz AS synced_at
FROM unnest($2::uuid[], $3::uuid[]) AS asked (scope_id, record_id)
JOIN records ON records.scope_id = asked.scope_id AND records.record_id = asked.record_id
JOIN scopes ON scopes.scope_id = records.scope_id
WHERE records.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND records.collection = $1
ORDER BY records.record_id, records.scope_id
LIMIT 1000;

-- name: get_records
-- The documents of one page, whose ids a projection has picked.
SELECT records.scope_id, scopes.name AS scope, records.record_id, records.digest, records.doc, records.deleted,
    (
        SELECT max(audit.committed_at)
        FROM audit
        WHERE audit.scope_id = records.scope_id AND audit.seq = records.seq
    ) AS synced_at
FROM unnest($1::uuid[], $2::uuid[]) AS picked (scope_id, record_id)
JOIN records ON records.scope_id = picked.scope_id AND records.record_id = picked.record_id
JOIN scopes ON scopes.scope_id = records.scope_id
ORDER BY records.scope_id, records.record_id
LIMIT 1000;

-- name: get_scope_access
-- Whether a scope is the caller's business before anything was ever written to it.
SELECT apex_read_access($1, $2);

-- name: list_own_client_ids
-- The ids under which the server wrote for this user in a scope: writes under one id are never concurrent.
SELECT DISTINCT client_id
FROM audit
WHERE scope_id = $1
    AND user_id = $2
    AND device_id IS NULL
ORDER BY client_id
LIMIT 100;

-- name: list_installations
-- Which device a client id stands for; removed devices keep their names, and ids of the server have no device.
SELECT client_ids.client_id, client_ids.device_id, devices.name AS device_name, devices.kind,
    client_ids.user_id, users.name AS user_name
FROM client_ids
JOIN devices ON devices.id = client_ids.device_id
LEFT JOIN users ON users.id = client_ids.user_id
WHERE client_ids.client_id = ANY ($1::bigint[])
ORDER BY client_ids.client_id
LIMIT 1000;

-- name: list_server_authors
-- For whom the server wrote under ids that are no installation's; no user is the system.
SELECT DISTINCT ON (audit.client_id) audit.client_id, audit.user_id, users.name AS user_name
FROM audit
LEFT JOIN users ON users.id = audit.user_id
WHERE audit.scope_id = $1
    AND audit.client_id = ANY ($2::bigint[])
    AND audit.device_id IS NULL
ORDER BY audit.client_id, audit.seq
LIMIT 1000;

-- name: get_scope_seq
-- Where a scope stands, which is what a derived history stays true for.
SELECT seq
FROM scopes
WHERE scope_id = $1;

-- name: list_changed_workouts
-- What has to be read again of a history that was read at an earlier seq; more than fit, and it is read as a whole.
SELECT record_id
FROM records
WHERE scope_id = $1
    AND seq > $2
    AND collection = 'workout_logs'
ORDER BY seq
LIMIT $3;

-- name: list_performed_sets
-- The dated sets of an athlete, all or those of some workouts; 200,000 are 30 years of hard training.
-- They are looked up workout by workout (OFFSET 0): joined freely, Postgres may compare every set with every workout.
SELECT performed.record_id, performed.set_key, performed.exercise_key, session.date, session.start_time,
    performed.position, performed.type, performed.reps, performed.load_kg, performed.load_unit, performed.rpe,
    performed.rir, performed.completed, performed.failure_reason, performed.later_drop
FROM workout_logs AS session
CROSS JOIN LATERAL (
    SELECT record_id, set_key, exercise_key, position, type, reps, load_kg, load_unit, rpe, rir, completed,
        failure_reason, later_drop
    FROM logged_sets
    WHERE logged_sets.scope_id = session.scope_id
        AND logged_sets.record_id = session.record_id
    OFFSET 0
) AS performed
WHERE session.scope_id = $1
    AND session.date IS NOT NULL
    AND ($2::uuid[] IS NULL OR session.record_id = ANY ($2))
ORDER BY session.date DESC, session.record_id, performed.position
LIMIT 200000;

-- name: list_trained_sessions
-- What each exercise came to in each session from one day to another, the oldest first; looked up session by session, as
-- above.
SELECT session.record_id, exercise.exercise_key, session.date, exercise.exercise_id, exercise.name,
    exercise.hard_sets, exercise.volume_load_kg, exercise.top_load_kg, exercise.top_reps, exercise.top_rpe, exercise.epley_kg,
    exercise.epley_low_confidence, exercise.rpe_table_kg, exercise.rpe_table_low_confidence
FROM workout_logs AS session
CROSS JOIN LATERAL (
    SELECT logged_exercises.exercise_key, logged_exercises.position, logged_exercises.exercise_id, logged_exercises.name,
        logged_exercises.hard_sets, logged_exercises.volume_load_kg, logged_exercises.top_load_kg,
        logged_exercises.top_reps, logged_exercises.top_rpe, logged_exercises.epley_kg,
        logged_exercises.epley_low_confidence, logged_exercises.rpe_table_kg,
        logged_exercises.rpe_table_low_confidence
    FROM logged_exercises
    WHERE logged_exercises.scope_id = session.scope_id
        AND logged_exercises.record_id = session.record_id
        AND logged_exercises.hard_sets > 0
    OFFSET 0
) AS exercise
WHERE session.scope_id = $1
    AND session.date BETWEEN $2 AND $3
ORDER BY session.date, session.start_time::time NULLS FIRST, session.record_id, exercise.position
LIMIT 200000;

-- name: list_sets_of_exercises
-- The sets of some exercises, by id ($4) or sealed name ($5), from one day to another; an athlete has few of these among
-- all, so they are found session by session before a set is read.
SELECT session.record_id, exercise.exercise_key, session.date, exercise.exercise_id, exercise.name, performed.type,
    performed.reps, performed.load_kg, performed.rpe, performed.rir, performed.completed, performed.later_drop
FROM workout_logs AS session
CROSS JOIN LATERAL (
    SELECT logged_exercises.exercise_key, logged_exercises.exercise_id, logged_exercises.name
    FROM logged_exercises
    WHERE logged_exercises.scope_id = session.scope_id
        AND logged_exercises.record_id = session.record_id
        AND logged_exercises.hard_sets > 0
        AND (logged_exercises.exercise_id = ANY ($4) OR logged_exercises.name = ANY ($5))
    OFFSET 0
) AS exercise
CROSS JOIN LATERAL (
    SELECT position, type, reps, load_kg, rpe, rir, completed, later_drop
    FROM logged_sets
    WHERE logged_sets.scope_id = session.scope_id
        AND logged_sets.record_id = session.record_id
        AND logged_sets.exercise_key = exercise.exercise_key
    OFFSET 0
) AS performed
WHERE session.scope_id = $1
    AND session.date BETWEEN $2 AND $3
    AND session.hard_sets > 0
ORDER BY session.date, session.record_id, performed.position
LIMIT 200000;

-- name: list_performed_exercises
-- What the sets of `list_performed_sets` are of, apart from them, for the same reason: under row-level security Postgres
-- expects one row where there are thousands.
SELECT exercise.record_id, exercise.exercise_key, exercise.exercise_id, exercise.name
FROM logged_exercises AS exercise
WHERE exercise.scope_id = $1
    AND ($2::uuid[] IS NULL OR exercise.record_id = ANY ($2))
ORDER BY exercise.record_id, exercise.exercise_key
LIMIT 200000;

-- name: list_deleted
-- What can be restored; nothing of it stands in a projection, so it is found by its mark alone.
SELECT records.scope_id, records.record_id
FROM records
WHERE records.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND records.deleted
    AND records.collection = $1
    AND ($2::uuid[] IS NULL OR records.scope_id = ANY ($2))
    AND ($3::uuid IS NULL OR records.record_id < $3)
ORDER BY records.record_id DESC, records.scope_id
LIMIT $4;

-- name: list_measurings
-- What the scale and the tape said up to a day, measurings and check-ins that were handed in, the newest first; the latest
-- ten years of it.
SELECT measured.record_id, measured.date, measured.weight_kg, measured.weight_unit, measured.body_fat_percent,
    measured.chest_cm, measured.shoulders_cm, measured.biceps_cm, measured.arms_cm, measured.forearms_cm,
    measured.waist_cm, measured.hips_cm, measured.thighs_cm, measured.calves_cm
FROM (
    (
        SELECT record_id, date, weight_kg, weight_unit, body_fat_percent, chest_cm, shoulders_cm, biceps_cm, arms_cm,
            forearms_cm, waist_cm, hips_cm, thighs_cm, calves_cm
        FROM check_ins
        WHERE check_ins.scope_id = $1
            AND check_ins.date <= $2
            AND check_ins.submitted_at IS NOT NULL
        ORDER BY check_ins.date DESC NULLS LAST
        LIMIT 4000
    )
    UNION ALL
    (
        SELECT record_id, date, weight_kg, weight_unit, body_fat_percent, chest_cm, shoulders_cm, biceps_cm, arms_cm,
            forearms_cm, waist_cm, hips_cm, thighs_cm, calves_cm
        FROM body_metrics
        WHERE body_metrics.scope_id = $1
            AND body_metrics.date <= $2
        ORDER BY body_metrics.date DESC NULLS LAST
        LIMIT 4000
    )
) AS measured
ORDER BY measured.date DESC, measured.record_id DESC
LIMIT 4000;

-- name: list_weigh_ins
-- What the scale alone said up to a day, of measurings and of check-ins that were handed in; the latest ten years of it.
SELECT weighed.record_id, weighed.date, weighed.weight_kg
FROM (
    (
        SELECT record_id, date, weight_kg
        FROM check_ins
        WHERE check_ins.scope_id = $1
            AND check_ins.date <= $2
            AND check_ins.submitted_at IS NOT NULL
            AND check_ins.weight_kg IS NOT NULL
        ORDER BY check_ins.date DESC NULLS LAST
        LIMIT 4000
    )
    UNION ALL
    (
        SELECT record_id, date, weight_kg
        FROM body_metrics
        WHERE body_metrics.scope_id = $1
            AND body_metrics.date <= $2
            AND body_metrics.weight_kg IS NOT NULL
        ORDER BY body_metrics.date DESC NULLS LAST
        LIMIT 4000
    )
) AS weighed
ORDER BY weighed.date DESC, weighed.record_id DESC
LIMIT 4000;

-- name: list_custom_exercises
-- The exercises that coaches made, whose muscles the built-in library ($1) does not know: those with an id that is meant
-- ($2), and where one is known by a sealed name alone ($3), what else there is.
SELECT scope_id, record_id
FROM exercises
WHERE exercises.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND exercises.scope_id <> $1
    AND ($3 OR exercises.record_id = ANY ($2))
ORDER BY exercises.record_id = ANY ($2) DESC, record_id
LIMIT $4;

-- name: list_from_libraries
-- Records of coaches' libraries that others name by id alone, deleted ones as well; a page of records names a few.
SELECT scopes.name AS scope, records.scope_id, records.record_id, records.digest, records.doc, records.deleted,
    NULL::timestamptz AS synced_at
FROM scopes
JOIN records ON records.scope_id = scopes.scope_id
WHERE scopes.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND scopes.name LIKE 'library:%'
    AND records.collection = $1
    AND records.record_id = ANY ($2::uuid[])
ORDER BY records.record_id, records.scope_id
LIMIT 1000;

-- name: list_photos_of_check_ins
-- The progress photos that name one of some check-ins ($1 and $2 go side by side), of each in the order they were taken.
-- One that thousands name takes nothing from the others: the first of each come first, five of each of 200.
SELECT photo.scope_id, photo.record_id
FROM unnest($1::uuid[], $2::text[]) AS asked (scope_id, check_in_id)
CROSS JOIN LATERAL (
    SELECT named.scope_id, named.record_id, row_number() OVER (ORDER BY named.date, named.record_id) AS place
    FROM progress_photos AS named
    WHERE named.scope_id = asked.scope_id
        AND named.check_in_id = asked.check_in_id
    ORDER BY place
    LIMIT 1000
) AS photo
ORDER BY photo.place, photo.scope_id, photo.record_id
LIMIT 1000;
