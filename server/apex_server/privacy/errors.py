"""What this slice alone refuses."""

from dataclasses import dataclass

from apex_server.errors import Conflict

__all__ = ["TooManyExports"]


@dataclass(eq=False)
class TooManyExports(Conflict):
    """Each export reads everything somebody has."""

    limit: int

    code = "too_many_exports"
    title = "You have asked for several copies of your data today."
    next_step = "Download one of those you have, or ask again tomorrow."
