"""The owner's connection, for work on a whole database; what Postgres says against it leaves as an error of ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from apex_server.db.errors import DatabaseNotMigrated
from apex_server.db.migrate import connect_owner
from apex_server.db.outage import outage_of
from apex_server.operations.errors import DatabaseRefused
from apex_server.settings import Settings

__all__ = ["connected_owner"]


@asynccontextmanager
async def connected_owner(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection as the owner of the schema, without limits of time.

    Raises DatabaseUnavailable, DatabaseNotMigrated where a table is missing, and DatabaseRefused for whatever else
    Postgres does not do: damaged pages, rows that do not fit.
    """
    owner = await connect_owner(str(settings.database_url))
    try:
        yield owner
    except asyncpg.UndefinedTableError as error:
        raise DatabaseNotMigrated from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        if outage := outage_of(error, closed=owner.is_closed()):
            raise outage from error
        if isinstance(error, asyncpg.PostgresError):
            raise DatabaseRefused(str(error)) from error
        raise
    finally:
        await owner.close()
