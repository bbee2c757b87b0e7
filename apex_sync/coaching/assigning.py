"""Programs made from programs: a copy to work on, and one that an athlete follows, with loads in kilograms.

A prescribed set that names a per cent of the maximum gets its load when the program is assigned. What is prescribed
then stays: a stronger athlete gets a new load when the coach says so (`resolved_loads`), not under a bar.
"""

import datetime
from collections.abc import Iterable, Mapping
from math import floor
from typing import Any

import msgspec

from apex_sync.coaching.increments import DEFAULT_STEP, Step, step_for
from apex_sync.coaching.leaves import day
from apex_sync.coaching.profile import Library, traits_of
from apex_sync.coaching.sets import PerformedSet, identities
from apex_sync.coaching.strength import set_estimate
from apex_sync.coaching.weeks import DAYS, days_before, days_between, monday_of
from apex_sync.collection import Record
from apex_sync.errors import FieldProblem
from apex_sync.ids import derived_id
from apex_sync.op import Patch

MAXIMUM_DAYS = 84
"""How long a best set says what an athlete can lift: twelve weeks, a usual block and a half [D]."""

MAPS = ("weeks", "days", "exercises", "sets")
OWN_FIELDS = frozenset({"created_at", "deleted", "start_date", "end_date", "source_id", "status", "athlete_feedback"})
"""What is a program's own and goes into no copy."""


def program_copy(program: Record, *, source_id: str) -> Patch:
    """Give a copy of a program as a draft, without its dates and without what was deleted in it."""
    held: Patch = msgspec.to_builtins(program)
    copy = {name: value for name, value in held.items() if name not in OWN_FIELDS}
    for name in MAPS:
        if name in copy:
            copy[name] = {key: entry for key, entry in copy[name].items() if entry.get("deleted") is not True}
    return {**copy, "status": "draft", "source_id": source_id}


def assigned_days(
    program: Record, *, start_date: str | None, end_date: str | None, today: datetime.date
) -> tuple[str, str | None]:
    """Give the first and the last day of a copy that is assigned; the last is None where it is open.

    Where no first day is asked for, it is the program's own, and of a program without one the Monday that `today`, the
    athlete's day, is or comes before. By itself a copy runs to the end of its weeks.

    >>> from apex_sync.models import Program
    >>> assigned_days(Program(duration_weeks=4), start_date=None, end_date=None, today=datetime.date(2026, 3, 3))
    ('2026-03-09', '2026-04-05')
    """
    own = held_day(program, "start_date")
    if start_date is None and day(own) is not None:
        start_date, end_date = own, end_date or held_day(program, "end_date")
    first = start_date or next_monday(today).isoformat()
    return first, end_date or _last_day(first, getattr(program, "duration_weeks", None))


def next_monday(today: datetime.date) -> datetime.date:
    """Give the Monday on which a week begins that can still be trained whole: today's, or that of next week."""
    return monday_of(days_before(today, 1 - DAYS))


def assignment_id(program_id: str, athlete_id: str, start_date: str, held: Mapping[str, Mapping[str, Any]]) -> str:
    """Give the id of the copy of a program that an athlete follows from a day on.

    `held` are the athlete's programs by id. The copy among them that starts on that day is the one, whatever its id.
    Where there is none, every device and the server derive the same id, and another one where a copy that was moved to
    another day has it.
    """
    copies = {
        copy_id: copy.get("start_date")
        for copy_id, copy in held.items()
        if copy.get("source_id") == program_id and not is_followed_anew(copy)
    }
    if starting := [copy_id for copy_id, starts in copies.items() if starts == start_date]:
        return min(starting)
    days = [start_date]
    while (derived := derived_id("program", program_id, athlete_id, *days)) in copies:
        days.append(copies[derived] or "")
    return derived


def is_followed_anew(assigned: Mapping[str, Any]) -> bool:
    """Tell whether a copy that is assigned once more is to be made again: it was deleted, or gave way to another."""
    return assigned.get("deleted") is True or assigned.get("status") == "archived"


def followed_program(
    program: Record,
    *,
    source_id: str,
    start_date: str,
    end_date: str | None,
    maxima_kg: Mapping[str, float],
    library: Library,
) -> Patch:
    """Give a copy of a program that an athlete follows on the days that `assigned_days` gives.

    `library` says what an exercise is loaded with, and so which loads there are.
    """
    copy = program_copy(program, source_id=source_id) | {"status": "active", "start_date": start_date}
    copy |= {"end_date": end_date} if end_date else {}
    copy["sets"] = {
        key: planned | _load(planned, copy.get("exercises", {}), maxima_kg, library)
        for key, planned in copy.get("sets", {}).items()
    }
    return copy


def order_problem(followed: Patch) -> FieldProblem | None:
    """Tell what is wrong with a program that ends before it starts."""
    start, end = followed.get("start_date"), followed.get("end_date")
    if start is None or end is None or end >= start:
        return None
    return FieldProblem("end_date", f"Expected {start} or a day after it")


def resolved_loads(
    program: Record, *, maxima_kg: Mapping[str, float], library: Library, today: datetime.date, anew: bool = False
) -> Patch:
    """Give the loads of sets in per cent that have none yet, or with `anew` of all, in sessions from today on.

    What was prescribed for days that are over stays as it was.
    """
    held: Patch = msgspec.to_builtins(program)
    exercises, over = held.get("exercises") or {}, _days_over(held, today)
    loads: dict[str, Patch] = {}
    for key, planned in (held.get("sets") or {}).items():
        is_over = exercises.get(planned.get("exercise") or "", {}).get("day") in over
        if planned.get("deleted") is True or is_over:
            continue
        load: Patch = dict(_load(planned | ({"load_kg": None} if anew else {}), exercises, maxima_kg, library))
        if load:
            typed = {name: None for name in ("load", "load_unit") if planned.get(name) is not None}
            loads[key] = load | typed
    return {"sets": loads} if loads else {}


