"""The bad networks of the tortures are bad in exactly the way they say, before a server that notes and echoes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest

from tests.torture.net_cutter import Cut, Cutter, Imposter, open_cutter
from tests.torture.net_link import Link, open_link

pytestmark = pytest.mark.anyio

QUIET_SECONDS = 0.1
PATIENCE_SECONDS = 10.0


class Echo:
    """A server that echoes, and what each of its connections has brought."""

    def __init__(self) -> None:
        self.heard: list[bytearray] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = bytearray()
        self.heard.append(heard)
        try:
            while chunk := await reader.read(1000):
                heard += chunk
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def echo_server() -> AsyncIterator[tuple[Echo, int]]:
    echo = Echo()
    listening = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    try:
        yield echo, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


class Caller:
    """One connection through a bad network."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def at(cls, address: str) -> "Caller":
        return cls(*await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2])))

    async def ask(self, message: bytes) -> bytes:
        """Send, and give as many bytes as come back. Raises IncompleteReadError or an OSError when they don't."""
        self.writer.write(message)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.readexactly(len(message))

    async def assert_silence(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS):
                await self.reader.read(1)


@pytest.fixture
async def linked() -> AsyncIterator[tuple[Echo, Link]]:
    async with echo_server() as (echo, port), open_link(port) as link:
        yield echo, link


@pytest.fixture
async def cut() -> AsyncIterator[tuple[Echo, Cutter]]:
    async with echo_server() as (echo, port), open_cutter(port) as cutter:
        yield echo, cutter


async def test_what_waits_in_a_clogged_link_arrives_late(linked: tuple[Echo, Link]) -> None:
    echo, link = linked
    caller = await Caller.at(link.address)
    assert await caller.ask(b"one") == b"one"
    link.clog("up")
    caller.writer.write(b"two")
    await caller.assert_silence()
    assert echo.heard == [b"one"]
    link.unclog()
    assert await caller.ask(b"!") == b"t"
    assert echo.heard[0].startswith(b"onetwo")


async def test_a_link_that_is_clogged_one_way_brings_the_request_and_not_the_answer(linked: tuple[Echo, Link]) -> None:
    echo, link = linked
    link.clog("down")
    caller = await Caller.at(link.address)
    caller.writer.write(b"one")
    await eventually(lambda: echo.heard == [b"one"])
    await caller.assert_silence()


async def test_a_forgotten_connection_stays_silent_and_a_new_one_does_not(linked: tuple[Echo, Link]) -> None:
    _, link = linked
    caller = await Caller.at(link.address)
    assert await caller.ask(b"one") == b"one"
    link.forget()
    link.heal()
    caller.writer.write(b"two")
    await caller.assert_silence()
    assert await (await Caller.at(link.address)).ask(b"three") == b"three"


async def test_a_reset_link_and_one_that_refuses_break_connections(linked: tuple[Echo, Link]) -> None:
    _, link = linked
    caller = await Caller.at(link.address)
    assert await caller.ask(b"one") == b"one"
    link.reset()
    await assert_broken(caller)
    link.refuses = True
    await assert_broken(await Caller.at(link.address))


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_a_cut_lets_exactly_so_many_bytes_through_and_happens_once(cut: tuple[Echo, Cutter], how: str) -> None:
    echo, cutter = cut
    cutter.arm(Cut("up", 3, how))  # type: ignore[arg-type]
    caller = await Caller.at(cutter.address)
    await assert_broken(caller, b"abcdef")
    await eventually(lambda: echo.heard in ([b"abc"], [b""]))  # A RST may overtake what was sent before it.
    assert cutter.fired
    assert await (await Caller.at(cutter.address)).ask(b"abcdef") == b"abcdef"


async def test_a_cut_of_the_answer_comes_after_the_request(cut: tuple[Echo, Cutter]) -> None:
    echo, cutter = cut
    cutter.arm(Cut("down", 0, "fin"))
    await assert_broken(await Caller.at(cutter.address), b"abcdef")
    assert echo.heard == [b"abcdef"]


async def test_a_stall_is_silent_until_it_is_disarmed(cut: tuple[Echo, Cutter]) -> None:
    echo, cutter = cut
    cutter.arm(Cut("up", 3, "stall"))
    caller = await Caller.at(cutter.address)
    caller.writer.write(b"abcdef")
    assert await caller.reader.readexactly(3) == b"abc"
    await caller.assert_silence()
    assert echo.heard == [b"abc"]
    cutter.disarm()
    await assert_broken(caller)


async def test_a_repeated_request_arrives_twice_and_is_answered_once(cut: tuple[Echo, Cutter]) -> None:
    echo, cutter = cut
    cutter.arm("repeat")
    caller = await Caller.at(cutter.address)
    assert await caller.ask(b"abcdef") == b"abcdef"
    await caller.assert_silence()
    assert echo.heard == [b"abcdef", b"abcdef"]


async def test_an_imposter_answers_what_the_server_never_hears(cut: tuple[Echo, Cutter]) -> None:
    echo, cutter = cut
    cutter.arm(Imposter(b"POST /secret ", b"nope"))
    caller = await Caller.at(cutter.address)
    caller.writer.write(b"POST /secret HTTP/1.1")
    assert await caller.reader.read(100) == b"nope"
    assert echo.heard == [b""]


async def assert_broken(caller: Caller, message: bytes = b"x") -> None:
    """Hold that nothing more comes whole."""
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await caller.ask(message)


async def eventually(look: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not look():  # noqa: ASYNC110 - what is looked at gives no event.
            await anyio.sleep(0.01)
