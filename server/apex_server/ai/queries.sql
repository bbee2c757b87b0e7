-- name: get_worded_text
-- The same facts, worded by the same model under the same instructions, are not paid for again.
SELECT athlete_id, reply
FROM worded_texts
WHERE key = $1;

-- name: keep_worded_text
-- Two workers may have asked at once; either text will do.
INSERT INTO worded_texts (key, athlete_id, reply, created_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO NOTHING;

-- name: forget_worded_texts
-- Facts of a month ago do not come back.
DELETE FROM worded_texts
WHERE created_at < $1;

-- name: get_tokens
-- What a coach's athletes have cost on a day and in its month so far, the tier that says how much they may, and what
-- everybody has cost that day.
SELECT
    coalesce(sum(tokens) FILTER (WHERE day = $2::date), 0)::bigint AS today,
    coalesce(sum(tokens), 0)::bigint AS this_month,
    (SELECT tier FROM apex_tiers_of(ARRAY[$1::uuid])) AS tier,
    (SELECT coalesce(sum(everybody.tokens), 0) FROM model_tokens AS everybody WHERE everybody.day = $2::date)::bigint
        AS everybody_today
FROM model_tokens
WHERE coach_id = $1::uuid AND day BETWEEN date_trunc('month', $2::date)::date AND $2::date;

-- name: lock_tokens
-- Until the end of the transaction: of what is asked at once each sees what the others have reserved.
SELECT pg_advisory_xact_lock(40, 0);

-- name: add_tokens
-- Every call counts, whether or not its answer could be used: reserved first ($3 above 0), then settled.
INSERT INTO model_tokens (coach_id, day, tokens)
VALUES ($1, $2, $3)
ON CONFLICT (coach_id, day) DO UPDATE
SET tokens = model_tokens.tokens + excluded.tokens;
