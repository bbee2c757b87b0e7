"""A TCP proxy that does one thing wrong, at one byte: cuts there, stalls there, repeats a request, or answers itself.

    async with open_cutter(server.settings.port) as cutter:
        cutter.arm(Cut("down", after_bytes=17, how="reset"))
        ...                       # the first connection to get there is reset after the 17th byte of an answer
        cutter.disarm()

Bytes count from `arm` to `disarm`, over all connections. A fault happens once; otherwise this is a good network.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal, NamedTuple

from tests.e2e.faulty_proxy import CHUNK_BYTES, end
from tests.torture.net_link import Direction

REPEAT_SECONDS_MAX = 5.0
"""How long a repeated request may take; what it is answered is nobody's business."""


class Cut(NamedTuple):
    """Where the network fails, and how: with a FIN or a RST at both ends, or not at all but for good."""

    direction: Direction
    after_bytes: int
    how: Literal["fin", "reset", "stall"]


class Imposter(NamedTuple):
    """Something on the way that answers requests which begin so, in the place of the server."""

    request: bytes
    answer: bytes


class _Connection:
    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.is_reset = False
        self.request = bytearray()


class Cutter:
    """The proxy; `passed` counts bytes while it is armed, and `fired` tells whether the fault has happened."""

    def __init__(self, port: int) -> None:
        self.address = ""
        self.passed: dict[Direction, int] = {"up": 0, "down": 0}
        self.fired = False
        self._armed = False
        self._port = port
        self._cut: Cut | None = None
        self._imposter: Imposter | None = None
        self._repeats = False
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(self, fault: Cut | Imposter | Literal["repeat"] | None) -> None:
        """Let this happen next; None only counts."""
        self.disarm()
        self._armed = True
        self.passed = {"up": 0, "down": 0}
        self._cut = fault if isinstance(fault, Cut) else None
        self._imposter = fault if isinstance(fault, Imposter) else None
        self._repeats = fault == "repeat"
        for connection in self._connections:
            connection.request.clear()

    def disarm(self) -> None:
        """Be a good network; a connection that stalls is reset."""
        self._cut, self._imposter, self._repeats = None, None, False
        self._armed = self.fired = False
        for connection in self._connections:
            if connection.is_reset:
                connection.over.set()

    def reset(self) -> None:
        """End every connection with a RST."""
        for connection in self._connections:
            connection.is_reset = True
            connection.over.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = _Connection()
        self._connections.add(connection)
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
            ways = [
                asyncio.create_task(self._up(connection, reader, server_writer, writer)),
                asyncio.create_task(self._down(connection, server_reader, writer)),
                asyncio.create_task(connection.over.wait()),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                await end(server_writer, reset=connection.is_reset)
        except (OSError, asyncio.CancelledError):  # The server is away, or the cutter closes; nobody else cancels.
            connection.is_reset = True
        finally:
            self._connections.discard(connection)
            await end(writer, reset=connection.is_reset)
            self._tasks.discard(task)

    async def _up(
        self,
        connection: _Connection,
        reader: asyncio.StreamReader,
        server: asyncio.StreamWriter,
        device: asyncio.StreamWriter,
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            imposter = self._imposter
            if imposter is not None and chunk.startswith(imposter.request):
                self.fired = True
                device.write(imposter.answer)
                await device.drain()
                device.write_eof()
                while await reader.read(CHUNK_BYTES):  # To close on what is unread would reset the connection.
                    pass
                return
            connection.request += chunk
            if not await self._pass_on(connection, chunk, "up", server):
                return

    async def _down(self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self._repeats and connection.request:
                self.fired, self._repeats = True, False
                await self._repeat(bytes(connection.request))
            if not await self._pass_on(connection, chunk, "down", writer):
                return

    async def _pass_on(
        self, connection: _Connection, chunk: bytes, direction: Direction, writer: asyncio.StreamWriter
    ) -> bool:
        """Pass a chunk on, as far as it goes; tell whether the connection goes on."""
        cut, passed = self._cut, self.passed[direction]
        self.passed[direction] += len(chunk) * self._armed
        if cut is None or self.fired or cut.direction != direction or passed + len(chunk) < cut.after_bytes:
            writer.write(chunk)
            await writer.drain()
            return True
        self.fired = True
        writer.write(chunk[: cut.after_bytes - passed])
        await writer.drain()
        connection.is_reset = cut.how != "fin"
        if cut.how == "stall":
            await connection.over.wait()
        return False

    async def _repeat(self, request: bytes) -> None:
        """Deliver a request a second time, before its first answer is heard, and wait until it is answered."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(REPEAT_SECONDS_MAX):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(request)
                await reader.read(CHUNK_BYTES)
                await end(writer, reset=False)

    async def aclose(self) -> None:
        """End everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def open_cutter(port: int) -> AsyncIterator[Cutter]:
    """Run a cutter to a local port until the block ends."""
    cutter = Cutter(port)
    listening = await asyncio.start_server(cutter.accept, "127.0.0.1", 0)
    cutter.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield cutter
    finally:
        listening.close()
        await cutter.aclose()
