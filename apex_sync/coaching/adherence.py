"""Adherence: sessions done against sessions due, check-ins handed in against check-ins due.

Weeks are ISO weeks in the athlete's own calendar. A session moved within its week counts; a session of the current
week that is not done yet is still open, not missed, and so is what is begun today. Late offline logs change the result,
so it is computed anew and an alert that is no longer true goes away by itself.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from math import fsum

from msgspec import Struct

from apex_sync.coaching.leaves import text, whole
from apex_sync.coaching.plan import ScheduledSession
from apex_sync.coaching.sets import WARMUP, PerformedSet, session_date
from apex_sync.coaching.weeks import (
    DAYS,
    WINDOW_DAYS,
    by_week,
    complete_weeks,
    days_before,
    days_between,
    monday_of,
)
from apex_sync.collection import Record

LOW_PERCENT = 70.0
LOW_WEEKS = 2
"""Below this in so many complete weeks running the coach is told [the blueprint's rule]."""

GOOD_PERCENT = 90.0
"""From here adherence is worth a good word [D]."""

CHECK_IN_LATE_DAYS = 1
CHECK_IN_EARLY_DAYS = 3
"""A check-in counts for a due day when it came at most a day after it [the blueprint's 24 hours] and no more than three
before it [D]."""

CHECK_IN_OVERDUE_DAYS = 3
"""So long after a due day without a check-in the athlete needs attention [the blueprint's rule]."""

WORKOUT_WEIGHT, NUTRITION_WEIGHT, CHECK_IN_WEIGHT = 0.5, 0.3, 0.2
"""Parts of the overall figure, renormalised over those that apply [D]."""


class DoneSession(Struct, frozen=True, kw_only=True, gc=False):
    """A session that was trained, with its place in a program where it names one."""

    workout_id: str
    date: datetime.date
    completed_sets: int
    program_id: str | None = None
    week_number: int | None = None
    day_number: int | None = None


class SessionOutcome(Struct, frozen=True, kw_only=True, gc=False):
    """A due session and what was done of it: `share` is 1 for all of it, None while it may still be done."""

    scheduled: ScheduledSession
    workout_id: str | None
    share: float | None


class Adherence(Struct, frozen=True, kw_only=True):
    """Sessions done (parts count as parts) out of those due; `percent` is None where none was due."""

    done: float
    due: int
    percent: float | None
    outcomes: tuple[SessionOutcome, ...] = ()


class WeekAdherence(Struct, frozen=True, kw_only=True):
    """Adherence of one complete ISO week, named by its Monday."""

    week: datetime.date
    adherence: Adherence


def done_session(workout_id: str, record: Record, sets: Sequence[PerformedSet]) -> DoneSession | None:
    """Read a workout log as a session done; None where nothing was done in it, or on no known day."""
    on = session_date(record)
    completed = sum(performed.completed and performed.type != WARMUP for performed in sets)
    if on is None or not completed:
        return None
    return DoneSession(
        workout_id=workout_id,
        date=on,
        completed_sets=completed,
        program_id=text(getattr(record, "program_id", None)),
        week_number=whole(getattr(record, "week_number", None), 1, 520),
        day_number=whole(getattr(record, "day_number", None), 1, DAYS),
    )


def weekly_schedule(days_per_week: int, first: datetime.date, last: datetime.date) -> tuple[ScheduledSession, ...]:
    """Make a schedule from a number of training days alone, spread over each ISO week that lies wholly in the range.

    >>> [s.date.isoweekday() for s in weekly_schedule(3, datetime.date(2026, 3, 2), datetime.date(2026, 3, 8))]
    [1, 3, 5]
    """
    count = min(max(0, days_per_week), DAYS)
    sessions = []
    week = monday_of(days_before(first, -(DAYS - 1)))
    while days_between(week, last) >= DAYS - 1:
        sessions += [ScheduledSession(date=days_before(week, -(n * DAYS // count))) for n in range(count)]
        if days_between(week, datetime.date.max) < DAYS:
            break
        week = days_before(week, -DAYS)
    return tuple(sessions)


def workout_adherence(
    scheduled: Iterable[ScheduledSession],
    done: Iterable[DoneSession],
    *,
    as_of: datetime.date,
    window_days: int = WINDOW_DAYS,
) -> Adherence:
    """State adherence over the days up to `as_of`, that day included."""
    first = days_before(as_of, window_days - 1)
    outcomes = match_sessions(scheduled, done, as_of, first)
    return _adherence([outcome for outcome in outcomes if outcome.scheduled.date >= first])


def weekly_adherence(
    scheduled: Iterable[ScheduledSession], done: Iterable[DoneSession], *, as_of: datetime.date, weeks: int = LOW_WEEKS
) -> list[WeekAdherence]:
    """State adherence of each of the last complete ISO weeks, oldest first."""
    complete = complete_weeks(as_of, weeks)
    outcomes = by_week(match_sessions(scheduled, done, as_of, complete[0]), lambda outcome: outcome.scheduled.date)
    return [WeekAdherence(week=week, adherence=_adherence(outcomes.get(week, []))) for week in complete]


def is_low(weeks: Sequence[WeekAdherence]) -> bool:
    """Say whether adherence was low in each of two weeks running; a week in which nothing was due breaks the run."""
    latest = weeks[-LOW_WEEKS:]
    return len(latest) == LOW_WEEKS and all(
        week.adherence.percent is not None and week.adherence.percent < LOW_PERCENT for week in latest
    )


def match_sessions(
    scheduled: Iterable[ScheduledSession],
    done: Iterable[DoneSession],
    as_of: datetime.date,
    since: datetime.date = datetime.date.min,
) -> list[SessionOutcome]:
    """Match what was due with what was done, week by week, each session once, in the order of the schedule.

    Within a week a log is matched first by its place in the program, then by its day, then in order of time. It begins
    with the week of `since`.
    """
    first = monday_of(since)
    free = by_week(
        sorted((s for s in done if first <= s.date <= as_of), key=lambda s: (s.date, s.workout_id)), lambda s: s.date
    )
    ordered = sorted((s for s in scheduled if first <= s.date), key=lambda s: (s.date, s.day_number or 0))
    outcomes: list[SessionOutcome] = []
    for week, due in by_week(ordered, lambda s: s.date).items():
        taken = _matched(due, free.get(week, []))
        is_open = week == monday_of(as_of)
        outcomes += [
            _outcome(each, taken.get(place), as_of, is_open) for place, each in enumerate(due) if each.date <= as_of
        ]
    return outcomes


def check_in_adherence(
    due: Iterable[datetime.date], submitted: Iterable[datetime.date], *, as_of: datetime.date
) -> Adherence:
    """State how many due check-ins were handed in on time; each one counts for one due day at most.

    A due day is judged once its time has run out or a check-in met it.
    """
    free = sorted(on for on in submitted if on <= as_of)
    done = judged = 0
    for on in sorted(set(due)):
        met = next((s for s in free if -CHECK_IN_EARLY_DAYS <= days_between(on, s) <= CHECK_IN_LATE_DAYS), None)
        if met is not None:
            free.remove(met)
        if met is not None or days_between(on, as_of) > CHECK_IN_LATE_DAYS:
            judged += 1
            done += met is not None
    return Adherence(done=float(done), due=judged, percent=100.0 * done / judged if judged else None)


def overdue_check_in(
    due: Iterable[datetime.date], submitted: Iterable[datetime.date], as_of: datetime.date
) -> datetime.date | None:
    """Give the latest due day that has had no check-in for three days and more; None where there is none.

    Any check-in since shortly before that day settles it, however late it came.
    """
    passed = [on for on in due if days_between(on, as_of) >= CHECK_IN_OVERDUE_DAYS]
    if not passed:
        return None
    latest = max(passed)
    settled = any(on <= as_of and days_between(latest, on) >= -CHECK_IN_EARLY_DAYS for on in submitted)
    return None if settled else latest


def next_check_in_due(
    day_number: int | None, submitted: Iterable[datetime.date], as_of: datetime.date
) -> datetime.date | None:
    """Give the next day on which a check-in is due, today included, unless one was handed in for it already.

    None where nobody said which day of the week it is.

    >>> from datetime import date
    >>> next_check_in_due(1, [], date(2026, 3, 4)), next_check_in_due(3, [date(2026, 3, 3)], date(2026, 3, 4))
    (datetime.date(2026, 3, 9), datetime.date(2026, 3, 11))
    """
    if day_number is None or not 1 <= day_number <= DAYS:
        return None
    due = days_before(as_of, -((day_number - as_of.isoweekday()) % DAYS))
    met = any(on <= as_of and 0 <= days_between(on, due) <= CHECK_IN_EARLY_DAYS for on in submitted)
    return days_before(due, -DAYS) if met else due


def overall_adherence(
    workouts: float | None, nutrition: float | None = None, check_ins: float | None = None
) -> float | None:
    """Combine percentages, weighted, over the parts that apply.

    >>> round(overall_adherence(80.0, None, 100.0) or 0, 1), overall_adherence(None)
    (85.7, None)
    """
    parts = [
        (weight, percent)
        for weight, percent in ((WORKOUT_WEIGHT, workouts), (NUTRITION_WEIGHT, nutrition), (CHECK_IN_WEIGHT, check_ins))
        if percent is not None
    ]
    return fsum(w * p for w, p in parts) / fsum(w for w, _ in parts) if parts else None


Fits = Callable[[ScheduledSession, DoneSession], bool]


def _same_place(due: ScheduledSession, session: DoneSession) -> bool:
    named = due.week_number is not None and due.day_number is not None
    return named and (due.week_number, due.day_number) == (session.week_number, session.day_number)


def _same_day(due: ScheduledSession, session: DoneSession) -> bool:
    return due.date == session.date


def _any(due: ScheduledSession, session: DoneSession) -> bool:
    return True


def _matched(due: Sequence[ScheduledSession], free: list[DoneSession]) -> dict[int, DoneSession]:
    """Give what was done of the sessions of one week, by their place in it; what is taken is not free any more."""
    taken: dict[int, DoneSession] = {}
    for fits in (_same_place, _same_day, _any):
        for place, each in enumerate(due):
            found = None if place in taken else next((session for session in free if fits(each, session)), None)
            if found is not None:
                taken[place] = found
                free.remove(found)
    return taken


def _outcome(due: ScheduledSession, session: DoneSession | None, as_of: datetime.date, is_open: bool) -> SessionOutcome:
    if session is None:
        return SessionOutcome(scheduled=due, workout_id=None, share=None if is_open else 0.0)
    share = min(1.0, session.completed_sets / due.sets) if due.sets else 1.0
    goes_on = share < 1.0 and session.date == as_of
    return SessionOutcome(scheduled=due, workout_id=session.workout_id, share=None if goes_on else share)


def _adherence(outcomes: Sequence[SessionOutcome]) -> Adherence:
    shares = [outcome.share for outcome in outcomes if outcome.share is not None]
    done = fsum(shares)
    return Adherence(
        done=done, due=len(shares), percent=100.0 * done / len(shares) if shares else None, outcomes=tuple(outcomes)
    )
