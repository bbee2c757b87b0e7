"""How much CPU time a coroutine takes, however often it waits for something in between.

It runs in the same task as without, and the thread's own clock stands still while others run. What it has others do, in
threads or tasks of their own, is not in it.
"""

from collections.abc import Coroutine, Generator
from time import thread_time
from typing import Any, Generic, TypeVar

__all__ = ["Metered"]

T = TypeVar("T")


class Metered(Generic[T]):
    """Awaits a coroutine and measures it: `result = await (metered := Metered(work()))`, then `metered.cpu_ms`."""

    __slots__ = ("_coroutine", "cpu_ms")

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self.cpu_ms = 0.0

    def __await__(self) -> Generator[Any, Any, T]:
        """Drive the coroutine step by step."""
        step = self._coroutine.send
        argument: Any = None
        while True:
            begun = thread_time()
            try:
                waits_for = step(argument)
            except StopIteration as stop:
                result: T = stop.value
                return result
            finally:
                self.cpu_ms += (thread_time() - begun) * 1000
            try:
                argument = yield waits_for
                step = self._coroutine.send
            except GeneratorExit:
                self._coroutine.close()
                raise
            except BaseException as error:  # noqa: BLE001 - a cancellation too: it belongs to the coroutine.
                argument = error
                step = self._coroutine.throw
