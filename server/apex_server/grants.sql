-- name: list_owners_reading
-- The owners who read along with the caller, or with a coach of theirs.
SELECT reading.owner_id
FROM apex_owners_reading() AS reading (owner_id)
ORDER BY reading.owner_id
LIMIT 200;
