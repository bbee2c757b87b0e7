-- name: settle_dirty
-- Marks that have been quiet for long enough, or have waited for too long, become due; a late workout can change what a
-- check-in means and the reverse, so every kind does. A mark that a commit is just making is left for the next time.
WITH settled AS (
    DELETE FROM dirty
    WHERE (athlete_id, kind) IN (
        SELECT athlete_id, kind
        FROM dirty
        WHERE last_marked_at <= $1 OR first_marked_at <= $2
        ORDER BY last_marked_at
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    )
    RETURNING athlete_id, watermark
)
INSERT INTO analyses_due (athlete_id, kind, watermark, due_at)
SELECT settled.athlete_id, asked.kind, max(settled.watermark), now()
FROM settled
CROSS JOIN unnest($3::text[]) AS asked (kind)
GROUP BY settled.athlete_id, asked.kind
ORDER BY settled.athlete_id, asked.kind
ON CONFLICT (athlete_id, kind) DO UPDATE
SET watermark = greatest(analyses_due.watermark, excluded.watermark), due_at = excluded.due_at;

-- name: ask_for_analysis
-- Somebody does not want to wait for quiet: a coach of the athlete, or the system. What failed before is tried again,
-- because it is due anew.
INSERT INTO analyses_due (athlete_id, kind, watermark, due_at)
SELECT $1, asked.kind, coalesce((SELECT seq FROM scopes WHERE scope_id = $1), 0), now()
FROM unnest($2::text[]) AS asked (kind)
WHERE $3::uuid IS NULL OR apex_scope_access($3, 'athlete:' || $1::text) = 'coach'
ON CONFLICT (athlete_id, kind) DO UPDATE
SET watermark = greatest(analyses_due.watermark, excluded.watermark), due_at = excluded.due_at;

-- name: ask_for_new_links
-- A coach who has just come sees what the records say so far, without waiting for the next workout; asked for all of
-- them, also one who came while no worker ran. Nothing is written to a private scope before the first analysis.
INSERT INTO analyses_due (athlete_id, kind, watermark, due_at)
SELECT DISTINCT pair.athlete_id, asked.kind, scopes.seq, now()
FROM coach_athletes AS pair
JOIN scopes ON scopes.scope_id = pair.athlete_id
CROSS JOIN unnest($3::text[]) AS asked (kind)
WHERE pair.ended_at IS NULL
    AND (
        pair.since > now() - $1::interval
        OR (
            $2
            AND NOT EXISTS (
                SELECT 1
                FROM scopes AS private
                WHERE private.name = 'private:' || pair.coach_id::text || ':' || pair.athlete_id::text
            )
        )
    )
ORDER BY pair.athlete_id, asked.kind
ON CONFLICT (athlete_id, kind) DO NOTHING;

-- name: list_due_without_job
-- What the queue must be given. A job that failed for good is not tried again until there is something new.
SELECT due.athlete_id, due.kind
FROM analyses_due AS due
WHERE NOT EXISTS (
        SELECT 1
        FROM pgqueuer AS job
        WHERE job.dedupe_key = 'analysis:' || due.kind || ':' || due.athlete_id::text
            AND job.status IN ('queued', 'picked')
    )
    AND NOT EXISTS (
        SELECT 1
        FROM pgqueuer AS job
        WHERE job.dedupe_key = 'analysis:' || due.kind || ':' || due.athlete_id::text
            AND job.status = 'failed'
            AND job.updated >= due.due_at
    )
ORDER BY due.due_at
LIMIT 100;

-- name: is_due
-- A job may come twice, after a worker died; what is done is not done again.
SELECT EXISTS (SELECT 1 FROM analyses_due WHERE athlete_id = $1 AND kind = $2);

-- name: has_consented
-- Looked up for each analysis: taken back, a consent holds no longer for the next one.
SELECT apex_consented($1, 'ai_analysis');

-- name: is_stale
-- Whether the athlete's records have changed since they were read: then there will be another job.
SELECT EXISTS (SELECT 1 FROM dirty WHERE athlete_id = $1 AND watermark > $3)
    OR EXISTS (SELECT 1 FROM analyses_due WHERE athlete_id = $1 AND kind = $2 AND watermark > $3);

-- name: finish_due
-- What became due while the job ran stays due.
DELETE FROM analyses_due
WHERE athlete_id = $1 AND kind = $2 AND watermark <= $3;

-- name: get_scope_seq
-- What a reading of the scope's records is true for; no row is an athlete nobody wrote anything for.
SELECT seq
FROM scopes
WHERE scope_id = $1;

-- name: list_records_to_analyse
-- Everything the rules look at, the latest changes first; 20,000 records are 30 years of hard training.
SELECT record_id, seq, collection, digest, doc
FROM records
WHERE scope_id = $1
    AND collection IN (
        'body_metrics', 'check_ins', 'nutrition_logs', 'nutrition_targets', 'profiles', 'programs', 'workout_logs'
    )
    AND NOT deleted
ORDER BY seq DESC
LIMIT 20000;

