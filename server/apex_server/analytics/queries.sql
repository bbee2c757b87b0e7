-- name: list_tallies
-- The hard sets of an athlete by week and exercise as it was named, and last of each week the whole of it, unnamed.
-- What a name means is told once the few of them are open. Exercises are looked up session by session (OFFSET 0): under
-- row-level security Postgres expects one row where there are thousands.
SELECT date_trunc('week', session.date::timestamp)::date AS week, done.exercise_id, done.name,
    sum(done.hard_sets) AS sets, sum(done.volume_load_kg) AS volume_load_kg
FROM workout_logs AS session
CROSS JOIN LATERAL (
    SELECT exercise.exercise_id, exercise.name, exercise.hard_sets, exercise.volume_load_kg
    FROM logged_exercises AS exercise
    WHERE exercise.scope_id = session.scope_id
        AND exercise.record_id = session.record_id
        AND exercise.hard_sets > 0
        AND (exercise.exercise_id IS NOT NULL OR exercise.name IS NOT NULL)
    UNION ALL
    SELECT NULL, NULL, session.hard_sets, session.volume_load_kg
    OFFSET 0
) AS done
WHERE session.scope_id = $1
    AND session.date BETWEEN $2 AND $3
    AND session.hard_sets > 0
GROUP BY 1, 2, 3
ORDER BY 1, 2 NULLS LAST, 3 NULLS LAST
LIMIT 50000;

-- name: list_week_totals
-- What some athletes ($1), or all that the caller may read, trained in each week; sessions without a hard set are none.
SELECT date_trunc('week', session.date::timestamp)::date AS week, count(*) AS workouts,
    count(DISTINCT session.scope_id) AS athletes, sum(session.hard_sets) AS hard_sets,
    sum(session.volume_load_kg) AS volume_load_kg, coalesce(sum(session.duration_minutes), 0) AS minutes
FROM unnest(coalesce($1::uuid[], (SELECT apex_readable_scope_ids())::uuid[])) AS athlete (id)
JOIN workout_logs AS session ON session.scope_id = athlete.id
WHERE session.date BETWEEN $2 AND $3
    AND session.hard_sets > 0
GROUP BY 1
ORDER BY 1
LIMIT 1000;

-- name: get_own_name
-- An athlete takes their own training along, and that of nobody whom they name.
SELECT users.id, users.name
FROM users
WHERE users.id = $1
    AND ($2::uuid IS NULL OR users.id = $2);

-- name: list_exported_athletes
-- Whose training coaches, or who reads along with them, may take along: that of the athletes they have now.
SELECT users.id, users.name
FROM users
WHERE ($2::uuid IS NULL OR users.id = $2)
    AND users.id IN (
        SELECT athlete_id
        FROM coach_athletes
        WHERE coach_id = ANY ($1)
            AND ended_at IS NULL
    )
ORDER BY users.id
LIMIT $3;

-- name: export_sets
-- A page of an athlete's sets, the oldest first, and a workout without sets as one row; what has no day comes before, where
-- all days are asked for. Nothing comes once the session ($9) of whoever asks has ended. Two hundred workouts are looked
-- at, however many sets one of them has.
SELECT session.record_id AS workout_id, session.date, session.start_time, performed.position, performed.exercise_id,
    performed.name AS exercise, performed.type, performed.reps, performed.load_kg, performed.load, performed.load_unit,
    performed.rpe, performed.rir, performed.completed, performed.failure_reason, performed.distance_m,
    performed.duration_seconds
FROM (
    SELECT workout_logs.scope_id, workout_logs.record_id, workout_logs.date, workout_logs.start_time
    FROM workout_logs
    WHERE workout_logs.scope_id = $1
        AND (
            workout_logs.date BETWEEN $2 AND $3
            OR (workout_logs.date IS NULL AND $2 = '-infinity'::date AND $3 = 'infinity'::date)
        )
        AND (coalesce(workout_logs.date, '-infinity'), workout_logs.record_id) >= ($4, $5)
        AND EXISTS (
            SELECT 1
            FROM sessions
            WHERE sessions.id = $9
                AND sessions.user_id = $8
                AND sessions.ended_at IS NULL
        )
    ORDER BY workout_logs.date NULLS FIRST, workout_logs.record_id
    LIMIT 200
) AS session
LEFT JOIN LATERAL (
    SELECT logged_sets.position, exercise.exercise_id, exercise.name, logged_sets.type, logged_sets.reps,
        logged_sets.load_kg, logged_sets.load, logged_sets.load_unit, logged_sets.rpe, logged_sets.rir,
        logged_sets.completed, logged_sets.failure_reason, logged_sets.distance_m, logged_sets.duration_seconds
    FROM logged_sets
    LEFT JOIN logged_exercises AS exercise
        ON exercise.scope_id = session.scope_id
        AND exercise.record_id = session.record_id
        AND exercise.exercise_key = logged_sets.exercise_key
    WHERE logged_sets.scope_id = session.scope_id
        AND logged_sets.record_id = session.record_id
    OFFSET 0
) AS performed ON true
WHERE (coalesce(session.date, '-infinity'), session.record_id, coalesce(performed.position, 0)) > ($4, $5, $6)
ORDER BY session.date NULLS FIRST, session.record_id, performed.position
LIMIT $7;
