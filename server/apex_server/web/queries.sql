-- name: has_any_coach
-- Whether somebody has set this server up already; asked before anybody is signed in, so it tells no more than that.
SELECT EXISTS (
    SELECT 1
    FROM users
    WHERE role = 'coach'
);

-- name: is_confirmed
-- Whether the visitor's address is known to be theirs; until then the letters of their invites wait.
SELECT email_verified_at IS NOT NULL
FROM users
WHERE id = $1;

-- name: get_user
-- Whose page this is.
SELECT id, name, role
FROM users
WHERE id = $1;

-- name: get_athlete
-- One of a coach's current athletes; anybody else is nobody.
SELECT users.id, users.name, pair.since
FROM coach_athletes AS pair
JOIN users ON users.id = pair.athlete_id
WHERE pair.coach_id = $1
    AND pair.athlete_id = $2
    AND pair.ended_at IS NULL;

-- name: list_overview
-- All of a coach's athletes with what may need attention: each part reads a few rows by index.
SELECT users.id, users.name, pair.since,
    latest.date AS workout_date, latest.start_time AS workout_time, latest.exercises AS workout_exercises,
    latest.sets AS workout_sets,
    report.pending AS pending_check_ins, report.pending_since,
    found.critical, found.high, found.medium, found.low,
    marked.conflicts, marked.reviews,
    written.unread,
    installed.devices
FROM coach_athletes AS pair
JOIN users ON users.id = pair.athlete_id
LEFT JOIN scopes AS private
    ON private.name = 'private:' || pair.coach_id::text || ':' || pair.athlete_id::text
LEFT JOIN scopes AS thread
    ON thread.name = 'thread:' || pair.coach_id::text || ':' || pair.athlete_id::text
LEFT JOIN LATERAL (
    SELECT session.date, session.start_time,
        (
            SELECT array_agg(exercise.name ORDER BY exercise.position)
            FROM logged_exercises AS exercise
            WHERE exercise.scope_id = session.scope_id AND exercise.record_id = session.record_id
        ) AS exercises,
        (
            SELECT count(*)
            FROM logged_sets AS performed
            WHERE performed.scope_id = session.scope_id AND performed.record_id = session.record_id
        ) AS sets
    FROM workout_logs AS session
    WHERE session.scope_id = pair.athlete_id
        AND session.date IS NOT NULL
    ORDER BY session.date DESC NULLS LAST, session.start_time DESC
    LIMIT 1
) AS latest ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS pending, min(check_in.date) AS pending_since
    FROM check_ins AS check_in
    WHERE check_in.scope_id = pair.athlete_id
        AND check_in.submitted_at IS NOT NULL
        AND NOT check_in.coach_reviewed
) AS report
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE insight.priority = 'critical') AS critical,
        count(*) FILTER (WHERE insight.priority = 'high') AS high,
        count(*) FILTER (WHERE insight.priority = 'medium') AS medium,
        count(*) FILTER (WHERE insight.priority NOT IN ('critical', 'high', 'medium')) AS low
    FROM insights AS insight
    WHERE insight.scope_id = private.scope_id
        AND insight.status = 'draft'
) AS found
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE record.has_conflicts) AS conflicts,
        count(*) FILTER (WHERE record.needs_review) AS reviews
    FROM records AS record
    WHERE record.scope_id = pair.athlete_id
        AND (record.needs_review OR record.has_conflicts)
        AND NOT record.deleted
) AS marked
CROSS JOIN LATERAL (
    SELECT count(*) AS unread
    FROM messages AS said
    WHERE said.scope_id = thread.scope_id
        AND said.sender = 'athlete'
        AND said.read_at IS NULL
        AND NOT said.deleted
) AS written
CROSS JOIN LATERAL (
    SELECT json_agg(
            json_build_object('name', encode(device.name, 'base64'), 'kind', device.kind, 'synced_at', device.synced_at)
            ORDER BY device.synced_at DESC
        ) AS devices
    FROM (
        SELECT devices.name, devices.kind, greatest(devices.last_seen_at, max(brought.committed_at)) AS synced_at
        FROM devices
        LEFT JOIN (
            SELECT audit.device_id, audit.committed_at
            FROM audit
            WHERE audit.scope_id = pair.athlete_id
            ORDER BY audit.seq DESC
            LIMIT 500
        ) AS brought ON brought.device_id = devices.id
        WHERE devices.user_id = pair.athlete_id
            AND devices.removed_at IS NULL
            AND devices.kind <> 'web'
        GROUP BY devices.id
        ORDER BY synced_at DESC
        LIMIT 6
    ) AS device
) AS installed
WHERE pair.coach_id = $1
    AND pair.ended_at IS NULL