-- name: list_library
-- The exercises that an athlete's coaches or everybody share.
SELECT scopes.name AS scope, records.record_id, records.seq, records.collection, records.digest, records.doc
FROM records
JOIN scopes ON scopes.scope_id = records.scope_id
WHERE records.scope_id = ANY($1::uuid[])
    AND records.collection = 'exercises'
    AND NOT records.deleted
ORDER BY records.scope_id, records.record_id
LIMIT 5000;

-- name: list_coaches
-- For whom the analysis is made, who has known the athlete for longest first; and since which day.
SELECT coach_id, (since AT TIME ZONE 'UTC')::date AS since
FROM coach_athletes
WHERE athlete_id = $1 AND ended_at IS NULL
ORDER BY coach_athletes.since, coach_id
LIMIT 100;

-- name: list_insights
-- What a new analysis replaces: open drafts; and what it may find made already, by id.
SELECT record_id, about_id, type, status
FROM insights
WHERE scope_id = $1
    AND kind = $2
    AND (status = 'draft' OR record_id = ANY($3::uuid[]))
ORDER BY record_id
LIMIT 1000;

-- name: list_undelivered
-- Decisions of coaches that the athlete's records do not show yet, for these scopes or (none named) for all.
SELECT scopes.name AS scope, insights.record_id
FROM insights
JOIN scopes ON scopes.scope_id = insights.scope_id
JOIN records ON records.scope_id = insights.scope_id AND records.record_id = insights.record_id
LEFT JOIN published_insights AS published
    ON published.scope_id = insights.scope_id AND published.record_id = insights.record_id
WHERE ($1::uuid[] IS NULL OR insights.scope_id = ANY($1::uuid[]))
    AND (
        (insights.status = 'approved' AND published.seq IS DISTINCT FROM records.seq)
        OR (insights.status <> 'approved' AND published.text_shown)
    )
ORDER BY insights.scope_id, insights.record_id
LIMIT 1000;

-- name: get_document
-- A record and where it stands in its scope's feed.
SELECT record_id, seq, collection, digest, doc
FROM records
WHERE scope_id = $1 AND record_id = $2;

-- name: is_linked
-- A coach who no longer works with an athlete writes nothing to them any more.
SELECT EXISTS (
    SELECT 1
    FROM coach_athletes
    WHERE coach_id = $1 AND athlete_id = $2 AND ended_at IS NULL
);

-- name: get_published
-- Up to where a decision was carried, and whether the athlete can read the text.
SELECT seq, text_shown
FROM published_insights
WHERE scope_id = $1 AND record_id = $2;

