-- name: lock_inviting
-- Whether the coach has confirmed their address. Until the end of the transaction they invite and confirm nothing else:
-- so invites are counted one after the other, and no letter is left waiting for what has happened.
SELECT email_verified_at IS NOT NULL
FROM users
WHERE id = $1
FOR NO KEY UPDATE;

-- name: count_invites
-- What bounds a coach's invites ($2: the addresses of new ones, which take the place of the open ones there): how many
-- are open, and how many were made and how many letters asked for or sent in the last $3; letters that wait for longer
-- count, too.
SELECT
    count(*) FILTER (WHERE stands AND (email_index IS NULL OR email_index <> ALL ($2::bytea[]))) AS open,
    count(*) FILTER (WHERE lately) AS made,
    count(*) FILTER (
        WHERE lately_lettered AND letter NOT IN ('none', 'too_many')
            OR stands AND letter IN ('unconfirmed', 'waiting')
    ) AS letters
FROM (
    SELECT email_index, letter,
        created_at > now() - $3::interval AS lately,
        greatest(created_at, letter_at) > now() - $3::interval AS lately_lettered,
        used_at IS NULL AND revoked_at IS NULL AND expires_at > now() AS stands
    FROM invites
    WHERE coach_id = $1
) AS invite;

-- name: count_letters
-- How many letters of this coach some mailboxes have had in the last $5, and in the last $3 of it, or are to have; not
-- those of the open invites to the addresses $4, whose place new ones take.
SELECT mailbox_index,
    count(*) FILTER (WHERE letter <> 'sent' OR letter_at > now() - $3::interval) AS of_day,
    count(*) AS of_month
FROM invites
WHERE coach_id = $1
    AND mailbox_index = ANY ($2::bytea[])
    AND (
        letter = 'sent'
        AND letter_at > now() - $5::interval
        OR letter IN ('unconfirmed', 'waiting')
        AND used_at IS NULL
        AND revoked_at IS NULL
        AND expires_at > now()
        AND email_index <> ALL ($4::bytea[])
    )
GROUP BY mailbox_index
ORDER BY mailbox_index
LIMIT 10000;

-- name: add_invites
-- Only the fingerprints of codes are kept; the coach is shown each code once. What stood open under the same addresses is
-- taken back, and its draft goes on with an invite that has none of its own; $8 is the empty one.
WITH replaced AS (
    UPDATE invites
    SET revoked_at = now(),
        email = NULL,
        draft = NULL
    WHERE coach_id = $1
        AND used_at IS NULL
        AND revoked_at IS NULL
        AND email_index = ANY ($3::bytea[])
)
INSERT INTO invites (code_hash, coach_id, email_index, mailbox_index, email, draft, letter, created_at, expires_at)
SELECT made.code_hash, $1, made.email_index, made.mailbox_index, made.email,
    coalesce(
        made.draft,
        (
            SELECT earlier.draft
            FROM invites AS earlier
            WHERE earlier.coach_id = $1
                AND earlier.email_index = made.email_index
                AND earlier.used_at IS NULL
                AND earlier.revoked_at IS NULL
                AND earlier.expires_at > now()
            ORDER BY earlier.created_at DESC
            LIMIT 1
        ),
        $8
    ),
    made.letter, now(), now() + $7::interval
FROM unnest($2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[], $9::bytea[])
    AS made (code_hash, email_index, email, draft, letter, mailbox_index)
RETURNING id, code_hash, expires_at;

-- name: list_invited
-- Which of some addresses the coach has invited already, and nobody has answered yet.
SELECT email_index
FROM invites
WHERE coach_id = $1
    AND used_at IS NULL
    AND revoked_at IS NULL
    AND expires_at > now()
    AND email_index = ANY ($2::bytea[])
ORDER BY email_index
LIMIT 10000;

