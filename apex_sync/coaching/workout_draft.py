"""From a workout as people write it (lists in lists) to the smallest patch of the record (flat maps).

The draft is compared with `base`, the version its author had. What they did not change is not written, so a draft that
was made while another device added a set does not take that set away.

Entries without an id are matched: an exercise with the exercise of the same name or library id, a set with the set at
its place. What matches nothing is new, and gets an id that is the same whenever the same draft comes again.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from apex_sync.coaching.drafts import (
    DraftPatch,
    InvalidDraft,
    Item,
    changed_leaves,
    content_of,
    new_entry_key,
    orders_for,
    read_items,
    refuse_doubled_keys,
    unknown_fields,
)
from apex_sync.coaching.leaves import shown
from apex_sync.coaching.sets import exercise_identity
from apex_sync.coaching.weights import TYPED_SLACK_KG, kilograms
from apex_sync.coaching.workout_view import (
    EXERCISE_FIELDS,
    SET_FIELDS,
    WRITTEN_FIELDS,
    ExerciseView,
    SetView,
    WorkoutView,
    exercise_view,
    exercises_in_order,
    set_view,
)
from apex_sync.collection import Record
from apex_sync.errors import FieldProblem
from apex_sync.op import Patch

_LOAD_FIELDS = ("load", "load_unit", "load_kg")
_DEFAULTS: Mapping[str, Any] = {"type": "working", "completed": True, "skipped": False, "load_unit": "kg"}


class _WantedSet(NamedTuple):
    key: str
    item: Item
    done: bool


class _Wanted(NamedTuple):
    """An exercise of the draft; `key` None stands for the sets that have lost theirs."""

    key: str | None
    item: Item
    sets: list[_WantedSet]


def workout_patch(
    workout_id: str, draft: Mapping[str, Any], base: Record, *, known: Collection[str] = ()
) -> DraftPatch:
    """Give what has to be written so that `base` becomes what the draft says.

    `draft` has the shape of `WorkoutDraft`, or of a whole `WorkoutView` with changes; derived figures and the fields
    named in `known` are ignored. Types and bounds of the values are for `drafts.check_draft`. Raises InvalidDraft.
    """
    problems = unknown_fields(draft, {*WorkoutView.__struct_fields__, *known})
    if problems:
        raise InvalidDraft(problems)
    before = {name: shown(getattr(base, name, None)) for name in WRITTEN_FIELDS}
    patch = changed_leaves(before, draft, WRITTEN_FIELDS)
    wanted = _match(workout_id, draft, base)
    exercises, sets = _exercise_changes(base, wanted), _set_changes(base, wanted)
    if exercises:
        patch["exercises"] = exercises
    if sets:
        patch["sets"] = sets
    places = {("exercises", exercise.key): exercise.item.place for exercise in wanted if exercise.key is not None}
    places |= {("sets", entry.key): entry.item.place for exercise in wanted for entry in exercise.sets}
    return DraftPatch(patch, places)


def _match(workout_id: str, draft: Mapping[str, Any], base: Record) -> list[_Wanted]:
    """Tell which entry of the record each item of the draft speaks of."""
    items = read_items(draft, "exercises", "", ExerciseView.__struct_fields__)
    sets = [read_items(item.value, "sets", f"{item.place}.", SetView.__struct_fields__) for item in items]
    refuse_doubled_keys(items)
    refuse_doubled_keys(entry for entries in sets for entry in entries)
    standing = exercises_in_order(base)
    exercise_keys = _exercise_keys(workout_id, items, sets, base, standing)
    old_sets = {key: [set_key for set_key, _ in entries] for key, _, entries in standing}
    taken = set(_entries(base, "sets")) | {entry.key for entries in sets for entry in entries if entry.key}
    wanted = []
    for key, item, entries in zip(exercise_keys, items, sets, strict=True):
        at_place = iter([k for k in old_sets.get(key, ()) if k not in {entry.key for entry in entries}])
        done = not item.value.get("skipped")
        keys = []
        for index, entry in enumerate(entries):
            set_key = entry.key or next(at_place, None)
            if set_key is None:
                set_key = new_entry_key(taken, workout_id, key or "", str(index), content_of(entry))
            taken.add(set_key)
            keys.append(_WantedSet(set_key, entry, done))
        wanted.append(_Wanted(key, item, keys))
    return wanted


def _exercise_keys(
    workout_id: str,
    items: Sequence[Item],
    sets: Sequence[Sequence[Item]],
    base: Record,
    standing: Sequence[tuple[str | None, Any, Any]],
) -> list[str | None]:
    named = {item.key for item in items}
    unnamed: dict[str | None, list[str]] = {}
    strays: set[str] = set()
    for key, entry, entries in standing:
        if key is None:
            strays = {set_key for set_key, _ in entries}
        elif key not in named:
            unnamed.setdefault(_identity(shown(entry.exercise_id), shown(entry.name)), []).append(key)
    taken = {key for key in (*_entries(base, "exercises"), *named) if key is not None}
    found: list[str | None] = []
    for item, entries in zip(items, sets, strict=True):
        identity = _identity(item.value.get("exercise_id"), item.value.get("name"))
        if item.key is not None:
            found.append(item.key)
        elif identity is None and entries and all(entry.key in strays for entry in entries):
            found.append(None)
        elif unnamed.get(identity):
            found.append(unnamed[identity].pop(0))
        else:
            found.append(new_entry_key(taken, workout_id, identity or item.place))
        taken.update(key for key in found[-1:] if key is not None)
    return found


def _exercise_changes(base: Record, wanted: Iterable[_Wanted]) -> Patch:
    entries = _entries(base, "exercises")
    listed = [(exercise.key, exercise.item) for exercise in wanted if exercise.key is not None]
    changes: Patch = {}
    for key, item in listed:
        entry = entries.get(key)
        before = exercise_view(key, entry, ()) if entry is not None else ExerciseView()
        changes[key] = _changed(before, item, EXERCISE_FIELDS) | _revived(entry)
    _put_in_order(changes, [key for key, _ in listed], entries)
    kept = {key for key, _ in listed}
    changes |= {key: {"deleted": True} for key, entry in entries.items() if key not in kept and _is_live(entry)}
    return {key: change for key, change in changes.items() if change}


def _set_changes(base: Record, wanted: Sequence[_Wanted]) -> Patch:
    entries = _entries(base, "sets")
    changes: Patch = {}
    for exercise in wanted:
        for key, item, done in exercise.sets:
            entry = entries.get(key)
            before = set_view(key, entry, 0, done=done) if entry is not None else SetView(completed=done)
            plain = [name for name in SET_FIELDS if name not in _LOAD_FIELDS]
            changes[key] = _changed(before, item, plain, completed=done) | _load_change(before, entry, item)
            changes[key] |= _revived(entry)
            if exercise.key is not None and (entry is None or shown(entry.exercise) != exercise.key):
                changes[key]["exercise"] = exercise.key
        _put_in_order(changes, [entry.key for entry in exercise.sets], entries)
    changes |= {key: {"deleted": True} for key in _removed_sets(base, wanted)}
    return {key: change for key, change in changes.items() if change}


def _removed_sets(base: Record, wanted: Iterable[_Wanted]) -> Iterator[str]:
    """Name the sets that the draft leaves out, but for those that go with their exercise."""
    exercises = {exercise.key for exercise in wanted} | {None}
    kept = {entry.key for exercise in wanted for entry in exercise.sets}
    for exercise_key, _, entries in exercises_in_order(base):
        if exercise_key in exercises:
            yield from (key for key, _ in entries if key not in kept)


def _changed(before: Any, item: Item, fields: Iterable[str], **defaults: Any) -> Patch:
    """Compare field by field; in an item, what is left out means the default."""
    changes = {}
    for name in fields:
        value = item.value.get(name)
        if value is None:
            value = defaults.get(name, _DEFAULTS.get(name))
        if value != getattr(before, name):
            changes[name] = value
    return changes


def _load_change(before: SetView, entry: Any, item: Item) -> Patch:
    """Give the three leaves of a load, all or none: edited apart on two devices they would not fit together."""
    load, load_kg = item.value.get("load"), item.value.get("load_kg")
    unit = item.value.get("load_unit") or "kg"
    if not all(value is None or _is_number(value) for value in (load, load_kg)) or unit not in ("kg", "lb"):
        return {"load": load, "load_unit": unit, "load_kg": load_kg}
    same_typed = (load, unit) == (before.load, before.load_unit)
    if same_typed and load_kg in (None, before.load_kg):
        return {}
    if load is None or (same_typed and load_kg is not None and entry is not None):
        load, unit = load_kg, "kg"
    canonical = None if load is None else kilograms(load, unit)
    restated = load_kg is not None and load_kg != before.load_kg
    if canonical is not None and restated and abs(canonical - float(load_kg or 0.0)) > TYPED_SLACK_KG:
        raise InvalidDraft([FieldProblem(f"{item.place}.load_kg", "contradicts load and load_unit")])
    typed: Patch = {"load": load, "load_unit": unit} if unit == "lb" and load is not None else {}
    if entry is not None and not typed:
        typed = {"load": None, "load_unit": None}
    return {"load_kg": canonical, **typed}


def _put_in_order(changes: Patch, keys: Sequence[str], entries: Mapping[str, Any]) -> None:
    orders = {key: shown(entries[key].order) or "" for key in keys if key in entries and _is_live(entries[key])}
    for key, order in orders_for(keys, orders).items():
        changes[key]["order"] = order


def _revived(entry: Any) -> Patch:
    return {"deleted": False} if entry is not None and not _is_live(entry) else {}


def _is_live(entry: Any) -> bool:
    return getattr(entry, "deleted", None) is not True


def _entries(base: Record, name: str) -> dict[str, Any]:
    value = getattr(base, name, None)
    return value if isinstance(value, dict) else {}


def _identity(exercise_id: Any, name: Any) -> str | None:
    return exercise_identity(
        exercise_id if isinstance(exercise_id, str) else None, name if isinstance(name, str) else None
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
