"""Off the event loop: SQLite work runs one call at a time in a thread."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

P = ParamSpec("P")
T = TypeVar("T")


class StoreThread:
    """Runs calls on the replica file, in their order and never two at once."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter | None = None

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call to its end, even when its caller is cancelled: half a save is no save."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(1)
        return await to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._limiter)

    async def aside(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a long call that does not touch the replica file."""
        return await to_thread.run_sync(partial(call, *args, **kwargs))
