"""A circuit breaker: a model that fails again and again is left alone for a while, so that nobody waits for it."""

from collections.abc import Callable

__all__ = ["CircuitBreaker"]

FAILURES_MAX = 3
OPEN_SECONDS = 60.0
"""As long as most providers count their limits over."""

OPEN_SECONDS_MAX = 900.0
"""Whatever a provider asks for: an hour's wait would be an outage of its own making."""


class CircuitBreaker:
    """Closed it lets calls through; open it does not; after a while it lets them through again, to see.

    `clock` gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._opens_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are to be left out now."""
        return self._clock() < self._opens_at

    def succeeded(self) -> None:
        """Note a call that was answered, with whatever."""
        self._failures = 0

    def failed(self, *, retry_after: float | None = None) -> None:
        """Note a call that was not answered; `retry_after` seconds are what the provider itself asks for."""
        self._failures += 1
        if retry_after is not None or self._failures >= FAILURES_MAX:
            self._opens_at = self._clock() + min(retry_after or OPEN_SECONDS, OPEN_SECONDS_MAX)
