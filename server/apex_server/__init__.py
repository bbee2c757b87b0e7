"""The Apex Sync server: commits what devices push, projects it into Postgres, analyses it for the coach."""
