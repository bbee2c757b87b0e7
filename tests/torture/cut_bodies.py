"""Every byte of every exchange between a device and a server is the last one once, in both directions.

    python -m tests.torture cut_bodies

First each exchange is made once and its bytes are counted. Then it is made again for each of them: cut there with a
FIN, cut there with a RST, and at some of them left to stall. A cut of the answer at its first byte is the lost
acknowledgement. Beside it requests arrive twice, and something on the way answers in the place of the server.

Every k-th offset in CI, every one at full scale.
"""

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import anyio
from anyio.from_thread import start_blocking_portal

from apex_client.http_transport import MEDIA_TYPE
from apex_server.settings import Settings
from tests.e2e.whole_server import SECRET, WholeServer, running_server
from tests.server.sealed_rows import MASTER_KEY
from tests.torture.net_cutter import Cut, Imposter, open_cutter
from tests.torture.net_exchanges import EXCHANGES, Exchange, GoingLive, Live, NetWorld, net_world
from tests.torture.net_link import Direction
from tests.torture.report import Outcome, Scale

FAILURES_SHOWN = 5
"""On the way; the table at the end shows all."""

DIRECTIONS: tuple[Direction, ...] = ("up", "down")


class Density(NamedTuple):
    """How many offsets lie between two cuts and between two stalls, and how often a request is repeated."""

    cut_bytes: int
    stall_bytes: int
    repeats: int


DENSITIES = {Scale.CI: Density(211, 4000, 2), Scale.FULL: Density(1, 53, 100)}


def torture(scale: Scale) -> Iterator[Outcome]:
    """Spoil every exchange in every way."""
    with net_server() as server:
        for make in EXCHANGES:
            yield from torture_one(server, make(), DENSITIES[scale])


@contextmanager
def net_server() -> Iterator[WholeServer]:
    """Run a server for as many exchanges as one likes."""
    folder = Path(tempfile.mkdtemp(prefix="apex-net-"))
    settings = Settings(data_dir=folder / "server", secret=SECRET, master_key=MASTER_KEY, limits_factor=1e6)
    try:
        with start_blocking_portal("asyncio") as portal, running_server(portal, settings) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def torture_one(server: WholeServer, exchange: Exchange, density: Density) -> list[Outcome]:
    """Spoil one exchange in every way, with people and devices of its own."""
    with tempfile.TemporaryDirectory(prefix="apex-net-") as folder:
        return anyio.run(_torture_one, server, Path(folder), exchange, density)


async def _torture_one(server: WholeServer, folder: Path, exchange: Exchange, density: Density) -> list[Outcome]:
    async with open_cutter(server.settings.port) as cutter, net_world(server, cutter, folder) as world:
        told = [outcome async for outcome in spoil_in_every_way(world, exchange, density)]
        with told[-1].run("everything of the above"):
            await world.assert_one_content()
    return told


async def spoil_in_every_way(world: NetWorld, exchange: Exchange, density: Density) -> AsyncIterator[Outcome]:
    """Give an outcome for each way in which this exchange can go wrong."""
    async with exchange.ready(world):
        sizes = await measure(world, exchange)
        for direction in DIRECTIONS:
            offsets = range(0, sizes[direction] + 1, density.cut_bytes)
            yield await spoil(world, exchange, f"cut {direction}", cuts(direction, offsets))
        stalls = [Cut(way, n, "stall") for way in DIRECTIONS for n in range(0, sizes[way] + 1, density.stall_bytes)]
        if not isinstance(exchange, Live):
            yield await spoil(world, exchange, "stall", stalls)
            yield await spoil(world, exchange, "request twice", ["repeat"] * density.repeats)
        if not isinstance(exchange, Live) or isinstance(exchange, GoingLive):
            imposters = [Imposter(exchange.request, answer) for answer in STRANGE_ANSWERS]
            yield await spoil(world, exchange, "strange answer", imposters)


async def measure(world: NetWorld, exchange: Exchange) -> dict[Direction, int]:
    """Make the exchange twice, the first time to warm up, and count its bytes."""
    for _ in range(2):
        await exchange.spoil(world, lambda: world.cutter.arm(None))
    return dict(world.cutter.passed)


async def spoil(world: NetWorld, exchange: Exchange, name: str, faults: "Sequence[Fault]") -> Outcome:
    """Make the exchange once for each fault."""
    outcome = Outcome(part="cut_bodies", fault=f"{exchange.name}: {name}")
    missed = 0
    for fault in faults:
        with outcome.run(str(fault)):
            missed += not await exchange.spoil(world, arming(world, fault))
    outcome.runs -= missed
    if missed > len(faults) / 2:
        outcome.failures.append(f"{missed} of {len(faults)} faults did not come to happen")
    failed = "".join(f"\n    {failure}" for failure in outcome.failures[:FAILURES_SHOWN])
    print(f"{outcome.fault}: {outcome.runs} in {outcome.seconds:.0f} s{failed}", file=sys.stderr, flush=True)
    return outcome


Fault = Cut | Imposter | str


def arming(world: NetWorld, fault: Fault) -> Callable[[], None]:
    """Give what arms the network with a fault."""
    return lambda: world.cutter.arm(fault)  # type: ignore[arg-type]


def cuts(direction: Direction, offsets: range) -> list[Fault]:
    """Cut at each offset, with a FIN and with a RST."""
    return [Cut(direction, offset, how) for offset in offsets for how in ("fin", "reset")]


def answer(status: str, body: bytes = b"", media_type: str = "text/html", *headers: str) -> bytes:
    """Write an HTTP answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*head, *headers, "", ""]).encode() + body


PAGE = b"<html>Welcome! Sign in to use this network.</html>"
STRANGE_ANSWERS = (
    answer("200 OK", PAGE),
    answer("204 No Content"),
    answer("200 OK", b"{}", "application/json"),
    answer("200 OK", PAGE, MEDIA_TYPE),
    answer("200 OK", PAGE, MEDIA_TYPE, "Content-Encoding: zstd"),
    answer("302 Found", PAGE, "text/html", "Location: http://127.0.0.1:9/portal"),
    answer("401 Unauthorized", PAGE),
    answer("407 Proxy Authentication Required", PAGE),
    answer("500 Internal Server Error", PAGE),
    answer("502 Bad Gateway", PAGE, "text/html", "Retry-After: 0"),
    answer("511 Network Authentication Required", PAGE),
    b"HTTP/1.0 200 OK\r\n\r\n" + PAGE,
    b"SSH-2.0-OpenSSH_9.2p1\r\n",
    b"\x16\x03\x01\x00\x05\xff\xff",
    b"",
)
"""What stands between people and their server: portals, proxies, firewalls, and other protocols on its port."""
