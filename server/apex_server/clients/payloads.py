"""What the endpoints of a coach's athletes and invites take and give."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_server.resources import Mark
from apex_sync.coaching.client_standing import ClientAdherence, Reason, Status
from apex_sync.models import ClientFile, Profile

__all__ = [
    "PAGE_LENGTH_MAX",
    "ClientChange",
    "ClientDetail",
    "ClientDraft",
    "ClientMark",
    "ClientMetrics",
    "ClientSummary",
    "ClientsPage",
    "Invite",
    "InviteOffer",
    "InviteRequest",
    "Measured",
    "ProfileView",
    "StatusRequest",
    "WeightTrend",
]

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


class ClientSummary(Struct, kw_only=True):
    """One of a coach's athletes, and how they stand: derived anew each time, but for what the coach has set.

    `reasons` say what made the status so. Adherence is per cent of what was due in the last two weeks.
    """

    id: UUID
    name: str
    since: datetime
    status: Status
    reasons: list[Reason]
    archived: bool
    tags: list[str]
    subscription_tier: str | None
    last_workout: date | None
    last_check_in: date | None
    next_check_in_due: date
    check_ins_to_review: int
    critical_insights: int
    adherence: ClientAdherence
    average_session_minutes: float | None
    current_program_id: UUID | None


class ClientsPage(Struct):
    """Athletes in the order asked for; `next` goes into `after` for the page that follows, null on the last."""

    clients: list[ClientSummary]
    next: str | None


class ClientMark(Mark, array_like=True, frozen=True):
    """Where a page ended: the sort key of the last athlete on it, which is empty where they have none."""

    value: str
    name: str
    id: UUID


class ProfileView(Profile, kw_only=True):
    """The athlete's profile, which both of them write; `age_years` follows from the date of birth."""

    age_years: int | None = None


class WeightTrend(Struct, kw_only=True):
    """The smoothed body weight, and how fast it moves; `low_confidence` where that rests on few readings."""

    trend_kg: float
    as_of: date
    kg_per_week: float | None = None
    percent_per_week: float | None = None
    low_confidence: bool = False


class Measured(Struct):
    """The latest value of something measured, and when that was."""

    value: float
    date: date


class ClientMetrics(Struct, kw_only=True):
    """What is known of the body: the weight as a trend, everything else as it was measured last, girths in cm."""

    weight: WeightTrend | None
    target_weight_kg: float | None
    height_cm: float | None
    body_fat_percent: Measured | None
    girths_cm: dict[str, Measured]


class ClientDetail(ClientSummary, kw_only=True):
    """One of a coach's athletes as a whole. `file` is the coach's own, and the athlete does not read it."""

    profile: ProfileView
    file: ClientFile
    metrics: ClientMetrics


class ClientChange(Struct, kw_only=True, forbid_unknown_fields=True):
    """Single values to change, in the records' own shapes; `deleted` removes an injury."""

    profile: Profile | UnsetType = UNSET
    file: ClientFile | UnsetType = UNSET


class ClientDraft(Struct, kw_only=True, forbid_unknown_fields=True):
    """What profile and file are to be as wholes; one that is left out stays as it is."""

    profile: Profile | UnsetType = UNSET
    file: ClientFile | UnsetType = UNSET


class StatusRequest(Struct, forbid_unknown_fields=True):
    """The status to show whatever the records say, or null to go by the records again."""

    status: Status | None
