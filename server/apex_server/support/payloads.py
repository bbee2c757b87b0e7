"""What the endpoints of support take and give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from apex_sync.problems import patterned

__all__ = ["Look", "LookRequest", "LooksView"]


class LookRequest(Struct, forbid_unknown_fields=True):
    """Whom to look at, and why: the number of the ticket, no words about the person."""

    user_id: UUID
    ticket: Annotated[
        str,
        Meta(pattern=patterned(r"^[A-Za-z0-9-]{1,40}$(?!\n)", "the number of a ticket, `T-1042`"), examples=["T-1042"]),
    ]


class Look(Struct):
    """A support account's look at a person; it ends by itself, with the consent at the latest."""

    id: UUID
    support_id: UUID
    user_id: UUID
    ticket: str
    began_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class LooksView(Struct):
    """Looks, the latest first."""

    looks: list[Look]
