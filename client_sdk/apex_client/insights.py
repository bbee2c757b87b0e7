"""Insights: what the analysis drafted for the coach, to approve or dismiss.

An insight is the coach's own; approving it makes the server write its text to the athlete's record.
"""

from typing import TYPE_CHECKING, Literal

from apex_client import listing
from apex_client.records import LIST_MAX, Record, Records
from apex_sync.models import Insight

if TYPE_CHECKING:
    from apex_client.replica import Replica

InsightStatus = Literal["draft", "approved", "dismissed", "superseded"]


class Insights(Records[Record[Insight]]):
    """The insights about one athlete, or about all of a coach's."""

    def __init__(self, replica: "Replica", athlete_id: str | None = None) -> None:
        super().__init__(replica, "insights")
        self._athlete_id = athlete_id

    async def list(self, *, status: InsightStatus | None = None, limit: int = 100) -> list[Record[Insight]]:
        """List insights, the most recently changed first."""
        return self._handles(
            await self._replica._do(listing.insights, self._athlete_id, status, limit=min(limit, LIST_MAX))
        )

    async def approve(self, insight: str | Record[Insight]) -> Record[Insight]:
        """Let the athlete read it."""
        return await self._decide(insight, {"status": "approved"})

    async def dismiss(self, insight: str | Record[Insight], *, reason: str | None = None) -> Record[Insight]:
        """Put it aside; the reason helps to tune the rules."""
        return await self._decide(
            insight, {"status": "dismissed"} | ({"dismissed_reason": reason} if reason is not None else {})
        )

    async def _decide(self, insight: str | Record[Insight], fields: dict[str, str]) -> Record[Insight]:
        held = await self.get(insight) if isinstance(insight, str) else insight
        return await held.edit(fields, acted_at=self._replica._wall_clock(None))
