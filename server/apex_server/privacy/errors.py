"""What this slice alone refuses."""

from apex_server.errors import LimitReached

__all__ = ["TooManyExports"]


class TooManyExports(LimitReached):
    """Each export reads everything somebody has."""

    code = "too_many_exports"
    title = "You have asked for several copies of your data today."
    next_step = "Download one of those you have, or ask again tomorrow."
