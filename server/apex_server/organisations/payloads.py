"""What the endpoints of organisations take and give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

__all__ = [
    "CoachInvite",
    "CoachInviteRequest",
    "MemberView",
    "Membership",
    "Naming",
    "Organisation",
    "OrganisationOffer",
    "PeopleView",
    "Reader",
    "ReadersView",
]

_VALID_DAYS_MAX = 90


class Naming(Struct, forbid_unknown_fields=True):
    """What the organisation is called, and whether its coaches and its owner need a second factor; null: as before."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    second_factor_demanded: bool | None = None


class MemberView(Struct):
    """Somebody of an organisation, and since when."""

    id: UUID
    name: str
    since: datetime


class Organisation(Struct):
    """An organisation as its owner sees it."""

    name: str
    created_at: datetime
    second_factor_demanded: bool
    coaches: list[MemberView]


class PeopleView(Struct):
    """The athletes of one coach, by name."""

    athletes: list[MemberView]


class CoachInviteRequest(Struct, forbid_unknown_fields=True):
    """A new invite; bound to an address, only the coach with that address can accept it."""

    email: Annotated[str, Meta(min_length=3, max_length=254)] | None = None
    valid_days: Annotated[int, Meta(ge=1, le=_VALID_DAYS_MAX)] = 14


class CoachInvite(Struct):
    """The owner's only sight of the code, for the server keeps its fingerprint."""

    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        return "<CoachInvite>"

    __str__ = __repr__


class OrganisationOffer(Struct):
    """What the holder of a code may know before accepting."""

    owner_id: UUID
    owner_name: str
    organisation_name: str
    expires_at: datetime


class Membership(Struct):
    """The organisation a coach belongs to."""

    owner_id: UUID
    organisation_name: str
    since: datetime


class Reader(Struct):
    """An owner who reads along with a coach: all that the coach reads, and nothing that they may write."""

    coach_id: UUID
    owner_id: UUID
    owner_name: str
    organisation_name: str
    since: datetime


class ReadersView(Struct):
    """Who reads along: for a coach their organisation, for an athlete those of their coaches."""

    readers: list[Reader]
