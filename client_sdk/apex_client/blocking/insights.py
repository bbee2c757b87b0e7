# Made from ../insights.py by client_sdk/generate_blocking.py; edit that file instead.
"""Insights: what the analysis drafted for the coach, to approve or dismiss.

An insight is the coach's own; approving it makes the server write its text to the athlete's record.
"""

from typing import TYPE_CHECKING, Literal

from apex_client import listing
from apex_client.blocking.records import Record
from apex_client.local import LocalReplica

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica

COLLECTION = "insights"
LIST_MAX = 1000

InsightStatus = Literal["draft", "approved", "dismissed", "superseded"]


class Insights:
    """The insights about one athlete, or about all of a coach's."""

    def __init__(self, replica: "Replica", athlete_id: str | None = None) -> None:
        self._replica = replica
        self._athlete_id = athlete_id

    def list(self, *, status: InsightStatus | None = None, limit: int = 100) -> list[Record]:
        """List insights, the most recently changed first."""
        found = self._replica._do(listing.insights, self._athlete_id, status, limit=min(limit, LIST_MAX))
        return [Record(self._replica, snapshot) for snapshot in found]

    def get(self, insight_id: str) -> Record:
        """Read one insight. Raises NoSuchRecord."""
        return Record(self._replica, self._replica._do(LocalReplica.snapshot, COLLECTION, insight_id))

    def approve(self, insight: str | Record) -> Record:
        """Let the athlete read it."""
        return self._decide(insight, {"status": "approved"})

    def dismiss(self, insight: str | Record, *, reason: str | None = None) -> Record:
        """Put it aside; the reason helps to tune the rules."""
        fields = {"status": "dismissed"} | ({"dismissed_reason": reason} if reason is not None else {})
        return self._decide(insight, fields)

    def _decide(self, insight: str | Record, fields: dict[str, str]) -> Record:
        insight_id = insight if isinstance(insight, str) else insight.id
        patch = {**fields, "acted_at": self._replica._wall_clock(None)}
        snapshot = self._replica._do(LocalReplica.edit, COLLECTION, insight_id, lambda state: patch)
        return Record(self._replica, snapshot)
