"""Programs made from programs: a copy to work on, and one that an athlete follows, with loads in kilograms.

A prescribed set that names a per cent of the maximum gets its load when the program is assigned. What is prescribed
then stays: a stronger athlete gets a new load when the coach says so, not under a bar.
"""

import datetime
from collections.abc import Iterable, Mapping
from math import floor
from typing import Any

import msgspec

from apex_sync.coaching.increments import DEFAULT_STEP
from apex_sync.coaching.leaves import day
from apex_sync.coaching.sets import PerformedSet, exercise_identity
from apex_sync.coaching.strength import set_estimate
from apex_sync.coaching.weeks import DAYS, days_before, days_between
from apex_sync.collection import Record
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


def followed_program(
    program: Record,
    *,
    source_id: str,
    start_date: str | None,
    end_date: str | None,
    maxima_kg: Mapping[str, float],
) -> Patch:
    """Give a copy of a program that an athlete follows from a day on; by itself to the end of its weeks."""
    copy = program_copy(program, source_id=source_id) | {"status": "active"}
    if start_date is None:
        start_date, end_date = held_day(program, "start_date"), end_date or held_day(program, "end_date")
    if start_date is not None:
        copy["start_date"] = start_date
        last = end_date or _last_day(start_date, copy.get("duration_weeks"))
        copy |= {"end_date": last} if last else {}
    elif end_date is not None:
        copy["end_date"] = end_date
    copy["sets"] = {
        key: planned | _load(planned, copy.get("exercises", {}), maxima_kg)
        for key, planned in copy.get("sets", {}).items()
    }
    return copy


def held_day(program: Record, name: str) -> str | None:
    """Give a day of a program as it was written."""
    found = getattr(program, name, None)
    return found if isinstance(found, str) else None


def maxima_kg(sets: Iterable[PerformedSet], as_of: datetime.date) -> dict[str, float]:
    """Give the best estimated maximum of the last weeks by exercise: by its identity, and by its name alone."""
    maxima: dict[str, float] = {}
    for performed in sets:
        if performed.date is None or not 0 <= days_between(performed.date, as_of) < MAXIMUM_DAYS:
            continue
        estimate = set_estimate(performed)
        if estimate is None:
            continue
        for identity in {performed.exercise, exercise_identity(None, performed.exercise_name)} - {None}:
            maxima[identity or ""] = max(maxima.get(identity or "", 0.0), estimate.e1rm_kg)
    return maxima


def load_of_percent(maximum_kg: float, percent: float) -> float:
    """Give the load that can be put on a bar nearest to a per cent of a maximum.

    >>> load_of_percent(118.0, 75.0)
    87.5
    """
    grid = DEFAULT_STEP.grid_kg
    return floor(maximum_kg * percent / 100 / grid + 0.5) * grid


def _load(planned: Mapping[str, Any], exercises: Mapping[str, Any], maxima: Mapping[str, float]) -> dict[str, float]:
    percent = planned.get("load_percent")
    if percent is None or planned.get("load_kg") is not None:
        return {}
    exercise = exercises.get(planned.get("exercise") or "", {})
    known = (exercise_identity(exercise.get("exercise_id"), None), exercise_identity(None, exercise.get("name")))
    maximum = next((maxima[identity] for identity in known if identity is not None and identity in maxima), None)
    return {} if maximum is None else {"load_kg": load_of_percent(maximum, percent)}


def _last_day(start_date: str, weeks: Any) -> str | None:
    first = day(start_date)
    return days_before(first, 1 - DAYS * weeks).isoformat() if first and isinstance(weeks, int) else None
