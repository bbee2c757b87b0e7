"""Postgres hurt in every way it can be, while devices push through the real server, and then healed.

Meanwhile every answer is a success or says when to come back, and no process ends. Afterwards every queue drains within
a few attempts, what devices wrote is there exactly once, and the server holds no more connections than before.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import anyio
import asyncpg
import psutil

from apex_server.db import embedded
from apex_server.db.background import in_background
from apex_server.db.pool import APP_CONNECTIONS_MAX
from apex_server.db.roles import APP_ROLE, login_url
from tests.server.sync_world import SECRET, workout
from tests.torture.postgres_arena import PATIENCE_SECONDS, Arena, arena_on
from tests.torture.postgres_cluster import Cluster, own_cluster
from tests.torture.postgres_server import ComeBackLater
from tests.torture.report import Outcome, Scale

DISK_BYTES = 500 * 2**20
LOG_SEGMENTS = 8
"""More than Postgres keeps to use again."""

IMPORTED_BATCHES_MAX = 40
DEADLOCK_ATTEMPTS_MAX = 5
"""Postgres looks for a deadlock once, a second after a wait began; on a busy machine there may be none by then."""

CREW_FAULTS_MAX = 20
"""After so many faults new people take over, so that what is looked at after each stays small."""

OPTIONS = {
    "max_connections": "50",
    "max_wal_size": "64MB",  # What is on a small disk must fit.
    "min_wal_size": "32MB",
    "restart_after_crash": "on",
}

COMMITS = "SELECT pid FROM pg_stat_activity WHERE usename = 'apex_commit' AND datname = current_database()"

Fault = Callable[[Arena], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def backends_terminated(arena: Arena) -> AsyncIterator[None]:
    """All of a server's connections at once, as a restarted pooler does."""
    await arena.world.sql(f"SELECT pg_terminate_backend(pid) FROM ({COMMITS}) AS commits")
    await anyio.sleep(arena.dice.uniform(0.0, 0.2))
    await arena.world.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'apex_app'")
    yield


@asynccontextmanager
async def backend_terminated_before_a_message(arena: Arena) -> AsyncIterator[None]:
    """Exactly between two messages of a statement or a COPY."""
    left = arena.dice.randint(1, 60)
    hit = anyio.Event()

    async def terminate(pid: int, kind: bytes) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            hit.set()  # The connection, and this with it, may not outlive the next statement.
            await arena.world.sql("SELECT pg_terminate_backend($1)", pid)

    arena.proxy.before_message = terminate
    with anyio.fail_after(PATIENCE_SECONDS):
        await hit.wait()
    yield


@asynccontextmanager
async def statements_cancelled(arena: Arena) -> AsyncIterator[None]:
    """As a statement timeout does, at any moment."""
    for _ in range(10):
        await arena.world.sql(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename IN ('apex_app', 'apex_commit')"
        )
        await anyio.sleep(arena.dice.uniform(0.0, 0.05))
    yield


@asynccontextmanager
async def results_cut(arena: Arena) -> AsyncIterator[None]:
    """In the midst of what Postgres answers, log-ins included."""
    arena.proxy.cut("down", 20_000)
    await anyio.sleep(arena.dice.uniform(0.1, 0.6))
    yield


@asynccontextmanager
async def statements_cut(arena: Arena) -> AsyncIterator[None]:
    """In the midst of what the server sends."""
    arena.proxy.cut("up", 20_000)
    await anyio.sleep(arena.dice.uniform(0.1, 0.6))
    yield


@asynccontextmanager
async def connections_refused(arena: Arena) -> AsyncIterator[None]:
    """Nobody listens."""
    await arena.proxy.refuse()
    await anyio.sleep(arena.dice.uniform(0.2, 1.5))
    yield


@asynccontextmanager
async def network_silent(arena: Arena) -> AsyncIterator[None]:
    """Packets wait, and arrive after all."""
    arena.proxy.silence()
    await anyio.sleep(arena.dice.uniform(0.5, 3.0))
    yield


@asynccontextmanager
async def backend_killed(arena: Arena) -> AsyncIterator[None]:
    """kill -9, after which Postgres ends all backends and recovers."""
    rows = await arena.world.sql(COMMITS)
    kill(arena.dice.choice(rows)["pid"], signal.SIGKILL)
    yield


@asynccontextmanager
async def postmaster_killed(arena: Arena) -> AsyncIterator[None]:
    """kill -9, after which its supervisor starts another."""
    kill(arena.cluster.postgres.pid, signal.SIGKILL)
    yield


@asynccontextmanager
async def stopped_at_once(arena: Arena) -> AsyncIterator[None]:
    """An immediate stop, and a start."""
    kill(arena.cluster.postgres.pid, signal.SIGQUIT)
    yield


