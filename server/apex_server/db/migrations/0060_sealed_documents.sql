-- Documents, sealed: with the key of the person they are about. Only the built-in library stands plain.
--
-- The tables are written anew, so that no plain version of a row is left in them.

-- python: apex_server.sync.first_sealing:seal_documents

COMMENT ON COLUMN records.doc IS 'sealed for its scope and id with the key of the person it is about (sync/sealing.py)';
CLUSTER records USING records_pkey;
ALTER TABLE records SET WITHOUT CLUSTER;

-- A wording is about one athlete, and sealed with their key; what was worded before is worded again.
TRUNCATE worded_texts;
COMMENT ON COLUMN worded_texts.reply IS 'sealed with the key of the athlete';
