-- What a search reads of a food (every name, its brand, its category), like `exercises.searched`.

ALTER TABLE foods ADD COLUMN searched bytea;
COMMENT ON COLUMN foods.searched IS 'JSON: a list of names, a brand and a category, sealed as name';

-- The scope is the global one, whose id follows from its name.
CREATE INDEX foods_by_likeness ON foods
    USING gist (apex_plain_text(searched) gist_trgm_ops (siglen = 64))
    WHERE scope_id = 'cb0be8a5-f4dd-5483-942a-b84c6e7836ab';

UPDATE server_identity SET projections_version = 6 WHERE NOT EXISTS (SELECT 1 FROM records);
