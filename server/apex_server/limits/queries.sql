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
-- The operator decides; the role no longer does.
INSERT INTO user_tiers (user_id, tier, set_at)
VALUES ($1, $2, now())
ON CONFLICT (user_id) DO UPDATE
SET tier = excluded.tier, set_at = excluded.set_at;

-- name: forget_tier
-- The role decides again.
DELETE FROM user_tiers
WHERE user_id = $1;

-- name: get_month_tokens
-- What the texts for a coach's athletes have cost this month.
SELECT coalesce(sum(tokens), 0)::bigint
FROM model_tokens
WHERE coach_id = $1 AND day >= date_trunc('month', now() AT TIME ZONE 'UTC')::date;
