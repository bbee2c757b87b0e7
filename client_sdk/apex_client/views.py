"""What an app reads: a record as it stands on this device, and the entries of a workout in the order they were done."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from apex_client.opened_messages import NOTHING, OpenedParts
from apex_sync.errors import FieldProblem
from apex_sync.op import Patch


class Snapshot(Struct, frozen=True):
    """One record at one moment; it never changes, the next edit gives another.

    `problems` lists the bounds that the merged state breaks (`needs_review`).
    """

    record_id: str
    collection: str
    scope: str
    state: Patch
    problems: tuple[FieldProblem, ...] = ()
    pending: bool = False
    conflicts: int = 0
    opened: OpenedParts = NOTHING
    """Of a message that was encrypted: what this device could open."""


class SetEntry(Struct, frozen=True, kw_only=True):
    """One set of a workout, as it was logged; `exercise_key` is the entry it belongs to.

    A load typed in pounds shows back in `load` and `load_unit`; `load_kg` is canonical.
    """

    key: str
    exercise_key: str | None = None
    order: str = ""
    type: str = "working"
    reps: int | None = None
    load_kg: float | None = None
    load: float | None = None
    load_unit: str = "kg"
    rpe: float | None = None
    rir: float | None = None
    completed: bool = True
    failure_reason: str | None = None
    distance_m: float | None = None
    duration_seconds: float | None = None
    notes: str | None = None


class ExerciseEntry(Struct, frozen=True, kw_only=True):
    """One exercise of a workout with its sets, in order."""

    key: str
    order: str = ""
    exercise_id: str | None = None
    name: str | None = None
    notes: str | None = None
    skipped: bool = False
    superset: str | None = None
    sets: tuple[SetEntry, ...] = ()


def exercise_entries(state: Mapping[str, Any]) -> list[ExerciseEntry]:
    """List the exercises of a workout with their sets, deleted ones left out.

    Sets whose exercise is missing come last, under an entry with an empty key.
    """
    exercises = live_entries(state.get("exercises"))
    known = {key for key, _ in exercises}
    removed = _deleted_keys(state.get("exercises"))
    sets_by_exercise: dict[str, list[SetEntry]] = {}
    for key, entry in live_entries(state.get("sets")):
        exercise_key = entry.get("exercise")
        if exercise_key in removed:
            continue
        sets_by_exercise.setdefault(exercise_key if exercise_key in known else "", []).append(_set_entry(key, entry))
    if "" in sets_by_exercise:
        exercises = [*exercises, ("", {})]
    return [_exercise_entry(key, entry, sets_by_exercise.get(key, [])) for key, entry in exercises]


def set_entry(state: Mapping[str, Any], key: str) -> SetEntry | None:
    """Give one set of a workout; None where it is deleted, or its exercise is."""
    entry = (state.get("sets") or {}).get(key)
    if entry is None or entry.get("deleted") is True:
        return None
    home = (state.get("exercises") or {}).get(entry.get("exercise")) or {}
    return None if home.get("deleted") is True else _set_entry(key, entry)


def live_entries(entries: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """List the entries of a map that are not deleted: by `order`, then by key."""
    return sorted(_live(entries), key=_order_then_key)


def _live(entries: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(entries, Mapping):
        for key, entry in entries.items():
            if isinstance(entry, Mapping) and entry.get("deleted") is not True:
                yield key, entry


def _deleted_keys(entries: Any) -> set[str]:
    if not isinstance(entries, Mapping):
        return set()
    return {key for key, entry in entries.items() if isinstance(entry, Mapping) and entry.get("deleted") is True}


def _order_then_key(entry: tuple[str, Mapping[str, Any]]) -> tuple[str, str]:
    order = entry[1].get("order")
    return order if isinstance(order, str) else "", entry[0]


def _set_entry(key: str, entry: Mapping[str, Any]) -> SetEntry:
    load_kg, unit = entry.get("load_kg"), entry.get("load_unit") or "kg"
    return SetEntry(
        key=key,
        exercise_key=entry.get("exercise"),
        order=entry.get("order") or "",
        type=entry.get("type") or "working",
        reps=entry.get("reps"),
        load_kg=load_kg,
        load=entry.get("load") if entry.get("load") is not None else load_kg,
        load_unit=unit if entry.get("load") is not None else "kg",
        rpe=entry.get("rpe"),
        rir=entry.get("rir"),
        completed=entry.get("completed") is not False,
        failure_reason=entry.get("failure_reason"),
        distance_m=entry.get("distance_m"),
        duration_seconds=entry.get("duration_seconds"),
        notes=entry.get("notes"),
    )


def _exercise_entry(key: str, entry: Mapping[str, Any], sets: list[SetEntry]) -> ExerciseEntry:
    return ExerciseEntry(
        key=key,
        order=entry.get("order") or "",
        exercise_id=entry.get("exercise_id"),
        name=entry.get("name"),
        notes=entry.get("notes"),
        skipped=entry.get("skipped") is True,
        superset=entry.get("superset"),
        sets=tuple(sets),
    )
