"""A real Postgres for the server's tests: one per session, a fresh migrated database per test.

Fixtures:

    postgres        the session's EmbeddedPostgres; it may not be stopped or killed (tests that do start their own)
    database_url    the owner's URL of a database of this test alone, migrated to the newest schema (about 30 ms)
    settings        Settings for that database; roles and pools follow from them
    db              a Database open on it, with the request and the commit pool
    whole           the app as it is served, with every slice, on that database
    pair            a coach and their athlete, as `analysis_parts.py` knows them
    vault           the keys of that database, under a master key of this test alone
    empty_database_url  the owner's URL of a database without any schema
    fresh_data_dir  a directory for an EmbeddedPostgres of the test's own; what still runs in it is ended afterwards

All but `db` and `vault` are plain fixtures, for blocking tests and for those that start processes;
these two need an async test. Postgres runs in an event loop of its own in a thread, so a test that blocks does not stop
its supervision. Its data is in memory where there is room, and goes when the session ends; what a killed session left
is removed by the next one.
"""

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import psutil
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from apex_server.db import Database, EmbeddedPostgres, migrate
from apex_server.db.data_directory import DataDirectory
from apex_server.db.errors import EmbeddedPostgresError
from apex_server.db.postmaster import Postmaster, read_pid_file
from apex_server.key_renewal import KeyRenewal
from apex_server.settings import Settings
from apex_server.vault import Vault
from tests.server.accounts_app import Clock, accounts_app, speak_to
from tests.server.analysis_parts import Pair, pair_of
from tests.server.mailbox import Mailbox
from tests.server.whole_app import WholeApp, whole_app

SECRET = "a secret for tests, long enough to be taken"
DIRECTORY_PREFIX = "apex-test-"
ON_DISK = Path(tempfile.gettempdir())
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private directory in it.
IN_MEMORY_BYTES_MIN = 4 * 1024**3  # Free; a session takes a quarter of it at most, and there may be several.
LEFT_BEHIND_SECONDS = 60.0  # A younger directory may belong to a session that is just starting.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}  # Its machine may not crash; its processes still may.
TEMPLATE = "apex_template"
database_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal("asyncio") as started:
        yield started


@pytest.fixture(scope="session")
def postgres(portal: BlockingPortal) -> Iterator[EmbeddedPostgres]:
    remove_left_behind(portal)
    path = Path(tempfile.mkdtemp(prefix=DIRECTORY_PREFIX, dir=quickest_place()))
    server = EmbeddedPostgres(path, options=NOT_DURABLE)
    try:
        with portal.wrap_async_context_manager(server):
            portal.call(make_template, server)
            yield server
    finally:
        shutil.rmtree(path)


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, portal: BlockingPortal) -> Iterator[str]:
    name = f"test_{next(database_numbers)}"
    portal.call(execute, postgres.dsn, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield url_of(postgres, name)
    portal.call(execute, postgres.dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres, portal: BlockingPortal) -> Iterator[str]:
    name = f"test_{next(database_numbers)}"
    portal.call(execute, postgres.dsn, f"CREATE DATABASE {name}")
    yield url_of(postgres, name)
    portal.call(execute, postgres.dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def fresh_data_dir(portal: BlockingPortal) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix=DIRECTORY_PREFIX))
    yield path
    portal.call(remove_unowned, path)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, secret=SECRET, database_url=database_url)


@pytest.fixture
async def db(settings: Settings) -> AsyncIterator[Database]:
    async with Database.open(settings) as database:
        yield database


@pytest.fixture
def vault(db: Database) -> Vault:
    return db.vault


@pytest.fixture
async def whole(settings: Settings) -> AsyncIterator[WholeApp]:
    async with whole_app(settings) as served:
        yield served


@pytest.fixture
def clock() -> Clock:
    """The time of an app of accounts, or of a worker; a test moves it."""
    return Clock()


@pytest.fixture
def renewal(db: Database, clock: Clock) -> KeyRenewal:
    """The worker that renews data keys, by that clock; the rings of keys know whole seconds."""
    clock.time = clock.time.replace(microsecond=0)
    return KeyRenewal(db, now=clock)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Where text messages go, for a test that lets the app send them to a folder."""
    return tmp_path / "texts"


@pytest.fixture
def app_options() -> dict[str, Any]:
    """What the app of accounts is made with beside a database and a clock; a file of tests may say otherwise."""
    return {}


@pytest.fixture
async def client(db: Database, clock: Clock, app_options: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """An app of accounts and nothing else."""
    scheme = urlsplit(app_options.get("public_url", "")).scheme or "http"
    async with speak_to(accounts_app(db, clock, **app_options), scheme=scheme) as opened:
        yield opened


@pytest.fixture
async def pair(settings: Settings, db: Database, clock: Clock) -> AsyncIterator[Pair]:
    """Give a coach and their athlete, who write through a server process of their own."""
    async with pair_of(settings, db, clock) as made:
        yield made


@pytest.fixture
def mailbox(db: Database, clock: Clock, tmp_path: Path) -> Mailbox:
    """What the app has mailed."""
    return Mailbox(db, tmp_path / "mails", clock)


def url_of(postgres: EmbeddedPostgres, name: str) -> str:
    return postgres.dsn.replace("@/apex?", f"@/{name}?")


async def make_template(postgres: EmbeddedPostgres) -> None:
    await execute(postgres.dsn, f"CREATE DATABASE {TEMPLATE}")
    await migrate(url_of(postgres, TEMPLATE), secret=SECRET)


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def quickest_place() -> Path:
    """Give the directory for what need not outlive a crash.

    A database is 360 files. ext4 keeps the inodes of deleted files from use for some seconds, and who makes files
    meanwhile looks at each of them: on disk, a new database costs 0.6 s of CPU once a few were dropped, in memory 0.03.
    """
    if not os.access(IN_MEMORY, os.W_OK):
        return ON_DISK
    free_bytes = min(shutil.disk_usage(IN_MEMORY).free, psutil.virtual_memory().available)
    return IN_MEMORY if free_bytes >= IN_MEMORY_BYTES_MIN else ON_DISK


def remove_left_behind(portal: BlockingPortal) -> None:
    for path in (found for place in {ON_DISK, IN_MEMORY} for found in place.glob(f"{DIRECTORY_PREFIX}*")):
        if path.stat().st_uid == os.geteuid() and time.time() - path.stat().st_mtime > LEFT_BEHIND_SECONDS:
            portal.call(remove_unowned, path)


async def remove_unowned(path: Path) -> None:
    directory = DataDirectory(path)
    try:
        with directory.owned():
            running = read_pid_file(directory.cluster)
            if running is not None:
                await Postmaster(directory.cluster, running.pid).stop()
            directory.forget_socket_directory()
            shutil.rmtree(path)
    except EmbeddedPostgresError:
        return
