-- name: begin_event
-- Whoever adds an event holds the person's chain; the event's time and the actor's role are the database's word. The
-- wrapped key comes with it, because an event is sealed for its subject whoever asks.
SELECT seq, state, at, actor_role, wrapped, master_key_id
FROM apex_begin_event($1, $2);

-- name: add_event
-- One event, and the chain's new head.
SELECT apex_add_event($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);
