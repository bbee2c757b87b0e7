-- What the server says the others on this replica are called (people.py); an athlete's own profile goes before it.

CREATE TABLE people (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER people_of_dropped_thread AFTER DELETE ON held_scopes WHEN OLD.name LIKE 'thread:%'
BEGIN
    DELETE FROM people WHERE id IN (substr(OLD.name, 8, 36), substr(OLD.name, 45));
END;

DROP VIEW athletes;
CREATE VIEW athletes AS
SELECT
    substr(scope.name, 9) AS id,                        -- `self` before the first sign-in
    coalesce(
        (
            SELECT profile.name
            FROM profile_rows AS profile
            WHERE profile.scope_no = scope.scope_no
            LIMIT 1
        ),
        (SELECT person.name FROM people AS person WHERE person.id = substr(scope.name, 9))
    ) AS name,
    scope.role,                                         -- the role this device's user has with the athlete
    (SELECT count(*) FROM workout_log_rows AS log WHERE log.scope_no = scope.scope_no) AS workouts,
    (SELECT count(*) FROM check_in_rows AS row WHERE row.scope_no = scope.scope_no) AS check_ins,
    (SELECT max(log.date) FROM workout_log_rows AS log WHERE log.scope_no = scope.scope_no) AS last_workout_date,
    (SELECT max(row.date) FROM check_in_rows AS row WHERE row.scope_no = scope.scope_no) AS last_check_in_date,
    (
        SELECT count(*)
        FROM held_records AS record
        WHERE record.scope_no = scope.scope_no AND record.pending_since_us > 0
    ) AS pending,
    (
        SELECT count(*)
        FROM held_records AS record
        WHERE record.scope_no = scope.scope_no AND record.conflicts > 0
    ) AS conflicted
FROM held_scopes AS scope
WHERE scope.name LIKE 'athlete:%';
