-- name: list_check_ins
-- A page of check-ins, the newest first: a few from each readable scope by index, then the newest of those.
SELECT page.scope_id, page.date, page.submitted_at, page.record_id
FROM unnest((SELECT apex_readable_scope_ids())::uuid[]) AS readable (scope_id)
CROSS JOIN LATERAL (
    SELECT report.scope_id, report.record_id, report.date, report.submitted_at
    FROM check_ins AS report
    WHERE report.scope_id = readable.scope_id
        AND ($1::uuid IS NULL OR report.scope_id = $1)
        AND ($2::date IS NULL OR report.date >= $2)
        AND ($3::date IS NULL OR report.date <= $3)
        AND (
            $6::uuid IS NULL
            OR (coalesce(report.date, '-infinity'), coalesce(report.submitted_at, 'infinity'), report.record_id)
                < (coalesce($4::date, '-infinity'), coalesce($5::timestamp, 'infinity'), $6)
        )
    ORDER BY report.date DESC NULLS LAST, report.submitted_at DESC, report.record_id DESC
    LIMIT $7
) AS page
ORDER BY page.date DESC NULLS LAST, page.submitted_at DESC, page.record_id DESC
LIMIT $7;

-- name: list_days
-- The check-ins of the days of those that are shown.
SELECT report.scope_id, report.date, report.record_id
FROM unnest($1::uuid[], $2::date[]) AS shown (scope_id, date)
JOIN check_ins AS report ON report.scope_id = shown.scope_id AND report.date = shown.date
ORDER BY report.scope_id, report.date, report.submitted_at, report.record_id
LIMIT 1000;

-- name: list_pending
-- What waits for the coach: the most urgent drafted insight first, then whoever has waited longest. Each table is gone
-- through once, since a coach who never reviews has years of it.
WITH drafted AS MATERIALIZED (
    SELECT insight.about_id,
        min(array_position(ARRAY['critical', 'high', 'medium', 'low'], insight.priority)) AS rank
    FROM insights AS insight
    WHERE insight.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
        AND insight.status = 'draft'
    GROUP BY insight.about_id
),
waiting AS MATERIALIZED (
    SELECT report.scope_id, report.record_id, report.submitted_at, drafted.rank
    FROM check_ins AS report
    LEFT JOIN drafted ON drafted.about_id = report.record_id::text
    WHERE report.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
        AND report.submitted_at IS NOT NULL
        AND NOT report.coach_reviewed
    ORDER BY drafted.rank NULLS LAST, report.submitted_at, report.record_id
    LIMIT $1
)
SELECT waiting.scope_id, waiting.record_id, users.name AS athlete_name,
    (ARRAY['critical', 'high', 'medium', 'low'])[waiting.rank] AS priority
FROM waiting
JOIN users ON users.id = waiting.scope_id
ORDER BY waiting.rank NULLS LAST, waiting.submitted_at, waiting.record_id;

-- name: ask_for_analysis
-- First marked long ago, so that the sweeper need not wait for quiet; the watermark is what the analysis must have seen.
INSERT INTO dirty (athlete_id, kind, watermark, first_marked_at, last_marked_at)
SELECT scopes.scope_id, 'check_in', scopes.seq, now() - interval '2 days', now() - interval '2 days'
FROM scopes
WHERE scopes.scope_id = $1
    AND apex_scope_access($2, scopes.name) = 'coach'
ON CONFLICT (athlete_id, kind) DO UPDATE
SET watermark = greatest(dirty.watermark, excluded.watermark),
    first_marked_at = excluded.first_marked_at;

-- name: list_questionnaires
-- What the caller's coaches ask, the newest first; a coach has some dozens.
SELECT asked.scope_id, asked.record_id
FROM questionnaires AS asked
WHERE asked.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND ($1::boolean IS NULL OR asked.active = $1)
    AND ($2::uuid IS NULL OR (asked.record_id) < ($2))
ORDER BY asked.record_id DESC
LIMIT $3;
