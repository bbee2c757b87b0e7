-- An address belongs to the account that answered a mail to it. Until one does, any number of accounts may name it, and
-- none is in the way of another: so registering answers alike whoever has the address.

ALTER TABLE users DROP CONSTRAINT users_email_unique;
CREATE UNIQUE INDEX users_email_answered ON users (email_index) WHERE email_verified_at IS NOT NULL;
CREATE INDEX users_naming_email ON users (email_index, created_at DESC);
CREATE INDEX users_unanswered ON users (created_at) WHERE email_verified_at IS NULL;
COMMENT ON COLUMN users.email_verified_at IS
    'since when the address is this account''s and no other''s; null: no mail to it was ever answered';

-- A password opens an account that has not answered on its own devices alone, so it is found by the token of one.
CREATE INDEX devices_by_token ON devices (token_hash);

DROP FUNCTION apex_login_account(bytea, bytea);
CREATE FUNCTION apex_login_accounts(asked_email_index bytea, asked_device_token_hash bytea)
    RETURNS TABLE (user_id uuid, password_hash text, has_address boolean, device_id uuid)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT users.id, users.password_hash, true, devices.id
    FROM users
    LEFT JOIN devices ON devices.user_id = users.id
        AND devices.token_hash = asked_device_token_hash
        AND devices.removed_at IS NULL
    WHERE users.email_index = asked_email_index
        AND users.email_verified_at IS NOT NULL
    UNION ALL
    SELECT users.id, users.password_hash, false, devices.id
    FROM devices
    JOIN users ON users.id = devices.user_id
    WHERE devices.token_hash = asked_device_token_hash
        AND devices.removed_at IS NULL
        AND users.email_index = asked_email_index
        AND users.email_verified_at IS NULL;
END;
COMMENT ON FUNCTION apex_login_accounts IS
    'the account that has the address, if one has, and the unanswered one of it whose device the token proves, if it does';
REVOKE EXECUTE ON FUNCTION apex_login_accounts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_login_accounts TO apex_app;

-- The worker says in its letters when and on what kind of device an account was made, and ends those that nobody ever
-- answered for and nobody uses.
GRANT SELECT (created_at) ON users TO apex_commit;
GRANT SELECT (created_at) ON devices TO apex_commit;
CREATE POLICY devices_mailed ON devices FOR SELECT TO apex_commit USING (true);
GRANT SELECT (user_id) ON sessions TO apex_commit;
GRANT INSERT ON account_deletions TO apex_commit;
