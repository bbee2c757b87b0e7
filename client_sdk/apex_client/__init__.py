"""Log training offline in one SQLite file, and sync it with an Apex Sync server."""
