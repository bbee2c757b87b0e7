-- name: documents_page
-- Pages through a scope by the primary key: one document at least, and no more than fit into memory.
SELECT record_id, seq, collection, digest, doc
FROM (
    SELECT record_id, seq, collection, digest, doc, sum(octet_length(doc)) OVER (ORDER BY record_id) AS bytes
    FROM (
        SELECT record_id, seq, collection, digest, doc
        FROM records
        WHERE scope_id = $1 AND record_id > $2
        ORDER BY record_id
        LIMIT $3
    ) AS next
) AS sized
WHERE bytes - octet_length(doc) < $4
ORDER BY record_id;

-- name: long_records_after
-- What is compacted leaves the index that this reads; what cannot be is passed by, and holds up nothing behind it.
SELECT scopes.name, records.scope_id, records.record_id
FROM records
JOIN scopes ON scopes.scope_id = records.scope_id
WHERE records.is_long AND (records.scope_id, records.record_id) > ($1, $2)
ORDER BY records.scope_id, records.record_id
LIMIT $3;

-- name: id_of_scope
-- The key of a scope's rows.
SELECT scope_id
FROM scopes
WHERE name = $1;

-- name: put_document
-- The same document in another form, so nothing else of the record changes.
UPDATE records
SET doc = $3
WHERE scope_id = $1 AND record_id = $2;

-- name: hold_scope
-- Whoever writes to the scope waits until this transaction is over.
SELECT 1
FROM scopes
WHERE scope_id = $1
FOR NO KEY UPDATE;

-- name: judge_anew
-- A model that checks more, or less, than the one a record was committed under marks other records for review.
UPDATE records
SET needs_review = judged.needs_review
FROM unnest($2::uuid[], $3::boolean[]) AS judged (record_id, needs_review)
WHERE records.scope_id = $1
    AND records.record_id = judged.record_id
    AND records.needs_review <> judged.needs_review;
