-- Minutes of a session follow from its start and end where it states none; where nothing is stored, nothing is projected anew.

UPDATE server_identity SET projections_version = 9 WHERE NOT EXISTS (SELECT 1 FROM records);
