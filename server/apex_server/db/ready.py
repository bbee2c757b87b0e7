"""The ways to a database for whoever runs the server or looks after it: given or our own, and how far made ready."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec

from apex_server.db.embedded import EmbeddedPostgres, running_dsn
from apex_server.db.migrate import migrate
from apex_server.settings import Settings
from apex_server.vault import master_keys_of

__all__ = ["joined_database", "ready_database", "started_database"]


@asynccontextmanager
async def started_database(settings: Settings) -> AsyncIterator[Settings]:
    """Give settings whose `database_url` leads to a Postgres of whatever schema, for as long as the block runs.

    Without a `database_url` it starts one in the data directory, which nobody else may be using, and stops it at the
    end. Raises what `EmbeddedPostgres` raises.
    """
    if settings.database_url is not None:
        yield settings
        return
    async with EmbeddedPostgres(settings.data_dir) as postgres:
        yield msgspec.structs.replace(settings, database_url=postgres.dsn)


@asynccontextmanager
async def ready_database(settings: Settings) -> AsyncIterator[Settings]:
    """Give settings whose `database_url` leads to a migrated Postgres, for as long as the block runs.

    Other processes are served by the same settings. Raises what `EmbeddedPostgres` and `migrate` raise.
    """
    async with started_database(settings) as started:
        await migrate(str(started.database_url), secret=settings.secret, master_keys=master_keys_of(settings))
        yield started


@asynccontextmanager
async def joined_database(
    settings: Settings,
    otherwise: Callable[[Settings], AbstractAsyncContextManager[Settings]] = ready_database,
) -> AsyncIterator[Settings]:
    """Give the Postgres of a server that runs on the data directory, as it is; `otherwise` where there is none."""
    running = running_dsn(settings.data_dir) if settings.database_url is None else None
    if running is not None:
        yield msgspec.structs.replace(settings, database_url=running)
        return
    async with otherwise(settings) as opened:
        yield opened
