"""The link between one device and the server, which a torture may clog, forget, refuse or reset.

    async with open_link(server.settings.port) as link:
        await phone.login(link.address, email, password)
        link.clog("up")        # what the device sends waits somewhere on its way; answers still come
        link.unclog()          # ... and now arrives, late

A clogged link is a network that swallows packets: nobody is told. What waits in it arrives when it is unclogged, unless
the link was reset or has forgotten its connections by then, as routers do: those stay silent for ever.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from tests.e2e.faulty_proxy import CHUNK_BYTES, end

Direction = Literal["up", "down"]
BOTH: frozenset[Direction] = frozenset(("up", "down"))


class Link:
    """A TCP proxy to one local port, in one state for all of its connections."""

    def __init__(self, port: int) -> None:
        self.address = ""
        self.refuses = False
        self._port = port
        self._clogged: set[Direction] = set()
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def clog(self, *directions: Direction) -> None:
        """Hold back what goes in these directions from now on."""
        self._clogged |= set(directions)
        for connection, direction in itertools.product(self._connections, directions):
            connection.flows[direction].clear()

    def unclog(self) -> None:
        """Let through what waits, and everything after it."""
        self._clogged.clear()
        for connection, direction in itertools.product(self._connections, BOTH):
            if not connection.forgotten:
                connection.flows[direction].set()

    def forget(self) -> None:
        """Leave the connections that there are silent for ever; new ones are not touched."""
        for connection, direction in itertools.product(self._connections, BOTH):
            connection.forgotten = True
            connection.flows[direction].clear()

    def reset(self) -> None:
        """End every connection with a RST; what waits is gone."""
        for connection in self._connections:
            connection.ended.set()

    def heal(self) -> None:
        """Be a good network from now on."""
        self.refuses = False
        self.unclog()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = _Connection()
        for direction in BOTH - self._clogged:
            connection.flows[direction].set()
        try:
            if not self.refuses:
                self._connections.add(connection)
                await self._serve(connection, reader, writer)
        except (OSError, asyncio.CancelledError):  # The server is away, or the link closes; nobody else cancels.
            pass
        finally:
            self._connections.discard(connection)
            await end(writer, reset=True)
            self._tasks.discard(task)

    async def _serve(
        self, connection: "_Connection", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        ways = [
            asyncio.create_task(_pass_on(reader, server_writer, connection.flows["up"])),
            asyncio.create_task(_pass_on(server_reader, writer, connection.flows["down"])),
            asyncio.create_task(connection.ended.wait()),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await end(server_writer, reset=connection.ended.is_set())

    async def aclose(self) -> None:
        """End everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Connection:
    def __init__(self) -> None:
        self.flows: dict[Direction, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        self.ended = asyncio.Event()
        self.forgotten = False


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: asyncio.Event) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        await flow.wait()
        writer.write(chunk)
        await writer.drain()
    await flow.wait()  # A clogged FIN waits like everything else.


@asynccontextmanager
async def open_link(port: int) -> AsyncIterator[Link]:
    """Run a link to a local port until the block ends."""
    link = Link(port)
    listening = await asyncio.start_server(link.accept, "127.0.0.1", 0)
    link.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield link
    finally:
        listening.close()
        await link.aclose()
