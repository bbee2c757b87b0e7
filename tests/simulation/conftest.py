"""The real Postgres of the server's tests, for what is held to it."""

from tests.server.conftest import database_url, db, portal, postgres, settings

__all__ = ["database_url", "db", "portal", "postgres", "settings"]
