-- name: list_exercise_names
-- Every name that readable workouts give an exercise, sealed: which of them is meant shows when they are open.
SELECT DISTINCT scopes.name AS scope, exercise.name
FROM logged_exercises AS exercise
JOIN scopes ON scopes.scope_id = exercise.scope_id
WHERE exercise.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND ($1::uuid IS NULL OR exercise.scope_id = $1)
    AND exercise.name IS NOT NULL
ORDER BY scopes.name, exercise.name
LIMIT 20000;

-- name: list_workouts
-- A page of workouts, the newest first: a few from each readable scope by index, then the newest of those.
SELECT page.scope_id, page.date, page.start_time, page.record_id
FROM unnest((SELECT apex_readable_scope_ids())::uuid[]) AS readable (scope_id)
CROSS JOIN LATERAL (
    SELECT session.scope_id, session.record_id, session.date, session.start_time
    FROM workout_logs AS session
    WHERE session.scope_id = readable.scope_id
        AND ($1::uuid IS NULL OR session.scope_id = $1)
        AND ($2::date IS NULL OR session.date >= $2)
        AND ($3::date IS NULL OR session.date <= $3)
        AND ($4::text IS NULL OR session.program_id = $4)
        AND (
            $5::text IS NULL
            OR EXISTS (
                SELECT 1
                FROM logged_exercises AS exercise
                WHERE exercise.scope_id = session.scope_id
                    AND exercise.record_id = session.record_id
                    AND (exercise.exercise_id = $5 OR exercise.name = ANY ($6::bytea[]))
            )
        )
        AND (
            $9::uuid IS NULL
            OR (coalesce(session.date, '-infinity'), coalesce(session.start_time, 'infinity'), session.record_id)
                < (coalesce($7::date, '-infinity'), coalesce($8::timestamp, 'infinity'), $9)
        )
    ORDER BY session.date DESC NULLS LAST, session.start_time DESC, session.record_id DESC
    LIMIT $10
) AS page
ORDER BY page.date DESC NULLS LAST, page.start_time DESC, page.record_id DESC
LIMIT $10;
