-- A database without records has nothing that another version could have projected.

UPDATE server_identity SET projections_version = 3 WHERE NOT EXISTS (SELECT 1 FROM records);