@asynccontextmanager
async def stopped_in_order(arena: Arena) -> AsyncIterator[None]:
    """A fast stop, as for an update, and a start."""
    kill(arena.cluster.postgres.pid, signal.SIGINT)
    yield


@asynccontextmanager
async def frozen(arena: Arena) -> AsyncIterator[None]:
    """A machine that swaps."""
    postmaster = psutil.Process(arena.cluster.postgres.pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        await anyio.sleep(arena.dice.uniform(0.2, 2.0))
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()
    yield


@asynccontextmanager
async def deadlock(arena: Arena) -> AsyncIterator[None]:
    """Somebody locks records first and their scope then; a commit does it the other way round, and must lose."""
    before = deadlocks(arena)
    for _ in range(DEADLOCK_ATTEMPTS_MAX):
        await lock_crosswise(arena)
        await anyio.sleep(0.1)
        if deadlocks(arena) > before:
            yield
            return
    raise TimeoutError("Postgres has looked for a deadlock before there was one, again and again")


async def lock_crosswise(arena: Arena) -> None:
    """Wait for a commit that waits for us, and wait for it."""
    user_id = arena.devices[0].caller.user_id
    async with arena.owner() as other, other.transaction():
        await other.execute("SET LOCAL deadlock_timeout = '1h'")
        await other.fetch("SELECT record_id FROM records WHERE scope_id = $1 FOR UPDATE", user_id)
        with anyio.fail_after(PATIENCE_SECONDS):
            while not await other.fetch(f"{COMMITS} AND wait_event_type = 'Lock'"):  # noqa: ASYNC110 - no event.
                await anyio.sleep(0.005)
        await other.fetch("SELECT seq FROM scopes WHERE scope_id = $1 FOR UPDATE", user_id)


def deadlocks(arena: Arena) -> int:
    """Give how many deadlocks Postgres has broken."""
    return arena.cluster.postgres.directory.log_path.read_text(errors="replace").count("deadlock detected")


@asynccontextmanager
async def statement_timeout(arena: Arena) -> AsyncIterator[None]:
    """Statements that may take half a second meet a table that is locked for longer."""
    arena.proxy.limits = {
        b"statement_timeout\x0030s\x00": b"statement_timeout\x00500\x00",
        b"statement_timeout\x0015s\x00": b"statement_timeout\x00500\x00",
    }
    async with table_locked(arena, seconds=1.5):
        yield


@asynccontextmanager
async def lock_timeout(arena: Arena) -> AsyncIterator[None]:
    """Locks that are waited for a moment only."""
    arena.proxy.limits = {
        b"lock_timeout\x0010s\x00": b"lock_timeout\x00300\x00",
        b"lock_timeout\x005s\x00": b"lock_timeout\x0099\x00",
    }
    async with table_locked(arena, seconds=1.0):
        yield


@asynccontextmanager
async def table_locked(arena: Arena, seconds: float) -> AsyncIterator[None]:
    """Let the server connect anew, under other limits, and lock what it writes to."""
    await arena.proxy.reset()
    await anyio.sleep(0.2)
    async with arena.owner() as other, other.transaction():
        await other.execute("LOCK TABLE records")
        await anyio.sleep(seconds)
    try:
        yield
    finally:
        arena.proxy.limits = {}
        await arena.proxy.reset()


@asynccontextmanager
async def pool_exhausted(arena: Arena) -> AsyncIterator[None]:
    """More requests than connections, and none comes back in time."""
    async with arena.owner() as other, anyio.create_task_group() as tasks:
        async with other.transaction():
            await other.execute("LOCK TABLE records")
            for _ in range(4 * APP_CONNECTIONS_MAX):
                tasks.start_soon(arena.look, arena.devices[-1])
            await anyio.sleep(11.0)
        tasks.cancel_scope.cancel()
    yield


@asynccontextmanager
async def no_connection_left(arena: Arena) -> AsyncIterator[None]:
    """Others have taken all that Postgres gives."""
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await arena.proxy.reset()
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    await stack.enter_async_context(arena.owner(login_url(arena.url, APP_ROLE, SECRET)))
        await anyio.sleep(arena.dice.uniform(0.5, 1.5))
    yield


@asynccontextmanager
async def connections_forgotten(arena: Arena) -> AsyncIterator[None]:
    """As by a router that was restarted: all connections are silent for ever, and new ones work."""
    arena.proxy.forget()
    yield


@asynccontextmanager
async def disk_full(arena: Arena) -> AsyncIterator[None]:
    """Somebody else has filled the disk: a table can't grow, or Postgres ends where its log can't."""
    folder = arena.cluster.postgres.directory.path
    importing = await arena.world.device(arena.devices[0].caller.user_id)
    arena.devices.append(importing)
    ballast = folder / "ballast"
    try:
        fill(ballast)
        if arena.dice.random() < 0.5:
            with suppress(OSError, asyncpg.PostgresError):
                for _ in range(LOG_SEGMENTS):
                    await arena.world.sql("SELECT pg_switch_wal()")
        with suppress(ComeBackLater):
            for _ in range(IMPORTED_BATCHES_MAX):
                for _ in range(50):
                    importing.write(workout(20))
                await arena.world.sync_once(importing)
            raise AssertionError("the disk is not full")
        await anyio.sleep(arena.dice.uniform(0.1, 1.0))
    finally:
        ballast.unlink()
    yield


def fill(ballast: Path) -> None:
    """Take what is left of a disk."""
    with ballast.open("wb") as file:
        while free_bytes := shutil.disk_usage(ballast.parent).free:
            with suppress(OSError):  # Postgres was quicker.
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free_bytes)