-- name: list_open_invites
-- A page of what nobody has accepted yet, the newest first.
SELECT id, email, draft, letter, letter_at, created_at, expires_at
FROM invites
WHERE coach_id = $1
    AND used_at IS NULL
    AND revoked_at IS NULL
    AND expires_at > now()
    AND ($2::timestamp IS NULL OR (created_at, id) < ($2 AT TIME ZONE 'UTC', $3::uuid))
ORDER BY created_at DESC, id DESC
LIMIT $4;

-- name: revoke_invites
-- One of a coach's, or all ($2 is null); one that is accepted meanwhile stands.
UPDATE invites
SET revoked_at = now(),
    email = NULL,
    draft = NULL
WHERE coach_id = $1
    AND used_at IS NULL
    AND revoked_at IS NULL
    AND ($2::uuid IS NULL OR id = $2)
RETURNING id;

-- name: find_coach_of
-- With which of some coaches an athlete is shown.
SELECT coach_id
FROM apex_clients_of($1, $2);

-- name: list_timeline
-- A page of what happened to an athlete, the newest first: each kind gives its own page by index, the newest of all are
-- taken, and only of those the facts are read. Times are the athlete's wall clock, or midnight where none is known. Of
-- sessions only those in which a set was done, or that were completed.
SELECT page.kind, page.id, page.date, page.time,
    CASE page.kind
        WHEN 'workout' THEN (
            SELECT json_build_object(
                'sets', count(performed.set_key),
                'exercises', count(DISTINCT performed.exercise_key),
                'duration_minutes', max(session.duration_minutes)
            )
            FROM workout_logs AS session
            LEFT JOIN logged_sets AS performed
                ON performed.scope_id = session.scope_id
                AND performed.record_id = session.record_id
                AND performed.completed
            WHERE session.scope_id = $1 AND session.record_id = page.id
        )
        WHEN 'check_in' THEN (
            SELECT json_build_object(
                'reviewed', coach_reviewed,
                'weight_kg', weight_kg,
                'photos', photo_count + (
                    SELECT count(*)
                    FROM progress_photos AS photo
                    WHERE photo.scope_id = $1
                        AND photo.check_in_id = page.id::text
                        AND NOT EXISTS (
                            SELECT 1
                            FROM check_in_photos AS own
                            WHERE own.scope_id = $1
                                AND own.record_id = page.id
                                AND own.media_id = photo.media_id
                        )
                )
            )
            FROM check_ins
            WHERE check_ins.scope_id = $1 AND check_ins.record_id = page.id
        )
        WHEN 'metrics' THEN (
            SELECT json_build_object('weight_kg', weight_kg, 'body_fat_percent', body_fat_percent)
            FROM body_metrics
            WHERE body_metrics.scope_id = $1 AND body_metrics.record_id = page.id
        )
        WHEN 'photo' THEN (
            SELECT json_build_object('type', type)
            FROM progress_photos
            WHERE progress_photos.scope_id = $1 AND progress_photos.record_id = page.id
        )
        WHEN 'nutrition' THEN (
            SELECT json_build_object(
                'energy_kcal', eaten.energy_kcal, 'protein_g', eaten.protein_g,
                'target_energy_kcal', asked.energy_kcal, 'target_protein_g', asked.protein_g
            )
            FROM nutrition_logs AS eaten
            LEFT JOIN LATERAL (
                SELECT target.energy_kcal, target.protein_g
                FROM nutrition_targets AS target
                WHERE target.scope_id = $1 AND target.start_date <= page.date
                ORDER BY target.start_date DESC, target.record_id DESC
                LIMIT 1
            ) AS asked ON true
            WHERE eaten.scope_id = $1 AND eaten.record_id = page.id
        )
        WHEN 'messages' THEN (
            SELECT json_build_object(
                'from_athlete', count(*) FILTER (WHERE said.sender = 'athlete'),
                'from_coach', count(*) FILTER (WHERE said.sender = 'coach')
            )
            FROM messages AS said
            WHERE said.scope_id = $9
                AND said.sent_at >= page.date
                AND said.sent_at < page.date + 1
                AND NOT said.deleted
        )
        WHEN 'program' THEN (
            SELECT json_build_object('status', status, 'end_date', end_date)
            FROM programs
            WHERE programs.scope_id = $1 AND programs.record_id = page.id
        )
        WHEN 'insight' THEN (
            SELECT json_build_object('type', type, 'priority', priority)
            FROM insights
            WHERE insights.scope_id = $2 AND insights.record_id = page.id
        )
    END AS facts
