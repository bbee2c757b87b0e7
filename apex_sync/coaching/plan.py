"""What a rule needs of a program: when sessions were due, what was prescribed, and which weeks were deloads.

Read from a program record without trusting it; a program that lacks a leaf just says less.
"""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from apex_sync.coaching.leaves import day, live_entries, number, text, whole
from apex_sync.coaching.sets import REPS_MAX, RIR_MAX, RPE_MAX, RPE_MIN, identities
from apex_sync.coaching.weeks import DAYS, LAST_DAY, days_between, monday_of
from apex_sync.collection import Record

WEEK_NUMBER_MAX, DAY_NUMBER_MAX = 104, 7
"""The bounds of the program model."""

SCHEDULED_STATUSES = frozenset({"active", "completed"})
"""Drafts and archived programs expect nobody to train."""


class Target(Struct, frozen=True, kw_only=True):
    """What was prescribed for an exercise; each part may be unknown."""

    reps_low: int | None = None
    reps_high: int | None = None
    sets: int | None = None
    rpe: float | None = None

    @property
    def rep_range(self) -> tuple[int, int] | None:
        """The range, or None where it is not known or makes no sense."""
        low, high = self.reps_low or self.reps_high, self.reps_high or self.reps_low
        return (low, high) if low and high and 1 <= low <= high else None


class ScheduledSession(Struct, frozen=True, kw_only=True, gc=False):
    """A session that was due on a day, with its place in the program and the number of sets prescribed, where known."""

    date: datetime.date
    sets: int | None = None
    week_number: int | None = None
    day_number: int | None = None


Slot = tuple[int, int]
"""Week and day number of a session in a program."""


class Plan(Struct, frozen=True, kw_only=True):
    """A program as the rules see it.

    `targets` are keyed by (exercise identity, week number, day number); `due_check_ins` are the days a check-in is due.
    """

    program_id: str | None = None
    """None where no program is followed now, and `scheduled` is of those of before."""
    scheduled: tuple[ScheduledSession, ...] = ()
    deload_weeks: frozenset[int] = frozenset()
    targets: Mapping[tuple[str, int, int], Target] = {}
    week_count: int = 0
    start_monday: datetime.date | None = None
    due_check_ins: tuple[datetime.date, ...] = ()

    def week_number(self, on: datetime.date) -> int | None:
        """Give the program week of a day, from 1; None outside the program."""
        if self.start_monday is None:
            return None
        number = days_between(self.start_monday, on) // DAYS + 1
        return number if 1 <= number <= self.week_count else None

    def deload_on(self, on: datetime.date) -> bool:
        """Say whether a day lies in a planned deload week."""
        return self.week_number(on) in self.deload_weeks

    def target(self, exercise: str, slot: Slot | None) -> Target | None:
        """Give the prescription of an exercise in a session, or in the latest session of the program that has it."""
        if slot is not None and (exact := self.targets.get((exercise, *slot))):
            return exact
        slots = [key for key in self.targets if key[0] == exercise]
        return self.targets[max(slots)] if slots else None


def followed_on(programs: Iterable[tuple[str, Record]], on: datetime.date) -> tuple[str, Record] | None:
    """Give the program, with its id, that is followed on a day: the active one of that day that started last.

    One without a last day is open; one without a first day asks for nothing, and nobody follows it.
    """
    followed = [
        (start, program_id, record)
        for program_id, record in programs
        if text(getattr(record, "status", None)) == "active"
        and (start := day(getattr(record, "start_date", None))) is not None
        and start <= on <= (day(getattr(record, "end_date", None)) or datetime.date.max)
    ]
    if not followed:
        return None
    _, program_id, record = max(followed, key=lambda found: found[:2])
    return program_id, record


