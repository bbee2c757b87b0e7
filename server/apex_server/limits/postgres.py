"""The budgets that all server processes share, in Postgres."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from apex_server.db import Database, load_queries
from apex_server.limits.limits import Debit

__all__ = ["PostgresLimits"]

_queries = load_queries(__package__)


class PostgresLimits:
    """One row for each account and budget; two statements every few seconds, however many requests there are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settle(self, debits: Sequence[Debit]) -> Mapping[tuple[bytes, str], float]:
        """Add what was spent, and give the levels. Raises DatabaseUnavailable."""
        columns = [list(column) for column in zip(*debits, strict=True)]
        if not columns:
            return {}
        async with self._database.request(None) as connection:
            rows = await connection.fetch(_queries.settle_budgets, *columns)
        return {(row["account"], row["budget"]): row["level"] for row in rows}

    async def tiers(self, user_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """Give the tiers of people. Raises DatabaseUnavailable."""
        if not user_ids:
            return {}
        async with self._database.request(None) as connection:
            rows = await connection.fetch(_queries.get_tiers, list(user_ids))
        return {row["user_id"]: row["tier"] for row in rows}

    async def forget_drained(self) -> None:
        """Delete rows that say nothing any more. Raises DatabaseUnavailable."""
        async with self._database.request(None) as connection:
            await connection.execute(_queries.forget_drained_budgets)
