-- Which logged sets count stands in their rows, so that counting them costs the same whatever was logged: told from the
-- rows around each, a workout of thousands of drop sets took longer than a statement may. A rebuild fills the columns.

ALTER TABLE logged_sets
    ADD COLUMN later_drop boolean NOT NULL DEFAULT false,
    ADD COLUMN hard_share double precision NOT NULL DEFAULT 0;

COMMENT ON COLUMN logged_sets.later_drop IS 'a drop set that follows another of the same exercise';
COMMENT ON COLUMN logged_sets.hard_share IS 'how many hard sets this is: 0, 1, or a half for a later drop';

CREATE OR REPLACE VIEW hard_sets WITH (security_invoker = true) AS
SELECT performed.scope_id, performed.record_id, performed.exercise_key, performed.hard_share AS share,
    CASE
        WHEN performed.load_kg > 0 AND performed.load_kg <= 2000 THEN performed.load_kg * performed.reps
        ELSE 0.0
    END AS volume_load_kg
FROM logged_sets AS performed
WHERE performed.hard_share > 0;

UPDATE server_identity SET projections_version = 7 WHERE NOT EXISTS (SELECT 1 FROM records);
