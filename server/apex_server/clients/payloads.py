"""What the endpoints of a coach's athletes and invites take and give."""

import base64
import binascii
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from apex_server.errors import InvalidFields

__all__ = ["PAGE_LENGTH_MAX", "AthleteView", "AthletesPage", "Invite", "InviteOffer", "InviteRequest", "PageMark"]

PAGE_LENGTH_MAX = 500
"""Athletes in one answer; a coach of more pages through them."""

_VALID_DAYS_MAX = 90


class InviteRequest(Struct, forbid_unknown_fields=True):
    """A new invite; bound to an address, only the account with that address can accept it."""

    email: Annotated[str, Meta(min_length=3, max_length=254)] | None = None
    valid_days: Annotated[int, Meta(ge=1, le=_VALID_DAYS_MAX)] = 14


class Invite(Struct):
    """The coach's only sight of the code, for the server keeps its fingerprint.

    `link` is relative: it belongs behind the address under which the reader reaches this server.
    """

    code: str
    link: str
    expires_at: datetime

    def __repr__(self) -> str:
        return "<Invite>"

    __str__ = __repr__


class InviteOffer(Struct):
    """What the holder of a code may know before accepting."""

    coach_id: UUID
    coach_name: str
    expires_at: datetime


class AthleteView(Struct):
    """One of a coach's athletes."""

    id: UUID
    name: str
    since: datetime


class AthletesPage(Struct):
    """Athletes by name; `next` goes into `after` for the page that follows, null on the last."""

    athletes: list[AthleteView]
    next: str | None


class PageMark(Struct, array_like=True, frozen=True):
    """Where a page ended: the last name and id on it. Opaque to the caller, and no secret."""

    name: str
    id: UUID

    def encode(self) -> str:
        """Write it so that it fits into an address."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode()

    @classmethod
    def decode(cls, text: str) -> "PageMark":
        """Read one that `encode` wrote.

        Raises InvalidFields for anything else.
        """
        try:
            mark = msgspec.msgpack.decode(base64.urlsafe_b64decode(text.encode()), type=cls)
        except (binascii.Error, ValueError, msgspec.DecodeError) as error:
            raise InvalidFields.one("after", "Expected the 'next' of an earlier page") from error
        if "\0" in mark.name:
            raise InvalidFields.one("after", "Expected the 'next' of an earlier page")
        return mark
