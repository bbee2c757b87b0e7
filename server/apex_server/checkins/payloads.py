"""What the endpoints of check-ins take and give, beside the view that `apex_sync.coaching.checkin_view` makes."""

from collections.abc import Sequence
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from apex_server.resources import record_view
from apex_sync.coaching.checkin_view import CheckInDraft, CheckInView
from apex_sync.models.fields import Note

__all__ = [
    "AnalysisAsked",
    "CheckInResource",
    "CheckInsPage",
    "NewCheckIn",
    "PendingCheckIn",
    "PendingCheckIns",
    "Review",
]


class NewCheckIn(CheckInDraft, kw_only=True):
    """A check-in to be submitted now; with `submitted_at` null it stays a draft."""

    id: UUID | UnsetType = UNSET
    athlete_id: UUID | UnsetType = UNSET


@record_view
class CheckInResource(CheckInView, kw_only=True):
    """One reconciled check-in; the ETag is its version."""

    same_day: Sequence[UUID] = ()
    """The other check-ins of its athlete for its day: two devices may both have reported. None is merged unasked."""


class CheckInsPage(Struct):
    """Check-ins, the newest first; `next` goes into `after` for the page that follows, null on the last."""

    checkins: list[CheckInResource]
    next: str | None


class PendingCheckIn(Struct):
    """A check-in that waits for review; `priority` is that of the most urgent insight drafted about it."""

    athlete_name: str
    priority: str | None
    checkin: CheckInResource


class PendingCheckIns(Struct):
    """What waits for the coach, the most urgent first and then the oldest; `more` says that the list was cut."""

    pending: list[PendingCheckIn]
    more: bool


class Review(Struct, forbid_unknown_fields=True):
    """The coach's answer to a check-in."""

    coach_feedback: Note | None = None


class AnalysisAsked(Struct):
    """The analysis will be made in the background; its result is a draft insight."""

    status: str = "queued"