ORDER BY users.id
LIMIT $2;

-- name: list_devices
-- An athlete's devices, and when each last brought something or was signed in. Five hundred commits are read at most.
SELECT devices.id, devices.name, devices.kind, devices.removed_at IS NOT NULL AS removed,
    greatest(devices.last_seen_at, max(brought.committed_at)) AS synced_at
FROM devices
LEFT JOIN (
    SELECT audit.device_id, audit.committed_at
    FROM audit
    WHERE audit.scope_id = $1
    ORDER BY audit.seq DESC
    LIMIT 500
) AS brought ON brought.device_id = devices.id
WHERE devices.user_id = $1
GROUP BY devices.id
ORDER BY synced_at DESC, devices.id
LIMIT 20;

-- name: list_timeline
-- A page of workouts and submitted check-ins together, the newest first; each kind gives its own page by index.
SELECT page.kind, page.record_id, page.date, page.time
FROM (
    (
        SELECT 'workout' AS kind, session.record_id, session.date, session.start_time AS time
        FROM workout_logs AS session
        WHERE session.scope_id = $1
            AND (
                $4::uuid IS NULL
                OR (coalesce(session.date, '-infinity'), coalesce(session.start_time, 'infinity'), session.record_id)
                    < (coalesce($2::date, '-infinity'), coalesce($3::timestamp, 'infinity'), $4)
            )
        ORDER BY session.date DESC NULLS LAST, session.start_time DESC, session.record_id DESC
        LIMIT $5
    )
    UNION ALL
    (
        SELECT 'check_in' AS kind, report.record_id, report.date, report.submitted_at AS time
        FROM check_ins AS report
        WHERE report.scope_id = $1
            AND report.submitted_at IS NOT NULL
            AND (
                $4::uuid IS NULL
                OR (coalesce(report.date, '-infinity'), coalesce(report.submitted_at, 'infinity'), report.record_id)
                    < (coalesce($2::date, '-infinity'), coalesce($3::timestamp, 'infinity'), $4)
            )
        ORDER BY report.date DESC NULLS LAST, report.submitted_at DESC, report.record_id DESC
        LIMIT $5
    )
) AS page
ORDER BY page.date DESC NULLS LAST, page.time DESC, page.record_id DESC
LIMIT $5;

-- name: list_usual_answers
-- What an athlete usually answers: the mean of the four check-ins before each of those asked for; and how many there are
-- for its day, which two devices may both have reported on.
SELECT earlier.record_id, earlier.energy, earlier.hunger, earlier.stress, earlier.sleep, earlier.adherence,
    earlier.enjoyment, earlier.soreness, earlier.motivation, earlier.weight_kg, earlier.of_day
FROM (
    SELECT report.record_id,
        avg(report.energy) OVER before AS energy,
        avg(report.hunger) OVER before AS hunger,
        avg(report.stress) OVER before AS stress,
        avg(report.sleep) OVER before AS sleep,
        avg(report.adherence) OVER before AS adherence,
        avg(report.enjoyment) OVER before AS enjoyment,
        avg(report.soreness) OVER before AS soreness,
        avg(report.motivation) OVER before AS motivation,
        last_value(report.weight_kg) OVER before AS weight_kg,
        CASE WHEN report.date IS NOT NULL THEN count(*) OVER (PARTITION BY report.date) END AS of_day
    FROM check_ins AS report
    WHERE report.scope_id = $1
        AND report.submitted_at IS NOT NULL
    WINDOW before AS (
        ORDER BY report.date, report.submitted_at, report.record_id
        ROWS BETWEEN 4 PRECEDING AND 1 PRECEDING
    )
) AS earlier
WHERE earlier.record_id = ANY ($2::uuid[])
ORDER BY earlier.record_id
LIMIT 100;

-- name: list_weekly_sets
-- How much was trained in each of the last weeks up to the newest session; a week begins on Monday.
SELECT date_trunc('week', session.date)::date AS week, count(*) AS sessions, sum(session.completed_sets) AS sets
FROM workout_logs AS session
WHERE session.scope_id = $1
    AND session.date > (
        SELECT max(newest.date)
        FROM workout_logs AS newest
        WHERE newest.scope_id = $1
    ) - 7 * 12
