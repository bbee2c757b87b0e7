-- An organisation has its tier from the operator, and so have the coaches it carries: whoever registers as an owner and
-- names one has what every coach has. All coaches together have a ceiling of model tokens a day, which this index sums.

CREATE INDEX model_tokens_by_day ON model_tokens (day) INCLUDE (tokens);

CREATE OR REPLACE FUNCTION apex_tiers_of(asked uuid[]) RETURNS TABLE (user_id uuid, tier text)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT users.id,
        coalesce(
            user_tiers.tier,
            CASE users.role
                WHEN 'owner' THEN 'coach_solo'
                WHEN 'support' THEN 'support'
                WHEN 'coach' THEN CASE
                    WHEN EXISTS (
                        SELECT 1
                        FROM organisation_coaches AS member
                        JOIN user_tiers AS given ON given.user_id = member.owner_id AND given.tier = 'organisation'
                        WHERE member.coach_id = users.id AND member.ended_at IS NULL
                    ) THEN 'coach_team'
                    ELSE 'coach_solo'
                END
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
