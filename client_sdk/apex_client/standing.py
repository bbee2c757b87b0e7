"""What a server tells a coach about their athletes: how each stands, what happened to them, and what an import did."""

from datetime import date, datetime

from msgspec import Struct

from apex_sync.coaching.client_timeline import Facts, TimelineKind


class Adherence(Struct, frozen=True):
    """Per cent of what was due in the last two weeks; None where nothing was."""

    workouts: float | None
    nutrition: float | None
    check_ins: float | None
    overall: float | None


class ClientSummary(Struct, frozen=True, kw_only=True):
    """One athlete: `status` is active, inactive, needs-attention or overdue, and `reasons` say why."""

    id: str
    name: str
    coach_id: str | None
    since: datetime
    status: str
    reasons: list[str]
    archived: bool
    tags: list[str]
    subscription_tier: str | None
    last_workout: date | None
    last_check_in: date | None
    next_check_in_due: date
    check_ins_to_review: int
    critical_insights: int
    adherence: Adherence
    average_session_minutes: float | None
    current_program_id: str | None


class ClientsPage(Struct, frozen=True):
    """A page of athletes."""

    clients: list[ClientSummary]
    next: str | None


class TimelineEntry(Struct, frozen=True):
    """Something that happened, by its record; `linked` and `messages` (those of a day, UTC) by the athlete.

    `time` is the athlete's wall clock, midnight where none is known; `facts` are a few figures, with the `title` of
    a session or an insight and the `name` of a program.
    """

    kind: TimelineKind
    id: str
    date: date
    time: datetime
    facts: Facts


class Invite(Struct, frozen=True):
    """A code to tell an athlete, and the address of the page behind it on the server; `letter` as in OpenInvite."""

    id: str
    code: str
    link: str
    expires_at: datetime
    letter: str


class OpenInvite(Struct, frozen=True, kw_only=True):
    """An invite that nobody has accepted yet; its code was shown when it was made."""

    id: str
    email: str | None
    name: str | None
    letter: str
    """`none` without an address; `unconfirmed`: it goes once you confirm your own; `waiting`, `sent`; `too_many`: you
    had had your letters of that day, and it does not go; `refused` by their post."""
    letter_at: datetime | None
    """When it was sent or refused; while it is waiting, when it is tried, if that is not at once."""
    created_at: datetime
    expires_at: datetime


class OpenInvitesPage(Struct, frozen=True):
    """A page of open invites."""

    invites: list[OpenInvite]
    next: str | None


class ImportProblem(Struct, frozen=True):
    """What is wrong with a row, which counts from 1 without the line of names."""

    row: int
    field: str
    message: str


class ImportedClient(Struct, frozen=True):
    """An invite that a row became; nobody can look its code up again."""

    row: int
    name: str | None
    invite: Invite


class PlannedInvite(Struct, frozen=True):
    """An invite that a row would become; `replaces`: the open one under its address would be void."""

    row: int
    name: str | None
    letter: str
    replaces: bool


class ImportReport(Struct, frozen=True, kw_only=True):
    """What an import did, or with `dry_run` would do: `planned` then says what each valid row would become."""

    dry_run: bool
    rows: int
    valid: int
    problems: list[ImportProblem]
    more_problems: bool
    invited: list[ImportedClient]
    replaced: int
    """Of the valid rows, those with an open invite under their address; its code is void once a new one is made."""
    letters: dict[str, int]
    """What becomes of their letters, with the number of each."""
    planned: list[PlannedInvite] = []
