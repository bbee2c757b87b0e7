"""The exchanges between a device and a server that are cut byte by byte, and what has to be true after each cut.

Each exchange begins with an edit that nobody else knows. However it ends, the device syncs once more over a good
network, and then everybody has that edit, once, under one digest.
"""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import anyio
import asyncpg
from msgspec.structs import replace

from apex_client import Replica
from apex_client.errors import ServerUnreachable, SignedOut, SyncFailed
from apex_client.http_transport import HttpTransport
from apex_client.workouts import WorkoutLog
from apex_sync.session import session as sync_session
from tests.e2e.whole_server import PASSWORD, WholeServer, assert_one_digest, load_of
from tests.torture.net_cutter import Cutter

ANSWER_SECONDS = 1.5
"""What a stall costs."""

SETTLE_SECONDS = 20.0
SETS_PER_WORKOUT = 20
FIRST_PAGE_BYTES = 1500
"""Instead of 128 KiB, so that a first sync of a few workouts comes in pages."""

WORKOUTS_TO_READ = 6
COPIES_PER_SIGN_IN = 100
"""Newcomers that live on one session, well before its access token ends."""


class NetWorld:
    """An athlete's phone behind a cutter, their watch beside it, and the server behind both."""

    def __init__(
        self, server: WholeServer, cutter: Cutter, folder: Path, postgres: asyncpg.Connection, resources: AsyncExitStack
    ) -> None:
        self.server = server
        self.cutter = cutter
        self.folder = folder
        self.email = server.new_email("mara")
        self.athlete_id = ""
        self.postgres = postgres
        self._resources = resources
        self._numbers = count(1)
        self._logs: dict[Replica, WorkoutLog] = {}

    @property
    def scope(self) -> str:
        return f"athlete:{self.athlete_id}"

    async def sign_in(self) -> None:
        """Make the account and open its devices."""
        self.phone = await self.open("phone")
        self.athlete_id = (await self.phone.register(self.cutter.address, self.email, PASSWORD, name="Mara")).id
        await self.server.confirm(self.email)
        self.watch = await self.open("watch")
        await self.watch.login(self.server.address, self.email, PASSWORD)

    async def open(self, name: str) -> Replica:
        """Open a replica that is closed at the end of the world."""
        return await self._resources.enter_async_context(self.replica(name))

    def replica(self, name: str) -> Replica:
        """Give a replica whose sync loop never waits between attempts."""
        transport = HttpTransport(connect_seconds=ANSWER_SECONDS, answer_seconds=ANSWER_SECONDS)
        return Replica.open(self.folder / f"{name}.db", transport=transport, entropy=no_pauses, device_name=name)

    async def log(self, replica: Replica) -> int:
        """Log a set that no other is like, and give its number."""
        log, number = self._logs.get(replica), next(self._numbers)
        if log is None or len(log.sets) >= SETS_PER_WORKOUT:
            log = self._logs[replica] = await replica.workouts.start(title="Session")
        await log.add_set("Squat", reps=5, load=load_of(number), unit="kg")
        return number

    def forget_workout(self, replica: Replica) -> None:
        """Let the next set begin another workout."""
        self._logs.pop(replica, None)

    async def assert_settled(self, number: int, *replicas: Replica) -> None:
        """Hold that all have this set once, nothing waits, and the kept digests agree."""
        assert await self.count_in_postgres(number) == 1, f"set {number} on the server"
        digest = await self.postgres.fetchval("SELECT digest FROM scopes WHERE name = $1", self.scope)
        for replica in replicas:
            rows = await replica.query(
                "SELECT count(*) AS found FROM logged_sets WHERE load_kg = ?", (load_of(number),)
            )
            assert rows[0]["found"] == 1, f"set {number} on {replica.path.stem}: {rows[0]['found']}"
            held = await replica.query("SELECT digest FROM held_scopes WHERE name = ?", (self.scope,))
            assert held[0]["digest"] == digest, f"{replica.path.stem} has another digest"
            status = await replica.status()
            found = (status.pending, status.rejected, status.repairs, status.last_error)
            assert found == (0, 0, 0, None), f"{replica.path.stem} ends with {found}"
            assert status.state in ("idle", "live"), status.state

    async def count_in_postgres(self, number: int) -> int:
        sql = "SELECT count(*) FROM logged_sets WHERE scope_id = $1 AND load_kg = $2"
        return int(await self.postgres.fetchval(sql, UUID(self.athlete_id), load_of(number)))

    async def assert_one_content(self) -> None:
        """Sync everybody, and compute every digest anew from the documents."""
        for replica in (self.phone, self.watch, self.phone):
            await replica.sync()
        await assert_one_digest(self.server, self.scope, self.phone, self.watch)

    async def let_time_pass(self) -> None:
        """Let the server forget how often somebody has signed in of late."""
        await self.postgres.execute("DELETE FROM login_attempts")