def stated_maxima(program: Record, stated: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """Give maxima that a coach knows, by what exercises of a program are known by, and the names that mean none of it.

    An exercise is named by its name or its id.
    """
    held: Patch = msgspec.to_builtins(program)
    known = [_identities(one) for one in (held.get("exercises") or {}).values() if one.get("deleted") is not True]
    maxima: dict[str, float] = {}
    unknown = []
    for name, kilograms in stated.items():
        meant = {identity for own in known if not set(own).isdisjoint(_named(name)) for identity in own}
        maxima |= dict.fromkeys(meant, kilograms)
        unknown += [] if meant else [name]
    return maxima, unknown


def exercises_by_percent(program: Record, *, anew: bool = False) -> set[str]:
    """Give the identities of the exercises of which a program prescribes a per cent, by itself without a load yet."""
    held: Patch = msgspec.to_builtins(program)
    planned = [
        one
        for one in (held.get("sets") or {}).values()
        if _is_percent(one) or (anew and one.get("load_percent") is not None)
    ]
    exercises = held.get("exercises") or {}
    return {identity for one in planned for identity in _identities(exercises.get(one.get("exercise") or "", {}))}


def lifts_without_load(program: Record) -> dict[str, int]:
    """Give the exercises that have sets in per cent without a load, by name or else id, with how many sets.

    >>> from apex_sync.models import PROGRAMS
    >>> lifts, sets = {"e": {"name": "Squat"}}, {"s": {"exercise": "e", "load_percent": 75.0}}
    >>> lifts_without_load(PROGRAMS.read({"exercises": lifts, "sets": sets})[0])
    {'Squat': 1}
    """
    held: Patch = msgspec.to_builtins(program)
    exercises = held.get("exercises") or {}
    found: dict[str, int] = {}
    for planned in (held.get("sets") or {}).values():
        exercise = exercises.get(planned.get("exercise") or "", {})
        if _is_percent(planned) and planned.get("deleted") is not True and exercise.get("deleted") is not True:
            name = exercise.get("name") or exercise.get("exercise_id") or "?"
            found[name] = found.get(name, 0) + 1
    return found


def _identities(exercise: Mapping[str, Any]) -> list[str]:
    return identities(exercise.get("exercise_id"), exercise.get("name"))


def _named(name: str) -> list[str]:
    """Give what an exercise is known by that somebody calls by its name or by its id."""
    return [*identities(name, None), *identities(None, name)]


def _days_over(held: Patch, today: datetime.date) -> set[str]:
    """Give the keys of the days of a program that lie before a day; none without a first day."""
    first = day(held.get("start_date"))
    if first is None:
        return set()
    weeks = {key: one.get("week_number") for key, one in (held.get("weeks") or {}).items()}
    over = set()
    for key, one in (held.get("days") or {}).items():
        week_number, day_number = weeks.get(one.get("week") or ""), one.get("day_number")
        if isinstance(week_number, int) and isinstance(day_number, int):
            on = days_before(monday_of(first), -(DAYS * (week_number - 1) + day_number - 1))
            over |= {key} if on < today else set()
    return over


def held_day(program: Record, name: str) -> str | None:
    """Give a day of a program as it was written."""
    found = getattr(program, name, None)
    return found if isinstance(found, str) else None


def maxima_kg(sets: Iterable[PerformedSet], as_of: datetime.date) -> dict[str, float]:
    """Give the best estimated maximum of the last weeks by exercise: by all that it is known by."""
    maxima: dict[str, float] = {}
    for performed in sets:
        if performed.date is None or not 0 <= days_between(performed.date, as_of) < MAXIMUM_DAYS:
            continue
        estimate = set_estimate(performed)
        if estimate is None:
            continue
        for identity in identities(performed.exercise_id, performed.exercise_name):
            maxima[identity] = max(maxima.get(identity, 0.0), estimate.e1rm_kg)
    return maxima


def load_of_percent(maximum_kg: float, percent: float, step: Step = DEFAULT_STEP) -> float:
    """Give the load that there is (on a bar, in a rack, in a stack) nearest to a per cent of a maximum.

    >>> load_of_percent(118.0, 75.0), load_of_percent(39.0, 75.0, step_for("dumbbell"))
    (87.5, 30.0)
    """
    return floor(maximum_kg * percent / 100 / step.grid_kg + 0.5) * step.grid_kg


def _load(
    planned: Mapping[str, Any], exercises: Mapping[str, Any], maxima: Mapping[str, float], library: Library
) -> dict[str, float]:
    if not _is_percent(planned):
        return {}
    known = _identities(exercises.get(planned.get("exercise") or "", {}))
    maximum = next((maxima[identity] for identity in known if identity in maxima), None)
    if maximum is None:
        return {}
    traits = next((found for identity in known if (found := traits_of(library, identity))), None)
    return {
        "load_kg": load_of_percent(maximum, planned["load_percent"], step_for(traits.equipment if traits else None))
    }


def _is_percent(planned: Mapping[str, Any]) -> bool:
    return planned.get("load_percent") is not None and planned.get("load_kg") is None


def _last_day(start_date: str, weeks: Any) -> str | None:
    first = day(start_date)
    return days_before(first, 1 - DAYS * weeks).isoformat() if first and isinstance(weeks, int) else None
