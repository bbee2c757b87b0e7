"""What the replica waits with: locks, an inbox, a reader beside the loop, exchanges. The blocking half."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Lock, Thread
from typing import Generic, TypeAlias, TypeVar

from apex_client.blocking.transport import LiveChannel
from apex_client.errors import SyncFailed

__all__ = ["Exchanges", "Inbox", "Lock", "ServerCall", "beside", "exchanging", "pause", "pumping", "waiting_clock"]

T = TypeVar("T")

ServerCall: TypeAlias = Callable[[str, str], T]
"""Something asked of a server, by its address and with a token."""

READER_SECONDS_MAX = 10.0
"""How long to wait for the reader of a channel that was closed."""


def waiting_clock() -> float:
    """Read the clock that waiting goes by, in seconds."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Do nothing for so long."""
    time.sleep(seconds)


class Inbox(Generic[T]):
    """A queue of what the loop has to look at; it holds each signal once."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._arrived = Condition()

    def put(self, item: T) -> None:
        """Add an item, unless an equal one is waiting."""
        with self._arrived:
            if item not in self._items:
                self._items.append(item)
            self._arrived.notify()

    def get(self, timeout_seconds: float | None) -> T | None:
        """Take the first item; None when none has come in time."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._items, timeout_seconds)
            return self._items.popleft() if self._items else None

    def discard(self, item: T) -> None:
        """Take an item out of its turn, if it is there."""
        with self._arrived:
            if item in self._items:
                self._items.remove(item)

    def clear(self) -> None:
        """Forget what is waiting."""
        with self._arrived:
            self._items.clear()


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Let some work go on while the block runs; what ends the block has told it to end."""
    worker = Thread(target=work, name="apex-media", daemon=True)
    worker.start()
    yield


@contextmanager
def pumping(channel: LiveChannel, deliver: Callable[[bytes | SyncFailed], None]) -> Iterator[None]:
    """Deliver frames of a channel, and at last what ended it, while the block runs; close it afterwards."""

    def pump() -> None:
        try:
            while True:
                deliver(channel.receive())
        except SyncFailed as error:
            deliver(error)

    reader = Thread(target=pump, name="apex-live", daemon=True)
    reader.start()
    try:
        yield
    finally:
        channel.close()
        reader.join(READER_SECONDS_MAX)


class Exchanges:
    """Messages in their order, one after another: without an event loop there is nobody to overlap them."""

    def __init__(self, exchange: Callable[[bytes], bytes]) -> None:
        self._exchange = exchange
        self._messages: deque[bytes] = deque()

    @property
    def count(self) -> int:
        """How many have no answer yet."""
        return len(self._messages)

    def start(self, message: bytes) -> None:
        """Put a message in line."""
        self._messages.append(message)

    def next(self) -> bytes:
        """Send the oldest message and give its answer. Raises what the exchange raises."""
        return self._exchange(self._messages.popleft())


@contextmanager
def exchanging(exchange: Callable[[bytes], bytes]) -> Iterator[Exchanges]:
    """Exchange messages in the block."""
    yield Exchanges(exchange)
