-- Photos and files that are to go up: their bytes are in the replica until the server has looked at them and kept them.
--
-- So they are encrypted when the replica is, saved together with the record that names them, and gone with their scope.

CREATE TABLE media_queue (
    media_no INTEGER PRIMARY KEY,
    media_id TEXT NOT NULL,                             -- SHA-256 of the bytes; empty while they are taken in
    scope TEXT NOT NULL,
    kind TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    state TEXT NOT NULL,                                -- taking, waiting, sent or refused
    refusal TEXT,
    sent_bytes INTEGER NOT NULL DEFAULT 0,
    added_us INTEGER NOT NULL
);
CREATE UNIQUE INDEX media_queue_by_id ON media_queue (scope, media_id) WHERE media_id <> '';

CREATE TABLE media_pieces (
    media_no INTEGER NOT NULL REFERENCES media_queue (media_no) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    piece BLOB NOT NULL,
    PRIMARY KEY (media_no, place)
);

CREATE TRIGGER media_of_dropped_scope AFTER DELETE ON held_scopes
BEGIN
    DELETE FROM media_queue WHERE scope = OLD.name;
END;
