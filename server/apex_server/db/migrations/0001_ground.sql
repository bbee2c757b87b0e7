-- What every later migration stands on: who may use the schema, and who is asking.
-- The roles apex_app and apex_commit exist already; the runner makes them, because they belong to the whole cluster.

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO apex_app, apex_commit;

-- Row-level security policies call this. It is null outside a request and in a request nobody has signed in to,
-- and null equals no id, so a forgotten setting shows nothing.
CREATE FUNCTION apex_user_id() RETURNS uuid
    LANGUAGE sql
    STABLE
    PARALLEL SAFE
    RETURN nullif(current_setting('apex.user_id', true), '')::uuid;

-- The server asks at start-up whether it is older than the database.
GRANT SELECT ON schema_migrations TO apex_app, apex_commit;
