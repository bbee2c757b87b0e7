-- Keys: one of each person, and a few of the installation, all wrapped under a master key that is not here.
--
-- The row of a destroyed key stays: a backup that is restored later must know whose records nobody may bring back.
-- So there is no foreign key to users, whose row goes.

CREATE TABLE data_keys (
    user_id uuid PRIMARY KEY,
    wrapped bytea,
    master_key_id text,
    created_at timestamptz NOT NULL,
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK ((master_key_id IS NULL) = (destroyed_at IS NOT NULL))
);
COMMENT ON COLUMN data_keys.wrapped IS 'the data key, encrypted under the master key; null: destroyed';
COMMENT ON COLUMN data_keys.master_key_id IS 'a fingerprint of the master key';
CREATE INDEX data_keys_by_master_key ON data_keys (master_key_id);

CREATE TABLE server_keys (
    name text PRIMARY KEY,
    wrapped bytea NOT NULL,
    master_key_id text NOT NULL
);
COMMENT ON TABLE server_keys IS 'their master key is the one that data keys are wrapped under; a rotation changes them first';

ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE data_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE server_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE server_keys FORCE ROW LEVEL SECURITY;

CREATE POLICY data_keys_owner ON data_keys TO CURRENT_USER USING (true);
CREATE POLICY server_keys_owner ON server_keys TO CURRENT_USER USING (true);

-- A key that is added waits for a rotation under way, and the rotation for it; so none is left behind.
CREATE FUNCTION apex_wraps_keys(asked_master_key_id text) RETURNS boolean
    LANGUAGE plpgsql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM 1 FROM server_keys WHERE server_keys.master_key_id = asked_master_key_id FOR SHARE;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION apex_wraps_keys IS 'whether this is the master key that data keys are to be wrapped under now';
REVOKE EXECUTE ON FUNCTION apex_wraps_keys FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_wraps_keys TO apex_app, apex_commit;

CREATE POLICY data_keys_seen ON data_keys FOR SELECT
    USING (EXISTS (SELECT 1 FROM users WHERE users.id = data_keys.user_id));
CREATE POLICY data_keys_added ON data_keys FOR INSERT
    WITH CHECK (user_id = apex_user_id() AND destroyed_at IS NULL AND apex_wraps_keys(master_key_id));
CREATE POLICY data_keys_commit ON data_keys TO apex_commit
    USING (true)
    WITH CHECK (destroyed_at IS NOT NULL OR apex_wraps_keys(master_key_id));
CREATE POLICY server_keys_commit ON server_keys TO apex_commit USING (true);

GRANT SELECT, INSERT ON data_keys TO apex_app;
GRANT SELECT, INSERT ON data_keys TO apex_commit;
GRANT UPDATE (wrapped, master_key_id, destroyed_at) ON data_keys TO apex_commit;
GRANT SELECT, INSERT ON server_keys TO apex_commit;
GRANT UPDATE (wrapped, master_key_id) ON server_keys TO apex_commit;
