-- Since when coach and athlete work together, as the server says (people.py): a moment with its offset, empty where the
-- server does not say, null where nobody has asked yet.

ALTER TABLE people ADD COLUMN since TEXT;
