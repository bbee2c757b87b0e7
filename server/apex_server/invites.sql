-- name: accept_invite
-- The coach's rows are not the athlete's to see, so one function of the database does both sides of it at once.
SELECT outcome, coach_id, coach_name, since, since = now() AS is_new, apex_user_id() AS athlete_id
FROM apex_accept_invite($1);
