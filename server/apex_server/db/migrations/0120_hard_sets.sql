-- Which logged sets count, for analytics over many athletes at once: the rules of apex_sync/coaching/sets.py, which a
-- property test holds it to. It shows what its reader may read of logged_sets.

CREATE VIEW hard_sets WITH (security_invoker = true) AS
SELECT performed.scope_id, performed.record_id, performed.exercise_key,
    CASE
        WHEN performed.type = 'dropset' AND EXISTS (
            SELECT 1
            FROM logged_sets AS earlier
            WHERE earlier.scope_id = performed.scope_id
                AND earlier.record_id = performed.record_id
                AND earlier.exercise_key IS NOT DISTINCT FROM performed.exercise_key
                AND earlier.position < performed.position
                AND earlier.type = 'dropset'
                AND earlier.completed
                AND NOT EXISTS (
                    SELECT 1
                    FROM logged_sets AS between_them
                    WHERE between_them.scope_id = performed.scope_id
                        AND between_them.record_id = performed.record_id
                        AND between_them.exercise_key IS NOT DISTINCT FROM performed.exercise_key
                        AND between_them.position > earlier.position
                        AND between_them.position < performed.position
                        AND between_them.type <> 'dropset'
                )
        )
        THEN 0.5::double precision
        ELSE 1.0
    END AS share,
    CASE
        WHEN performed.load_kg > 0 AND performed.load_kg <= 2000 THEN performed.load_kg * performed.reps
        ELSE 0.0
    END AS volume_load_kg
FROM logged_sets AS performed
WHERE performed.completed
    AND performed.type <> 'warmup'
    AND performed.reps BETWEEN 1 AND 1000
    AND CASE
        WHEN performed.rir BETWEEN 0 AND 30
            AND (performed.rpe BETWEEN 1 AND 10 AND abs(performed.rpe + performed.rir - 10) <= 0.5) IS NOT TRUE
        THEN 10 - performed.rir >= 6
        WHEN performed.rpe BETWEEN 1 AND 10 THEN performed.rpe >= 6
        ELSE true
    END;

COMMENT ON VIEW hard_sets IS 'logged sets that were completed, no warm-up, and hard where effort was logged';
COMMENT ON COLUMN hard_sets.share IS 'of a hard set: a half for the later drops of a drop set';
COMMENT ON COLUMN hard_sets.volume_load_kg IS 'reps times load, 0 where the load moved is not known';
GRANT SELECT ON hard_sets TO apex_app;
