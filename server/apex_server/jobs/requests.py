"""Asking for an analysis at once, from a web process; a worker takes it up within a second."""

from collections.abc import Sequence
from uuid import UUID

from apex_server.ai.wording import InsightKind
from apex_server.db import Database, load_queries

__all__ = ["ask_for_analysis"]

_queries = load_queries(__package__)


async def ask_for_analysis(database: Database, athlete_id: UUID, kinds: Sequence[InsightKind]) -> None:
    """Make analyses due now; the caller has checked that whoever asks may. Raises DatabaseUnavailable."""
    async with database.commit_connection() as connection:
        await connection.execute(_queries.ask_for_analysis, athlete_id, list(kinds))
