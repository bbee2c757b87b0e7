"""Asking for an analysis at once, from a web process; a worker takes it up within a second."""

from collections.abc import Sequence
from uuid import UUID

from apex_server.ai.wording import InsightKind
from apex_server.db import Database, load_queries

__all__ = ["ask_for_analysis"]

_queries = load_queries(__package__)


async def ask_for_analysis(
    database: Database, athlete_id: UUID, kinds: Sequence[InsightKind], *, asked_by: UUID | None = None
) -> None:
    """Make analyses due now, for a coach of the athlete or the system (None); for nobody else anything happens.

    Raises DatabaseUnavailable.
    """
    async with database.commit_connection() as connection:
        await connection.execute(_queries.ask_for_analysis, athlete_id, list(kinds), asked_by)
