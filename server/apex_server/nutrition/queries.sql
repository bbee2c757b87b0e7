-- name: list_nutrition_logs
-- A page of days, the newest first: a few from each readable scope by index, then the newest of those.
SELECT page.scope_id, page.date, page.record_id
FROM unnest((SELECT apex_readable_scope_ids())::uuid[]) AS readable (scope_id)
CROSS JOIN LATERAL (
    SELECT eaten.scope_id, eaten.record_id, eaten.date
    FROM nutrition_logs AS eaten
    WHERE eaten.scope_id = readable.scope_id
        AND ($1::uuid IS NULL OR eaten.scope_id = $1)
        AND ($2::date IS NULL OR eaten.date >= $2)
        AND ($3::date IS NULL OR eaten.date <= $3)
        AND (
            $5::uuid IS NULL
            OR (coalesce(eaten.date, '-infinity'), eaten.record_id) < (coalesce($4::date, '-infinity'), $5)
        )
    ORDER BY eaten.date DESC NULLS LAST, eaten.record_id DESC
    LIMIT $6
) AS page
ORDER BY page.date DESC NULLS LAST, page.record_id DESC
LIMIT $6;

-- name: list_targets_in_force
-- The targets that each of some logs is held to: those that began last before its day.
SELECT eaten.scope_id, eaten.record_id, asked.energy_kcal, asked.protein_g, asked.carbs_g, asked.fat_g, asked.fiber_g
FROM unnest($1::uuid[], $2::uuid[]) AS picked (scope_id, record_id)
JOIN nutrition_logs AS eaten ON eaten.scope_id = picked.scope_id AND eaten.record_id = picked.record_id
CROSS JOIN LATERAL (
    SELECT targets.energy_kcal, targets.protein_g, targets.carbs_g, targets.fat_g, targets.fiber_g
    FROM nutrition_targets AS targets
    WHERE targets.scope_id = eaten.scope_id
        AND targets.start_date <= eaten.date
    ORDER BY targets.start_date DESC, targets.record_id DESC
    LIMIT 1
) AS asked
ORDER BY eaten.scope_id, eaten.record_id
LIMIT 200;

-- name: list_targets
-- What an athlete was, is and will be asked to eat, the latest start first.
SELECT targets.scope_id, targets.record_id
FROM nutrition_targets AS targets
WHERE targets.scope_id = $1
    AND targets.start_date IS NOT NULL
ORDER BY targets.start_date DESC, targets.record_id DESC
LIMIT 200;

-- name: list_foods_with_barcode
-- What a barcode may mean, in any of the forms it is printed in; what people entered goes before the built-in library, and
-- what an athlete entered means something to that athlete alone.
SELECT library.scope_id, library.record_id
FROM foods AS library
JOIN scopes ON scopes.scope_id = library.scope_id
WHERE library.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND library.barcode = ANY ($1::text[])
    AND (scopes.name NOT LIKE 'athlete:%' OR library.scope_id = apex_user_id())
ORDER BY scopes.name = 'global', library.record_id DESC
LIMIT 20;

-- name: list_meal_plans
-- Plans of athletes and templates that the caller may read; a coach has some hundreds, an athlete a few.
SELECT plan.scope_id, plan.start_date, plan.record_id
FROM meal_plans AS plan
WHERE plan.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND ($1::uuid IS NULL OR plan.scope_id = $1)
    AND ($2::text IS NULL OR plan.status = $2)
    AND (
        $4::uuid IS NULL
        OR (coalesce(plan.start_date, 'infinity'), plan.record_id) < (coalesce($3::date, 'infinity'), $4)
    )
ORDER BY plan.start_date DESC, plan.record_id DESC
LIMIT $5;

-- name: list_plans_of_athlete
-- What an athlete follows, and the copies of one plan ($2): what an assignment may take up again, or end.
SELECT plan.record_id, plan.status, plan.start_date, plan.end_date, plan.source_id
FROM meal_plans AS plan
WHERE plan.scope_id = $1
    AND (plan.status = 'active' OR plan.source_id = $2)
ORDER BY plan.record_id
LIMIT 100;

-- name: list_own_foods
-- What coaches added that the caller may read, and the athlete ($1) for whom meals are planned, the newest first.
SELECT library.scope_id, library.record_id
FROM foods AS library
JOIN scopes ON scopes.scope_id = library.scope_id
WHERE library.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND library.scope_id <> 'cb0be8a5-f4dd-5483-942a-b84c6e7836ab'
    AND (scopes.name NOT LIKE 'athlete:%' OR library.scope_id = $1)
    AND library.energy_kcal IS NOT NULL
ORDER BY library.record_id DESC
LIMIT 500;

-- name: may_model_hear
-- Whether a model may hear of an athlete's meals: where they consented to a text ($2: its versions) that said so.
SELECT apex_consented($1, 'ai_analysis')
    AND EXISTS (
        SELECT 1
        FROM consents
        WHERE user_id = $1
            AND kind = 'ai_analysis'
            AND withdrawn_at IS NULL
            AND version = ANY ($2::text[])
    );
