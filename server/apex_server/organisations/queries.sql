-- name: get_organisation
-- The owner's own; nothing before it was named.
SELECT name, created_at, second_factor_demanded
FROM organisations
WHERE owner_id = $1;

-- name: name_organisation
-- Naming it the first time makes it.
INSERT INTO organisations (owner_id, name, created_at)
VALUES ($1, $2, now())
ON CONFLICT (owner_id) DO UPDATE
SET name = excluded.name;

-- name: demand_second_factor
-- Of the owner and all coaches, or of nobody.
UPDATE organisations
SET second_factor_demanded = $2
WHERE owner_id = $1
    AND second_factor_demanded <> $2
RETURNING owner_id;

-- name: list_coaches
-- All present coaches; their number is bounded, and names are sorted once they are open.
SELECT users.id, users.name, member.since
FROM organisation_coaches AS member
JOIN users ON users.id = member.coach_id
WHERE member.owner_id = $1
    AND member.ended_at IS NULL
ORDER BY member.since, users.id
LIMIT 200;

-- name: is_member
-- Whose athletes an owner may list.
SELECT EXISTS (
    SELECT 1
    FROM organisation_coaches
    WHERE owner_id = $1
        AND coach_id = $2
        AND ended_at IS NULL
);

-- name: list_athletes_of_coach
-- The present athletes of a coach of the organisation.
SELECT users.id, users.name, pair.since
FROM coach_athletes AS pair
JOIN users ON users.id = pair.athlete_id
WHERE pair.coach_id = $1
    AND pair.ended_at IS NULL
ORDER BY pair.since, users.id
LIMIT 1000;

-- name: count_open_invites
-- An owner's open invites are bounded; used and expired ones do not count.
SELECT count(*)
FROM organisation_invites
WHERE owner_id = $1
    AND used_at IS NULL
    AND expires_at > now();

-- name: add_invite
-- Only the code's fingerprint is kept; the owner is shown the code once.
INSERT INTO organisation_invites (code_hash, owner_id, email_index, created_at, expires_at)
VALUES ($2, $1, $3, now(), now() + $4::interval)
RETURNING expires_at;

-- name: get_offer
-- Whoever holds a code may know who invites.
SELECT owner_id, organisation_name, owner_name, wrapped, master_key_id, expires_at, used, expires_at <= now() AS expired
FROM apex_organisation_offer($1);

-- name: join_organisation
-- The owner's rows are not the coach's to see, so one function of the database does both sides of it at once.
SELECT outcome, owner_id, since, since = now() AS is_new
FROM apex_join_organisation($1, (SELECT users.email_index FROM users WHERE users.id = $2), $3);

-- name: end_membership
-- Either side ends it, for good; only a new invite makes a new one.
UPDATE organisation_coaches
SET ended_at = now(),
    ended_by = $1
WHERE coach_id = $2
    AND $1 IN (owner_id, coach_id)
    AND ended_at IS NULL
RETURNING owner_id;

-- name: list_readers
-- Who reads along with the caller, or with their coaches.
SELECT reading.coach_id, reading.owner_id, users.name AS owner_name, organisations.name AS organisation_name,
    reading.since
FROM (
    SELECT coach_id, owner_id, since
    FROM organisation_coaches
    WHERE coach_id = $1
        AND ended_at IS NULL
    UNION ALL
    SELECT coach_id, owner_id, since
    FROM apex_organisations_of_my_coaches()
) AS reading
JOIN organisations ON organisations.owner_id = reading.owner_id
JOIN users ON users.id = reading.owner_id
ORDER BY reading.since, reading.coach_id
LIMIT 200;
