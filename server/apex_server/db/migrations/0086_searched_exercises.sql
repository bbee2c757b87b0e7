-- What a search reads of an exercise (every name, its muscles, its equipment), in one value that is opened at once. Of a
-- coach's own it is sealed like their names; of the built-in library it stands plain, so Postgres can find likenesses.
-- pg_trgm is one of the modules that come with Postgres, and one that the owner of a database may put into it.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

ALTER TABLE exercises ADD COLUMN searched bytea;
COMMENT ON COLUMN exercises.searched IS 'JSON lists of names, muscles and equipment, sealed as name';

-- Postgres calls convert_from stable, because somebody could redefine a conversion of encodings; this one nobody does.
CREATE FUNCTION apex_plain_text(bytea) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN convert_from($1, 'UTF8');

-- The scope is the global one, whose id follows from its name.
CREATE INDEX exercises_by_likeness ON exercises
    USING gist (apex_plain_text(searched) gist_trgm_ops (siglen = 64))
    WHERE scope_id = 'cb0be8a5-f4dd-5483-942a-b84c6e7836ab';

UPDATE server_identity SET projections_version = CASE WHEN EXISTS (SELECT 1 FROM records) THEN 0 ELSE 5 END;