FROM (
    (
        SELECT 'workout' AS kind, moment.id, moment.date, moment.time
        FROM (
            SELECT record_id AS id, date AS date, coalesce(start_time, date::timestamp) AS time
            FROM workout_logs
            WHERE workout_logs.scope_id = $1
                AND date IS NOT NULL
                AND ($4::date IS NULL OR date <= $4)
                AND (
                    workout_logs.completed_sets > 0
                    OR workout_logs.completed
                    OR EXISTS (
                        SELECT 1
                        FROM logged_sets AS performed
                        WHERE performed.scope_id = workout_logs.scope_id
                            AND performed.record_id = workout_logs.record_id
                            AND performed.completed
                    )
                )
        ) AS moment
        WHERE ($3::text IS NULL OR $3 = 'workout')
            AND ($4::date IS NULL OR (moment.date, moment.time, moment.id) < ($4, $5::timestamp, $6::uuid))
        ORDER BY moment.date DESC NULLS LAST, moment.time DESC, moment.id DESC
        LIMIT $7
    )
    UNION ALL
    (
        SELECT 'check_in' AS kind, moment.id, moment.date, moment.time
        FROM (
            SELECT record_id AS id, date AS date, coalesce(submitted_at, date::timestamp) AS time
            FROM check_ins
            WHERE check_ins.scope_id = $1
                AND date IS NOT NULL
                AND ($4::date IS NULL OR date <= $4)
                AND submitted_at IS NOT NULL
        ) AS moment
        WHERE ($3::text IS NULL OR $3 = 'check_in')
            AND ($4::date IS NULL OR (moment.date, moment.time, moment.id) < ($4, $5::timestamp, $6::uuid))
        ORDER BY moment.date DESC NULLS LAST, moment.time DESC, moment.id DESC
        LIMIT $7
    )
    UNION ALL
    (
        SELECT 'metrics' AS kind, moment.id, moment.date, moment.time
        FROM (
            SELECT record_id AS id, date AS date, coalesce(measured_at, date::timestamp) AS time
            FROM body_metrics
            WHERE body_metrics.scope_id = $1
                AND date IS NOT NULL
                AND ($4::date IS NULL OR date <= $4)
        ) AS moment
        WHERE ($3::text IS NULL OR $3 = 'metrics')
            AND ($4::date IS NULL OR (moment.date, moment.time, moment.id) < ($4, $5::timestamp, $6::uuid))
        ORDER BY moment.date DESC NULLS LAST, moment.time DESC, moment.id DESC
        LIMIT $7
    )
    UNION ALL
    (
        SELECT 'photo' AS kind, moment.id, moment.date, moment.time
        FROM (
            SELECT record_id AS id, date AS date, date::timestamp AS time
            FROM progress_photos
            WHERE progress_photos.scope_id = $1
                AND date IS NOT NULL
                AND ($4::date IS NULL OR date <= $4)
        ) AS moment
        WHERE ($3::text IS NULL OR $3 = 'photo')
            AND ($4::date IS NULL OR (moment.date, moment.time, moment.id) < ($4, $5::timestamp, $6::uuid))
        ORDER BY moment.date DESC, moment.time DESC, moment.id DESC
        LIMIT $7
    )
    UNION ALL
    (
        SELECT 'nutrition' AS kind, moment.id, moment.date, moment.time
        FROM (
            SELECT record_id AS id, date AS date, date::timestamp AS time
            FROM nutrition_logs
            WHERE nutrition_logs.scope_id = $1
                AND date IS NOT NULL
                AND food_count > 0
                AND ($4::date IS NULL OR date <= $4)
        ) AS moment
        WHERE ($3::text IS NULL OR $3 = 'nutrition')
            AND ($4::date IS NULL OR (moment.date, moment.time, moment.id) < ($4, $5::timestamp, $6::uuid))
        ORDER BY moment.date DESC, moment.time DESC, moment.id DESC
        LIMIT $7
    )
    UNION ALL
    (
        SELECT 'messages' AS kind, moment.id, moment.date, moment.time
        FROM (
            SELECT DISTINCT $1::uuid AS id, sent_at::date AS date, sent_at::date::timestamp AS time
            FROM messages
            WHERE messages.scope_id = $9
                AND NOT deleted
                AND sent_at > '1970-01-02'
                AND ($4::date IS NULL OR sent_at < $4 + 1)
        ) AS moment
        WHERE ($3::text IS NULL OR $3 = 'messages')
            AND ($4::date IS NULL OR (moment.date, moment.time, moment.id) < ($4, $5::timestamp, $6::uuid))
        ORDER BY moment.date DESC, moment.time DESC, moment.id DESC
        LIMIT $7
    )
    UNION ALL
    (
        SELECT 'program' AS kind, moment.id, moment.date, moment.time
        FROM (
            SELECT record_id AS id, start_date AS date, start_date::timestamp AS time
            FROM programs
            WHERE programs.scope_id = $1
                AND start_date IS NOT NULL
                AND ($4::date IS NULL OR start_date <= $4)
                AND status IN ('active', 'completed')
        ) AS moment
        WHERE ($3::text IS NULL OR $3 = 'program')
            AND ($4::date IS NULL OR (moment.date, moment.time, moment.id) < ($4, $5::timestamp, $6::uuid))
        ORDER BY moment.date DESC, moment.time DESC, moment.id DESC
        LIMIT $7
    )
    UNION ALL
    (
        SELECT 'insight' AS kind, moment.id, moment.date, moment.time
        FROM (
            SELECT record_id AS id, acted_at::date AS date, acted_at AS time
            FROM insights
            WHERE insights.scope_id = $2
                AND acted_at::date IS NOT NULL
                AND ($4::date IS NULL OR acted_at::date <= $4)
                AND status = 'approved'
        ) AS moment
        WHERE ($3::text IS NULL OR $3 = 'insight')
            AND ($4::date IS NULL OR (moment.date, moment.time, moment.id) < ($4, $5::timestamp, $6::uuid))
        ORDER BY moment.date DESC, moment.time DESC, moment.id DESC
        LIMIT $7
    )
    UNION ALL
    (
        SELECT 'linked' AS kind, moment.id, moment.date, moment.time
        FROM (
            SELECT athlete_id AS id, (since AT TIME ZONE 'UTC')::date AS date, since AT TIME ZONE 'UTC' AS time
            FROM coach_athletes
            WHERE coach_athletes.athlete_id = $1
                AND coach_athletes.coach_id = $8
                AND coach_athletes.ended_at IS NULL
        ) AS moment
        WHERE ($3::text IS NULL OR $3 = 'linked')
            AND ($4::date IS NULL OR (moment.date, moment.time, moment.id) < ($4, $5::timestamp, $6::uuid))
        ORDER BY moment.date DESC, moment.time DESC, moment.id DESC
        LIMIT $7
    )
    ORDER BY date DESC, time DESC, id DESC
    LIMIT $7
) AS page
ORDER BY page.date DESC, page.time DESC, page.id DESC
LIMIT $7;

