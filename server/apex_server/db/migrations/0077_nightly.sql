-- What is done once a night, in steps, by whichever worker comes first; and how far it has come.

CREATE TABLE nightly (
    name text PRIMARY KEY,
    night date NOT NULL,
    after_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    is_done boolean NOT NULL
);
COMMENT ON COLUMN nightly.after_id IS 'the last one that was seen to in this night';

ALTER TABLE nightly ENABLE ROW LEVEL SECURITY;
ALTER TABLE nightly FORCE ROW LEVEL SECURITY;
CREATE POLICY nightly_owner ON nightly TO CURRENT_USER USING (true);
CREATE POLICY nightly_commit ON nightly TO apex_commit USING (true);
GRANT SELECT, INSERT, UPDATE ON nightly TO apex_commit;
