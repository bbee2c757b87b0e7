-- Exercises as a search finds them.

ALTER TABLE exercise_rows ADD COLUMN aliases TEXT;
ALTER TABLE exercise_rows ADD COLUMN laterality TEXT;

-- Trigrams of names, muscles and equipment as words, in which a space is an underscore; brought up to date together with
-- `words`. SQLite's own tokenizer for trigrams is younger than the SQLite of some systems, and knows no ends of words.
CREATE VIRTUAL TABLE exercise_trigrams USING fts5 (
    trigrams,
    tokenize = "unicode61 remove_diacritics 0 tokenchars '_'"
);

DROP VIEW exercises;
CREATE VIEW exercises AS
SELECT
    row.id,
    scope.name AS scope,                                -- global, or library:<coach>
    row.name,
    row.aliases,                                        -- JSON list
    row.muscle_group,
    row.secondary_muscles,                              -- JSON list
    row.movement_pattern,
    row.equipment,                                      -- JSON list
    row.laterality,                                     -- bilateral or unilateral
    row.instructions
FROM exercise_rows AS row
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

-- Records that are here already: their rows are made anew when the file is opened, and their words are due.
INSERT OR IGNORE INTO words_due (record_no) SELECT record_no FROM held_records WHERE collection = 'exercises';
INSERT OR IGNORE INTO settings (name, value) SELECT 'rows_due', x'01' WHERE EXISTS (SELECT 1 FROM words_due);
