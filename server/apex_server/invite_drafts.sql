-- name: list_accepted_drafts
-- Accepted, and not laid down yet: some seconds' worth, or what a worker that died left.
SELECT code_hash, coach_id, used_by AS athlete_id, used_at, draft
FROM invites
WHERE draft IS NOT NULL
    AND used_by IS NOT NULL
ORDER BY used_at
LIMIT 100;

-- name: get_standing_record
-- What a record holds already: a word of the athlete's own is never replaced by what the coach knew before.
SELECT records.record_id, records.digest, records.doc, scopes.name AS scope
FROM records
JOIN scopes ON scopes.scope_id = records.scope_id
WHERE records.scope_id = $1
    AND records.record_id = $2;

-- name: forget_draft
-- It is laid down, or there is nobody any more to lay it down for.
UPDATE invites
SET draft = NULL
WHERE code_hash = $1;
