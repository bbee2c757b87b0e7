-- name: settle_budgets
-- Many accounts in one statement, so that no request waits for it.
SELECT account, budget, level
FROM apex_settle_budgets($1, $2, $3, $4);

-- name: forget_drained_budgets
-- A row that has drained says no more than no row.
SELECT apex_forget_drained_budgets();

-- name: get_tiers
-- Asked anew every minute, so a tier that was changed holds soon.
SELECT user_id, tier
FROM apex_tiers_of($1);

-- name: set_tier
-- The operator decides; the role no longer does. No row: nobody has answered for that address.
INSERT INTO user_tiers (user_id, tier, set_at)
SELECT users.id, $2, now()
FROM users
WHERE users.email_index = $1
    AND users.email_verified_at IS NOT NULL
ON CONFLICT (user_id) DO UPDATE
SET tier = excluded.tier, set_at = excluded.set_at
RETURNING user_id;

-- name: forget_tier
-- The role decides again. No row: nobody has answered for that address.
WITH person AS (
    SELECT users.id
    FROM users
    WHERE users.email_index = $1
        AND users.email_verified_at IS NOT NULL
), forgotten AS (
    DELETE FROM user_tiers
    USING person
    WHERE user_tiers.user_id = person.id
)
SELECT person.id
FROM person;

-- name: get_month_tokens
-- What the texts for a coach's athletes have cost this month.
SELECT coalesce(sum(tokens), 0)::bigint
FROM model_tokens
WHERE coach_id = $1 AND day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date;
