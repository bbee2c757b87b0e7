-- name: count_open_invites
-- A coach's open invites are bounded; used and expired ones do not count.
SELECT count(*)
FROM invites
WHERE coach_id = $1
    AND used_at IS NULL
    AND expires_at > now();

-- name: add_invite
-- Only the code's fingerprint is kept; the coach is shown the code once.
INSERT INTO invites (code_hash, coach_id, email_index, created_at, expires_at)
VALUES ($2, $1, $3, now(), now() + $4::interval)
RETURNING expires_at;

-- name: get_invite_offer
-- Whoever holds a code may know who invites; nothing else about the invite.
SELECT coach_id, coach_name, wrapped, master_key_id, expires_at, used, expires_at <= now() AS expired
FROM apex_invite_offer($1);

-- name: list_clients
-- A coach's athletes ($2: one of them) with what their standing follows from: each part reads a few rows by index. Names
-- and tags are sealed, so they are sorted, filtered and cut into pages once they are open.
SELECT users.id, users.name, pair.since,
    file.scope, file.record_id, file.digest, file.doc,
    latest.date AS last_workout, latest.utc_offset_minutes,
    (
        SELECT min(session.date)
        FROM workout_logs AS session
        WHERE session.scope_id = pair.athlete_id
    ) AS first_workout,
    profile.training_days_per_week, profile.check_in_day_number,
    followed.record_id AS current_program_id,
    (
        SELECT json_agg(json_build_array(due.date, due.set_count, due.week_number, due.day_number))
        FROM scheduled_sessions AS due
        WHERE due.scope_id = pair.athlete_id
            AND due.record_id = followed.record_id
            AND due.date BETWEEN $3 AND $4
    ) AS scheduled,
    EXISTS (
        SELECT 1
        FROM scheduled_sessions AS due
        WHERE due.scope_id = pair.athlete_id
            AND due.record_id = followed.record_id
    ) AS has_schedule,
    (
        SELECT json_agg(
            json_build_array(
                session.record_id, session.date,
                (
                    SELECT count(*)
                    FROM logged_sets AS performed
                    WHERE performed.scope_id = session.scope_id
                        AND performed.record_id = session.record_id
                        AND performed.completed
                        AND performed.type <> 'warmup'
                ),
                session.program_id, session.week_number, session.day_number
            )
        )
        FROM workout_logs AS session
        WHERE session.scope_id = pair.athlete_id
            AND session.date BETWEEN $3 AND $4
    ) AS sessions,
    (
        SELECT avg(session.duration_minutes)
        FROM workout_logs AS session
        WHERE session.scope_id = pair.athlete_id
            AND session.date BETWEEN $3 AND $4
    ) AS average_session_minutes,
    (
        SELECT json_agg(report.date)
        FROM (
            SELECT check_ins.date
            FROM check_ins
            WHERE check_ins.scope_id = pair.athlete_id
                AND check_ins.submitted_at IS NOT NULL
                AND check_ins.date <= $4
            ORDER BY check_ins.date DESC
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
            AND eaten.date BETWEEN $3 AND $4
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
        WHERE insight.scope_id = private.scope_id
            AND insight.status = 'draft'
            AND insight.priority = 'critical'
    ) AS critical_insights
FROM coach_athletes AS pair
JOIN users ON users.id = pair.athlete_id
LEFT JOIN scopes AS private
    ON private.name = 'private:' || pair.coach_id::text || ':' || pair.athlete_id::text
LEFT JOIN profiles AS profile
    ON profile.scope_id = pair.athlete_id AND profile.record_id = pair.athlete_id
LEFT JOIN LATERAL (
    SELECT private.name AS scope, records.record_id, records.digest, records.doc
    FROM client_files
    JOIN records ON records.scope_id = client_files.scope_id AND records.record_id = client_files.record_id
    WHERE client_files.scope_id = private.scope_id
    ORDER BY records.record_id
    LIMIT 1
) AS file ON true
LEFT JOIN LATERAL (
    SELECT session.date, session.utc_offset_minutes
    FROM workout_logs AS session
    WHERE session.scope_id = pair.athlete_id
        AND session.date <= $4
    ORDER BY session.date DESC
    LIMIT 1
) AS latest ON true
LEFT JOIN LATERAL (
    SELECT programs.record_id
    FROM programs
    WHERE programs.scope_id = pair.athlete_id
        AND programs.status = 'active'
    ORDER BY programs.start_date DESC NULLS LAST, programs.record_id DESC
    LIMIT 1
) AS followed ON true
WHERE pair.coach_id = $1
    AND pair.ended_at IS NULL
    AND ($2::uuid IS NULL OR pair.athlete_id = $2)
ORDER BY users.id
LIMIT $5;

-- name: list_measurings
-- What the scale and the tape said in about a year, check-ins and measurings together, the newest first.
SELECT measured.record_id, measured.date, measured.weight_kg, measured.body_fat_percent,
    measured.chest_cm, measured.shoulders_cm, measured.biceps_cm, measured.arms_cm, measured.forearms_cm,
    measured.waist_cm, measured.hips_cm, measured.thighs_cm, measured.calves_cm
FROM (
    (
        SELECT record_id, date, weight_kg, body_fat_percent, chest_cm, shoulders_cm, biceps_cm, arms_cm, forearms_cm,
            waist_cm, hips_cm, thighs_cm, calves_cm
        FROM check_ins
        WHERE check_ins.scope_id = $1
            AND check_ins.date <= $2
        ORDER BY check_ins.date DESC
        LIMIT 400
    )
    UNION ALL
    (
        SELECT record_id, date, weight_kg, body_fat_percent, chest_cm, shoulders_cm, biceps_cm, arms_cm, forearms_cm,
            waist_cm, hips_cm, thighs_cm, calves_cm
        FROM body_metrics
        WHERE body_metrics.scope_id = $1
            AND body_metrics.date <= $2
        ORDER BY body_metrics.date DESC
        LIMIT 400
    )
) AS measured
ORDER BY measured.date DESC, measured.record_id
LIMIT 400;

-- name: list_linked_coaches
-- Whom an athlete has to choose from when they end a relation without naming the coach.
SELECT coach_id
FROM coach_athletes
WHERE athlete_id = $1
    AND ended_at IS NULL
ORDER BY since
LIMIT 2;

-- name: end_link
-- Either side ends it, for good; only a new invite makes a new one.
UPDATE coach_athletes
SET ended_at = now(),
    ended_by = $1
WHERE coach_id = $2
    AND athlete_id = $3
    AND ended_at IS NULL
    AND $1 IN (coach_id, athlete_id)
RETURNING coach_id;
