-- A coach is carried by the organisation they belong to, as an athlete is by their coach.

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
                WHEN 'owner' THEN 'organisation'
                WHEN 'support' THEN 'support'
                WHEN 'coach' THEN CASE
                    WHEN EXISTS (
                        SELECT 1
                        FROM organisation_coaches AS member
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
