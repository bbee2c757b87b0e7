-- An athlete is told when the owner of an organisation begins to read them: because a coach of theirs joined it, or because
-- they began to work with a coach who belongs to it. The worker writes it into their events and mails them.

ALTER TABLE mails ADD COLUMN about_id uuid REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE mails ADD COLUMN noted_at timestamptz;
COMMENT ON COLUMN mails.about_id IS 'the other person that it tells of, if it tells of one';
COMMENT ON COLUMN mails.noted_at IS 'when what it tells of was written into the events of its person, once however often it is sent';
CREATE INDEX mails_about ON mails (about_id) WHERE about_id IS NOT NULL;
DROP INDEX mails_waiting;
CREATE UNIQUE INDEX mails_waiting ON mails (user_id, email_index, purpose, email_change_id, about_id)
    NULLS NOT DISTINCT WHERE failed_at IS NULL;

CREATE FUNCTION apex_tell_of_reader(asked_athlete uuid, through_coach uuid, reading_owner uuid) RETURNS void
    LANGUAGE sql
    VOLATILE
    SET search_path = public, pg_temp
BEGIN ATOMIC
    INSERT INTO mails (purpose, user_id, about_id, asked_at, due_at)
    SELECT 'reader_began', asked_athlete, reading_owner, now(), now()
    WHERE NOT EXISTS (
        SELECT 1
        FROM organisation_coaches AS member
        JOIN coach_athletes AS pair ON pair.coach_id = member.coach_id AND pair.ended_at IS NULL
        WHERE member.owner_id = reading_owner
            AND member.ended_at IS NULL
            AND member.coach_id <> through_coach
            AND pair.athlete_id = asked_athlete
    )
    ON CONFLICT DO NOTHING;
END;
COMMENT ON FUNCTION apex_tell_of_reader IS 'unless the owner reads the athlete already, with another coach';

CREATE FUNCTION apex_coach_has_joined() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM apex_tell_of_reader(pair.athlete_id, NEW.coach_id, NEW.owner_id)
    FROM coach_athletes AS pair
    WHERE pair.coach_id = NEW.coach_id AND pair.ended_at IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER organisation_coaches_tell AFTER INSERT ON organisation_coaches
    FOR EACH ROW WHEN (NEW.ended_at IS NULL)
    EXECUTE FUNCTION apex_coach_has_joined();

CREATE FUNCTION apex_athlete_has_begun() RETURNS trigger
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM apex_tell_of_reader(NEW.athlete_id, NEW.coach_id, member.owner_id)
    FROM organisation_coaches AS member
    WHERE member.coach_id = NEW.coach_id AND member.ended_at IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER coach_athletes_tell AFTER INSERT ON coach_athletes
    FOR EACH ROW WHEN (NEW.ended_at IS NULL)
    EXECUTE FUNCTION apex_athlete_has_begun();

-- Nobody asks it any more.
DROP FUNCTION apex_invite_reader(bytea);

REVOKE EXECUTE ON FUNCTION apex_tell_of_reader, apex_coach_has_joined, apex_athlete_has_begun FROM PUBLIC;
