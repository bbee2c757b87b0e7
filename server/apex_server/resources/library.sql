-- name: list_searched
-- What a library's lists and searches look through, what is built in among it or not ($1): sealed where a coach added it,
-- so it is sorted, ranked and cut into pages once it is open. What an athlete added, that athlete alone looks through, not
-- whoever may read it. Exercises here; foods stand in a table of the same form.
SELECT scopes.name AS scope, library.scope_id, library.record_id, library.searched
FROM exercises AS library
JOIN scopes ON scopes.scope_id = library.scope_id
WHERE library.scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[])
    AND ($1 OR library.scope_id <> 'cb0be8a5-f4dd-5483-942a-b84c6e7836ab')
    AND (scopes.name NOT LIKE 'athlete:%' OR library.scope_id = apex_user_id())
    AND library.searched IS NOT NULL
ORDER BY library.scope_id, library.record_id
LIMIT 20000;

-- name: find_builtin
-- The part of what is built in that resembles a query the most, by the index alone; the ranking is not done here.
SELECT 'global' AS scope, scope_id, record_id, searched
FROM exercises
WHERE scope_id = 'cb0be8a5-f4dd-5483-942a-b84c6e7836ab' AND searched IS NOT NULL
ORDER BY apex_plain_text(searched) <->> $1
LIMIT 100;
