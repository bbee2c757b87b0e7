-- Files that came after the backup which was restored lie in the store without a row. They are noted as garbage of a
-- later day, so that a later backup can still be restored with them.
GRANT INSERT (tried_at) ON media_garbage TO apex_commit;
COMMENT ON COLUMN media_garbage.tried_at IS
    'when it was tried last, so that what the store does not delete makes way; to come: not before that';
