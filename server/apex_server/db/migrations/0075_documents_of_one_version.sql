-- A document is sealed as this record with this content: an older one in the place of a newer one does not open.
--
-- Every document is sealed anew, so that none opens by the older and weaker rule.

-- python: apex_server.sync.first_sealing:bind_documents

COMMENT ON COLUMN records.doc
    IS 'sealed for its scope, id and digest with the key of the person it is about (sync/sealing.py)';

-- What does not open any more is marked, and passed by in the feed until somebody brings it back (sync/damage.py).
ALTER TABLE records ADD COLUMN damaged_at timestamptz;
CREATE INDEX records_damaged ON records (scope_id, record_id) WHERE damaged_at IS NOT NULL;
COMMENT ON COLUMN records.damaged_at IS 'when it was found that the document does not open';
