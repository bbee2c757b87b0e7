-- name: list_exercises
-- The library: built-in exercises and those of the caller's coach, or the coach's own. Names are sealed, so they are
-- looked through, sorted and cut into pages once they are open.
SELECT scopes.name AS scope, library.scope_id, library.record_id, library.name, library.muscle_group
FROM exercises AS library
JOIN scopes ON scopes.scope_id = library.scope_id
WHERE library.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
ORDER BY library.scope_id, library.record_id
LIMIT 20000;

-- name: list_searched
-- What the caller's searches look through, but for the built-in library.
SELECT scopes.name AS scope, library.scope_id, library.record_id, library.searched
FROM exercises AS library
JOIN scopes ON scopes.scope_id = library.scope_id
WHERE library.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND library.scope_id <> 'cb0be8a5-f4dd-5483-942a-b84c6e7836ab'
    AND library.searched IS NOT NULL
ORDER BY library.scope_id, library.record_id
LIMIT 20000;

-- name: list_builtin
-- The built-in library as a whole.
SELECT 'global' AS scope, scope_id, record_id, searched
FROM exercises
WHERE scope_id = 'cb0be8a5-f4dd-5483-942a-b84c6e7836ab' AND searched IS NOT NULL
ORDER BY record_id
LIMIT 20000;

-- name: find_builtin
-- The part of the built-in library that resembles a query the most, by the index alone; the ranking is not done here.
SELECT 'global' AS scope, scope_id, record_id, searched
FROM exercises
WHERE scope_id = 'cb0be8a5-f4dd-5483-942a-b84c6e7836ab' AND searched IS NOT NULL
ORDER BY apex_plain_text(searched) <->> $1
LIMIT 100;
