"""What the model has been asked before, and what it has cost: kept in Postgres, so all workers share it.

Texts are kept under a hash of what was asked, sealed with the athlete's key; the question itself is kept nowhere.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from apex_server.db import Connection, Database, load_queries
from apex_server.limits import Tier, tier_named

__all__ = ["Ledger", "Spent"]

TEXTS_KEPT_DAYS = 30
WORDED_TEXT = "worded_texts.reply"

_queries = load_queries(__package__)


class Spent(NamedTuple):
    """What a coach's athletes have cost in tokens, the tier of the coach, and what all coaches' have cost."""

    today: int
    this_month: int
    tier: Tier
    everybody_today: int


class Ledger:
    """The texts and tokens of one installation; `now` is the wall clock, in UTC. Raises DatabaseUnavailable."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def text(self, key: bytes) -> bytes | None:
        """Give what was made of a question before."""
        async with self._database.commit_connection() as connection:
            row = await connection.fetchrow(_queries.get_worded_text, key)
            if row is None:
                return None
            data_key = await self._database.vault.user_key(connection, row["athlete_id"])
        return data_key.open(row["reply"], what=WORDED_TEXT)

    async def keep(self, key: bytes, athlete_id: UUID, reply: bytes) -> None:
        """Keep what was made of a question."""
        async with self._database.commit_connection() as connection:
            data_key = await self._database.vault.user_key(connection, athlete_id)
            sealed = data_key.seal(reply, what=WORDED_TEXT)
            await connection.execute(_queries.keep_worded_text, key, athlete_id, sealed, self._now())

    async def spent(self, coach_id: UUID) -> Spent:
        """Give what a coach's athletes have cost."""
        async with self._database.commit_connection() as connection:
            return await _spent(connection, coach_id, self._now().date())

    async def reserve(self, coach_id: UUID, tokens: int, check: Callable[[Spent], None]) -> date:
        """Count what a call may cost before it is made, unless `check` raises; gives the day it is counted on."""
        day = self._now().date()
        async with self._database.commit_connection() as connection, connection.transaction():
            await connection.execute(_queries.lock_tokens)
            check(await _spent(connection, coach_id, day))
            await connection.execute(_queries.add_tokens, coach_id, day, tokens)
        return day

    async def settle(self, coach_id: UUID, day: date, difference: int) -> None:
        """Count by how much a call has cost more, or less, than was reserved for it."""
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.add_tokens, coach_id, day, difference)

    async def forget_old(self) -> None:
        """Forget texts that nobody will ask for again."""
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.forget_worded_texts, self._now() - timedelta(days=TEXTS_KEPT_DAYS))


async def _spent(connection: Connection, coach_id: UUID, day: date) -> Spent:
    row = await connection.fetchrow(_queries.get_tokens, coach_id, day)
    return Spent(row["today"], row["this_month"], tier_named(row["tier"], role="coach"), row["everybody_today"])
