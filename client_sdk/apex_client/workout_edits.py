"""The edits of a workout as patches: pure functions of its state, made right before they are saved.

A set goes to the end of its exercise, an exercise to the end of the workout. Moving is one leaf, the order key.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from apex_client.errors import NoSuchEntry
from apex_client.loads import load_leaves
from apex_client.rows import project
from apex_client.times import minutes_between
from apex_client.views import ExerciseEntry, SetEntry, exercise_entries, live_entries, set_entry
from apex_sync.errors import FieldProblem, OutOfBounds
from apex_sync.op import Patch
from apex_sync.order import order_between


def start(**fields: Any) -> Patch:
    """Begin a session with the fields that are given."""
    return {field: value for field, value in fields.items() if value is not None}


def set_fields(fields: Mapping[str, Any]) -> Patch:
    """Set fields of the session itself; what is UNSET stays."""
    return {field: value for field, value in fields.items() if value is not UNSET}


def finish(state: Mapping[str, Any], end_time: str, notes: str | None) -> Patch:
    """End the session; its duration follows from its times."""
    patch: Patch = {"end_time": end_time, "completed": True}
    minutes = minutes_between(state.get("start_time"), end_time)
    if minutes is not None:
        patch["duration_minutes"] = minutes
    if notes is not None:
        patch["notes"] = notes
    return patch


def add_exercise(
    state: Mapping[str, Any], key: str, fields: Mapping[str, Any], before: str | None, after: str | None
) -> Patch:
    """Add an exercise at the end, or beside another. Raises OutOfBounds."""
    _refuse_blank(fields.get("name"))
    entries = exercise_entries(state)
    given = {field: value for field, value in fields.items() if value is not None}
    return {"exercises": {key: {**given, "order": _order_beside(entries, before, after)}}}


def edit_exercise(key: str, fields: Mapping[str, Any]) -> Patch:
    """Set fields of an exercise entry. Raises OutOfBounds."""
    _refuse_blank(fields.get("name"))
    return {"exercises": {key: set_fields(fields)}}


def move_exercise(state: Mapping[str, Any], key: str, before: str | None, after: str | None) -> Patch:
    """Move an exercise beside another, or to the end."""
    entries = [entry for entry in exercise_entries(state) if entry.key != key]
    return {"exercises": {key: {"order": _order_beside(entries, before, after)}}}


def remove_exercise(key: str, removed: bool) -> Patch:
    """Remove an exercise, or bring it back; its sets go and come with it."""
    return {"exercises": {key: {"deleted": removed}}}


def add_set(
    state: Mapping[str, Any],
    key: str,
    exercise: str,
    new_exercise_key: str,
    fields: Mapping[str, Any],
    default_unit: str,
) -> Patch:
    """Log a set at the end of an exercise; one that is not in the workout is added with it. Raises OutOfBounds."""
    _refuse_blank(exercise)
    exercises = [(found, entry.get("name")) for found, entry in live_entries(state.get("exercises"))]
    exercise_key = _named(exercises, exercise)
    patch: Patch = {}
    last = None
    if exercise_key is None:
        exercise_key = new_exercise_key
        orders = [entry.get("order") or "" for _, entry in live_entries(state.get("exercises"))]
        patch["exercises"] = {exercise_key: {"name": exercise, "order": _between(orders[-1] if orders else None, None)}}
    else:
        last = max((order for order in _set_orders(state, exercise_key)), default=None)
    leaves = _set_leaves(fields, default_unit)
    patch["sets"] = {key: {"exercise": exercise_key, "order": _between(last, None), **leaves}}
    return patch


def _refuse_blank(name: Any) -> None:
    """Refuse a name that nobody could read; an entry that names its exercise by id has none."""
    if isinstance(name, str) and not name.strip():
        raise OutOfBounds("workout_logs", FieldProblem("exercises.name", "an exercise needs a name"))


def _set_orders(state: Mapping[str, Any], exercise_key: str) -> Iterator[str]:
    for entry in (state.get("sets") or {}).values():
        if entry.get("exercise") == exercise_key and entry.get("deleted") is not True:
            yield entry.get("order") or ""


def edit_set(state: Mapping[str, Any], key: str, fields: Mapping[str, Any], default_unit: str) -> Patch:
    """Set fields of a set. A load typed in kilograms takes the pounds of before away."""
    logged = (state.get("sets") or {}).get(key)
    if logged is None:
        raise NoSuchEntry("this workout", "set", key)
    leaves = _set_leaves(set_fields(fields), default_unit)
    if "load_kg" in leaves and "load" not in leaves and logged.get("load") is not None:
        leaves |= {"load": None, "load_unit": None}
    return {"sets": {key: leaves}}


def move_set(
    state: Mapping[str, Any], key: str, exercise_key: str | None, before: str | None, after: str | None
) -> Patch:
    """Move a set beside another, whose exercise it then belongs to, or to the end of an exercise."""
    entries = exercise_entries(state)
    beside = before or after
    home = next(
        (
            entry
            for entry in entries
            if entry.key == exercise_key or (exercise_key is None and any(s.key == (beside or key) for s in entry.sets))
        ),
        None,
    )
    if home is None:
        raise NoSuchEntry("this workout", "set", beside or key)
    siblings = [logged for logged in home.sets if logged.key != key]
    leaves: Patch = {"order": _order(siblings, before, after)}
    if not any(logged.key == key for logged in home.sets):
        leaves["exercise"] = home.key
    return {"sets": {key: leaves}}


def remove_set(key: str, removed: bool) -> Patch:
    """Remove a set, or bring it back."""
    return {"sets": {key: {"deleted": removed}}}


def find_exercise(entries: Sequence[ExerciseEntry], exercise: str) -> ExerciseEntry:
    """Give an exercise by its key, or the last one of that name. Raises NoSuchEntry."""
    found = _find(entries, exercise)
    if found is None:
        raise NoSuchEntry("this workout", "exercise", exercise)
    return found


def find_set(state: Mapping[str, Any], key: str) -> SetEntry:
    """Give a set by its key. Raises NoSuchEntry."""
    found = set_entry(state, key)
    if found is None:
        raise NoSuchEntry("this workout", "set", key)
    return found


def totals(state: Mapping[str, Any]) -> tuple[float, float | None]:
    """Give the volume of the hard sets in kilograms and their mean effort."""
    rows, _ = project("workout_logs", (0, 0, ""), {**state, "deleted": False})
    row = rows["workout_log_rows"][0]
    return row[-2], row[-1]


def _find(entries: Sequence[ExerciseEntry], exercise: str) -> ExerciseEntry | None:
    key = _named([(entry.key, entry.name) for entry in entries], exercise)
    return next((entry for entry in entries if entry.key == key), None)


def _named(exercises: Sequence[tuple[str, str | None]], exercise: str) -> str | None:
    """Give the key of an exercise that is named by its key, or by name: then the last one of that name."""
    if any(key == exercise for key, _ in exercises):
        return exercise
    wanted = exercise.casefold().strip()
    return next((key for key, name in reversed(exercises) if (name or "").casefold().strip() == wanted), None)


def _set_leaves(fields: Mapping[str, Any], default_unit: str) -> dict[str, Any]:
    leaves = {field: value for field, value in fields.items() if field not in ("load", "unit")}
    if "load" in fields:
        leaves |= load_leaves(fields["load"], fields.get("unit") or default_unit)
    return leaves


def _order_beside(entries: Sequence[ExerciseEntry], before: str | None, after: str | None) -> str:
    """Give an order key for an exercise beside another, which is named by key or name."""
    return _order(
        entries,
        None if before is None else find_exercise(entries, before).key,
        None if after is None else find_exercise(entries, after).key,
    )


def _order(entries: Sequence[ExerciseEntry | SetEntry], before: str | None, after: str | None) -> str:
    """Give an order key before or after one of the entries, at the end when neither is named."""
    places = {entry.key: place for place, entry in enumerate(entries)}
    if before is None and after is None:
        return _between(entries[-1].order if entries else None, None)
    beside = before if before is not None else after
    if beside not in places:
        raise NoSuchEntry("this workout", "entry", beside or "")
    place = places[beside] + (before is None)
    low = entries[place - 1].order if place else None
    return _between(low, entries[place].order if place < len(entries) else None)


def _between(low: str | None, high: str | None) -> str:
    """Give a key between two; where two devices chose the same key there is no room, and it goes after both."""
    if low is not None and high is not None and low >= high:
        high = None
    return order_between(low or None, high or None)
