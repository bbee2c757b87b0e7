-- The owner of the schema reads every row of every table: a backup that it makes would otherwise lack these two wherever
-- the owner is no superuser, and nobody would be told.
CREATE POLICY client_ids_owner ON client_ids TO CURRENT_USER USING (true);
CREATE POLICY sessions_owner ON sessions TO CURRENT_USER USING (true);
