-- One token for each account that was signed in to here (known_devices.py). Whose the one of before is, is not known.

UPDATE settings SET name = 'device_tokens', value = CAST('[{"token":"' || CAST(value AS TEXT) || '"}]' AS BLOB)
WHERE name = 'device_token';
