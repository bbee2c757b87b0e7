"""A proxy between a server and Postgres that knows where statements begin, and can refuse, cut, silence and shorten.

    async with postgres_proxy(real_directory, own_directory) as proxy:
        ...                                     # the server connects to the socket in `own_directory`
        proxy.cut("down", 500)                  # every connection ends some bytes later, perhaps within a message
        proxy.heal()

What the server sends is passed on message by message, and `before_message` may do something in between.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Literal

from tests.e2e.faulty_proxy import CHUNK_BYTES

SOCKET_NAME = ".s.PGSQL.5432"
BACKEND_KEY = b"K\x00\x00\x00\x0c"
"""How Postgres tells a new client its pid, which follows in four bytes."""

Direction = Literal["up", "down"]
BeforeMessage = Callable[[int, bytes], Awaitable[None]]
"""Is told the pid of the backend and the kind of the message: Q, P, B, E, d, c …"""


class PostgresProxy:
    """The proxy, a good one until it is told otherwise."""

    def __init__(self, target: Path, folder: Path, dice: Random) -> None:
        self.before_message: BeforeMessage | None = None
        self.limits: Mapping[bytes, bytes] = {}
        """What to write instead of what in the start-up of new connections; both of one length."""
        self._target = target
        self._path = folder / SOCKET_NAME
        self._dice = dice
        self._cut: tuple[Direction, int] | None = None
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._listening: asyncio.Server | None = None

    async def listen(self) -> None:
        """Take connections."""
        self._listening = await asyncio.start_unix_server(self._accept, self._path)

    async def refuse(self) -> None:
        """End all connections, and refuse new ones."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
            self._path.unlink(missing_ok=True)
        await self.reset()

    def cut(self, direction: Direction, bytes_max: int) -> None:
        """Let every connection, old and new, end after some bytes of one direction; small counts as often as large."""
        self._cut = direction, bytes_max
        for link in self._links:
            link.left = self._fate()

    def silence(self) -> None:
        """Hold back everything, and end nothing."""
        self._flows.clear()

    def forget(self) -> None:
        """Leave the connections that there are silent for ever; new ones are not touched."""
        for link in self._links:
            link.forgotten = True

    async def heal(self) -> None:
        """Be a good proxy again; what waited arrives."""
        self.before_message = None
        self.limits = {}
        self._cut = None
        for link in self._links:
            link.left = {}
        self._flows.set()
        if self._listening is None:
            await self.listen()

    async def reset(self) -> None:
        """End all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _fate(self) -> dict[Direction, int]:
        if self._cut is None:
            return {}
        direction, bytes_max = self._cut
        return {direction: int(bytes_max ** self._dice.random())}

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = Link(self._fate())
        self._links.add(link)
        writers = [writer]
        try:
            back_reader, back_writer = await asyncio.open_unix_connection(self._target / SOCKET_NAME)
            writers.append(back_writer)
            ways = (
                asyncio.create_task(self._up(link, reader, back_writer)),
                asyncio.create_task(self._down(link, back_reader, writer)),
            )
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):  # Postgres is away, or the proxy ends the connection.
            pass
        finally:
            for each in writers:
                each.transport.abort()
            self._links.discard(link)
            self._tasks.discard(task)

    async def _up(self, link: "Link", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages = Messages()
        while chunk := await reader.read(CHUNK_BYTES):
            for message in messages.split(chunk):
                if self.before_message is not None and link.pid:
                    await self.before_message(link.pid, message[:1])
                shortened = message
                for usual, instead in self.limits.items() if not link.pid else ():
                    shortened = shortened.replace(usual, instead)
                if not await self._pass_on(link, "up", shortened, writer):
                    return

    async def _down(self, link: "Link", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if not link.pid and BACKEND_KEY in chunk:
                place = chunk.index(BACKEND_KEY) + len(BACKEND_KEY)
                link.pid = int.from_bytes(chunk[place : place + 4], "big")
            if not await self._pass_on(link, "down", chunk, writer):
                return

    async def _pass_on(self, link: "Link", direction: Direction, chunk: bytes, writer: asyncio.StreamWriter) -> bool:
        await self._flows.wait()
        if link.forgotten:
            return True
        left = link.left.get(direction)
        writer.write(chunk if left is None else chunk[:left])
        await writer.drain()
        if left is None:
            return True
        link.left[direction] = left - len(chunk)
        return left > len(chunk)


class Link:
    """One connection; `left` is how many bytes it still lives for."""

    def __init__(self, left: dict[Direction, int]) -> None:
        self.left = left
        self.pid = 0
        self.forgotten = False


class Messages:
    """Cuts what a client sends into messages: the first has no kind before its length."""

    def __init__(self) -> None:
        self._rest = b""
        self._head_bytes = 4

    def split(self, chunk: bytes) -> Iterator[bytes]:
        """Give the messages that are complete with this chunk."""
        self._rest += chunk
        while len(self._rest) >= self._head_bytes:
            size = int.from_bytes(self._rest[self._head_bytes - 4 : self._head_bytes], "big") + self._head_bytes - 4
            if len(self._rest) < size:
                return
            message, self._rest = self._rest[:size], self._rest[size:]
            self._head_bytes = 5
            yield message


@asynccontextmanager
async def postgres_proxy(target: Path, folder: Path, dice: Random) -> AsyncIterator[PostgresProxy]:
    """Run a proxy, from a socket in `folder` to the one in `target`, until the block ends."""
    proxy = PostgresProxy(target, folder, dice)
    await proxy.listen()
    try:
        yield proxy
    finally:
        with contextlib.suppress(OSError):
            await proxy.refuse()
