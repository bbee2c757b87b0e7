-- name: list_exercises
-- The library by name: built-in exercises and those of the caller's coach, or the coach's own.
SELECT library.scope_id, library.record_id, coalesce(library.name, '') AS name
FROM exercises AS library
WHERE library.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND ($1::text IS NULL OR strpos(lower(library.name), lower($1)) > 0 OR lower(library.muscle_group) = lower($1))
    AND ($3::uuid IS NULL OR (coalesce(library.name, ''), library.record_id) > ($2::text, $3))
ORDER BY coalesce(library.name, ''), library.record_id
LIMIT $4;
