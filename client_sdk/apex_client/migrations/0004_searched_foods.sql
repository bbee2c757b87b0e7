-- Foods as a search finds them, and as meals are planned with them.

ALTER TABLE food_rows ADD COLUMN aliases TEXT;
ALTER TABLE food_rows ADD COLUMN category TEXT;
ALTER TABLE food_rows ADD COLUMN contains TEXT;

-- Like `exercise_trigrams`.
CREATE VIRTUAL TABLE food_trigrams USING fts5 (
    trigrams,
    tokenize = "unicode61 remove_diacritics 0 tokenchars '_'"
);

DROP VIEW foods;
CREATE VIEW foods AS
SELECT
    row.id,
    scope.name AS scope,                                -- global, or library:<coach>
    row.name,
    row.aliases,                                        -- JSON list
    row.brand,
    row.category,                                       -- fruit, meat, grain …
    row.contains,                                       -- JSON list: what some people do not eat
    row.barcode,
    row.energy_kcal,                                    -- of 100 g, as the six after it
    row.protein_g,
    row.carbs_g,
    row.fat_g,
    row.fiber_g,
    row.sugar_g,
    row.sodium_mg,
    row.servings,                                       -- JSON map
    row.source,                                         -- usda, open_food_facts, custom
    row.source_id,
    record.changed_us
FROM food_rows AS row
JOIN held_records AS record ON record.record_no = row.record_no
JOIN held_scopes AS scope ON scope.scope_no = row.scope_no;

-- Records that are here already: their rows are made anew when the file is opened, and their words are due.
INSERT OR IGNORE INTO words_due (record_no) SELECT record_no FROM held_records WHERE collection = 'foods';
INSERT OR IGNORE INTO settings (name, value) SELECT 'rows_due', x'01' WHERE EXISTS (SELECT 1 FROM words_due);
