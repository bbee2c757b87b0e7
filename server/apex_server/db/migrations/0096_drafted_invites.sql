-- What a coach knows of an athlete before they come: sealed with the coach's key until the invite is accepted, then laid
-- down in the records of both, and gone from here.

ALTER TABLE invites ADD COLUMN draft bytea;
COMMENT ON COLUMN invites.draft IS 'sealed with the key of the coach: name, profile and file of whom the invite is for';
CREATE INDEX invites_to_lay_down ON invites (used_at) WHERE draft IS NOT NULL AND used_by IS NOT NULL;
COMMENT ON INDEX invites_to_lay_down IS 'nearly always empty, and probed every few seconds';

CREATE POLICY invites_commit ON invites FOR SELECT TO apex_commit USING (true);
CREATE POLICY invites_laid_down ON invites FOR UPDATE TO apex_commit USING (true);
GRANT SELECT (code_hash, coach_id, used_by, used_at, draft) ON invites TO apex_commit;
GRANT UPDATE (draft) ON invites TO apex_commit;
