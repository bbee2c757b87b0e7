-- Messages, and where a coach has filed the threads; what 0001_ground.sql says of rows and views holds here, too.

CREATE TABLE message_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    sent_at TEXT
);
CREATE INDEX message_rows_by_time ON message_rows (scope_no, sent_at, id);

-- What each side says in a record: one row, unless somebody made both sides speak.
CREATE TABLE said_rows (
    record_no INTEGER NOT NULL REFERENCES message_rows (record_no) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    sender TEXT NOT NULL,
    type TEXT,
    text TEXT,
    media_id TEXT,
    thumbnail_media_id TEXT,
    file_name TEXT,
    duration_seconds REAL,
    reply_to TEXT,
    sent_at TEXT,
    deleted INTEGER NOT NULL,
    read_at TEXT,
    reactions TEXT,
    PRIMARY KEY (record_no, position)
) WITHOUT ROWID;
CREATE INDEX said_rows_unread ON said_rows (sender) WHERE read_at IS NULL AND deleted = 0;

CREATE VIEW messages AS
SELECT
    row.id,
    substr(scope.name, 8, 36) AS coach_id,
    substr(scope.name, 45) AS athlete_id,
    said.sender,                                        -- coach or athlete
    said.type,                                          -- text, voice, video, image or file
    said.text,
    said.media_id,                                      -- SHA-256 of what was recorded or attached
    said.thumbnail_media_id,
    said.file_name,
    said.duration_seconds,
    said.reply_to,                                      -- id of the message that is answered
    said.sent_at,                                       -- UTC, as read_at
    said.deleted,                                       -- taken back
    said.read_at,                                       -- when the other side read it
    said.reactions,                                     -- JSON map: who reacted, by emoji
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM said_rows AS said
JOIN message_rows AS row ON row.record_no = said.record_no
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

ALTER TABLE client_file_rows ADD COLUMN thread_pinned INTEGER;
ALTER TABLE client_file_rows ADD COLUMN thread_archived INTEGER;
ALTER TABLE client_file_rows ADD COLUMN thread_tags TEXT;

DROP VIEW client_files;
CREATE VIEW client_files AS
SELECT
    row.id,
    substr(scope.name, 46) AS athlete_id,               -- whom the coach keeps it about
    row.status,                                         -- active, inactive, needs-attention, overdue
    row.subscription_tier,                              -- premium, standard, basic
    row.tags,                                           -- JSON list
    row.archived,
    row.notes,                                          -- for the coach alone
    row.program_notes,                                  -- JSON map by program
    row.thread_pinned,
    row.thread_archived,
    row.thread_tags,                                    -- JSON list
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM client_file_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;
