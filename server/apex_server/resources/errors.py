"""What only the endpoints of records refuse."""

from collections.abc import Sequence
from dataclasses import dataclass

from apex_server.errors import ApiError, Conflict

__all__ = ["AlreadyExists", "VersionRequired", "VersionStale"]


@dataclass(eq=False)
class AlreadyExists(Conflict):
    """A record with this id is there, and holds something else than what was sent to create it."""

    id: str

    code = "already_exists"
    title = "There is already a record with this id, and it holds something else."
    next_step = "Read it and change it with PUT or PATCH, or make a new id."


class VersionRequired(ApiError):
    """A whole record was sent without saying which version its author had."""

    status = 428
    code = "version_required"
    title = "The request does not say which version of the record it changes."
    next_step = "Read the record and send its ETag as If-Match."


@dataclass(eq=False)
class VersionStale(ApiError):
    """You yourself have written the same fields since that version, so there is nobody to be in conflict with."""

    fields: Sequence[str]

    status = 412
    code = "version_stale"
    title = "You have changed the same fields since the version named in If-Match."
    next_step = "Read the record again and repeat the change on what it holds now."

    @property
    def detail(self) -> str:
        """Name the fields."""
        return f"You have changed {', '.join(self.fields)} since that version."
