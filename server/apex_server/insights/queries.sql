-- name: list_insights
-- A page of a coach's insights, the most urgent first and of these the freshest; the ranks are those of the blueprint.
SELECT page.scope_id, page.record_id, page.rank, page.expires_at
FROM (
    SELECT insights.scope_id, insights.record_id, coalesce(insights.expires_at, 'epoch') AS expires_at,
        coalesce(array_position(ARRAY['critical', 'high', 'medium', 'low'], insights.priority), 5) AS rank
    FROM insights
    WHERE insights.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
        AND ($1::uuid IS NULL OR insights.scope_id = $1)
        AND ($2::text IS NULL OR insights.status = $2)
        AND ($3::text IS NULL OR insights.kind = $3)
        AND ($4::text IS NULL OR insights.about_id = $4)
) AS page
WHERE $5::integer IS NULL OR (page.rank, $6::timestamp, page.record_id) > ($5, page.expires_at, $7::uuid)
ORDER BY page.rank, page.expires_at DESC, page.record_id
LIMIT $8;

-- name: list_published
-- What an athlete was told of their training, the latest first; by the feed, of which it is a small part.
SELECT records.scope_id, records.record_id, records.seq
FROM records
WHERE records.scope_id = $1
    AND records.collection = $2
    AND NOT records.deleted
    AND ($3::bigint IS NULL OR records.seq < $3)
ORDER BY records.seq DESC
LIMIT $4;
