"""What limits share, in memory: the arithmetic of the SQL function, with a clock that the test moves."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from apex_server.db import DatabaseUnavailable
from apex_server.limits.limits import Debit


class MovedClock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class MemoryLimits:
    """One for all processes of a test; `away` is an outage."""

    def __init__(self, clock: MovedClock) -> None:
        self.clock = clock
        self.away = False
        self.settlings = 0
        self.names: dict[UUID, str] = {}
        self._levels: dict[tuple[bytes, str], tuple[float, float]] = {}

    async def settle(self, debits: Sequence[Debit]) -> Mapping[tuple[bytes, str], float]:
        self.settlings += 1
        if self.away:
            raise DatabaseUnavailable("away")
        now = self.clock()
        for account, budget, amount, drains_per_second in debits:
            level, at = self._levels.get((account, budget), (0.0, now))
            left = max(0.0, level - drains_per_second * max(0.0, now - at))
            self._levels[account, budget] = (left + amount, now)
        return {(debit.account, debit.budget): self._levels[debit.account, debit.budget][0] for debit in debits}

    async def tiers(self, user_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        if self.away:
            raise DatabaseUnavailable("away")
        return {user_id: self.names[user_id] for user_id in user_ids if user_id in self.names}

    async def forget_drained(self) -> None:
        pass
