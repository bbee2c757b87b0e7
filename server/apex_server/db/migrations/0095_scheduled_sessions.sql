-- When each session of a program and each check-in is due, so that what was due and what was done of it can be asked of all of a coach's
-- athletes at once; what 0021_projections.sql says holds here, too.

CREATE TABLE scheduled_sessions (
    scope_id uuid NOT NULL,
    record_id uuid NOT NULL,
    session_key text NOT NULL,
    date date,
    week_number bigint,
    day_number bigint,
    set_count integer,
    PRIMARY KEY (scope_id, record_id, session_key)
);
COMMENT ON TABLE scheduled_sessions IS 'of programs that are active or completed; drafts expect nobody to train';
COMMENT ON COLUMN scheduled_sessions.set_count IS 'sets prescribed beside warm-ups; null: none are named';

ALTER TABLE scheduled_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE scheduled_sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY scheduled_sessions_owner ON scheduled_sessions TO CURRENT_USER USING (true);
CREATE POLICY scheduled_sessions_commit ON scheduled_sessions TO apex_commit USING (true);
CREATE POLICY scheduled_sessions_read ON scheduled_sessions FOR SELECT
    USING (scope_id = ANY ((SELECT apex_readable_scope_ids())::uuid[]));
GRANT SELECT ON scheduled_sessions TO apex_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON scheduled_sessions TO apex_commit;

ALTER TABLE profiles ADD COLUMN check_in_day_number bigint;
COMMENT ON COLUMN profiles.check_in_day_number IS 'the day of the week on which a check-in is due, from 1 for Monday';

CREATE INDEX check_ins_to_review ON check_ins (scope_id) WHERE submitted_at IS NOT NULL AND NOT coach_reviewed;
COMMENT ON INDEX check_ins_to_review IS 'a handful of rows, asked for with every list of a coach''s athletes';

UPDATE server_identity SET projections_version = 5 WHERE NOT EXISTS (SELECT 1 FROM records);
