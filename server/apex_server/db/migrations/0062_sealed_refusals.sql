-- Where a refused op went wrong and why may quote what somebody named a thing, so both are sealed like the record. What
-- was refused before keeps its code, and loses its words.

ALTER TABLE dead_ops
    ALTER COLUMN field TYPE bytea USING NULL,
    ALTER COLUMN message TYPE bytea USING NULL;
COMMENT ON COLUMN dead_ops.field IS 'sealed with the key of the person the record is about; equal texts look alike';
COMMENT ON COLUMN dead_ops.message IS 'as field';
