"""How a client stands: what is due of them, how much of it they did, and whether that needs the coach's eye.

Nothing here is stored. It follows from the records of the last weeks, so a late offline session or check-in changes
it, and what a coach has set goes before what follows. Check-ins are due weekly [the blueprint's rhythm], on the day
that the profile names; where it names none, each is due a week after the one before.
"""

import datetime
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from apex_sync.coaching.adherence import (
    CHECK_IN_EARLY_DAYS,
    CHECK_IN_LATE_DAYS,
    CHECK_IN_OVERDUE_DAYS,
    DoneSession,
    check_in_adherence,
    is_low,
    next_check_in_due,
    overall_adherence,
    weekly_adherence,
    workout_adherence,
)
from apex_sync.coaching.plan import ScheduledSession
from apex_sync.coaching.weeks import DAYS, WINDOW_DAYS, days_before, days_between, monday_of

INACTIVE_DAYS = 28
"""Four weeks without a session or a check-in: whoever comes back after that begins anew [D]."""

Status = Literal["active", "inactive", "needs-attention", "overdue"]
Reason = Literal["set_by_coach", "silent", "check_in_overdue", "check_in_late", "low_adherence", "critical_insight"]


class ClientFacts(Struct, frozen=True, kw_only=True):
    """What a client's standing follows from.

    `scheduled` and `done` reach back to `first_day_needed`, `check_ins` (the days of those handed in) a week further.
    """

    as_of: datetime.date
    since: datetime.date
    scheduled: Sequence[ScheduledSession] = ()
    done: Sequence[DoneSession] = ()
    check_ins: Sequence[datetime.date] = ()
    check_in_day_number: int | None = None
    last_workout: datetime.date | None = None
    nutrition_percent: float | None = None
    critical_insights: int = 0
    status_set: Status | None = None


class ClientAdherence(Struct, frozen=True, kw_only=True):
    """Per cent of what was due in the last two weeks; None where nothing was. `overall` weighs the parts there are."""

    workouts: float | None
    nutrition: float | None
    check_ins: float | None
    overall: float | None


class ClientStanding(Struct, frozen=True, kw_only=True):
    """The status with what made it so, adherence, and the day the next check-in is due: past, if it is late."""

    status: Status
    reasons: tuple[Reason, ...]
    adherence: ClientAdherence
    next_check_in_due: datetime.date


def client_standing(facts: ClientFacts) -> ClientStanding:
    """Say how a client stands.

    What the coach set goes first. Then: `inactive` after four weeks of silence; `needs-attention` when a check-in is
    three days late, when few sessions were done two weeks running, or with a critical insight; `overdue` when a
    check-in is late by less; else `active`.
    """
    due = check_ins_due(facts.since, facts.check_ins, facts.as_of, facts.check_in_day_number)
    missed = next(
        (on for on in due if not any(days_between(came, on) <= CHECK_IN_EARLY_DAYS for came in facts.check_ins)), None
    )
    reasons = tuple(_reasons(facts, days_between(missed, facts.as_of) if missed else 0))
    return ClientStanding(
        status=facts.status_set or _status(reasons),
        reasons=("set_by_coach", *reasons) if facts.status_set else reasons,
        adherence=_adherence(facts, due),
        next_check_in_due=missed or _next_due(facts),
    )


def first_day_needed(as_of: datetime.date) -> datetime.date:
    """Give the Monday from which on sessions are read: two complete weeks, and all of two weeks back from today."""
    return days_before(monday_of(as_of), WINDOW_DAYS)


def check_ins_due(
    since: datetime.date, handed_in: Iterable[datetime.date], until: datetime.date, day_number: int | None = None
) -> list[datetime.date]:
    """List the days on which a check-in was due: that day of each week, from 1 for Monday.

    Where no day is known, a week after the relation began, and a week after each that came: one that comes early moves
    the rhythm, and for each week that none comes, one more was due.

    >>> from datetime import date
    >>> [day.day for day in check_ins_due(date(2026, 3, 1), [date(2026, 3, 8)], date(2026, 3, 23))]
    [8, 15, 22]
    """
    if day_number is not None and 1 <= day_number <= DAYS:
        first = days_before(since, -((day_number - since.isoweekday() - 1) % DAYS + 1))
        return _weekly(first, until)
    came = sorted({on for on in handed_in if since < on <= until})
    due = []
    for start, end in zip([since, *came], [*came, None], strict=True):
        last = until if end is None else days_before(end, -CHECK_IN_EARLY_DAYS)
        due += _weekly(days_before(start, -DAYS), min(last, until))
    return due


def _weekly(first: datetime.date, last: datetime.date) -> list[datetime.date]:
    return [days_before(first, -DAYS * week) for week in range(days_between(first, last) // DAYS + 1)]


def _next_due(facts: ClientFacts) -> datetime.date:
    """Give the day of the next check-in, where none is missed."""
    on_its_day = next_check_in_due(facts.check_in_day_number, facts.check_ins, facts.as_of)
    return on_its_day or days_before(max([facts.since, *facts.check_ins]), -DAYS)


def _status(reasons: Sequence[Reason]) -> Status:
    if "silent" in reasons:
        return "inactive"
    if not reasons:
        return "active"
    return "overdue" if reasons == ("check_in_late",) else "needs-attention"


def _reasons(facts: ClientFacts, days_late: int) -> Iterable[Reason]:
    signs = [facts.since, *facts.check_ins, *([facts.last_workout] if facts.last_workout else [])]
    if days_between(max(signs), facts.as_of) >= INACTIVE_DAYS:
        yield "silent"
    if days_late >= CHECK_IN_OVERDUE_DAYS:
        yield "check_in_overdue"
    elif days_late > CHECK_IN_LATE_DAYS:
        yield "check_in_late"
    if is_low(weekly_adherence(facts.scheduled, facts.done, as_of=facts.as_of)):
        yield "low_adherence"
    if facts.critical_insights:
        yield "critical_insight"


def _adherence(facts: ClientFacts, due: Sequence[datetime.date]) -> ClientAdherence:
    recent = [on for on in due if days_between(on, facts.as_of) < WINDOW_DAYS]
    workouts = workout_adherence(facts.scheduled, facts.done, as_of=facts.as_of).percent
    check_ins = check_in_adherence(recent, facts.check_ins, as_of=facts.as_of).percent
    return ClientAdherence(
        workouts=workouts,
        nutrition=facts.nutrition_percent,
        check_ins=check_ins,
        overall=overall_adherence(workouts, facts.nutrition_percent, check_ins),
    )
