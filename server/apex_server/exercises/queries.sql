-- name: list_exercises
-- The library: built-in exercises and those of the caller's coach, or the coach's own. Names are sealed, so they are
-- looked through, sorted and cut into pages once they are open.
SELECT scopes.name AS scope, library.scope_id, library.record_id, library.name, library.muscle_group
FROM exercises AS library
JOIN scopes ON scopes.scope_id = library.scope_id
WHERE library.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
ORDER BY library.scope_id, library.record_id
LIMIT 20000;
