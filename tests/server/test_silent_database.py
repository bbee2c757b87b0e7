"""A connection that the network has forgotten: nothing comes, and nobody says that it is gone."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import anyio
import msgspec
import pytest

from apex_server.db import Database, DatabaseUnavailable, EmbeddedPostgres, pool
from apex_server.db.pool import Limits
from apex_server.db.roles import role_urls
from apex_server.settings import Settings
from tests.torture.postgres_proxy import PostgresProxy, postgres_proxy
from tests.torture.postgres_server import via

pytestmark = pytest.mark.anyio

SILENCE_SECONDS = 1.0


class Quick(Limits):
    silence_seconds = SILENCE_SECONDS


@pytest.fixture
async def proxy(postgres: EmbeddedPostgres, fresh_data_dir: Path) -> AsyncIterator[PostgresProxy]:
    sockets = Path(postgres.dsn.partition("?host=")[2].partition("&")[0].replace("%2F", "/"))
    async with postgres_proxy(sockets, fresh_data_dir, Random(1)) as running:
        yield running


@pytest.fixture
async def forgetful(
    proxy: PostgresProxy, settings: Settings, fresh_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """A database whose connections go through the proxy."""
    monkeypatch.setattr(pool, "APP_LIMITS", Quick(*pool.APP_LIMITS))
    monkeypatch.setattr(pool, "CLOSE_TIMEOUT_SECONDS", SILENCE_SECONDS)
    urls = role_urls(msgspec.structs.replace(settings, database_url=via(str(settings.database_url), fresh_data_dir)))
    forgets = msgspec.structs.replace(settings, database_url_app=urls.app, database_url_commit=urls.commit)
    async with Database.open(forgets) as database:
        yield database


async def test_a_request_on_a_silent_connection_is_an_outage_and_the_next_gets_another(
    proxy: PostgresProxy, forgetful: Database
) -> None:
    await fill(forgetful)
    proxy.forget()
    with anyio.fail_after(5 * SILENCE_SECONDS):
        with pytest.raises(DatabaseUnavailable):
            await answer(forgetful)
    with anyio.fail_after(5 * SILENCE_SECONDS):  # None of the other nine silent ones is lent.
        for _ in range(pool.APP_CONNECTIONS_MAX):
            assert await answer(forgetful) == 1


async def test_a_connection_that_falls_silent_between_two_statements_is_an_outage(
    proxy: PostgresProxy, forgetful: Database
) -> None:
    with anyio.fail_after(5 * SILENCE_SECONDS), pytest.raises(DatabaseUnavailable):
        async with forgetful.request(None) as connection:
            proxy.forget()
            await connection.fetchval("SELECT 1")
    assert await answer(forgetful) == 1


async def fill(database: Database) -> None:
    """Let the pool open all of its connections."""
    async with anyio.create_task_group() as tasks:
        for _ in range(pool.APP_CONNECTIONS_MAX):
            tasks.start_soon(answer, database, "SELECT 1 FROM pg_sleep(0.1)")


async def answer(database: Database, statement: str = "SELECT 1") -> object:
    async with database.request(None) as connection:
        return await connection.fetchval(statement)


async def test_a_server_that_stops_asks_to_come_back(db: Database) -> None:
    await db.app.close()
    with pytest.raises(DatabaseUnavailable, match="stopping"):
        await answer(db)
