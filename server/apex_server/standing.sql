-- name: list_coaches_read
-- With which coaches an owner reads: all of theirs, or the one they name.
SELECT coach_id
FROM organisation_coaches
WHERE owner_id = $1
    AND ended_at IS NULL
    AND ($2::uuid IS NULL OR coach_id = $2)
ORDER BY coach_id
LIMIT 200;

-- name: list_standings
-- The athletes of some coaches, each once ($2: one of the athletes; $1 null: whom support looks at, who has no coach then),
-- with what their standing follows from: each part reads a few rows by index. What was due is asked for by the program that
-- was followed on its day (as `sessions_due` in coaching/plan_history.py says of programs that were never edited). Names and tags are sealed, so they are sorted,
-- filtered and cut into pages once they are open. Sessions are read from $3 on, everything else from $5; one that was only
-- begun, without a set done and not completed, is none. The day of an athlete is that of the clock by which they last began
-- one; a clock that is off by more than a day says nothing.
SELECT users.id, users.name, pair.coach_id, pair.since,
    pair.private_scope, file.record_id, file.digest, file.doc,
    (
        SELECT session.date
        FROM workout_logs AS session
        WHERE session.scope_id = pair.athlete_id
            AND session.date <= $4
            AND (
                session.completed_sets > 0
                OR session.completed
                OR EXISTS (
                    SELECT 1
                    FROM logged_sets AS performed
                    WHERE performed.scope_id = session.scope_id
                        AND performed.record_id = session.record_id
                        AND performed.completed
                )
            )
        ORDER BY session.date DESC NULLS LAST
        LIMIT 1
    ) AS last_workout,
    here.today,
    (
        SELECT session.date
        FROM workout_logs AS session
        WHERE session.scope_id = pair.athlete_id
            AND session.date IS NOT NULL
            AND (
                session.completed_sets > 0
                OR session.completed
                OR EXISTS (
                    SELECT 1
                    FROM logged_sets AS performed
                    WHERE performed.scope_id = session.scope_id
                        AND performed.record_id = session.record_id
                        AND performed.completed
                )
            )
        ORDER BY session.date NULLS FIRST
        LIMIT 1
    ) AS first_workout,
    profile.training_days_per_week, profile.check_in_day_number,
    followed.record_id AS current_program_id,
    due.scheduled, due.has_schedule,
    trained.sessions, trained.average_session_minutes,
    (
        SELECT json_agg(report.date)
        FROM (
            SELECT check_ins.date
            FROM check_ins
            WHERE check_ins.scope_id = pair.athlete_id
                AND check_ins.submitted_at IS NOT NULL
                AND check_ins.date <= $4
            ORDER BY check_ins.date DESC NULLS LAST
            LIMIT 30
        ) AS report
    ) AS check_ins,
    (
        SELECT count(*)
        FROM check_ins
        WHERE check_ins.scope_id = pair.athlete_id
            AND check_ins.submitted_at IS NOT NULL
            AND NOT check_ins.coach_reviewed
    ) AS check_ins_to_review,
    (
        SELECT json_agg(
            json_build_array(
                eaten.date, eaten.meal_count, eaten.food_count,
                eaten.energy_kcal, eaten.protein_g, eaten.carbs_g, eaten.fat_g
            )
        )
        FROM nutrition_logs AS eaten
        WHERE eaten.scope_id = pair.athlete_id
            AND eaten.date BETWEEN $5 AND $4
    ) AS eaten,
    (
        SELECT json_agg(
            json_build_array(asked.start_date, asked.energy_kcal, asked.protein_g, asked.carbs_g, asked.fat_g)
            ORDER BY asked.start_date, asked.record_id
        )
        FROM (
            SELECT start_date, record_id, energy_kcal, protein_g, carbs_g, fat_g
            FROM nutrition_targets
            WHERE nutrition_targets.scope_id = pair.athlete_id
                AND nutrition_targets.start_date <= $4
            ORDER BY start_date DESC, record_id DESC
            LIMIT 30
        ) AS asked
    ) AS asked,
    (
        SELECT count(*)
        FROM insights AS insight
        WHERE insight.scope_id = pair.private_id
            AND insight.status = 'draft'
            AND insight.priority = 'critical'
    ) AS critical_insights
FROM (
    SELECT coach_id, athlete_id, since, private_scope, private_id, file_id
    FROM apex_clients_of($1, $2)
    UNION ALL
    SELECT NULL, users.id, users.created_at, NULL, NULL, NULL
    FROM users
    WHERE $1 IS NULL
        AND users.id = apex_looked_at(apex_user_id())
        AND users.role = 'athlete'
) AS pair
JOIN users ON users.id = pair.athlete_id
LEFT JOIN records AS file ON file.scope_id = pair.private_id AND file.record_id = pair.file_id
LEFT JOIN profiles AS profile
    ON profile.scope_id = pair.athlete_id AND profile.record_id = pair.athlete_id
