"""What the endpoints of workouts take and give, beside the view that `apex_sync.coaching.workout_view` makes."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_server.resources import record_view
from apex_sync.coaching.workout_view import WorkoutDraft, WorkoutView

__all__ = ["BULK_ITEMS_MAX", "BulkItem", "BulkReport", "BulkResult", "NewWorkout", "Workout", "WorkoutsPage"]

BULK_ITEMS_MAX = 1000
"""As many as one push of the SDK carries."""


class NewWorkout(WorkoutDraft, kw_only=True):
    """A workout to be logged. With an id made on the device, sending it again doubles nothing."""

    id: UUID | UnsetType = UNSET
    athlete_id: UUID | UnsetType = UNSET
    """For a coach: whose workout it is."""


@record_view
class Workout(WorkoutView, kw_only=True):
    """One reconciled workout; the ETag is its version."""


class WorkoutsPage(Struct):
    """Workouts, the newest first; `next` goes into `after` for the page that follows, null on the last."""

    workouts: list[Workout]
    next: str | None


class BulkItem(NewWorkout, kw_only=True):
    """One log of an app without the SDK, as the app holds it."""

    id: UUID
    etag: str | UnsetType = UNSET
    """The version the app last saw; better than none."""
    updated_at: datetime | UnsetType = UNSET
    """When the app last changed it: newer values of other devices are then kept, and named in the result."""
    deleted: bool = False


class BulkResult(Struct, kw_only=True):
    """The answer to one item. `conflict`: it was taken in, and another device had written some of the same values."""

    id: str | None
    status: Literal["created", "updated", "unchanged", "rejected", "conflict"]
    etag: str | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None
    fields: Annotated[list[str], Meta(description="The values in conflict.")] = []


class BulkReport(Struct):
    """The answers, in the order of the items."""

    results: list[BulkResult]
