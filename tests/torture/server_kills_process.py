"""A server process that answers one request, in the real app on real Postgres, and dies at its n-th place.

The places, counted from the moment the request comes in until its answer is out:

- the request's own task waits: every `await` that really suspends;
- bytes are about to go to Postgres, half of them have gone, all have;
- bytes have come from Postgres, and nobody has looked at them.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from asyncio import selector_events
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import coroutine
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import httpx
from msgspec import Struct

from apex_server.auth.access_tokens import AccessTokens, SigningKeys
from apex_server.caller import Role
from apex_server.settings import Settings
from apex_server.sync import postgres_commits
from apex_server.sync.routes import MEDIA_TYPE
from apex_sync.ids import Scope
from tests.server.sealed_rows import MASTER_KEY
from tests.server.sync_world import SECRET

T = TypeVar("T")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.torture.server_kills_process", "tests.torture.server_kills_app"])

_one_at_a_time = threading.Lock()
"""To start a process collects those that have ended, and an exit code can be read but once."""


class Errand(Struct, frozen=True, kw_only=True):
    """One request, and where the process dies: at no place if `die_at` is 0, after its answer if it passes fewer.

    `planted` names a bug.
    """

    database_url: str
    folder: Path
    user_id: UUID
    role: Role
    device_id: UUID
    session_id: UUID
    body: bytes
    die_at: int = 0
    planted: str = ""


class Told(NamedTuple):
    """What a process said before it ended: the answer, if it got so far, and how many places it passed."""

    was_killed: bool
    status: int = 0
    body: bytes = b""
    places: int = 0


class Places:
    """Counts the places that are passed, once `armed`, and dies at the n-th."""

    def __init__(self, die_at: int) -> None:
        self.armed = False
        self.count = 0
        self._die_at = die_at

    def reach(self) -> None:
        """Be at a place, perhaps for ever."""
        if not self.armed:
            return
        self.count += 1
        if self.count == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def reach_last(self) -> None:
        """Be at the last place; no two runs pass quite as many, and whoever is to die dies here at the latest."""
        self.count = max(self.count, self._die_at - 1)
        self.reach()


class MortalTransport(selector_events._SelectorSocketTransport):  # type: ignore[misc,name-defined,unused-ignore]
    """A connection to Postgres whose every use is a place to die."""

    places: Places

    def write(self, data: Any) -> None:
        content = bytes(data)
        half = len(content) // 2
        self.places.reach()
        super().write(content[:half])
        self.places.reach()
        super().write(content[half:])
        self.places.reach()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def _read_ready__data_received(self) -> None:
        self.places.reach()
        super()._read_ready__data_received()


class MortalLoop(asyncio.SelectorEventLoop):
    """The usual loop; its only connections are those to Postgres."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self._places = places

    def _make_socket_transport(self, *arguments: Any, **options: Any) -> MortalTransport:
        transport = MortalTransport(self, *arguments, **options)
        transport.places = self._places
        return transport


@coroutine
def counted(work: Coroutine[Any, Any, T], places: Places) -> Generator[Any, Any, T]:
    """Run a coroutine as it is, counting how often it waits."""
    step: Callable[[Any], Any] = work.send
    sent: Any = None
    while True:
        try:
            waits_for = step(sent)
        except StopIteration as end:
            result: T = end.value
            return result
        places.reach()
        try:
            step, sent = work.send, (yield waits_for)
        except BaseException as error:  # noqa: BLE001 - it belongs to the coroutine.
            step, sent = work.throw, error


async def answer(errand: Errand, places: Places, told: Connection) -> None:
    """Serve the request, and tell the answer."""
    from tests.torture.server_kills_app import APP

    settings = Settings(
        data_dir=errand.folder,
        secret=SECRET,
        master_key=MASTER_KEY,
        database_url=errand.database_url,
        log_level="error",
    )
    APP.state["settings"] = settings
    transport = httpx.ASGITransport(APP)  # type: ignore[arg-type]
    headers = {
        "Authorization": f"Bearer {token_of(errand)}",
        "Content-Type": MEDIA_TYPE,
        "Content-Encoding": "zstd",
    }
    async with APP.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://coach.example") as client:
        places.armed = True
        answered = await counted(client.post("/api/sync", content=errand.body, headers=headers), places)
        told.send((answered.status_code, answered.content, places.count + 1))
        places.reach_last()  # Whoever has the answer forgets what it acknowledges.


def token_of(errand: Errand) -> str:
    """Sign in, as the device did long ago."""
    return AccessTokens(SigningKeys.derive(SECRET)).issue(
        user_id=errand.user_id,
        role=errand.role,
        device_id=errand.device_id,
        session_id=errand.session_id,
        now=datetime.now(UTC),
    )


def live(errand: Errand, told: Connection) -> None:
    """Be the process."""
    if errand.planted:
        PLANTED[errand.planted]()
    places = Places(errand.die_at)
    with asyncio.Runner(loop_factory=lambda: MortalLoop(places)) as runner:
        runner.run(answer(errand, places, told))


def run(errand: Errand) -> Told:
    """Let a new process run the errand, and give what it told."""
    hear, told = _context.Pipe(duplex=False)
    process = _context.Process(target=live, args=(errand, told))
    with _one_at_a_time:
        process.start()
    told.close()
    words: tuple[int, bytes, int] = (0, b"", 0)
    with suppress(EOFError):
        words = hear.recv()
    hear.close()
    wait([process.sentinel])
    with _one_at_a_time:
        process.join()
    assert process.exitcode in (0, -signal.SIGKILL), f"the process ended with {process.exitcode} by itself"
    return Told(process.exitcode != 0, *words)


def commit_without_a_transaction() -> None:
    """Plant: what belongs together becomes durable piece by piece."""

    @asynccontextmanager
    async def locked(session: Any, scope: str) -> Any:
        seal, state = await session.seal_of(scope), await session.lock(scope)
        scope_id = Scope.parse(scope).id
        yield postgres_commits.PostgresLockedScope(
            session.connection, scope_id, state, seal, may_copy=session._may_copy
        )

    postgres_commits.PostgresCommitSession.locked = locked  # type: ignore[assignment,method-assign]


def answer_before_it_is_durable() -> None:
    """Plant: a commit is rolled back after it was called done."""
    whole = postgres_commits.PostgresCommitSession.locked

    @asynccontextmanager
    async def locked(session: Any, scope: str) -> Any:
        with suppress(TimeoutError):
            async with whole(session, scope) as scope_locked:
                yield scope_locked
                raise TimeoutError

    postgres_commits.PostgresCommitSession.locked = locked  # type: ignore[assignment,method-assign]


PLANTED: Mapping[str, Callable[[], None]] = {
    "commit without a transaction": commit_without_a_transaction,
    "answer before it is durable": answer_before_it_is_durable,
}
"""Bugs that the torture must find."""
