-- What comes to one mailbox by many names, anna+1@ and anna+2@, is bounded as one; whom an invite is for stays its address.

ALTER TABLE invites ADD COLUMN mailbox_index bytea;
COMMENT ON COLUMN invites.mailbox_index IS 'as email_index, of the address without its tag: to count letters by, and for nothing else';
UPDATE invites SET mailbox_index = email_index;
