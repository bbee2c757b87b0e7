-- Keys of devices that were signed out are taken from their threads: the worker looks who was, lately.

CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at IS NOT NULL;
GRANT SELECT (device_id) ON sessions TO apex_commit;
