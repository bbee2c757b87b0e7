"""What only the endpoints of insights refuse."""

from dataclasses import dataclass

from apex_server.errors import Conflict

__all__ = ["InsightSuperseded"]


@dataclass(eq=False)
class InsightSuperseded(Conflict):
    """Later data has changed what the insight says, so it is not put before the athlete any more."""

    superseded_by: str | None

    code = "insight_superseded"
    title = "Later data has changed what this insight says."
    next_step = "Read the insight named in 'superseded_by', if there is one, and decide on that."
