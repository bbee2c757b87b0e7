-- The last id in a scope's name is of the person it is about; a renewal of keys asks for the scopes of one among all.

CREATE INDEX scopes_about ON scopes (right(name, 36));
