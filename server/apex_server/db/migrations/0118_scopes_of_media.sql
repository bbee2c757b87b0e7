-- A scope begins with the first that is handed in to it, be it media without a record: erasure and export go by scopes.

CREATE FUNCTION apex_begin_scope_of_media() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO scopes (scope_id, name, seq, digest, record_count, created_at)
    VALUES (NEW.scope_id, NEW.scope, 0, decode(repeat('00', 16), 'hex'), 0, now())
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER media_begins_scope AFTER INSERT ON media
    FOR EACH ROW EXECUTE FUNCTION apex_begin_scope_of_media();

INSERT INTO scopes (scope_id, name, seq, digest, record_count, created_at)
SELECT DISTINCT media.scope_id, media.scope, 0, decode(repeat('00', 16), 'hex'), 0, now()
FROM media
ON CONFLICT DO NOTHING;
