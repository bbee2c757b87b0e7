"""What the endpoints of audit and privacy take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from apex_server.audit.events import ACTIONS

__all__ = [
    "PAGE_LENGTH_DEFAULT",
    "PAGE_LENGTH_MAX",
    "ChangeView",
    "ChangesPage",
    "DeletionView",
    "EventView",
    "EventsPage",
    "ExportState",
    "ExportView",
]

PAGE_LENGTH_DEFAULT = 50
PAGE_LENGTH_MAX = 200

ExportState = Literal["waiting", "ready", "failed"]


class EventView(Struct, kw_only=True):
    """Something that was done to your account or data."""

    seq: Annotated[int, Meta(description="Counts your events; there is no gap.")]
    at: datetime
    action: Annotated[str, Meta(description="The list of them grows.", examples=list(ACTIONS[:3]))]
    actor_id: Annotated[
        UUID | None, Meta(description="Who did it; null: the server, or somebody who was not signed in.")
    ]
    actor_role: str | None
    by_you: bool
    device_id: UUID | None
    address: Annotated[str | None, Meta(description="The network address it came from.")]
    detail: dict[str, Any]


class EventsPage(Struct):
    """Events, the newest first; `next` is the `before` of the next page."""

    events: list[EventView]
    next: int | None


class ChangeView(Struct, kw_only=True):
    """Ops that somebody added to one of your records."""

    seq: int
    at: datetime
    collection: str
    record_id: UUID
    user_id: Annotated[UUID | None, Meta(description="Who brought them; null: the server itself.")]
    by_you: bool
    device_id: Annotated[UUID | None, Meta(description="On which device; null: through the server.")]
    client_id: Annotated[int, Meta(description="The installation that wrote them.")]
    ops: Annotated[int, Meta(description="How many.")]


class ChangesPage(Struct):
    """Changes, the newest first; `next` is the `before` of the next page."""

    changes: list[ChangeView]
    next: int | None


class ExportView(Struct, kw_only=True):
    """A copy of everything about you: a zip of JSON files."""

    id: UUID
    state: ExportState
    asked_at: datetime
    progress: Annotated[float, Meta(ge=0, le=1, description="How much of it is made.")]
    bytes: Annotated[int, Meta(description="So far; at the end the size of the file.")]
    ready_at: datetime | None
    expires_at: datetime | None


class DeletionView(Struct, kw_only=True):
    """Whether your account is to be erased, and when."""

    asked_at: datetime | None = None
    erase_at: Annotated[datetime | None, Meta(description="Until then everything works and you can cancel.")] = None
