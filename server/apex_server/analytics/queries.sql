-- name: list_tallies
-- The hard sets of an athlete by week and exercise as it was named. What it means is told once the few names are open.
SELECT date_trunc('week', session.date::timestamp)::date AS week, exercise.exercise_id, exercise.name,
    sum(hard.share) AS sets, sum(hard.volume_load_kg) AS volume_load_kg
FROM workout_logs AS session
JOIN hard_sets AS hard ON hard.scope_id = session.scope_id AND hard.record_id = session.record_id
LEFT JOIN logged_exercises AS exercise
    ON exercise.scope_id = hard.scope_id
    AND exercise.record_id = hard.record_id
    AND exercise.exercise_key = hard.exercise_key
WHERE session.scope_id = $1
    AND session.date BETWEEN $2 AND $3
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
LIMIT 50000;

-- name: list_week_totals
-- What some athletes ($1), or all that the caller may read, trained in each week; sessions without a hard set are none.
SELECT date_trunc('week', session.date::timestamp)::date AS week, count(*) AS workouts,
    count(DISTINCT session.scope_id) AS athletes, sum(counted.sets) AS hard_sets,
    sum(counted.volume_load_kg) AS volume_load_kg, coalesce(sum(session.duration_minutes), 0) AS minutes
FROM unnest(coalesce($1::uuid[], (SELECT apex_readable_scope_ids())::uuid[])) AS athlete (id)
JOIN workout_logs AS session ON session.scope_id = athlete.id
CROSS JOIN LATERAL (
    SELECT sum(hard.share) AS sets, sum(hard.volume_load_kg) AS volume_load_kg
    FROM hard_sets AS hard
    WHERE hard.scope_id = session.scope_id
        AND hard.record_id = session.record_id
) AS counted
WHERE session.date BETWEEN $2 AND $3
    AND counted.sets > 0
GROUP BY 1
ORDER BY 1
LIMIT 1000;
