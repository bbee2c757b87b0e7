-- Two versions of a server side by side kept writing the built-in library in turn. Now the newer one's stands.
ALTER TABLE server_identity ADD COLUMN library_version integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN server_identity.library_version IS 'of the newest server that wrote the built-in library';
