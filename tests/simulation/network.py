"""The network of one simulated device: frames late, lost, doubled, cut or stuck, and answers that never come."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from apex_client.errors import ServerRefused, ServerUnreachable

if TYPE_CHECKING:
    from tests.simulation.server import SimulatedServer

SERVER = "memory"
PATIENCE_SECONDS = 30.0
"""How long a device waits for an answer, as the SDK's HTTP client does."""


class Weather(Struct, frozen=True):
    """What happens to a frame, each with a chance of 0 to 1; a delay of up to so many seconds."""

    lose_request: float = 0.0
    lose_answer: float = 0.0
    duplicate: float = 0.0
    cut_request: float = 0.0
    cut_answer: float = 0.0
    delay: float = 0.02


FAIR = Weather()
WEATHERS = (
    FAIR,
    Weather(lose_request=0.4),
    Weather(lose_answer=0.4),
    Weather(duplicate=0.5, delay=2.0),
    Weather(cut_request=0.3, cut_answer=0.3),
    Weather(lose_request=0.1, lose_answer=0.2, duplicate=0.2, cut_request=0.1, cut_answer=0.1, delay=5.0),
    Weather(lose_request=1.0),
    Weather(lose_answer=1.0),
)


class Link:
    """One device's way to the server: an `apex_client.transport.Transport`."""

    def __init__(self, server: "SimulatedServer", dice: Random) -> None:
        self.server = server
        self.dice = dice
        self.weather = FAIR
        self.bytes_up = 0
        self.bytes_down = 0
        self.last_sent = b""
        """The newest frame, for those who forge."""
        self._clear = asyncio.Event()
        self._clear.set()
        self._channels: list[LinkChannel] = []

    def clog(self) -> None:
        """Hold every frame back until `heal` or `unclog`."""
        self._clear.clear()

    def unclog(self) -> None:
        """Let what was held back go on, all at once."""
        self._clear.set()

    def heal(self) -> None:
        """Make it a good network."""
        self.weather = FAIR
        self.unclog()

    def drop_channels(self) -> None:
        """End every live connection, as a network does that changes."""
        for channel in list(self._channels):
            channel.end("the network changed")

    async def travel(self) -> None:
        """Take the time that a frame takes. Raises ServerUnreachable when it is held back for too long."""
        await asyncio.sleep(self.dice.random() * self.weather.delay)
        if not self._clear.is_set():
            try:
                await asyncio.wait_for(self._clear.wait(), PATIENCE_SECONDS)
            except TimeoutError:
                raise lost("no answer in time") from None

    async def exchange(self, server: str, token: str, message: bytes) -> bytes:
        """Send a request and give the answer."""
        self.bytes_up += len(message)
        self.last_sent = message
        await self.travel()
        if self._strikes(self.weather.lose_request):
            raise lost("the request was lost")
        if self._strikes(self.weather.duplicate):
            self.server.hear_later(self.travel, token, message)
        if self._strikes(self.weather.cut_request):
            message = self._cut(message)
        answer = await self.server.answer(token, message)
        await self.travel()
        if self._strikes(self.weather.lose_answer):
            raise lost("the answer was lost")
        self.bytes_down += len(answer)
        return self._cut(answer) if self._strikes(self.weather.cut_answer) else answer

    async def call(self, server: str, token: str | None, method: str, path: str, json: Any) -> Any:
        """Call the JSON API."""
        await self.travel()
        if self._strikes(self.weather.lose_request):
            raise lost("the request was lost")
        answer = await self.server.call(path, json)
        await self.travel()
        if self._strikes(self.weather.lose_answer):
            raise lost("the answer was lost")
        return answer

    async def download(
        self, server: str, token: str, path: str, write: Callable[[bytes], object], json: Any = None
    ) -> None:
        """Hand over a file; there are none."""
        raise ServerRefused(404, "not_found", path)

    async def put(self, server: str, token: str, place: str, content: bytes) -> None:
        """Take a file; nobody wants one."""
        raise ServerRefused(404, "not_found", place)

    async def connect(self, server: str, token: str) -> "LinkChannel | None":
        """Open the live channel."""
        await self.travel()
        if self._strikes(self.weather.lose_request):
            raise lost("the request was lost")
        channel = LinkChannel(self)
        self.server.connect(token, channel)
        self._channels.append(channel)
        return channel

    async def aclose(self) -> None:
        """End every live connection."""
        self.drop_channels()

    def forget(self, channel: "LinkChannel") -> None:
        """Hear that a channel has ended."""
        if channel in self._channels:
            self._channels.remove(channel)

    def _strikes(self, chance: float) -> bool:
        return chance > 0.0 and self.dice.random() < chance

    def _cut(self, frame: bytes) -> bytes:
        return frame[: self.dice.randrange(len(frame))]


class LinkChannel:
    """A live connection: frames arrive whole and in order, until it ends."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.to_server: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.to_device: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.ended = ""

    async def send(self, frame: bytes) -> None:
        """Send a frame from the device."""
        await self.link.travel()
        self._fail_or_go_on()
        self.link.bytes_up += len(frame)
        self.to_server.put_nowait(frame)

    async def receive(self) -> bytes:
        """Wait for a frame to the device."""
        frame = await self.to_device.get()
        if frame is None:
            raise lost(self.ended)
        await self.link.travel()
        self.link.bytes_down += len(frame)
        return frame

    async def answer(self, frame: bytes) -> None:
        """Send a frame from the server."""
        self._fail_or_go_on()
        self.to_device.put_nowait(frame)

    async def aclose(self) -> None:
        """End it from the device."""
        self.end("closed")

    def end(self, why: str) -> None:
        """End it for both sides."""
        if not self.ended:
            self.ended = why
            self.to_server.put_nowait(None)
            self.to_device.put_nowait(None)
            self.link.forget(self)

    def _fail_or_go_on(self) -> None:
        weather, dice = self.link.weather, self.link.dice
        if weather.lose_request and dice.random() < weather.lose_request:
            self.end("the connection broke")
        if self.ended:
            raise lost(self.ended)


def lost(reason: str) -> ServerUnreachable:
    """Say that a frame did not arrive."""
    return ServerUnreachable(SERVER, reason)
