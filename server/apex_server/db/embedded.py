"""A Postgres of our own, for a server that was given none: started, watched, restarted and stopped here.

The invariants: one data directory has one owning server process (flock), and at most one Postgres. It outlives a
kill -9 of its server, and the next server adopts it. When it dies itself it is restarted, and its address stays the
same, so pools reconnect and nobody has to be told. It listens on a socket in a private directory and nowhere else.
"""

import logging
import signal
import subprocess
from collections import deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import anyio
import anyio.to_thread
import asyncpg

from apex_server.db.account import unprivileged_account
from apex_server.db.background import in_background
from apex_server.db.binaries import PostgresBinaries, choose_binaries, find_binaries, readable_binaries
from apex_server.db.data_directory import OWNER_ROLE, DataDirectory
from apex_server.db.errors import PostgresKeepsCrashing, PostgresStartFailed
from apex_server.db.postmaster import Postmaster, clear_remains, read_pid_file, spawn

__all__ = ["EmbeddedPostgres", "running_dsn"]

DATABASE_NAME = "apex"
POLL_SECONDS = 0.02
WATCH_SECONDS = 0.2
START_TIMEOUT_SECONDS = 120.0  # Recovery after a crash replays up to max_wal_size, 1 GB, first.
RESTARTS_MAX = 6
RESTARTS_WINDOW_SECONDS = 60.0
RESTART_DELAY_SECONDS_MIN = 0.1
RESTART_DELAY_SECONDS_MAX = 5.0

log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """Runs a Postgres in a directory: `async with EmbeddedPostgres(path) as postgres: postgres.dsn`.

    Entering takes 2 to 3 seconds the first time and 0.1 to 0.3 after that; it raises an EmbeddedPostgresError. Leaving
    stops Postgres cleanly. Inside, PostgresKeepsCrashing ends the block when restarting has become pointless.
    `options` are settings of Postgres itself, by name. `binaries` are for tests; usually they are found.
    """

    def __init__(
        self, data_dir: Path, *, options: Mapping[str, str] | None = None, binaries: PostgresBinaries | None = None
    ) -> None:
        self.directory = DataDirectory(data_dir)
        self._options = options or {}
        self._given_binaries = binaries
        self._exit = AsyncExitStack()

    @property
    def dsn(self) -> str:
        """The address as the owner, a superuser: for migrations, never for requests."""
        return self._dsn(DATABASE_NAME)

    @property
    def pid(self) -> int:
        """The pid of the current postmaster."""
        return self._postmaster.pid

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.enter_context(self.directory.owned())
            await anyio.to_thread.run_sync(self._prepare)
            self._postmaster = await self._launch()
            stack.push_async_callback(self._stop)
            await self._ensure_database()
            await stack.enter_async_context(in_background(self._watch))
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._exit.__aexit__(kind, error, trace)

    def _dsn(self, database: str) -> str:
        return dsn_of(self._socket_directory, database)

    def _prepare(self) -> None:
        """Decide who runs what where, and make the cluster if it is not there yet."""
        directory = self.directory
        candidates = [self._given_binaries] if self._given_binaries else find_binaries()
        chosen = choose_binaries(candidates, cluster=directory.cluster, major=directory.cluster_major())
        self._account = unprivileged_account(directory.cluster)
        self._binaries = readable_binaries(chosen, self._account)
        if directory.cluster_major() is None:
            directory.initialise(self._binaries, self._account)
        directory.check_owner(self._account)
        running = read_pid_file(directory.cluster)
        self._socket_directory = running.socket_directory if running else directory.socket_directory(self._account)

    async def _launch(self) -> Postmaster:
        """Adopt the postmaster that is running, or start one, and wait until it takes connections."""
        since = self.directory.log_size()
        child: subprocess.Popen[bytes] | None = None
        try:
            with anyio.fail_after(START_TIMEOUT_SECONDS):
                while True:
                    running = read_pid_file(self.directory.cluster)
                    if running and running.is_ready:
                        found = Postmaster(self.directory.cluster, running.pid, child)
                        child = None
                        return found
                    if child is None and running is None:
                        await anyio.to_thread.run_sync(clear_remains, self.directory.cluster, self._socket_directory)
                        child = self._spawn()
                    elif child is not None and child.poll() is not None and running is None:
                        raise PostgresStartFailed(
                            "postgres", f"ended with {child.returncode}", self.directory.log_tail(since)
                        )
                    await anyio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            reason = f"was not ready within {START_TIMEOUT_SECONDS:g} seconds"
            raise PostgresStartFailed("postgres", reason, self.directory.log_tail(since)) from error
        finally:
            if child is not None:
                child.send_signal(signal.SIGQUIT)
                child.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        return spawn(
            self.directory,
            self._binaries,
            self._account,
            socket_directory=self._socket_directory,
            more_options=self._options,
        )

    async def _ensure_database(self) -> None:
        try:
            connection = await asyncpg.connect(self.dsn)
        except asyncpg.InvalidCatalogNameError:
            connection = await asyncpg.connect(self._dsn("postgres"))
            await connection.execute(f"CREATE DATABASE {DATABASE_NAME}")
        await connection.close()

    async def _watch(self) -> None:
        deaths: deque[float] = deque()
        while True:
            await anyio.sleep(WATCH_SECONDS)
            self.directory.bound_log()
            if not self._postmaster.is_alive():
                await self._revive(deaths)

    async def _revive(self, deaths: deque[float]) -> None:
        """Start Postgres again after a growing delay; raises PostgresKeepsCrashing when it died too often lately."""
        now = anyio.current_time()
        while deaths and deaths[0] < now - RESTARTS_WINDOW_SECONDS:
            deaths.popleft()
        if len(deaths) >= RESTARTS_MAX:
            raise PostgresKeepsCrashing(
                self.directory.path,
                restarts=len(deaths),
                within_seconds=RESTARTS_WINDOW_SECONDS,
                log_tail=self.directory.log_tail(),
            )
        delay_seconds = min(RESTART_DELAY_SECONDS_MAX, RESTART_DELAY_SECONDS_MIN * 2 ** len(deaths))
        deaths.append(now)
        log.warning("Postgres (pid %d) died; starting it again in %.1f s", self._postmaster.pid, delay_seconds)
        await anyio.sleep(delay_seconds)
        try:
            self._postmaster = await self._launch()
        except PostgresStartFailed as error:
            log.warning("%s", error)

    async def _stop(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._postmaster.stop()
            self.directory.forget_socket_directory()


def running_dsn(data_dir: Path) -> str | None:
    """Give the address, as the owner, of the Postgres that runs in a data directory; None where none takes connections.

    For what joins a running server: it may end at any time, and nobody restarts it for the caller.
    """
    running = read_pid_file(DataDirectory(data_dir).cluster)
    return dsn_of(running.socket_directory, DATABASE_NAME) if running and running.is_ready else None


def dsn_of(socket_directory: Path, database: str) -> str:
    return f"postgresql://{OWNER_ROLE}@/{database}?host={quote(str(socket_directory), safe='')}&port=5432"