-- name: get_address
-- The address of an athlete, for whoever was shown that athlete just before.
SELECT email, email_verified_at IS NOT NULL AS email_verified
FROM users
WHERE id = $1;

-- name: has_record
-- What a damaged record has in common with a whole one, and an unwritten one has not.
SELECT EXISTS (
    SELECT 1
    FROM records
    WHERE records.scope_id = $1
        AND records.record_id = $2
);

-- name: list_recent_workouts
-- The sessions of the last weeks in which a set was done, or that were completed, the newest first; their sets and titles
-- are read beside.
SELECT session.scope_id, session.record_id, session.date, session.duration_minutes
FROM workout_logs AS session
WHERE session.scope_id = $1
    AND session.date BETWEEN $2 AND $3
    AND (
        session.completed_sets > 0
        OR session.completed
        OR EXISTS (
            SELECT 1
            FROM logged_sets AS performed
            WHERE performed.scope_id = session.scope_id
                AND performed.record_id = session.record_id
                AND performed.completed
        )
    )
ORDER BY session.date DESC NULLS LAST, session.start_time DESC, session.record_id DESC
LIMIT 100;

-- name: list_recent_check_ins
-- What the athlete answered lately, the newest first.
SELECT report.record_id, report.date, report.coach_reviewed, report.weight_kg, report.energy, report.hunger,
    report.stress, report.sleep, report.adherence, report.enjoyment, report.soreness, report.motivation
