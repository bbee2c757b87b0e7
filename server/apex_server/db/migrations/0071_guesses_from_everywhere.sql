-- Attempts are counted wherever they add up: at one network, at the wider ones around it, and at one account from
-- everywhere together. A row stands for one attempt under one of its counts.

DROP FUNCTION apex_begin_login(bytea, bytea, timestamptz, interval, integer, integer);
DROP INDEX login_attempts_of_origin;
DROP INDEX login_attempts_of_account;
-- They say something for a quarter of an hour; who was slowed down begins anew.
DELETE FROM login_attempts;
ALTER TABLE login_attempts RENAME COLUMN origin TO counted_under;
CREATE INDEX login_attempts_counted ON login_attempts (counted_under, attempted_at DESC);
CREATE INDEX login_attempts_of_account ON login_attempts (account);
COMMENT ON COLUMN login_attempts.account IS
    'fingerprint of what was tried and where from, together: the right answer forgets all of these';
COMMENT ON COLUMN login_attempts.counted_under IS 'fingerprint of what has a bound; no address stands here';

CREATE FUNCTION apex_begin_login(
    asked_account bytea,
    asked_counts bytea[],
    count_limits integer[],
    asked_at timestamptz,
    span interval
)
    RETURNS interval
    LANGUAGE plpgsql
    VOLATILE
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
DECLARE
    waiting interval;
    queue integer;
BEGIN
    -- Attempts that share a count queue here for the moment of counting, so a volley cannot slip under the limit; all
    -- in one order, so that no two wait for each other.
    FOR queue IN SELECT DISTINCT hashtext(encode(asked, 'hex')) FROM unnest(asked_counts) AS asked ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(1, queue);
    END LOOP;
    DELETE FROM login_attempts
    WHERE id IN (
        SELECT id FROM login_attempts WHERE attempted_at <= asked_at - span
        ORDER BY attempted_at LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    SELECT max(earlier.attempted_at) + span - asked_at INTO waiting
    FROM unnest(asked_counts, count_limits) AS asked (counted, at_most)
    CROSS JOIN LATERAL (
        SELECT attempted_at FROM login_attempts
        WHERE counted_under = asked.counted AND attempted_at > asked_at - span
        ORDER BY attempted_at DESC OFFSET asked.at_most - 1 LIMIT 1
    ) AS earlier;
    IF waiting IS NULL THEN
        INSERT INTO login_attempts (account, counted_under, attempted_at)
        SELECT asked_account, asked, asked_at FROM unnest(asked_counts) AS asked;
    END IF;
    RETURN waiting;
END
$$;
COMMENT ON FUNCTION apex_begin_login IS 'counts an attempt under all its counts; not null: how long to wait instead';

REVOKE EXECUTE ON FUNCTION apex_begin_login FROM PUBLIC;
GRANT EXECUTE ON FUNCTION apex_begin_login TO apex_app;