GROUP BY week
ORDER BY week DESC
LIMIT 12;

-- name: get_load_unit
-- The unit that an athlete typed last, of those in some days.
SELECT performed.load_unit
FROM workout_logs AS session
CROSS JOIN LATERAL (
    SELECT logged_sets.load_unit
    FROM logged_sets
    WHERE logged_sets.scope_id = session.scope_id
        AND logged_sets.record_id = session.record_id
        AND logged_sets.load_unit IS NOT NULL
    ORDER BY logged_sets.position
    LIMIT 1
) AS performed
WHERE session.scope_id = $1
    AND session.date BETWEEN $2 AND $3
ORDER BY session.date DESC, session.start_time DESC NULLS LAST
LIMIT 1;

-- name: list_insights
-- What the coach has to decide, the most urgent first; then what was decided lately.
SELECT insight.scope_id, insight.record_id
FROM insights AS insight
WHERE insight.scope_id = $1
    AND insight.status IN ('draft', 'approved', 'dismissed')
ORDER BY insight.status <> 'draft',
    CASE WHEN insight.status = 'draft'
        THEN array_position(ARRAY['critical', 'high', 'medium', 'low'], insight.priority)
    END,
    insight.acted_at DESC NULLS LAST,
    insight.record_id DESC
LIMIT $2;

-- name: list_marked
-- Which records hold a conflict, or a value out of bounds, newest change first.
SELECT record.record_id, record.collection, record.has_conflicts, record.needs_review,
    coalesce(session.date, report.date) AS date
FROM records AS record
LEFT JOIN workout_logs AS session
    ON session.scope_id = record.scope_id AND session.record_id = record.record_id
LEFT JOIN check_ins AS report
    ON report.scope_id = record.scope_id AND report.record_id = record.record_id
WHERE record.scope_id = $1
    AND (record.needs_review OR record.has_conflicts)
    AND NOT record.deleted
    AND record.collection IN ('workout_logs', 'check_ins')
ORDER BY record.seq DESC
LIMIT $2;

-- name: list_changes
-- Who brought what to a record and when, the newest first.
SELECT audit.committed_at, audit.client_id, audit.next_clock - audit.first_clock AS ops
FROM audit
WHERE audit.scope_id = $1
    AND audit.record_id = $2
ORDER BY audit.seq DESC
LIMIT 50;

-- name: get_own_account
-- Whose page of sign-in it is.
SELECT email, name, email_verified_at IS NOT NULL AS verified
FROM users
WHERE id = $1;

-- name: list_own_devices
-- Where the visitor is signed in, or was; removed devices are gone.
SELECT devices.id,
    devices.name,
    devices.kind,
    devices.last_seen_at,
    EXISTS (
        SELECT 1
        FROM sessions
        WHERE sessions.device_id = devices.id
            AND sessions.user_id = $1
            AND sessions.ended_at IS NULL
    ) AS signed_in,
    devices.id = $2 AS current
FROM devices
WHERE devices.user_id = $1
    AND devices.removed_at IS NULL
ORDER BY devices.id = $2 DESC, devices.last_seen_at DESC, devices.id
LIMIT $3;

-- name: list_messages
-- The newest of a thread.
SELECT said.record_id
FROM messages AS said
WHERE said.scope_id = $1
ORDER BY said.sent_at DESC, said.record_id DESC, said.sender DESC
LIMIT $2;

-- name: list_ready_media
-- What of a scope was looked at, of those that are named; two people may have handed in the same.
SELECT media.media_id, bool_or(media.thumbnail_bytes IS NOT NULL) AS is_drawn
FROM media
WHERE media.scope_id = $1
    AND media.media_id = ANY ($2::text[])
    AND media.state = 'ready'
GROUP BY media.media_id
ORDER BY media.media_id
LIMIT 1000;

-- name: list_photos
-- An athlete's newest progress photos whose pictures are drawn.
SELECT photo.date, photo.type, photo.media_id
FROM progress_photos AS photo
WHERE photo.scope_id = $1
    AND EXISTS (
        SELECT 1
        FROM media
        WHERE media.scope_id = photo.scope_id
            AND media.media_id = photo.media_id
            AND media.thumbnail_bytes IS NOT NULL
    )
ORDER BY photo.date DESC NULLS LAST, photo.record_id DESC
LIMIT $2;
