-- What somebody may read is asked for every table of every statement, and is told from the asker alone. Told by the owner
-- of the tables it takes a fifth of the time: the policies of the tables that it is told from are not planned and run
-- inside it, which for a coach's list of clients was half of the work.
ALTER FUNCTION apex_readable_scope_ids() SECURITY DEFINER SET search_path = public, pg_temp;
