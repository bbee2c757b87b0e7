"""What the replica waits with: locks, an inbox with a time limit, a reader beside the loop. The async half."""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import anyio
from anyio import Event, Lock, create_task_group, move_on_after

from apex_client.errors import ClientError, SyncFailed
from apex_client.transport import LiveChannel

__all__ = ["Inbox", "Lock", "pumping"]

T = TypeVar("T")


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
