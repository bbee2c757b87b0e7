"""Calls on the replica file, on the calling thread."""

from collections.abc import Callable
from threading import RLock
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class StoreThread:
    """Runs calls on the replica file, never two at once."""

    def __init__(self) -> None:
        self._lock = RLock()

    def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call once no other thread is at the file."""
        with self._lock:
            return call(*args, **kwargs)

    def aside(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that does not touch the replica file."""
        return call(*args, **kwargs)