FROM check_ins AS report
WHERE report.scope_id = $1
    AND report.submitted_at IS NOT NULL
    AND report.date IS NOT NULL
ORDER BY report.date DESC NULLS LAST, report.submitted_at DESC, report.record_id DESC
LIMIT 8;

-- name: list_recent_eating
-- What the athlete wrote down of these days, the earliest first.
SELECT eaten.date, eaten.meal_count, eaten.food_count, eaten.energy_kcal, eaten.protein_g, eaten.carbs_g, eaten.fat_g
FROM nutrition_logs AS eaten
WHERE eaten.scope_id = $1
    AND eaten.date BETWEEN $2 AND $3
    AND eaten.food_count > 0
ORDER BY eaten.date, eaten.record_id
LIMIT 100;

-- name: list_targets
-- What was asked for up to a day, the latest first.
SELECT asked.start_date, asked.energy_kcal, asked.protein_g, asked.carbs_g, asked.fat_g
FROM nutrition_targets AS asked
WHERE asked.scope_id = $1
    AND asked.start_date <= $2
ORDER BY asked.start_date DESC, asked.record_id DESC
LIMIT 30;

-- name: count_messages
-- How much was written in a thread since a day, and what waits for the coach.
SELECT count(*) FILTER (WHERE said.sender = 'athlete' AND said.sent_at >= $2::date) AS from_athlete,
    count(*) FILTER (WHERE said.sender = 'coach' AND said.sent_at >= $2::date) AS from_coach,
    count(*) FILTER (WHERE said.sender = 'athlete' AND said.read_at IS NULL) AS unread
FROM messages AS said
WHERE said.scope_id = $1
    AND NOT said.deleted
    AND (said.sent_at >= $2::date OR said.read_at IS NULL);

-- name: list_open_insights
-- What waits for the coach's word about an athlete, the most urgent first.
SELECT insight.scope_id, insight.record_id
FROM insights AS insight
WHERE insight.scope_id = $1
    AND insight.status = 'draft'
ORDER BY array_position(ARRAY['critical', 'high', 'medium', 'low'], insight.priority), insight.record_id DESC
LIMIT 20;

-- name: list_to_look_at
-- Records with a value written on two sides at once, or out of bounds, the newest change first.
SELECT record.record_id, record.collection, record.has_conflicts, record.needs_review
FROM records AS record
WHERE record.scope_id = $1
    AND (record.needs_review OR record.has_conflicts)
    AND NOT record.deleted
ORDER BY record.seq DESC
LIMIT 20;

-- name: list_linked_coaches
-- Whom an athlete has to choose from when they end a relation without naming the coach.
SELECT coach_id
FROM coach_athletes
WHERE athlete_id = $1
    AND ended_at IS NULL
ORDER BY since
LIMIT 2;

-- name: end_link
-- Either side ends it, for good; only a new invite makes a new one.
UPDATE coach_athletes
SET ended_at = now(),
    ended_by = $1
WHERE coach_id = $2
    AND athlete_id = $3
    AND ended_at IS NULL
    AND $1 IN (coach_id, athlete_id)
RETURNING coach_id;
