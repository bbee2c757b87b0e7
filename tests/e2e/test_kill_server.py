"""kill -9 of web processes in the midst of pushes, and of Postgres: nothing acknowledged is lost, nothing is doubled.

The processes are started again by the server itself. Devices see a cut connection or a server that asks them to come
back, and go on by themselves.
"""

import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import httpx
import psutil
import pytest
from anyio.from_thread import BlockingPortal
from msgspec.structs import replace

from apex_client import Replica
from apex_client.errors import SyncFailed
from apex_server.settings import Settings
from tests.e2e.whole_server import (
    SECRET,
    Athlete,
    WholeServer,
    assert_one_digest,
    athlete_of,
    load_of,
    running_server,
    sync_until_done,
    web_processes,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KILLS = 50
WORKERS = 2
SETS_PER_PUSH = 12
WATCH_NUMBER = 100_000
"""The first number of the watch's sets; the phone's begin with 1."""
UNSYNCED_MAX = 10 * SETS_PER_PUSH
POSTGRES_KILLS = 4
HANG_SECONDS = 3.0
SEED = int(os.environ.get("APEX_TEST_SEED", "4"))
PATIENCE_SECONDS = 60.0


class Logger:
    """A device that logs numbered sets and syncs, over and over."""

    def __init__(self, replica: Replica, first_number: int) -> None:
        self.replica = replica
        self.number = first_number
        self.synced: set[int] = set()
        self.failures: Counter[str] = Counter()
        self._unsynced: set[int] = set()

    async def log_for_ever(self) -> None:
        while True:
            await self.log_once()

    async def log_once(self) -> None:
        """Log a session, unless much waits already, and sync once; what fails goes with the next sync."""
        if len(self._unsynced) < UNSYNCED_MAX:
            await self._log_session()
        await self.sync()

    async def _log_session(self) -> None:
        log = await self.replica.workouts.start(title="Session")
        for _ in range(SETS_PER_PUSH):
            await log.add_set("Squat", reps=5, load=load_of(self.number), unit="kg")
            self._unsynced.add(self.number)
            self.number += 1

    async def sync(self) -> None:
        try:
            report = await self.replica.sync()
        except SyncFailed as error:
            self.failures[type(error).__name__] += 1
            await anyio.sleep(0.1)
            return
        if report.pending == 0:
            self.synced |= self._unsynced
            self._unsynced.clear()


async def test_web_processes_killed_in_the_midst_of_pushes_lose_nothing_acknowledged(
    server: WholeServer, portal: BlockingPortal, tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    dice = random.Random(SEED)
    settings = replace(server.settings, workers=WORKERS)
    with running_server(portal, settings) as mortal:
        async with athlete_of(mortal, tmp_path) as athlete:
            phone = Logger(await athlete.device("phone"), 1)
            watch = Logger(await athlete.device("watch", "watch"), WATCH_NUMBER)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(phone.log_for_ever)
                tasks.start_soon(watch.log_for_ever)
                for number in range(KILLS):
                    await anyio.sleep(dice.uniform(0.0, 0.5))
                    await kill_one(mortal, dice, whole=number % 10 == 9)
                tasks.cancel_scope.cancel()
            print(f"{phone.number - 1 + watch.number - WATCH_NUMBER} sets, failures {phone.failures + watch.failures}")
            in_postgres = await athlete.numbers_in_postgres()
            assert max(in_postgres.values()) == 1
            assert in_postgres.keys() >= phone.synced | watch.synced
            assert phone.failures.total() + watch.failures.total() >= KILLS / 5, "nothing was hit"
            for device in (phone, watch, phone):
                await sync_until_done(device.replica, seconds=PATIENCE_SECONDS)
            everything = {*range(1, phone.number), *range(WATCH_NUMBER, watch.number)}
            in_postgres = await athlete.numbers_in_postgres()
            assert max(in_postgres.values()) == 1
            assert in_postgres.keys() >= everything
            await assert_one_digest(mortal, athlete.scope, phone.replica, watch.replica)
            assert (await phone.replica.status()).rejected == (await watch.replica.status()).rejected == 0


async def test_a_web_process_that_lost_its_parent_does_not_answer_on_beside_the_next(server: WholeServer) -> None:
    """granian's processes share the port, so one that is left over would never be noticed."""
    left_over = web_processes(server, parents=False)
    await kill_one(server, random.Random(1), whole=True)
    await until_found(server, parents=True)
    assert left_over
    assert [process for process in left_over if answers(process)] == []
    async with httpx.AsyncClient(base_url=server.address) as client:
        await until_healthy(client)


async def kill_one(server: WholeServer, dice: random.Random, *, whole: bool) -> None:
    """Kill one web process of those that are up, or the one that supervises them, and wait until somebody answers."""
    victims = await until_found(server, parents=whole)
    with suppress(psutil.NoSuchProcess):
        dice.choice(victims).kill()
    async with httpx.AsyncClient(base_url=server.address) as client:
        await until_healthy(client)


async def until_found(server: WholeServer, *, parents: bool) -> list[psutil.Process]:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not (found := web_processes(server, parents=parents)):  # noqa: ASYNC110 - processes give no event.
            await anyio.sleep(0.05)
    return found


def answers(process: psutil.Process) -> bool:
    """Tell a process that runs from one that is gone, or dead and not yet buried."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until_healthy(client: httpx.AsyncClient) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            with suppress(httpx.TransportError):
                if (await client.get("/health")).is_success:
                    return
            await anyio.sleep(0.1)


@pytest.fixture
def server_alone(portal: BlockingPortal, tmp_path: Path) -> Iterator[WholeServer]:
    """Give a server whose Postgres may be killed."""
    with running_server(portal, Settings(data_dir=tmp_path / "server", secret=SECRET)) as running:
        yield running


@pytest.fixture
async def orphan(server_alone: WholeServer, tmp_path: Path) -> AsyncIterator[Athlete]:
    async with athlete_of(server_alone, tmp_path) as somebody:
        yield somebody


async def test_while_postgres_is_gone_sync_asks_to_come_back_and_then_goes_on(
    server_alone: WholeServer, orphan: Athlete
) -> None:
    phone = Logger(await orphan.device("phone"), 1)
    await phone.log_once()
    assert phone.synced
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(phone.log_for_ever)
        for _ in range(POSTGRES_KILLS):
            kill_postgres(server_alone)
            await anyio.sleep(0.7)
        tasks.cancel_scope.cancel()
    print(f"{phone.number - 1} sets, failures {phone.failures}")
    assert phone.failures.keys() == {"ServerBusy"}
    assert phone.synced
    await sync_until_done(phone.replica, seconds=PATIENCE_SECONDS)
    assert await orphan.numbers_in_postgres() == Counter(range(1, phone.number))
    await assert_one_digest(server_alone, orphan.scope, phone.replica)
    assert (await phone.replica.status()).last_error is None


async def test_a_postgres_that_hangs_for_seconds_delays_a_sync_and_breaks_nothing(
    server_alone: WholeServer, orphan: Athlete
) -> None:
    phone = Logger(await orphan.device("phone"), 1)
    await phone.log_once()
    postgres = psutil.Process(postmaster_pid(server_alone))
    frozen = [postgres, *postgres.children(recursive=True)]
    for process in frozen:
        process.suspend()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(phone.log_once)
        await anyio.sleep(HANG_SECONDS)
        for process in frozen:
            process.resume()
    assert phone.failures.keys() <= {"ServerBusy"}
    await sync_until_done(phone.replica, seconds=PATIENCE_SECONDS)
    assert await orphan.numbers_in_postgres() == Counter(range(1, phone.number))
    await assert_one_digest(server_alone, orphan.scope, phone.replica)


def kill_postgres(server: WholeServer) -> None:
    with suppress(FileNotFoundError, ProcessLookupError, IndexError, ValueError):  # It is down already.
        os.kill(postmaster_pid(server), signal.SIGKILL)


def postmaster_pid(server: WholeServer) -> int:
    (pid_file,) = server.settings.data_dir.glob("**/postmaster.pid")
    return int(pid_file.read_text().split()[0])
