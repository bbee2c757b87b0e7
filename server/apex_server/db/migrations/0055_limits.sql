-- Limits: which tier a person is in, and how much of each budget is used, shared by all server processes.
--
-- A budget is a leaky bucket: `level` is what was used and has not drained away yet, as of `settled_at`, by this
-- server's clock alone. Processes spend first and settle every few seconds, many people in one statement.

CREATE TABLE user_tiers (
    user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    tier text NOT NULL,
    set_at timestamptz NOT NULL
);
COMMENT ON TABLE user_tiers IS 'tiers that an operator gave; without a row the tier follows from the role';

ALTER TABLE user_tiers ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_tiers FORCE ROW LEVEL SECURITY;
CREATE POLICY user_tiers_owner ON user_tiers TO CURRENT_USER USING (true);
CREATE POLICY user_tiers_own ON user_tiers FOR SELECT TO apex_app USING (user_id = apex_user_id());
CREATE POLICY user_tiers_commit ON user_tiers TO apex_commit USING (true);
GRANT SELECT ON user_tiers TO apex_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON user_tiers TO apex_commit;

-- Not logged: after a crash of Postgres the table is empty and everybody has their whole budget, which harms nobody.
CREATE UNLOGGED TABLE used_budgets (
    account bytea NOT NULL CHECK (length(account) = 16),
    budget text NOT NULL,
    level double precision NOT NULL,
    drains_per_second double precision NOT NULL CHECK (drains_per_second > 0),
    settled_at timestamptz NOT NULL,
    PRIMARY KEY (account, budget)
) WITH (fillfactor = 60);
CREATE INDEX used_budgets_by_age ON used_budgets (settled_at);
COMMENT ON TABLE used_budgets IS 'what has been used of budgets and has not drained away as of settled_at';
COMMENT ON COLUMN used_budgets.account IS 'the id of a user, or a fingerprint of a network that nobody signed in from';

ALTER TABLE used_budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE used_budgets FORCE ROW LEVEL SECURITY;
CREATE POLICY used_budgets_owner ON used_budgets TO CURRENT_USER USING (true);

-- A person sees what the texts for their athletes have cost, as a part of their limits.
CREATE POLICY model_tokens_own ON model_tokens FOR SELECT TO apex_app USING (coach_id = apex_user_id());
GRANT SELECT ON model_tokens TO apex_app;

-- An account may have been used by a process that has died since, so the accounts are named and nothing is trusted but
-- this clock. Where it has jumped back nothing drains for a moment; where it has jumped forward a budget is whole again.
CREATE FUNCTION apex_settle_budgets(
    accounts bytea[],
    budgets text[],
    used double precision[],
    drained_per_second double precision[]
)
    RETURNS TABLE (account bytea, budget text, level double precision)
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    -- In one order in every process, so that two never wait for each other's rows.
    INSERT INTO used_budgets AS before (account, budget, level, drains_per_second, settled_at)
    SELECT asked.account, asked.budget, asked.used, asked.drains_per_second, clock_timestamp()
    FROM unnest(accounts, budgets, used, drained_per_second) AS asked (account, budget, used, drains_per_second)
    ORDER BY asked.account, asked.budget
    ON CONFLICT ON CONSTRAINT used_budgets_pkey DO UPDATE
    SET level = excluded.level + greatest(
            0,
            before.level - before.drains_per_second * greatest(
                0, extract(epoch FROM excluded.settled_at - before.settled_at)::double precision
            )
        ),
        drains_per_second = excluded.drains_per_second,
        settled_at = excluded.settled_at
    RETURNING before.account, before.budget, before.level;
END;
COMMENT ON FUNCTION apex_settle_budgets IS 'adds what was used; gives the levels of all processes together';

CREATE FUNCTION apex_forget_drained_budgets() RETURNS void
    LANGUAGE sql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    DELETE FROM used_budgets
    WHERE (used_budgets.account, used_budgets.budget) IN (
        SELECT old.account, old.budget
        FROM used_budgets AS old
        WHERE old.settled_at < clock_timestamp() - interval '1 minute'
            AND old.settled_at + old.level / old.drains_per_second * interval '1 second' < clock_timestamp()
        ORDER BY old.settled_at
        LIMIT 1000
        FOR UPDATE SKIP LOCKED
    );
END;
COMMENT ON FUNCTION apex_forget_drained_budgets IS 'deletes a thousand rows that say nothing any more';

-- What an operator gave; else what follows from the role, and an athlete is carried by the coach they work with.
CREATE FUNCTION apex_tiers_of(asked uuid[]) RETURNS TABLE (user_id uuid, tier text)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT users.id,
        coalesce(
            user_tiers.tier,
            CASE users.role
                WHEN 'coach' THEN 'coach_solo'
                WHEN 'owner' THEN 'organisation'
                WHEN 'support' THEN 'support'
                ELSE CASE
                    WHEN EXISTS (
                        SELECT 1
                        FROM coach_athletes AS pair
                        WHERE pair.athlete_id = users.id AND pair.ended_at IS NULL
                    ) THEN 'athlete_coached'
                    ELSE 'athlete_free'
                END
            END
        )
    FROM users
    LEFT JOIN user_tiers ON user_tiers.user_id = users.id
    WHERE users.id = ANY (asked);
END;
COMMENT ON FUNCTION apex_tiers_of IS 'the tier in which each of these people is served';

REVOKE EXECUTE ON FUNCTION apex_settle_budgets, apex_forget_drained_budgets, apex_tiers_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_settle_budgets, apex_forget_drained_budgets, apex_tiers_of TO apex_app, apex_commit;