class Exchange(ABC):
    """Something a device and a server do with each other that a network can spoil."""

    name: str
    request = b"POST /api/sync "
    """How the request begins that an imposter answers."""

    @asynccontextmanager
    async def ready(self, world: NetWorld) -> AsyncIterator[None]:
        """Be in the situation in which it can be done again and again."""
        yield

    @abstractmethod
    async def spoil(self, world: NetWorld, arm: Callable[[], None]) -> bool:
        """Do it once, with the network armed at the right moment; tell whether the fault has happened.

        Raises AssertionError where anything is not as it must be, during it or after it.
        """


class SyncOnce(Exchange):
    """An app asks for a sync: what goes wrong is raised and told, and the next one puts it right."""

    def __init__(self, name: str, edit: Callable[[NetWorld], Awaitable[int]], request: bytes | None = None) -> None:
        self.name = name
        self.request = request or self.request
        self._edit = edit

    async def spoil(self, world: NetWorld, arm: Callable[[], None]) -> bool:
        number = await self._edit(world)
        arm()
        await attempt(world.phone, world.phone.sync)
        fired = world.cutter.fired
        world.cutter.disarm()
        await recover(world.phone)
        await world.assert_settled(number, world.phone)
        return fired


class FirstSync(Exchange):
    """A new device reads everything, in pages."""

    name = "first sync"

    def __init__(self) -> None:
        self._uses = 0
        self._newest = 0

    @asynccontextmanager
    async def ready(self, world: NetWorld) -> AsyncIterator[None]:
        for _ in range(WORKOUTS_TO_READ):
            world.forget_workout(world.watch)
            self._newest = await world.log(world.watch)
        await world.watch.sync()
        with patch.object(sync_session, "FIRST_PULL_BYTES", FIRST_PAGE_BYTES):
            yield

    async def spoil(self, world: NetWorld, arm: Callable[[], None]) -> bool:
        if self._uses % COPIES_PER_SIGN_IN == 0:
            await self._sign_in_anew(world)
        self._uses += 1
        for suffix in ("", ".identity"):
            shutil.copy(world.folder / f"template.db{suffix}", world.folder / f"newcomer.db{suffix}")
        async with world.replica("newcomer") as newcomer:
            arm()
            await attempt(newcomer, newcomer.sync)
            fired = world.cutter.fired
            world.cutter.disarm()
            await recover(newcomer)
            await world.assert_settled(self._newest, newcomer)
        remove(world.folder, "newcomer")
        return fired

    async def _sign_in_anew(self, world: NetWorld) -> None:
        await world.let_time_pass()
        remove(world.folder, "template")
        async with world.replica("template") as template:
            await template.login(world.cutter.address, world.email, PASSWORD)


class FirstLogin(Exchange):
    """Somebody who has logged without an account signs in on a new device."""

    name = "login"
    request = b"POST /api/auth/login "

    async def spoil(self, world: NetWorld, arm: Callable[[], None]) -> bool:
        await world.let_time_pass()
        async with world.replica("newcomer") as newcomer:
            number = await world.log(newcomer)
            arm()
            with suppress(SyncFailed):
                await newcomer.login(world.cutter.address, world.email, PASSWORD)
            fired = world.cutter.fired
            world.cutter.disarm()
            await newcomer.login(world.cutter.address, world.email, PASSWORD)
            await recover(newcomer)
            await world.assert_settled(number, newcomer)
            world.forget_workout(newcomer)
        remove(world.folder, "newcomer")
        return fired


class Live(Exchange):
    """Two devices are live, and the network under one of them fails: it comes back by itself and has missed nothing."""

    name = "live frames"
    request = b"GET /api/sync/live "

    @asynccontextmanager
    async def ready(self, world: NetWorld) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            for replica in (world.phone, world.watch):
                tasks.start_soon(replica.run)
            yield
            tasks.cancel_scope.cancel()

    async def spoil(self, world: NetWorld, arm: Callable[[], None]) -> bool:
        await eventually(lambda: is_live(world.phone))
        await self.disturb(world, arm)
        number, other = await world.log(world.phone), await world.log(world.watch)
        await eventually(lambda: has(world.phone, other))
        await eventually(lambda: has(world.watch, number))
        await eventually(lambda: is_spoilt_or_live(world))
        fired = world.cutter.fired
        world.cutter.disarm()
        await eventually(lambda: is_live(world.phone))
        await eventually(lambda: agree(world, number, other))
        return fired

    async def disturb(self, world: NetWorld, arm: Callable[[], None]) -> None:
        """Arm, and go on as if nothing was."""
        arm()


