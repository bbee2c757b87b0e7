"""Days that people write: they stand in the calendar, and a record that is listed by its day has one.

SDK and REST ask here before an edit becomes an op. An op that arrives by sync is held to its types alone, whatever day
it names: an older app must lose nothing. What has no day comes last in every list, and can be edited without one until
somebody gives it one.
"""

import types
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from msgspec import Struct

from apex_sync.errors import FieldProblem
from apex_sync.models.fields import NOT_IN_CALENDAR, Date, LocalTime, parse_local_time
from apex_sync.op import Patch

REQUIRED_DAYS: Mapping[str, tuple[str, ...]] = {
    "workout_logs": ("date", "start_time"),
    "check_ins": ("date",),
    "body_metrics": ("date",),
    "nutrition_logs": ("date",),
    "nutrition_targets": ("start_date",),
}
"""The fields that give a record its day, by collection; one of them is needed. A session is of the day it started."""

EVERY_KEY = "*"
"""Stands for all keys of a map."""

Leaves = Mapping[str, "Leaves | None"]
"""Where days and times stand in a model; None is such a leaf."""


def impossible_days(model: type[Struct], patch: Patch) -> list[FieldProblem]:
    """List the days and times of an edit that are in no calendar.

    >>> from apex_sync.models.checkin import CheckIn
    >>> impossible_days(CheckIn, {"date": "2026-02-31", "notes": "Tired."})
    [FieldProblem(field='date', message='is not in the calendar')]
    """
    return _not_in_calendar(patch, _day_leaves(model), "")


def missing_day(collection: str, patch: Patch, before: Mapping[str, Any] | None) -> FieldProblem | None:
    """Say that an edit leaves a record without the day it had, or a new one (`before` is None) without any; or None.

    >>> missing_day("check_ins", {"notes": "Tired."}, None)
    FieldProblem(field='date', message='Expected a day, `2026-03-01`')
    >>> missing_day("check_ins", {"notes": "Tired."}, {"date": "2026-03-01"})
    """
    fields = REQUIRED_DAYS.get(collection, ())
    needed = before is None or any(before.get(field) for field in fields)
    after = {**(before or {}), **patch}
    if not fields or not needed or any(after.get(field) for field in fields):
        return None
    return FieldProblem(fields[0], "Expected a day, `2026-03-01`")


def _not_in_calendar(patch: Any, leaves: "Leaves | None", path: str) -> list[FieldProblem]:
    if leaves is None:
        impossible = isinstance(patch, str) and parse_local_time(patch) is None
        return [FieldProblem(path, NOT_IN_CALENDAR)] if impossible and patch else []
    if not isinstance(patch, Mapping):
        return []
    found = []
    for name in patch if EVERY_KEY in leaves else leaves.keys() & patch.keys():
        inner = leaves.get(EVERY_KEY) if EVERY_KEY in leaves else leaves[name]
        found += _not_in_calendar(patch[name], inner, f"{path}.{name}" if path else name)
    return found


@lru_cache(maxsize=64)
def _day_leaves(model: type[Struct]) -> Leaves:
    """Find the days and times of a model, once."""
    places = {name: _within(hint) for name, hint in get_type_hints(model, include_extras=True).items()}
    return {name: place for name, place in places.items() if place != {}}


def _within(hint: Any) -> "Leaves | None":
    if hint in (Date, LocalTime):
        return None
    if isinstance(hint, type) and issubclass(hint, Struct):
        return _day_leaves(hint)
    if get_origin(hint) is dict:
        inner = _within(get_args(hint)[1])
        return {} if inner == {} else {EVERY_KEY: inner}
    if get_origin(hint) in (Annotated, Union, types.UnionType):
        return next((place for arm in get_args(hint) if (place := _within(arm)) != {}), {})
    return {}
