-- name: list_program_sessions
-- The logs that name a program; a program of two years with a session a day has 728.
SELECT session.record_id, session.date, session.week_number, session.day_number
FROM workout_logs AS session
WHERE session.scope_id = $1
    AND session.program_id = $2
    AND session.date IS NOT NULL
ORDER BY session.date DESC NULLS LAST, session.record_id
LIMIT 1000;

-- name: list_programs
-- Templates, drafts and assigned programs that the caller may read; a coach has some hundreds, an athlete a few. Those of
-- one athlete ($1) are what they follow, and what the caller drafts for them.
SELECT plan.scope_id, plan.start_date, plan.record_id
FROM programs AS plan
WHERE plan.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND (
        $1::uuid IS NULL
        OR plan.scope_id = $1
        OR plan.scope_id = (
            SELECT private.scope_id
            FROM scopes AS private
            WHERE private.name = 'private:' || apex_user_id()::text || ':' || $1::text
        )
    )
    AND ($2::text IS NULL OR plan.status = $2)
    AND (
        $4::uuid IS NULL
        OR (coalesce(plan.start_date, 'infinity'), plan.record_id) < (coalesce($3::date, 'infinity'), $4)
    )
ORDER BY plan.start_date DESC, plan.record_id DESC
LIMIT $5;

-- name: list_coaches_behind
-- Which coaches wrote under some client ids, a page of programs has some hundreds at most.
SELECT behind.client_id, behind.coach_id
FROM apex_coaches_behind($1) AS behind
ORDER BY behind.client_id
LIMIT 1000;

-- name: list_followed
-- What an athlete follows, and the copies of one program ($2) that they follow no more; a coach leaves more than one
-- active only on purpose.
SELECT plan.record_id, plan.status, plan.start_date, plan.end_date, plan.source_id
FROM programs AS plan
WHERE plan.scope_id = $1
    AND (plan.status = 'active' OR plan.source_id = $2)
ORDER BY plan.record_id
LIMIT 100;

-- name: get_athlete_day
-- The day of an athlete at a time of UTC ($2), as `list_standings` tells it: that of the clock they last trained by; one that
-- is off by more than a day says nothing.
SELECT ($2::timestamp + make_interval(mins => coalesce(latest.utc_offset_minutes, 0)))::date AS today
FROM (VALUES (true)) AS athlete
LEFT JOIN LATERAL (
    SELECT CASE WHEN abs(session.utc_offset_minutes) < 24 * 60 THEN session.utc_offset_minutes END AS utc_offset_minutes
    FROM workout_logs AS session
    WHERE session.scope_id = $1
        AND session.date <= $2::timestamp::date + 1
    ORDER BY session.date DESC NULLS LAST
    LIMIT 1
) AS latest ON true;

-- name: list_recent_sessions
-- The logs of the days in which a best set still tells what an athlete can lift.
SELECT session.record_id
FROM workout_logs AS session
WHERE session.scope_id = $1
    AND session.date BETWEEN $2 AND $3
ORDER BY session.date DESC NULLS LAST, session.record_id
LIMIT 500;