-- name: set_published
-- Said after the athlete's record was written; a crash in between only makes it be compared again.
INSERT INTO published_insights (scope_id, record_id, seq, text_shown, published_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (scope_id, record_id) DO UPDATE
SET seq = excluded.seq, text_shown = excluded.text_shown, published_at = excluded.published_at;

-- name: list_failed_jobs
-- What an operator must look at, with the last error, the newest first.
SELECT job.id, job.entrypoint, job.dedupe_key, job.updated,
    (
        SELECT log.traceback ->> 'exception_message'
        FROM pgqueuer_log AS log
        WHERE log.job_id = job.id AND log.status = 'failed'
        ORDER BY log.created DESC
        LIMIT 1
    ) AS reason
FROM pgqueuer AS job
WHERE job.status = 'failed'
ORDER BY job.updated DESC
LIMIT $1;

-- name: forget_old_jobs
-- The log is for looking into what went wrong lately.
DELETE FROM pgqueuer_log
WHERE created < $1;

-- name: begin_nights
-- The first time is not a night's: what there is is fresh.
INSERT INTO nightly (name, night, is_done)
VALUES ($1, $2, true)
ON CONFLICT DO NOTHING;

-- name: take_night
-- One worker at a time; where another one is at it, or all is done, there is nothing to do.
WITH held AS MATERIALIZED (
    SELECT name, CASE WHEN night = $2 THEN after_id ELSE '00000000-0000-0000-0000-000000000000' END AS after_id
    FROM nightly
    WHERE name = $1 AND (night < $2 OR (night = $2 AND NOT is_done))
    FOR NO KEY UPDATE SKIP LOCKED
)
SELECT after_id
FROM held;

-- name: note_night
-- Where the next step begins.
UPDATE nightly
SET night = $2, after_id = $3, is_done = $4
WHERE name = $1;

-- name: count_due
-- Whether there is enough to do already.
SELECT count(*)
FROM (SELECT 1 FROM analyses_due LIMIT $1) AS due;

-- name: athletes_of_late
-- Who works with a coach, and has logged something since a day: for them a day that passes may change what is found.
SELECT DISTINCT pair.athlete_id
FROM coach_athletes AS pair
WHERE pair.ended_at IS NULL
    AND pair.athlete_id > $1
    AND (
        EXISTS (SELECT 1 FROM workout_logs AS log WHERE log.scope_id = pair.athlete_id AND log.date >= $2)
        OR EXISTS (SELECT 1 FROM check_ins AS one WHERE one.scope_id = pair.athlete_id AND one.date >= $2)
        OR EXISTS (SELECT 1 FROM nutrition_logs AS eaten WHERE eaten.scope_id = pair.athlete_id AND eaten.date >= $2)
    )
ORDER BY pair.athlete_id
LIMIT $3;

-- name: ask_for_many
-- As when somebody asks for it; who is due already stays so.
INSERT INTO analyses_due (athlete_id, kind, watermark, due_at)
SELECT scopes.scope_id, asked.kind, scopes.seq, now()
FROM scopes
CROSS JOIN unnest($2::text[]) AS asked (kind)
WHERE scopes.scope_id = ANY($1::uuid[])
ORDER BY scopes.scope_id, asked.kind
ON CONFLICT (athlete_id, kind) DO NOTHING;

-- name: scopes_after
-- Some scopes, in the order of their ids.
SELECT scope_id, name
FROM scopes
WHERE scope_id > $1
ORDER BY scope_id
LIMIT $2;

-- name: take_builtin_library
-- One process at a time compares and writes, as the row is locked to the end of its transaction; a second one then finds
-- nothing left to write, and a server of an older version a higher number than its own.
UPDATE server_identity
SET library_version = greatest(library_version, $1)
RETURNING library_version;

-- name: list_builtin
-- Everything there is of one kind in everybody's scope, what was deleted too, since a line may come back.
SELECT record_id, doc
FROM records
WHERE scope_id = $1 AND collection = $2
ORDER BY record_id
LIMIT 20000;

-- name: list_threads_with_keys
-- Threads in which a device may have lost its session within $1, or all of them; parted ones when they begin again.
WITH lately AS (
    SELECT DISTINCT user_id
    FROM sessions
    WHERE ended_at > now() - $1::interval
)
SELECT pair.coach_id, pair.athlete_id
FROM coach_athletes AS pair
WHERE pair.ended_at IS NULL
    AND (
        $1::interval IS NULL
        OR pair.since > now() - $1::interval
        OR pair.coach_id IN (SELECT user_id FROM lately)
        OR pair.athlete_id IN (SELECT user_id FROM lately)
    )
    AND (pair.coach_id, pair.athlete_id) > ($2, $3)
ORDER BY pair.coach_id, pair.athlete_id
LIMIT $4;

-- name: list_signed_out
-- Which of these, by their place, nobody is signed in on as that person; a session that lapsed, after 30 days without use,
-- has no end. What is somebody else's is not theirs; what is nobody's ($4: drawn before that) never signed in. Ids of the
-- server, which have no device, say nothing.
SELECT asked.place
FROM unnest($1::bigint[], $2::uuid[], $3::timestamptz[]) WITH ORDINALITY
    AS asked (client_id, user_id, drawn_at, place)
LEFT JOIN client_ids ON client_ids.client_id = asked.client_id
WHERE CASE
    WHEN client_ids.client_id IS NULL THEN asked.drawn_at < $4
    WHEN client_ids.user_id <> asked.user_id THEN true
    ELSE client_ids.device_id IS NOT NULL AND NOT EXISTS (
        SELECT 1
        FROM sessions
        WHERE sessions.device_id = client_ids.device_id
            AND sessions.ended_at IS NULL
            AND sessions.last_used_at > now() - interval '31 days'
    )
END
ORDER BY asked.place;

-- name: look_for_news
-- Some of those who have consented to be told of unread messages and got no such letter since $3, by the id of the person;
-- and whether something ($2: that came until then) is new since the last one, or since they consented. Where the post
-- refused one (not where it was away: $6 tries), nobody tries again while that is held, or until they confirm another address.
WITH looked_at AS (
    SELECT user_id, greatest(given_at, letter_at - $4::interval) AS told_until
    FROM consents
    WHERE kind = 'messages'
        AND withdrawn_at IS NULL
        AND (letter_at IS NULL OR letter_at <= $3)
        AND user_id > $1
        AND NOT EXISTS (
            SELECT 1
            FROM mails AS held
            JOIN users ON users.id = held.user_id
            WHERE held.user_id = consents.user_id
                AND held.purpose = 'unread_messages'
                AND held.failed_at >= users.email_verified_at
                AND held.attempts < $6
        )
    ORDER BY user_id
    LIMIT $5
)
SELECT user_id, told_until,
    EXISTS (
        SELECT 1
        FROM apex_waiting_messages(user_id, $2) AS waiting
        WHERE waiting.newest_at > told_until
    ) AS has_news
FROM looked_at
ORDER BY user_id;

-- name: ask_for_letter
-- Two workers may have found the same person: one of them asks.
WITH due AS (
    UPDATE consents
    SET letter_at = $2
    WHERE user_id = $1
        AND kind = 'messages'
        AND withdrawn_at IS NULL
        AND (letter_at IS NULL OR letter_at <= $3)
    RETURNING user_id
)
INSERT INTO mails (purpose, user_id, asked_at, due_at)
SELECT 'unread_messages', due.user_id, $2, $2
FROM due
ON CONFLICT DO NOTHING
RETURNING user_id;
