"""An event loop whose time passes only while nobody can go on, and then at once: a day of pauses takes no time.

Everything that runs on it is deterministic: one thread, no I/O, timers in the order of their times, and those of one
moment in the order in which they were set. A simulation spends most of its life in here, so a turn of the loop does
nothing else.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar, TypeVarTuple

import anyio

__all__ = ["NothingCanGoOn", "run_in_virtual_time"]

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

RESOLUTION_SECONDS = 1e-9
"""Timers that are no further apart are due together, as on a real clock."""


class NothingCanGoOn(Exception):
    """Everybody waits for something that will never happen."""


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """The loop; `time` is in seconds since it began."""

    _ready: deque[asyncio.Handle]

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        self._due: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()

    def time(self) -> float:
        """Give the virtual time."""
        return self._seconds

    def call_soon(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """Call something in the next turn."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call something at a time."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._due, (when, next(self._numbers), timer))
        return timer

    def _run_once(self) -> None:
        """Take a turn: let time pass if nobody can go on, and call what is due."""
        due, ready = self._due, self._ready
        while due and due[0][2].cancelled():
            heappop(due)
        if not ready:
            if not due:
                raise NothingCanGoOn
            self._seconds += max(0.0, due[0][0] - self._seconds)
        now = self._seconds + RESOLUTION_SECONDS
        while due and due[0][0] < now:
            ready.append(heappop(due)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _write_to_self(self) -> None:
        """Wake nobody: the loop never sleeps."""


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end. Raises NothingCanGoOn, or what it raises."""
    return anyio.run(lambda: main, backend_options={"loop_factory": VirtualTimeLoop})
