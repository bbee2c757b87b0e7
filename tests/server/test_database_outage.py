"""What a request meets while Postgres is gone or busy: one typed error that says "retry", and then it works again."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import asyncpg
import pytest

from apex_server.db import Database, DatabaseBusy, DatabaseUnavailable, EmbeddedPostgres, migrate, pool
from apex_server.settings import Settings

pytestmark = pytest.mark.anyio

SECRET = "a secret for tests, long enough to be taken"


@pytest.fixture
async def own_postgres(fresh_data_dir: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A Postgres that this test may kill."""
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        await migrate(postgres.dsn, secret=SECRET)
        yield postgres


@pytest.fixture
async def own_db(own_postgres: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Database]:
    settings = Settings(data_dir=tmp_path, secret=SECRET, database_url=own_postgres.dsn)
    async with Database.open(settings) as db:
        yield db


async def answer(db: Database) -> object:
    async with db.request(None) as connection:
        return await connection.fetchval("SELECT 1")


async def test_postgres_killed_inside_a_request_is_an_outage_and_passes(
    own_postgres: EmbeddedPostgres, own_db: Database
) -> None:
    with pytest.raises(DatabaseUnavailable) as outage:
        async with own_db.request(None) as connection:
            os.kill(own_postgres.pid, signal.SIGKILL)
            await connection.fetchval("SELECT pg_sleep(10)")
    assert outage.value.retry_after_seconds > 0
    with anyio.fail_after(15):
        while True:
            try:
                assert await answer(own_db) == 1
                break
            except DatabaseUnavailable:
                await anyio.sleep(0.05)


async def test_a_lost_connection_is_replaced_without_the_next_request_noticing(db: Database, database_url: str) -> None:
    await answer(db)
    await terminate_others(database_url)
    await anyio.sleep(0.1)
    for _ in range(3):
        assert await answer(db) == 1


async def test_a_connection_cut_at_the_commit_is_an_outage(db: Database, database_url: str) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with db.request(None) as connection:
            assert await connection.fetchval("SELECT 1") == 1
            await terminate_others(database_url)
            await anyio.sleep(0.1)


async def terminate_others(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


async def test_a_lock_that_is_not_released_makes_the_request_busy(db: Database, database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute("CREATE TABLE held (id integer); GRANT SELECT ON held TO apex_app")
    async with owner.transaction():
        await owner.execute("LOCK TABLE held")
        with pytest.raises(DatabaseBusy, match="lock timeout"):
            async with db.request(None) as connection:
                await connection.execute("SET LOCAL lock_timeout = '100ms'")
                await connection.fetch("SELECT id FROM held")
    await owner.close()


async def test_a_statement_that_takes_too_long_makes_the_request_busy(db: Database) -> None:
    with pytest.raises(DatabaseBusy, match="statement timeout"):
        async with db.request(None) as connection:
            await connection.execute("SET LOCAL statement_timeout = '50ms'")
            await connection.fetchval("SELECT pg_sleep(5)")


async def test_a_request_that_finds_all_connections_taken_is_busy(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ACQUIRE_TIMEOUT_SECONDS", 0.2)
    async with anyio.create_task_group() as tasks:
        for _ in range(pool.APP_CONNECTIONS_MAX):
            tasks.start_soon(hold, db)
        await anyio.sleep(0.3)
        with pytest.raises(DatabaseBusy, match="no connection became free"):
            await answer(db)
        tasks.cancel_scope.cancel()
    assert await answer(db) == 1


async def hold(db: Database) -> None:
    async with db.request(None):
        await anyio.sleep_forever()


async def test_an_error_of_ours_stays_the_error_it_is(db: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        async with db.request(None) as connection:
            await connection.fetch("SELECT id FROM no_such_table")
    with pytest.raises(ConnectionRefusedError):
        async with db.request(None):
            raise ConnectionRefusedError  # Of another service, say: this connection is alive.


async def test_opening_on_a_postgres_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, secret=SECRET, database_url=f"postgresql://apex_owner@/apex?host={tmp_path}")
    with pytest.raises(DatabaseUnavailable):
        async with Database.open(settings):
            pass


@pytest.mark.parametrize("closed", ["app", "commit"])
async def test_ping_fails_where_either_pool_is_closed(db: Database, closed: str) -> None:
    await db.ping()
    await getattr(db, closed).close()
    with pytest.raises(DatabaseUnavailable):
        await db.ping()


async def test_closing_does_not_wait_for_a_connection_that_never_comes_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CLOSE_TIMEOUT_SECONDS", 0.2)
    with anyio.fail_after(5):
        async with Database.open(settings) as db:
            await db.app.acquire()