def kill(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may just have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


class Planned(NamedTuple):
    """A fault, and how often it is made in CI and at full scale."""

    fault: Fault
    ci: int
    full: int


FAULTS = {
    "backends terminated": Planned(backends_terminated, 3, 40),
    "backend terminated between two messages": Planned(backend_terminated_before_a_message, 6, 60),
    "statements cancelled": Planned(statements_cancelled, 2, 20),
    "connection cut in a result": Planned(results_cut, 4, 40),
    "connection cut in a statement": Planned(statements_cut, 2, 30),
    "connection refused": Planned(connections_refused, 1, 10),
    "network silent for a while": Planned(network_silent, 1, 10),
    "backend killed -9, crash restart": Planned(backend_killed, 2, 20),
    "postmaster killed -9": Planned(postmaster_killed, 1, 15),
    "immediate stop and start": Planned(stopped_at_once, 1, 15),
    "fast stop and start": Planned(stopped_in_order, 1, 10),
    "Postgres frozen": Planned(frozen, 1, 10),
    "deadlock": Planned(deadlock, 1, 15),
    "statement timeout": Planned(statement_timeout, 1, 8),
    "lock timeout": Planned(lock_timeout, 1, 8),
    "no connection left": Planned(no_connection_left, 1, 8),
    "pool exhausted": Planned(pool_exhausted, 0, 4),
    "connections forgotten by the network": Planned(connections_forgotten, 0, 3),
    "disk full": Planned(disk_full, 1, 12),
}


def torture(scale: Scale) -> Iterator[Outcome]:
    """Make every fault as often as is planned."""
    with small_disk() as disk, patch_restarts(), own_cluster(OPTIONS, disk) as cluster, cluster.database() as url:
        faults = {name: planned for name, planned in FAULTS.items() if name != "disk full" or disk is not None}
        yield from anyio.run(all_faults, cluster, url, faults, scale)


async def all_faults(cluster: Cluster, url: str, faults: dict[str, Planned], scale: Scale) -> list[Outcome]:
    """Run the server, and make the faults one after the other."""
    outcomes = []
    made = 0
    async with arena_on(cluster, url) as arena:
        for name, planned in faults.items():
            times = planned.ci if scale is Scale.CI else planned.full
            outcome = Outcome(part="Postgres", fault=name)
            for number in range(times):
                print(f"{name}: {number + 1} of {times}", file=sys.stderr)
                with outcome.run(f"number {number + 1}"):
                    if made % CREW_FAULTS_MAX == 0:
                        await arena.change_crew()
                    await hurt(arena, planned.fault)
                made += 1
            with outcome.run("all that is stored"):
                await arena.truth.assert_sound()
            outcome.runs = times
            outcomes.append(outcome)
    return outcomes


async def hurt(arena: Arena, fault: Fault) -> None:
    """Let devices work, make a fault, heal it, and check."""
    workers = [partial(arena.work, device) for device in arena.devices]
    async with in_background(*workers, partial(arena.look, arena.devices[0])):
        await anyio.sleep(arena.dice.uniform(0.0, 0.3))
        try:
            async with fault(arena):
                await anyio.sleep(0.2)
        finally:
            await arena.proxy.heal()
            await arena.until_postgres_answers()
    await arena.check()


@contextmanager
def patch_restarts() -> Iterator[None]:
    """Let the supervisor of Postgres be more patient than it is with a Postgres that nobody hurts on purpose."""
    with patch.object(embedded, "RESTARTS_MAX", 10_000), patch.object(embedded, "RESTART_DELAY_SECONDS_MAX", 0.2):
        yield


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """Give a file system of its own that can be filled; None where mounting is not allowed."""
    folder = Path(f"/tmp/apex-torture-disk-{os.getpid()}-{time.monotonic_ns()}")  # noqa: S108 - made right here.
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", str(folder)]
    try:
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            print("disk full: not run, a file system can't be mounted here (root can)", file=sys.stderr)
            yield None
            return
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    finally:
        folder.rmdir()