def plan_from_program(program_id: str, record: Record, *, due_check_ins: tuple[datetime.date, ...] = ()) -> Plan:
    """Read a program record as far as it can be read; total for any record.

    Day 1 is the Monday of the week in which the program starts; sessions before the start or after the end are not due.
    """
    weeks = _week_numbers(record)
    slots = _slots(record, weeks)
    sets_by_exercise = _planned_sets(record)
    exercises = [
        (
            slots[day_key],
            identities(text(getattr(entry, "exercise_id", None)), text(getattr(entry, "name", None))),
            key,
        )
        for key, entry in live_entries(getattr(record, "exercises", None))
        if (day_key := text(getattr(entry, "day", None))) in slots
    ]
    start = day(getattr(record, "start_date", None))
    monday = monday_of(start) if start else None
    return Plan(
        program_id=program_id,
        scheduled=scheduled_sessions(record),
        deload_weeks=frozenset(
            weeks[key]
            for key, week in live_entries(getattr(record, "weeks", None))
            if key in weeks and getattr(week, "deload", None) is True
        ),
        targets={
            (identity, *slot): _target(sets_by_exercise.get(key, []))
            for slot, known, key in exercises
            for identity in known
        },
        week_count=max(weeks.values(), default=0),
        start_monday=monday,
        due_check_ins=due_check_ins,
    )


def scheduled_sessions(record: Record) -> tuple[ScheduledSession, ...]:
    """List the sessions that a program asks for as it is, oldest first; `plan_history` has what it asked for before."""
    start = day(getattr(record, "start_date", None))
    if start is None or text(getattr(record, "status", None)) not in SCHEDULED_STATUSES:
        return ()
    monday, end = monday_of(start), day(getattr(record, "end_date", None)) or datetime.date.max
    slots, sets_by_exercise = _slots(record, _week_numbers(record)), _planned_sets(record)
    counts: dict[Slot, int] = {}
    for key, entry in live_entries(getattr(record, "exercises", None)):
        if slot := slots.get(text(getattr(entry, "day", None)) or ""):
            counts[slot] = counts.get(slot, 0) + len(sets_by_exercise.get(key, []))
    sessions = []
    for week_number, day_number in sorted(set(slots.values())):
        ordinal = monday.toordinal() + DAYS * (week_number - 1) + day_number - 1
        if start.toordinal() <= ordinal <= min(end.toordinal(), LAST_DAY):
            sessions.append(
                ScheduledSession(
                    date=datetime.date.fromordinal(ordinal),
                    sets=counts.get((week_number, day_number)) or None,
                    week_number=week_number,
                    day_number=day_number,
                )
            )
    return tuple(sessions)


def _week_numbers(record: Record) -> dict[str, int]:
    return {
        key: week_number
        for key, week in live_entries(getattr(record, "weeks", None))
        if (week_number := whole(getattr(week, "week_number", None), 1, WEEK_NUMBER_MAX))
    }


def _slots(record: Record, weeks: Mapping[str, int]) -> dict[str, Slot]:
    """Give the place of each day by its key; one of no week has none."""
    return {
        key: (weeks[week], day_number)
        for key, entry in live_entries(getattr(record, "days", None))
        if (week := text(getattr(entry, "week", None)) or "") in weeks
        if (day_number := whole(getattr(entry, "day_number", None), 1, DAY_NUMBER_MAX))
    }


def _planned_sets(record: Record) -> dict[str, list[Any]]:
    """Group prescribed sets that are no warm-ups by the key of their exercise."""
    grouped: dict[str, list[Any]] = {}
    for _, entry in live_entries(getattr(record, "sets", None)):
        key = text(getattr(entry, "exercise", None))
        if key and getattr(entry, "type", None) != "warmup":
            grouped.setdefault(key, []).append(entry)
    return grouped


def _target(planned: list[Any]) -> Target:
    """Sum up prescribed sets: the widest rep range and the hardest effort, of straight working sets."""
    straight = [entry for entry in planned if (text(getattr(entry, "type", None)) or "working") == "working"]
    lows = [reps for entry in straight if (reps := whole(getattr(entry, "reps_min", None), 1, REPS_MAX))]
    highs = [reps for entry in straight if (reps := whole(getattr(entry, "reps_max", None), 1, REPS_MAX))]
    efforts = [effort for entry in straight if (effort := _prescribed_rpe(entry)) is not None]
    return Target(
        reps_low=min(lows, default=None),
        reps_high=max(highs, default=None),
        sets=len(straight) or None,
        rpe=max(efforts, default=None),
    )


def _prescribed_rpe(entry: Any) -> float | None:
    rpe = number(getattr(entry, "rpe", None), RPE_MIN, RPE_MAX)
    rir = number(getattr(entry, "rir", None), 0.0, RIR_MAX)
    return rpe if rpe is not None else max(RPE_MIN, 10.0 - rir) if rir is not None else None
