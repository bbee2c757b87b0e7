"""The server's ground: a Postgres that is there, migrated, and open for serving."""

from apex_server.db.embedded import EmbeddedPostgres
from apex_server.db.errors import DatabaseBusy, DatabaseError, DatabaseUnavailable
from apex_server.db.migrate import migrate
from apex_server.db.notify import Hint, HintHub
from apex_server.db.pool import Connection, Database
from apex_server.db.ready import joined_database, ready_database, started_database
from apex_server.named_sql import Queries, load_queries

__all__ = [
    "Connection",
    "Database",
    "DatabaseBusy",
    "DatabaseError",
    "DatabaseUnavailable",
    "EmbeddedPostgres",
    "Hint",
    "HintHub",
    "Queries",
    "joined_database",
    "load_queries",
    "migrate",
    "ready_database",
    "started_database",
]
