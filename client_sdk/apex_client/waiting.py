"""What the replica waits with: locks, an inbox, a reader beside the loop, exchanges. The async half."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeAlias, TypeVar

import anyio
from anyio import Event, Lock, create_task_group, move_on_after
from anyio.abc import TaskGroup

from apex_client.errors import ClientError, SyncFailed
from apex_client.transport import LiveChannel

__all__ = ["Exchanges", "Inbox", "Lock", "ServerCall", "beside", "exchanging", "pause", "pumping", "waiting_clock"]

T = TypeVar("T")

ServerCall: TypeAlias = Callable[[str, str], Awaitable[T]]
"""Something asked of a server, by its address and with a token."""


def waiting_clock() -> float:
    """Read the clock that waiting goes by, in seconds: the event loop's, which a simulation lets pass."""
    return anyio.current_time()


async def pause(seconds: float) -> None:
    """Do nothing for so long."""
    await anyio.sleep(seconds)


class Inbox(Generic[T]):
    """A queue of what the loop has to look at; it holds each signal once."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._event: Event | None = None

    def put(self, item: T) -> None:
        """Add an item, unless an equal one is waiting."""
        if item not in self._items:
            self._items.append(item)
        if self._event is not None:
            self._event.set()

    async def get(self, timeout_seconds: float | None) -> T | None:
        """Take the first item; None when none has come in time."""
        if not self._items:
            with move_on_after(timeout_seconds):
                while not self._items:
                    self._event = Event()
                    await self._event.wait()
        return self._items.popleft() if self._items else None

    def discard(self, item: T) -> None:
        """Take an item out of its turn, if it is there."""
        if item in self._items:
            self._items.remove(item)

    def clear(self) -> None:
        """Forget what is waiting."""
        self._items.clear()


@asynccontextmanager
async def beside(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Let some work go on while the block runs; it ends with the block."""
    failure: BaseException | None = None
    async with create_task_group() as tasks:
        tasks.start_soon(work)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised within, it would leave in an exception group.
            failure = error
        finally:
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def pumping(channel: LiveChannel, deliver: Callable[[bytes | SyncFailed], None]) -> AsyncIterator[None]:
    """Deliver frames of a channel, and at last what ended it, while the block runs; close it afterwards."""

    async def pump() -> None:
        try:
            while True:
                deliver(await channel.receive())
        except SyncFailed as error:
            deliver(error)

    failure: ClientError | None = None
    async with create_task_group() as tasks:
        tasks.start_soon(pump)
        try:
            yield
        except ClientError as error:
            # Raised within, it would leave the task group in an exception group.
            failure = error
        finally:
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await channel.aclose()
    if failure is not None:
        raise failure


class Exchanges:
    """Messages on their way at once; their answers come in the order in which they were sent."""

    def __init__(self, exchange: Callable[[bytes], Awaitable[bytes]], tasks: TaskGroup) -> None:
        self._exchange = exchange
        self._tasks = tasks
        self._slots: deque[_Slot] = deque()

    @property
    def count(self) -> int:
        """How many have no answer yet that was taken."""
        return len(self._slots)

    def start(self, message: bytes) -> None:
        """Send a message."""
        slot = _Slot()
        self._slots.append(slot)
        self._tasks.start_soon(self._run, slot, message)

    async def next(self) -> bytes:
        """Wait for the oldest answer. Raises what its exchange raised."""
        slot = self._slots.popleft()
        await slot.done.wait()
        if slot.failure is not None:
            raise slot.failure
        return slot.answer

    async def _run(self, slot: "_Slot", message: bytes) -> None:
        try:
            slot.answer = await self._exchange(message)
        except ClientError as error:
            slot.failure = error
        slot.done.set()


class _Slot:
    def __init__(self) -> None:
        self.done = Event()
        self.answer = b""
        self.failure: ClientError | None = None


@asynccontextmanager
async def exchanging(exchange: Callable[[bytes], Awaitable[bytes]]) -> AsyncIterator[Exchanges]:
    """Exchange messages in the block; what is still on its way when it ends is given up."""
    failure: ClientError | None = None
    async with create_task_group() as tasks:
        exchanges = Exchanges(exchange, tasks)
        try:
            yield exchanges
        except ClientError as error:
            failure = error
        finally:
            if exchanges.count:
                tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
