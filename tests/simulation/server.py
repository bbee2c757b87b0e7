"""A simulated server: the real commit, feed, exchange and live sessions in two processes over one database in memory.

Processes are killed at any await, the database goes away at any moment and is put back to a backup.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from apex_client.errors import ServerBusy, ServerIncompatible, ServerRefused, SyncFailed
from apex_server.caller import Caller
from apex_server.db import DatabaseUnavailable, Hint
from apex_server.errors import ApiError
from apex_server.sync import Committer, Feed, SyncExchange
from apex_server.sync.errors import UnsupportedVersion
from apex_server.sync.live import LiveHub, LiveSession
from apex_sync.errors import ProtocolError
from apex_sync.protocol import PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST, SyncResponse, decode_request, encode_message
from tests.simulation.memory_commits import MemoryCommitStore, Moment
from tests.simulation.memory_database import Backup, MemoryDatabase
from tests.simulation.memory_feed import MemoryFeedStore
from tests.simulation.memory_people import MemoryPeople
from tests.simulation.network import LinkChannel, lost
from tests.simulation.sign_ins import SignIns

SECRET = "a secret for simulations, which outlives every restore"
PROCESSES = 2
T = TypeVar("T")


class ServerProcess:
    """One process: its caches, its connections, and what it is doing."""

    def __init__(self, server: "SimulatedServer") -> None:
        self._server = server
        self.tasks: dict[asyncio.Task[Any], None] = {}
        """In the order in which they began: a set would end them in another order each time."""
        identity = server.database.identity(SECRET)
        self.hub = LiveHub()
        self.committer = Committer(
            MemoryCommitStore(server.database, server.meet),
            identity=identity,
            now_us=server.now_us,
            hints=server.publish,
            entropy=server.dice.randbytes,
        )
        self.exchange = SyncExchange(
            self.committer,
            Feed(MemoryFeedStore(server.database, server.meet), identity),
            identity=identity,
            now_us=server.now_us,
            version_oldest=server.version_oldest,
        )

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something for somebody outside. Raises ServerUnreachable when the process is killed meanwhile."""
        task = self.start(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise lost("the server was killed") from None
            raise

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do something in the background."""
        task = asyncio.create_task(work)
        self.tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        del self.tasks[task]
        if not task.cancelled():
            task.exception()  # Whoever asked may be gone by now; what nobody may cause is in `bugs`.

    def kill(self) -> None:
        """End whatever it does, wherever it waits."""
        for task in list(self.tasks):
            task.cancel()

    async def serve(self, caller: Caller, channel: LinkChannel) -> None:
        """Serve a live connection, as the WebSocket's handler does."""
        with self.hub.listening() as listener:
            session = LiveSession(caller, self.exchange, self.hub, listener)
            try:
                async with asyncio.TaskGroup() as tasks:
                    news = tasks.create_task(self._send_news(session, channel))
                    await self._answer_frames(session, channel)
                    news.cancel()
            except* (SyncFailed, DatabaseUnavailable, ApiError, ProtocolError):
                pass
            finally:
                channel.end("the server ended it")

    async def _answer_frames(self, session: LiveSession, channel: LinkChannel) -> None:
        while (frame := await channel.to_server.get()) is not None:
            async with session.answered(decode_request(frame)) as response:
                await channel.answer(encode_message(response))

    async def _send_news(self, session: LiveSession, channel: LinkChannel) -> None:
        while True:
            async with session.news() as response:
                if response is not None:
                    await channel.answer(encode_message(response))


class SimulatedServer:
    """All processes, the database and the accounts; every device's link ends here."""

    def __init__(self, now_us: Callable[[], int], dice: Random) -> None:
        self.now_us = now_us
        self.dice = dice
        self.people = MemoryPeople()
        self.sign_ins = SignIns(now_us, dice)
        self.sign_ins.bound_elsewhere = self._is_bound_elsewhere
        self.sign_ins.device_of_client = self._device_of_client
        self.database = MemoryDatabase(self.people.scopes_of, epoch=dice.randbytes(8))
        self.version_oldest = PROTOCOL_VERSION_OLDEST
        self.trouble = 0.0
        """The chance that the database is gone, at each moment in which it is needed."""
        self.dawdling = 0.0
        """The chance that somebody else gets a turn there."""
        self.bugs: list[str] = []
        """Exceptions that no client should ever have been able to cause."""
        self.processes = [ServerProcess(self) for _ in range(PROCESSES)]

    async def meet(self, moment: Moment) -> None:
        """Let happen what happens to a database at a moment in which a process needs it."""
        if self.dawdling and self.dice.random() < self.dawdling:
            await asyncio.sleep(self.dice.random() * 0.05)
        if self.trouble and self.dice.random() < self.trouble:
            raise DatabaseUnavailable("simulated")

    async def publish(self, hints: list[Hint]) -> None:
        """Spread hints to every process; now and then one is lost."""
        for process in self.processes:
            if self.dice.random() < 0.95:
                await process.hub.spread(hints)

    # What a network brings.

    async def answer(self, token: str, message: bytes) -> bytes:
        """Answer a sync request over HTTP. Raises what the SDK's transport makes of a refusal."""
        caller = self.sign_ins.caller(token)
        try:
            request = decode_request(message)
        except ProtocolError as error:
            raise ServerRefused(400, "not_msgpack", error.reason) from error
        process = self.dice.choice(self.processes)

        async def answered() -> SyncResponse:
            return await process.exchange(caller, request)

        return encode_message(await process.run(self._held_to_its_errors(answered)))

    async def _held_to_its_errors(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await work()
        except DatabaseUnavailable as error:
            raise ServerBusy(error.retry_after_seconds) from error
        except UnsupportedVersion as error:
            raise ServerIncompatible(PROTOCOL_VERSION + 1, PROTOCOL_VERSION) from error
        except (ApiError, SyncFailed):
            raise
        except Exception as error:
            self.bugs.append("".join(traceback.format_exception(error)))
            raise ServerRefused(500, "internal_error", "") from error

    def hear_later(self, travel: Callable[[], Awaitable[None]], token: str, message: bytes) -> None:
        """Answer a request once more, to nobody: the network has doubled it."""

        async def hear() -> None:
            try:
                await travel()
                await self.answer(token, message)
            except SyncFailed:
                pass

        self.processes[0].start(hear())

    async def call(self, path: str, body: Any) -> Any:
        """Answer a call of the JSON API."""
        return self.sign_ins.call(path, body)

    def connect(self, token: str, channel: LinkChannel) -> None:
        """Open a live connection. Raises SignedOut."""
        caller = self.sign_ins.caller(token)
        process = self.dice.choice(self.processes)
        process.start(process.serve(caller, channel)).add_done_callback(lambda task: channel.end("the server is gone"))

    async def write(self, user_id: UUID | None, scope: str, collection: str, record_id: str, **how: Any) -> Any:
        """Write through the server, as REST and the analysis do.

        Raises ApiError where it was refused, and SyncFailed where nobody heard whether it was written.
        """
        process = self.dice.choice(self.processes)

        async def written() -> Any:
            return await process.committer.write(user_id, scope, collection, record_id, **how)

        return await process.run(self._held_to_its_errors(written))

    async def compact(self, scope: str, record_id: bytes) -> None:
        """Compact a record, as the job does."""
        process = self.dice.choice(self.processes)

        async def compacted() -> bool:
            return await process.committer.compact(scope, record_id)

        with suppress(SyncFailed):
            await process.run(self._held_to_its_errors(compacted))

    # What happens to servers.

    def kill(self, number: int) -> None:
        """Kill a process and start it anew."""
        self.processes[number].kill()
        self.processes[number] = ServerProcess(self)

    def restart(self) -> None:
        """Do that to all."""
        for number in range(PROCESSES):
            self.kill(number)

    def restore(self, backup: Backup) -> None:
        """Put the data back to a backup, as `apex-server restore` does: under a new epoch."""
        for process in self.processes:
            process.kill()
        self.database.restore(backup, epoch=self.dice.randbytes(8))
        self.sign_ins.forget_all()
        self.restart()

    async def end(self) -> None:
        """Stop, and wait until everything has ended."""
        tasks = [task for process in self.processes for task in process.tasks]
        for process in self.processes:
            process.kill()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _device_of_client(self, client_id: int, user_id: UUID) -> UUID | None:
        owner, device_id = self.database.bindings.get(client_id, (None, None))
        return device_id if owner == user_id else None

    def _is_bound_elsewhere(self, client_id: int, user_id: UUID, device_id: UUID) -> bool:
        return self.database.bindings.setdefault(client_id, (user_id, device_id)) != (user_id, device_id)