LEFT JOIN LATERAL (
    SELECT session.utc_offset_minutes
    FROM workout_logs AS session
    WHERE session.scope_id = pair.athlete_id
        AND session.date <= $4
    ORDER BY session.date DESC NULLS LAST
    LIMIT 1
) AS latest ON true
CROSS JOIN LATERAL (
    SELECT ($7::timestamp + make_interval(
        mins => CASE WHEN abs(latest.utc_offset_minutes) < 24 * 60 THEN latest.utc_offset_minutes ELSE 0 END
    ))::date AS today
) AS here
LEFT JOIN LATERAL (
    SELECT programs.record_id
    FROM programs
    WHERE programs.scope_id = pair.athlete_id
        AND programs.status = 'active'
        AND programs.start_date <= here.today
        AND (programs.end_date >= here.today OR programs.end_date IS NULL)
    ORDER BY programs.start_date DESC NULLS LAST, programs.record_id DESC
    LIMIT 1
) AS followed ON true
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(planned.date, planned.set_count, planned.week_number, planned.day_number))
            AS scheduled,
        EXISTS (
            SELECT 1
            FROM scheduled_sessions AS now_planned
            WHERE now_planned.scope_id = pair.athlete_id
                AND now_planned.record_id = followed.record_id
        ) AS has_schedule
    FROM programs AS plan
    JOIN scheduled_sessions AS planned ON planned.scope_id = plan.scope_id AND planned.record_id = plan.record_id
    WHERE plan.scope_id = pair.athlete_id
        AND plan.start_date <= $4
        AND (plan.end_date >= $3 OR plan.end_date IS NULL)
        AND planned.date BETWEEN $3 AND $4
        AND NOT EXISTS (
            SELECT 1
            FROM programs AS later
            WHERE later.scope_id = pair.athlete_id
                AND later.status IN ('active', 'completed')
                AND (later.start_date, later.record_id) > (plan.start_date, plan.record_id)
                AND later.start_date <= planned.date
                AND (later.end_date >= planned.date OR (later.end_date IS NULL AND later.status = 'active'))
        )
) AS due
CROSS JOIN LATERAL (
    SELECT json_agg(
            json_build_array(
                session.record_id, session.date, session.completed_sets,
                session.program_id, session.week_number, session.day_number
            )
        ) FILTER (WHERE session.completed_sets > 0) AS sessions,
        avg(session.duration_minutes) FILTER (WHERE session.date >= $5) AS average_session_minutes
    FROM (
        SELECT record_id, date, completed_sets, program_id, week_number, day_number, duration_minutes
        FROM workout_logs
        WHERE workout_logs.scope_id = pair.athlete_id
            AND workout_logs.date BETWEEN $3 AND $4
            AND (
                workout_logs.completed_sets > 0
                OR workout_logs.completed
                OR EXISTS (
                    SELECT 1
                    FROM logged_sets AS performed
                    WHERE performed.scope_id = workout_logs.scope_id
                        AND performed.record_id = workout_logs.record_id
                        AND performed.completed
                )
            )
        ORDER BY workout_logs.date DESC NULLS LAST
        LIMIT 2000
    ) AS session
) AS trained
WHERE $2::uuid IS NULL OR pair.athlete_id = $2
ORDER BY users.id
LIMIT $6;

-- name: list_programs_since
-- The programs of athletes ($1) that asked for something from $3 to $4, and those that were changed since $2: what those
-- asked for before, their rows do not tell. A stamp is ten minutes ahead of its commit at most, so an older commit says
-- nothing about these days.
SELECT programs.scope_id, programs.record_id, records.digest,
    coalesce(latest.committed_at >= $2, true) AS edited
FROM programs
JOIN records ON records.scope_id = programs.scope_id AND records.record_id = programs.record_id
LEFT JOIN LATERAL (
    SELECT audit.committed_at
    FROM audit
    WHERE audit.scope_id = records.scope_id
        AND audit.seq = records.seq
    ORDER BY audit.client_id
    LIMIT 1
) AS latest ON true
WHERE programs.scope_id = ANY ($1::uuid[])
    AND (
        coalesce(latest.committed_at >= $2, true)
        OR (
            programs.status IN ('active', 'completed')
            AND programs.start_date <= $4
            AND (programs.end_date >= $3 OR programs.end_date IS NULL)
        )
    )
ORDER BY programs.scope_id, programs.start_date DESC, programs.record_id
LIMIT 100000;

-- name: list_program_documents
-- Some programs, each by its scope ($1) and id ($2).
SELECT records.scope_id, records.record_id, records.digest, records.doc
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (scope_id, record_id)
JOIN records ON records.scope_id = wanted.scope_id AND records.record_id = wanted.record_id
ORDER BY records.scope_id, records.record_id
LIMIT 1000;
