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
            OR (coalesce(measuring.date, '-infinity'), coalesce(measuring.measured_at, 'infinity'), measuring.record_id)
                < (coalesce($4::date, '-infinity'), coalesce($5::timestamp, 'infinity'), $6)
        )
    ORDER BY measuring.date DESC NULLS LAST, measuring.measured_at DESC, measuring.record_id DESC
    LIMIT $7
) AS page
ORDER BY page.date DESC NULLS LAST, page.measured_at DESC, page.record_id DESC
LIMIT $7;

-- name: list_photos
-- A page of photos, the newest first: a few from each readable scope by index, then the newest of those.
SELECT page.scope_id, page.date, page.record_id
FROM unnest((SELECT apex_readable_scope_ids())::uuid[]) AS readable (scope_id)
CROSS JOIN LATERAL (
    SELECT photo.scope_id, photo.record_id, photo.date
    FROM progress_photos AS photo
    WHERE photo.scope_id = readable.scope_id
        AND ($1::uuid IS NULL OR photo.scope_id = $1)
        AND ($2::date IS NULL OR photo.date >= $2)
        AND ($3::date IS NULL OR photo.date <= $3)
        AND ($4::text IS NULL OR photo.type = $4)
        AND (
            $6::uuid IS NULL
            OR (coalesce(photo.date, 'infinity'), photo.record_id) < (coalesce($5::date, 'infinity'), $6)
        )
    ORDER BY photo.date DESC, photo.record_id DESC
    LIMIT $7
) AS page
ORDER BY page.date DESC, page.record_id DESC
LIMIT $7;

-- name: get_target_weight
-- What the athlete is working towards.
SELECT target_weight_kg
FROM profiles
WHERE scope_id = $1
ORDER BY record_id
LIMIT 1;
