"""An event loop whose time passes only while nobody can go on, and then at once: a day of pauses takes no time.

Everything that runs on it is deterministic: one thread, no I/O, timers in the order of their times.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["NothingCanGoOn", "run_in_virtual_time"]

T = TypeVar("T")


class NothingCanGoOn(Exception):
    """Everybody waits for something that will never happen."""


class _Waiting(selectors.SelectSelector):
    """Lets time pass instead of waiting for I/O."""

    def __init__(self, pass_time: Callable[[float], None]) -> None:
        super().__init__()
        self._pass_time = pass_time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for a timer; there is nothing else to wait for."""
        if timeout is None:
            raise NothingCanGoOn
        self._pass_time(timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop; `time` is in seconds since it began."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_Waiting(self._pass))

    def time(self) -> float:
        """Give the virtual time."""
        return self._seconds

    def _pass(self, seconds: float) -> None:
        self._seconds += max(0.0, seconds)


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end. Raises NothingCanGoOn, or what it raises."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
