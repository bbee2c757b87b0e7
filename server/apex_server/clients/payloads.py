"""What the endpoints of a coach's athletes and invites take and give."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_server.resources import Mark
from apex_server.standing import ClientSummary
from apex_sync.coaching.analytics import MuscleWeek
from apex_sync.coaching.client_dashboard import (
    FollowedProgram,
    MessageCounts,
    NutritionDay,
    SessionFigures,
    WeightDay,
    WeightTrend,
)
from apex_sync.coaching.client_standing import Status
from apex_sync.coaching.client_timeline import Facts, TimelineKind
from apex_sync.models import ClientFile, Profile

__all__ = [
    "PAGE_LENGTH_MAX",
    "ClientChange",
    "ClientDashboard",
    "ClientDetail",
    "ClientDraft",
    "ClientMark",
    "ClientMetrics",
    "ClientsPage",
    "ImportProblem",
    "ImportReport",
    "ImportRequest",
    "ImportedClient",
    "Invite",
    "InviteMark",
    "InviteRequest",
    "Letter",
    "Measured",
    "NewClient",
    "OpenInsight",
    "OpenInvite",
    "OpenInvitesPage",
    "ProfileView",
    "RecentCheckIn",
    "RecentWorkout",
    "StatusRequest",
    "TimelineEntry",
    "TimelinePage",
    "ToLookAt",
]

PAGE_LENGTH_MAX = 500
"""Athletes in one answer; a coach of more pages through them."""

_VALID_DAYS_MAX = 90


Letter = Literal["none", "unconfirmed", "waiting", "sent", "too_many", "refused"]
"""What becomes of the letter of an invite; `OpenInvite` says what each means."""


class InviteRequest(Struct, forbid_unknown_fields=True):
    """A new invite; with an address, a letter brings it there, and only the account with that address can accept it."""

    email: Annotated[str, Meta(min_length=3, max_length=254)] | None = None
    valid_days: Annotated[int, Meta(ge=1, le=_VALID_DAYS_MAX)] = 14


class Invite(Struct):
    """The coach's only sight of the code, for the server keeps its fingerprint.

    `link` is relative: it belongs behind the address under which the reader reaches this server. `letter` says what
    becomes of the letter with it: of `unconfirmed` and `waiting` ones it goes, of `too_many` it does not.
    """

    id: UUID
    code: str
    link: str
    expires_at: datetime
    letter: Letter

    def __repr__(self) -> str:
        return "<Invite>"

    __str__ = __repr__


class OpenInvite(Struct, kw_only=True):
    """An invite that nobody has accepted yet; `name` is what you noted of whom it is for.

    `letter`: there is no address, so `none`; it goes once you have confirmed your own (`unconfirmed`); it is `waiting`,
    and tried at `letter_at` if not at once; it was `sent` then, or `refused` by their post; or it does not go, because
    there were `too_many` of yours: to them, or that day. A letter goes again with another invite for the address.
    """

    id: UUID
    email: str | None
    name: str | None
    letter: Letter
    letter_at: datetime | None
    created_at: datetime
    expires_at: datetime


class OpenInvitesPage(Struct):
    """Open invites, the newest first; `next` goes into `after` for the page that follows, null on the last."""

    invites: list[OpenInvite]
    next: str | None


class InviteMark(Mark, array_like=True, frozen=True):
    """Where a page of invites ended; the time is UTC without a zone."""

    created_at: datetime
    id: UUID


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
    """One of a coach's athletes as a whole. `file` is the coach's own, and the athlete does not read it.

    `email` is the address of the account, as it was typed; nobody has shown it to be theirs unless `email_verified`.
    """

    email: str
    email_verified: bool
    updated_at: datetime | None
    """When profile or file were last changed."""
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


class TimelineEntry(Struct, kw_only=True):
    """Something that happened: a record of the athlete's, a program begun, an insight approved, a relation begun.

    `messages` counts what was written on a day, in UTC. `id` is that of the record (`linked` and `messages`: of the
    athlete), `time` the athlete's wall clock without a zone, midnight where none is known, and `facts` a few figures,
    with the `title` of a session or an insight and the `name` of a program. A session that was only begun, without a
    set done and not completed, is left out.
    """

    kind: TimelineKind
    id: UUID
    date: date
    time: str
    facts: Facts


class TimelinePage(Struct):
    """What happened, the newest first; `next` goes into `after` for the page that follows, null on the last."""

    entries: list[TimelineEntry]
    next: str | None


class RecentWorkout(SessionFigures, frozen=True, kw_only=True):
    """A session of the last weeks."""

    id: UUID


class RecentCheckIn(Struct, kw_only=True):
    """What an athlete answered, each 1 to 10."""

    id: UUID
    date: date
    coach_reviewed: bool
    weight_kg: float | None
    answers: dict[str, int]


class OpenInsight(Struct, kw_only=True):
    """An insight that waits for the coach's word."""

    id: UUID
    title: str | None
    type: str | None
    priority: str | None


class ToLookAt(Struct, kw_only=True):
    """A record with a conflict, or with a value out of bounds."""

    id: UUID
    collection: str
    has_conflicts: bool
    needs_review: bool


class ClientDashboard(Struct, kw_only=True):
    """One athlete at a glance: four weeks of training, weight, food and messages, the last check-ins, and what waits.

    `messages` is null for whoever does not read the thread: all but the coach.
    """

    client: ClientSummary
    workouts: list[RecentWorkout]
    volume: list[MuscleWeek]
    weight: WeightTrend | None
    weight_days: list[WeightDay]
    program: FollowedProgram | None
    nutrition: list[NutritionDay]
    messages: MessageCounts | None
    check_ins: list[RecentCheckIn]
    insights: list[OpenInsight]
    to_look_at: list[ToLookAt]


class NewClient(InviteRequest, kw_only=True, forbid_unknown_fields=True):
    """Whom to invite, and what is known of them: laid down when they accept, where they said nothing themselves."""

    profile: Profile | UnsetType = UNSET
    file: ClientFile | UnsetType = UNSET


class ImportRequest(Struct, forbid_unknown_fields=True):
    """Athletes to invite: `csv`, the text of a file whose first line names the columns, or `rows`, objects alike.

    Columns: name, email, phone, date_of_birth, gender, training_age_years, goals, weak_points, nutrition_habits,
    volume_tolerance, recovery_status, equipment, training_days_per_week, session_duration_minutes,
    check_in_day_number, target_weight_kg, height_cm, load_unit; and for your own file status, subscription_tier, tags,
    notes. Lists are written with semicolons.
    """

    csv: str | None = None
    rows: list[dict[str, Any]] | None = None


class ImportProblem(Struct):
    """What is wrong with a row, which counts from 1 without the line of names."""

    row: int
    field: str
    message: str


class ImportedClient(Struct):
    """An invite that a row became; nobody can look its code up again."""

    row: int
    name: str | None
    invite: Invite


class PlannedInvite(Struct):
    """An invite that a row would become; `replaces`: the open one under its address would be void."""

    row: int
    name: str | None
    letter: Letter
    replaces: bool


class ImportReport(Struct, kw_only=True):
    """What an import did, or would do: with `dry_run` nothing was made, and `planned` tells of each valid row.

    `more_problems`: the list was cut.
    `replaced`: of the valid rows, how many have an open invite under their address, whose code is void from then on;
    `letters`: what becomes of the letters, with the number of each.
    """

    dry_run: bool
    rows: int
    valid: int
    replaced: int
    letters: dict[Letter, int]
    problems: list[ImportProblem]
    more_problems: bool
    invited: list[ImportedClient]
    planned: list[PlannedInvite]
