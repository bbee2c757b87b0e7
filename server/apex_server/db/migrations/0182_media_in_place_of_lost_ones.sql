-- What the store has lost stays ready until the same bytes, handed in once more, are: so there may be an upload beside it.
ALTER TABLE media DROP CONSTRAINT media_once_each;
CREATE UNIQUE INDEX media_once_each ON media (scope_id, media_id, uploaded_by, (state = 'ready'));
