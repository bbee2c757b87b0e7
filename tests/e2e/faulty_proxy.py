"""A TCP proxy between a device and the server that cuts, resets and delays connections, drawn from a seed.

    async with faulty_proxy(server.settings.port, Random(7)) as proxy:
        await phone.login(proxy.address, email, password)
        await proxy.fall_ill()

Each connection draws its own fate when it is made. A cut counts the bytes of one direction and passes what is below the
count on, so that either side may be left with half a message, and the device with no answer to one that went through.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Literal

CHUNK_BYTES = 16 * 1024
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing sends RST and drops what is on its way."""


@dataclass
class Fate:
    """What becomes of one connection; `after_bytes` None lets it live."""

    direction: Literal["up", "down"] = "up"
    after_bytes: int | None = None
    reset: bool = False
    delay_seconds: float = 0.0


class FaultyProxy:
    """The proxy, healthy until `fall_ill`; from then on every connection dies some time, and `cuts` counts them."""

    def __init__(self, port: int, dice: Random, bytes_max: int) -> None:
        self.healthy = True
        self.cuts = 0
        self.address = ""
        self._port = port
        self._dice = dice
        self._bytes_max = bytes_max
        self._tasks: set[asyncio.Task[None]] = set()

    def draw(self) -> Fate:
        """Draw the fate of a connection."""
        dice = self._dice
        delay = dice.choice((0.0, 0.0, 0.005, 0.02))
        if self.healthy:
            return Fate(delay_seconds=delay)
        # Small counts as often as large ones: within headers, within bodies, right before the end.
        after = int(self._bytes_max ** dice.random())
        return Fate(dice.choice(("up", "down")), after, dice.random() < 0.5, delay)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        fate = self.draw()
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
            ways = (
                asyncio.create_task(self._pass_on(reader, server_writer, fate, "up")),
                asyncio.create_task(self._pass_on(server_reader, writer, fate, "down")),
            )
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                await end(server_writer, reset=fate.reset)
        except (OSError, asyncio.CancelledError):  # The server is away, or the proxy ends; nobody else cancels.
            fate.reset = True
        finally:
            await end(writer, reset=fate.reset)
            self._tasks.discard(task)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: Fate, direction: Literal["up", "down"]
    ) -> None:
        left = fate.after_bytes if fate.direction == direction else None
        while chunk := await reader.read(CHUNK_BYTES):
            if fate.delay_seconds:
                await asyncio.sleep(fate.delay_seconds)
            if left is not None:
                chunk, left = chunk[:left], left - len(chunk)
            writer.write(chunk)
            await writer.drain()
            if left is not None and left <= 0:
                self.cuts += 1
                return

    async def fall_ill(self) -> None:
        """End the connections that there are, and draw a fate for every new one."""
        self.healthy = False
        await self.aclose()

    async def aclose(self) -> None:
        """End every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    """Close a connection, with a FIN after what was written or with a RST instead."""
    sock = writer.get_extra_info("socket")
    if reset and sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def faulty_proxy(port: int, dice: Random, *, bytes_max: int = 150_000) -> AsyncIterator[FaultyProxy]:
    """Run a proxy to a local port until the block ends."""
    proxy = FaultyProxy(port, dice, bytes_max)
    listening = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listening.close()
        await proxy.aclose()