class GoingLive(Live):
    """The same from the moment on that a device has lost its connections: a sync, the handshake, the first frames."""

    name = "going live"

    async def disturb(self, world: NetWorld, arm: Callable[[], None]) -> None:
        """Arm, lose every connection, and let the device notice."""
        arm()
        world.cutter.reset()
        await eventually(lambda: has_begun(world))


async def log_on_phone(world: NetWorld) -> int:
    """Have something to push."""
    return await world.log(world.phone)


async def log_on_watch(world: NetWorld) -> int:
    """Have something to pull."""
    number = await world.log(world.watch)
    await world.watch.sync()
    return number


async def log_with_an_expired_token(world: NetWorld) -> int:
    """Have something to push, and a session that has to be renewed first."""
    session = world.phone._open.session
    assert session is not None
    world.phone._open.session = replace(session, access_token="expired")
    return await world.log(world.phone)


EXCHANGES: tuple[Callable[[], Exchange], ...] = (
    lambda: SyncOnce("push", log_on_phone),
    lambda: SyncOnce("pull", log_on_watch),
    lambda: SyncOnce("refresh", log_with_an_expired_token, b"POST /api/auth/refresh "),
    FirstSync,
    FirstLogin,
    Live,
    GoingLive,
)


async def attempt(replica: Replica, sync: Callable[[], Awaitable[Any]]) -> None:
    """Try to sync; where that fails it says how, says so in its status, too, and nobody is signed out."""
    try:
        await sync()
    except SignedOut as error:
        raise AssertionError(f"signed out: {error}") from error
    except SyncFailed as error:
        status = await replica.status()
        assert (status.state, status.last_error) == ("waiting", str(error)), f"{status} after {error!r}"


async def recover(replica: Replica) -> None:
    """Sync over a good network. Raises AssertionError unless that goes well at once, give or take a busy machine."""
    with anyio.fail_after(SETTLE_SECONDS):
        while True:
            try:
                await replica.sync()
            except SyncFailed as error:
                is_slow = isinstance(error, ServerUnreachable) and "Timeout" in error.reason
                assert is_slow, f"over a good network: {error!r}"
            else:
                return


async def is_live(replica: Replica) -> bool:
    return (await replica.status()).state == "live"


async def is_spoilt_or_live(world: NetWorld) -> bool:
    """Tell whether nothing more will happen before the cutter is disarmed."""
    return world.cutter.fired or await is_live(world.phone)


async def has_begun(world: NetWorld) -> bool:
    """Tell whether the phone has begun to come back."""
    return world.cutter.passed["up"] > 0


async def has(replica: Replica, number: int) -> bool:
    return bool(await replica.query("SELECT 1 FROM logged_sets WHERE load_kg = ?", (load_of(number),)))


async def agree(world: NetWorld, *numbers: int) -> bool:
    """Tell whether both devices have settled on these sets."""
    try:
        for number in numbers:
            await world.assert_settled(number, world.phone, world.watch)
    except AssertionError:
        return False
    return True


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again. Raises AssertionError when it takes too long."""
    with anyio.move_on_after(SETTLE_SECONDS):
        while not await look():  # noqa: ASYNC110 - what is looked at gives no event.
            await anyio.sleep(0.005)
        return
    raise AssertionError(f"stuck for {SETTLE_SECONDS:.0f} s")


def no_pauses(size: int) -> bytes:
    """Give random bytes; the four that the sync loop draws its pauses with are zero."""
    return bytes(size) if size == 4 else os.urandom(size)


def remove(folder: Path, name: str) -> None:
    """Take a replica away."""
    for path in folder.glob(f"{name}.db*"):
        path.unlink()


@asynccontextmanager
async def net_world(server: WholeServer, cutter: Cutter, folder: Path) -> AsyncIterator[NetWorld]:
    """Give a world with its devices signed in."""
    postgres = await asyncpg.connect(server.settings.database_url)
    try:
        async with AsyncExitStack() as resources:
            world = NetWorld(server, cutter, folder, postgres, resources)
            await world.sign_in()
            yield world
    finally:
        await postgres.close()
