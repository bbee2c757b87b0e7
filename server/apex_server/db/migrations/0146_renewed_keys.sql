-- Data keys are renewed: a person's row holds a ring of them, wrapped as one; here stands how far a renewal is.

ALTER TABLE data_keys
    ADD COLUMN renewed_at timestamptz,
    ADD COLUMN renewal text CHECK (renewal IN ('asked', 'announced', 'resealing', 'kept')),
    ADD COLUMN due_at timestamptz,
    ADD COLUMN opens_since timestamptz,
    ADD CHECK ((renewal IS NULL) = (due_at IS NULL)),
    ADD CHECK (renewal IS NULL OR destroyed_at IS NULL);
COMMENT ON COLUMN data_keys.wrapped IS 'the person''s ring of keys, encrypted under the master key; null: destroyed';
COMMENT ON COLUMN data_keys.renewed_at IS 'since when the present key seals; null: since created_at';
COMMENT ON COLUMN data_keys.renewal IS
    'the step that comes next at due_at: a new key is made known, seals, all is sealed with it, former keys go';
COMMENT ON COLUMN data_keys.opens_since IS 'a backup made before it holds what no key of the ring opens any more';
CREATE INDEX data_keys_due ON data_keys (due_at) WHERE due_at IS NOT NULL;

GRANT UPDATE (renewed_at, renewal, due_at, opens_since) ON data_keys TO apex_commit;

-- What a person has of their own is sealed anew as theirs, under row-level security.
GRANT UPDATE (number_sealed) ON phones TO apex_app;
GRANT UPDATE (old_email, new_email) ON email_changes TO apex_app;

-- A file in the media store has a key of its own, which is sealed with the person's; so files need not be written again.
ALTER TABLE media ADD COLUMN key_sealed bytea;
COMMENT ON COLUMN media.key_sealed IS 'the key of its files, sealed with the owner''s; null: sealed with the owner''s first';
GRANT SELECT (key_sealed), UPDATE (key_sealed) ON media TO apex_commit;
