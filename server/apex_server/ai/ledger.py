"""What the model has been asked before, and what it has cost: kept in Postgres, so all workers share it.

Texts are kept under a hash of what was asked; the question itself is kept nowhere.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from apex_server.db import Database, load_queries

__all__ = ["Ledger"]

TEXTS_KEPT_DAYS = 30

_queries = load_queries(__package__)


class Ledger:
    """The texts and tokens of one installation; `now` is the wall clock, in UTC. Raises DatabaseUnavailable."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def text(self, key: bytes) -> bytes | None:
        """Give what was made of a question before."""
        async with self._database.commit_connection() as connection:
            reply: bytes | None = await connection.fetchval(_queries.get_worded_text, key)
            return reply

    async def keep(self, key: bytes, athlete_id: UUID, reply: bytes) -> None:
        """Keep what was made of a question."""
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.keep_worded_text, key, athlete_id, reply, self._now())

    async def tokens_today(self, coach_id: UUID) -> int:
        """Give what a coach's athletes have cost today."""
        async with self._database.commit_connection() as connection:
            return int(await connection.fetchval(_queries.get_tokens, coach_id, self._now().date()) or 0)

    async def add_tokens(self, coach_id: UUID, tokens: int) -> None:
        """Count what a call has cost."""
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.add_tokens, coach_id, self._now().date(), tokens)

    async def forget_old(self) -> None:
        """Forget texts that nobody will ask for again."""
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.forget_worded_texts, self._now() - timedelta(days=TEXTS_KEPT_DAYS))
