-- name: list_body_metrics
-- A page of measurings, the newest first: a few from each readable scope by index, then the newest of those.
SELECT page.scope_id, page.date, page.measured_at, page.record_id
FROM unnest((SELECT apex_readable_scope_ids())::uuid[]) AS readable (scope_id)
CROSS JOIN LATERAL (
    SELECT measuring.scope_id, measuring.record_id, measuring.date, measuring.measured_at
    FROM body_metrics AS measuring
    WHERE measuring.scope_id = readable.scope_id
        AND ($1::uuid IS NULL OR measuring.scope_id = $1)
        AND ($2::date IS NULL OR measuring.date >= $2)
        AND ($3::date IS NULL OR measuring.date <= $3)
        AND (
            $6::uuid IS NULL
            OR (coalesce(measuring.date, 'infinity'), coalesce(measuring.measured_at, 'infinity'), measuring.record_id)
                < (coalesce($4::date, 'infinity'), coalesce($5::timestamp, 'infinity'), $6)
        )
    ORDER BY measuring.date DESC, measuring.measured_at DESC, measuring.record_id DESC
    LIMIT $7
) AS page
ORDER BY page.date DESC, page.measured_at DESC, page.record_id DESC
LIMIT $7;

-- name: list_readings
-- Everything that was measured of an athlete up to a day, on the scale and with check-ins; the latest ten years of it.
SELECT reading.record_id, reading.date, reading.weight_kg, reading.body_fat_percent, reading.chest_cm,
    reading.shoulders_cm, reading.biceps_cm, reading.arms_cm, reading.forearms_cm, reading.waist_cm, reading.hips_cm,
    reading.thighs_cm, reading.calves_cm
FROM (
    SELECT record_id, date, weight_kg, body_fat_percent, chest_cm, shoulders_cm, biceps_cm, arms_cm, forearms_cm,
        waist_cm, hips_cm, thighs_cm, calves_cm
    FROM body_metrics
    WHERE scope_id = $1
    UNION ALL
    SELECT record_id, date, weight_kg, body_fat_percent, chest_cm, shoulders_cm, biceps_cm, arms_cm, forearms_cm,
        waist_cm, hips_cm, thighs_cm, calves_cm
    FROM check_ins
    WHERE scope_id = $1 AND submitted_at IS NOT NULL
) AS reading
WHERE reading.date IS NOT NULL
    AND ($2::date IS NULL OR reading.date <= $2)
ORDER BY reading.date DESC, reading.record_id DESC
LIMIT 4000;

-- name: get_target_weight
-- What the athlete is working towards.
SELECT target_weight_kg
FROM profiles
WHERE scope_id = $1
ORDER BY record_id
LIMIT 1;
