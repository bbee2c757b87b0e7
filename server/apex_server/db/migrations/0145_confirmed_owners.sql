-- An organisation begins with an owner whose address is confirmed: whoever chooses a password by mail makes an account
-- theirs that nobody confirmed before, and would find in it the coaches of whoever had made it.

DROP POLICY organisations_made ON organisations;
CREATE POLICY organisations_made ON organisations FOR INSERT WITH CHECK (
    owner_id = apex_user_id()
    AND EXISTS (
        SELECT 1
        FROM users
        WHERE users.id = apex_user_id()
            AND users.role = 'owner'
            AND users.email_verified_at IS NOT NULL
    )
);

-- Those that began otherwise end; their coaches keep everything, and join the next one by another invite.
DELETE FROM organisations
USING users
WHERE users.id = organisations.owner_id
    AND users.first_answered_at IS NULL;
