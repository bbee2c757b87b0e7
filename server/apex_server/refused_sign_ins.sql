-- name: note_refused_sign_in
-- One row, whoever has the address, if anybody has.
INSERT INTO refused_sign_ins (email_index, address, refused_at)
VALUES ($1, $2, $3);

-- name: take_refused_sign_ins
-- Taken once, and joined with the people who are there. Who has not answered for the address does not have it.
WITH taken AS (
    DELETE FROM refused_sign_ins
    WHERE id IN (
        SELECT id
        FROM refused_sign_ins
        ORDER BY id
        LIMIT $1
        FOR UPDATE SKIP LOCKED
    )
    RETURNING id, email_index, address
)
SELECT users.id AS user_id, taken.address
FROM taken
LEFT JOIN users ON users.email_index = taken.email_index AND users.email_verified_at IS NOT NULL
ORDER BY taken.id;
