-- End-to-end encryption of messages: whose devices read a thread, which of them are trusted, and what was opened.

CREATE TABLE device_key_rows (
    record_no INTEGER PRIMARY KEY REFERENCES held_records (record_no) ON DELETE CASCADE,
    scope_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    encryption TEXT
);
CREATE INDEX device_key_rows_by_scope ON device_key_rows (scope_no);

CREATE TABLE thread_device_rows (
    record_no INTEGER NOT NULL REFERENCES device_key_rows (record_no) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    side TEXT NOT NULL,
    key_id TEXT NOT NULL,
    public_key TEXT,
    device TEXT,
    client_id INTEGER,
    removed INTEGER NOT NULL,
    PRIMARY KEY (record_no, position)
) WITHOUT ROWID;

-- What this device has opened, or could not: kept with the message, and gone with it. A message is opened just before
-- its record is written.
CREATE TABLE opened_messages (
    record_no INTEGER NOT NULL REFERENCES held_records (record_no) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    side TEXT NOT NULL,
    digest BLOB NOT NULL,                               -- SHA-256 of what is sealed
    encryption TEXT NOT NULL,                           -- open, locked or damaged
    content BLOB NOT NULL,
    signer TEXT,                                        -- key id of the device that wrote it
    PRIMARY KEY (record_no, side)
) WITHOUT ROWID;

-- Devices that the person here has accepted, and threads that were encrypted when this device looked: neither goes with
-- a thread that is forgotten, or a server could have everything accepted anew by taking it away for a moment.
CREATE TABLE trusted_keys (
    key_id TEXT NOT NULL,
    person_id TEXT NOT NULL,
    PRIMARY KEY (key_id, person_id)
) WITHOUT ROWID;
CREATE TABLE encrypted_threads (scope TEXT PRIMARY KEY) WITHOUT ROWID;

-- Keys that were once seen taken out. They stay out, whatever a server brings later: a device that is let in again draws
-- another one.
CREATE TABLE removed_keys (
    key_id TEXT NOT NULL,
    person_id TEXT NOT NULL,
    PRIMARY KEY (key_id, person_id)
) WITHOUT ROWID;
-- Before, and so for an upsert that becomes an update as well.
CREATE TRIGGER device_is_taken_out BEFORE INSERT ON thread_device_rows WHEN NEW.removed
BEGIN
    INSERT OR IGNORE INTO removed_keys (key_id, person_id)
    SELECT NEW.key_id, substr(scope.name, iif(NEW.side = 'coach', 8, 45), 36)
    FROM held_records AS record
    JOIN held_scopes AS scope ON scope.scope_no = record.scope_no
    WHERE record.record_no = NEW.record_no;
END;

CREATE VIEW device_keys AS
SELECT
    row.id,
    substr(scope.name, 8, 36) AS coach_id,
    substr(scope.name, 45) AS athlete_id,
    row.encryption IS 'on' AS encrypted,
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM device_key_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

CREATE VIEW thread_devices AS
SELECT
    substr(scope.name, 8, 36) AS coach_id,
    substr(scope.name, 45) AS athlete_id,
    device.side,                                        -- coach or athlete: whose it is
    device.key_id,
    device.device,                                      -- what it calls itself
    EXISTS (                                            -- nothing is encrypted for it any more
        SELECT 1
        FROM removed_keys AS gone
        WHERE gone.key_id = device.key_id
            AND gone.person_id = substr(scope.name, iif(device.side = 'coach', 8, 45), 36)
    ) AS removed,
    EXISTS (
        SELECT 1
        FROM trusted_keys AS known
        WHERE known.key_id = device.key_id
            AND known.person_id = substr(scope.name, iif(device.side = 'coach', 8, 45), 36)
    ) AS trusted
FROM thread_device_rows AS device
JOIN device_key_rows AS row ON row.record_no = device.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

ALTER TABLE said_rows ADD COLUMN encryption TEXT;

DROP VIEW messages;
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
    CASE                                                -- open, unverified, locked, damaged; NULL: not encrypted
        WHEN said.encryption = 'open'
            AND EXISTS (SELECT 1 FROM encrypted_threads AS known WHERE known.scope = scope.name)
            AND NOT EXISTS (
                SELECT 1
                FROM opened_messages AS opened
                JOIN trusted_keys AS known ON known.key_id = opened.signer
                WHERE opened.record_no = said.record_no
                    AND opened.side = said.sender
                    AND known.person_id = substr(scope.name, iif(said.sender = 'coach', 8, 45), 36)
            )
        THEN 'unverified'
        ELSE said.encryption
    END AS encryption,
    record.needs_review,
    record.conflicts,
    record.pending_since_us > 0 AS pending,
    record.changed_us
FROM said_rows AS said
JOIN message_rows AS row ON row.record_no = said.record_no
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

INSERT OR IGNORE INTO settings (name, value)
SELECT 'rows_due', x'01' WHERE EXISTS (SELECT 1 FROM held_records WHERE collection = 'device_keys');
