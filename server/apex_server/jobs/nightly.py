"""What is done once a night: analyses whose findings change because a day has passed, and a look at every document.

It is done in steps, each a transaction that carries on where the last one ended, by one worker at a time. So a night's
work survives the worker that began it, never piles up before what people wait for, and is done once. A new
installation begins with its second night: its records are fresh.
"""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from uuid import UUID

import structlog

from apex_server.db import Connection, Database, load_queries
from apex_server.jobs.subjects import CHECK_IN_DAYS, KINDS
from apex_server.sync import look_for_damage

__all__ = ["Nightly"]

BEGINS = timedelta(hours=2)
"""After midnight in UTC; where no worker runs then, as soon as one does."""

ATHLETES_AT_ONCE = 50
WAITING_MAX = 50
"""Analyses that may be due when more are asked for: a night's never stand before those of people who train now."""

SCOPES_AT_ONCE = 20
"""Some ten thousand documents, opened in 10 ms of CPU time and read in a second."""

NOBODY = UUID(int=0)

Step = Callable[[Connection, UUID], Awaitable[UUID | None]]
"""Sees to what comes after an id, and gives the last one that it has seen to; None: there are no more."""

_log = structlog.get_logger(__name__)
_queries = load_queries(__package__)


class Nightly:
    """The work of the nights; `now` is the wall clock, with a zone."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def step(self) -> None:
        """Do the next step of everything that is not done tonight. Raises DatabaseUnavailable."""
        await self._step("analyses", self._ask_for_analyses)
        await self._step("documents", self._look_at_documents)

    async def _step(self, name: str, do: Step) -> None:
        night = self._night()
        async with self._database.commit_connection() as connection, connection.transaction():
            await connection.execute(_queries.begin_nights, name, night)
            after = await connection.fetchval(_queries.take_night, name, night)
            if after is None:
                return
            reached = await do(connection, after)
            await connection.execute(_queries.note_night, name, night, reached or NOBODY, reached is None)
        if reached is None:
            _log.info("nightly_done", work=name)

    def _night(self) -> date:
        return (self._now() - BEGINS).date()

    async def _ask_for_analyses(self, connection: Connection, after: UUID) -> UUID | None:
        """Make due whoever has a coach and has logged something in the last weeks: for them a day may change things."""
        if await connection.fetchval(_queries.count_due, WAITING_MAX) >= WAITING_MAX:
            return after
        since = self._night() - timedelta(days=CHECK_IN_DAYS)
        rows = await connection.fetch(_queries.athletes_of_late, after, since, ATHLETES_AT_ONCE)
        athlete_ids = [row["athlete_id"] for row in rows]
        await connection.execute(_queries.ask_for_many, athlete_ids, list(KINDS))
        return athlete_ids[-1] if len(athlete_ids) == ATHLETES_AT_ONCE else None

    async def _look_at_documents(self, connection: Connection, after: UUID) -> UUID | None:
        """Mark what does not open any more, so that a device that holds the same brings it back."""
        scopes = await connection.fetch(_queries.scopes_after, after, SCOPES_AT_ONCE)
        await look_for_damage(connection, self._database.vault, [row["name"] for row in scopes])
        return scopes[-1]["scope_id"] if len(scopes) == SCOPES_AT_ONCE else None
