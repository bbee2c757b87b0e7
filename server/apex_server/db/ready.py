"""The one way to a database for whoever starts the server: given or our own, migrated, with its roles."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from apex_server.db.embedded import EmbeddedPostgres
from apex_server.db.migrate import migrate
from apex_server.settings import Settings

__all__ = ["ready_database"]


@asynccontextmanager
async def ready_database(settings: Settings) -> AsyncIterator[Settings]:
    """Give settings whose `database_url` leads to a migrated Postgres, for as long as the block runs.

    Without a `database_url` it starts one in the data directory and stops it at the end; other processes are then
    served by the same settings. Raises what `EmbeddedPostgres` and `migrate` raise.
    """
    if settings.database_url is not None:
        await migrate(settings.database_url, secret=settings.secret)
        yield settings
        return
    async with EmbeddedPostgres(settings.data_dir) as postgres:
        await migrate(postgres.dsn, secret=settings.secret)
        yield msgspec.structs.replace(settings, database_url=postgres.dsn)
