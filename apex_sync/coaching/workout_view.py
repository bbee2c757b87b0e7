"""A workout as people read it: exercises in order, each with its sets in order, and the figures derived from them.

`workout_view` is total: it shows every record, also one that breaks bounds or lacks leaves, and shows what is there.
Derived figures are computed here each time and are never written. The way back, from this shape to the smallest patch,
is in `workout_draft`.

A set shows its load as it was typed (`load`, `load_unit`) and in kilograms (`load_kg`).
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from apex_sync.coaching.leaves import live_entries, shown, text
from apex_sync.coaching.records import PersonalRecord
from apex_sync.coaching.rounding import as_shown
from apex_sync.coaching.session import session_totals
from apex_sync.coaching.sets import performed_sets
from apex_sync.coaching.strength import Formula
from apex_sync.coaching.weights import load_as_typed
from apex_sync.collection import Record
from apex_sync.errors import FieldProblem
from apex_sync.models.fields import Date, Key, LocalTime, Name, Note, Ref, Score
from apex_sync.models.workout import FailureReason, LoadUnit, SetType

Label = Annotated[str, Meta(max_length=16)]


class SetDraft(Struct, kw_only=True, omit_defaults=True):
    """One set as somebody writes it; with `load_unit` lb, `load` is in pounds."""

    id: Key | None = None
    """Short, unique within the workout; made by the server when absent."""
    type: SetType = "working"
    reps: Annotated[int, Meta(ge=0, le=1000)] | None = None
    load: Annotated[float, Meta(ge=-1200, le=4500)] | None = None
    load_unit: LoadUnit = "kg"
    load_kg: Annotated[float, Meta(ge=-500, le=2000)] | None = None
    """Negative is assistance. Need not be given beside `load`."""
    rpe: Annotated[float, Meta(ge=1, le=10)] | None = None
    rir: Annotated[float, Meta(ge=0, le=30)] | None = None
    completed: bool = True
    failure_reason: FailureReason | None = None
    distance_m: Annotated[float, Meta(ge=0, le=1_000_000)] | None = None
    duration_seconds: Annotated[float, Meta(ge=0, le=864_000)] | None = None
    notes: Note | None = None


class SetView(SetDraft, kw_only=True, omit_defaults=False):
    """One set as performed; `set_number` counts within its exercise, from 1."""

    set_number: int = 0


class ExerciseDraft(Struct, kw_only=True, omit_defaults=True):
    """One exercise of a session as somebody writes it, with its sets in order."""

    id: Key | None = None
    """Short, unique within the workout; made by the server when absent."""
    exercise_id: Ref | None = None
    name: Name | None = None
    notes: Note | None = None
    skipped: bool = False
    superset: Label | None = None
    """Exercises with the same label are done in alternation."""
    sets: Sequence[SetDraft] = ()


class ExerciseView(ExerciseDraft, kw_only=True, omit_defaults=False):
    """One exercise of a session; `id` is null for sets whose exercise has gone missing."""

    sets: Sequence[SetView] = ()
    personal_record: bool | None = None
    """Whether a set of it, or all of them together, beat everything before; null where that was not looked for."""


class WorkoutDraft(Struct, kw_only=True, omit_defaults=True):
    """A workout as somebody writes it; what a view shows beside this is derived, and ignored when it is sent back."""

    program_id: Ref | None = None
    week_number: Annotated[int, Meta(ge=1, le=520)] | None = None
    day_number: Annotated[int, Meta(ge=1, le=7)] | None = None
    title: Name | None = None
    date: Date | None = None
    start_time: LocalTime | None = None
    end_time: LocalTime | None = None
    duration_minutes: Annotated[float, Meta(ge=0, le=14_400)] | None = None
    exercises: Sequence[ExerciseDraft] = ()
    fatigue: Score | None = None
    pump: Score | None = None
    mood: Score | None = None
    notes: Note | None = None
    completed: bool | None = None
    source: Annotated[str, Meta(max_length=40)] | None = None


class ValueProblem(Struct, frozen=True):
    """A value that breaks a bound, by its path in the record."""

    field: str
    message: str


class RecordMark(Struct, kw_only=True):
    """A personal record set in this session; `set_id` is null where the session as a whole holds it."""

    kind: str
    exercise_name: str | None
    set_id: str | None
    value: float
    previous: float
    unit: str
    formula: Formula | None = None
    """What an estimated maximum is by; null for what was measured."""


class WorkoutView(WorkoutDraft, kw_only=True, omit_defaults=False):
    """One reconciled workout."""

    id: str
    exercises: Sequence[ExerciseView] = ()
    deleted: bool = False
    needs_review: bool = False
    """Whether the merged values break a bound; `problems` names them."""
    problems: Sequence[ValueProblem] = ()
    total_volume_load_kg: float = 0.0
    """Of loads alone: what the athlete weighed is not in the record."""
    average_rpe: float | None = None
    personal_records: Sequence[RecordMark] | None = None
    """Null where they were not looked for."""
    skipped_exercises: Sequence[str] = ()
    """The library ids of the exercises that were skipped, or the names of those that have none."""


WRITTEN_FIELDS = tuple(name for name in WorkoutDraft.__struct_fields__ if name != "exercises")
EXERCISE_FIELDS = tuple(name for name in ExerciseDraft.__struct_fields__ if name not in ("id", "sets"))
SET_FIELDS = tuple(name for name in SetDraft.__struct_fields__ if name != "id")


def workout_view(
    workout_id: str,
    record: Record,
    *,
    problems: Sequence[FieldProblem] = (),
    records: Iterable[PersonalRecord] | None = None,
) -> WorkoutView:
    """Show a workout; `records` are personal records of its athlete, of which it takes those set in it."""
    marks = None if records is None else [mark for mark in records if mark.workout_id == workout_id]
    totals = session_totals(performed_sets(workout_id, record))
    exercises = [exercise_view(key, entry, sets, marks) for key, entry, sets in exercises_in_order(record)]
    return WorkoutView(
        id=workout_id,
        **{name: shown(getattr(record, name, None)) for name in WRITTEN_FIELDS},
        exercises=exercises,
        deleted=getattr(record, "deleted", None) is True,
        needs_review=bool(problems),
        problems=[ValueProblem(*problem) for problem in problems],
        total_volume_load_kg=as_shown(totals.volume_load_kg),
        average_rpe=None if totals.average_rpe is None else round(totals.average_rpe, 2),
        personal_records=None if marks is None else [_record_mark(mark) for mark in marks],
        skipped_exercises=[name for view in exercises if view.skipped and (name := view.exercise_id or view.name)],
    )


def exercises_in_order(record: Record) -> list[tuple[str | None, Any, list[tuple[str, Any]]]]:
    """List (key, entry, sets) of the exercises that are not deleted, as a reader sees them.

    Sets whose exercise is not in the record come last, under an exercise without key; sets of deleted exercises are
    left out with them.
    """
    logged = getattr(record, "exercises", None)
    known = logged if isinstance(logged, dict) else {}
    live = live_entries(known)
    sets: dict[str | None, list[tuple[str, Any]]] = {key: [] for key, _ in live}
    for set_key, entry in live_entries(getattr(record, "sets", None)):
        exercise = shown(getattr(entry, "exercise", None))
        if exercise in known and exercise not in sets:
            continue
        sets.setdefault(exercise if exercise in known else None, []).append((set_key, entry))
    strays = sets.pop(None, [])
    return [(key, entry, sets[key]) for key, entry in live] + ([(None, None, strays)] if strays else [])


def exercise_view(
    key: str | None, entry: Any, sets: Iterable[tuple[str, Any]], marks: Iterable[PersonalRecord] | None = None
) -> ExerciseView:
    """Show one exercise with its sets; `marks` are the personal records of the session."""
    skipped = getattr(entry, "skipped", None) is True
    views = [
        set_view(set_key, set_entry, number, done=not skipped) for number, (set_key, set_entry) in enumerate(sets, 1)
    ]
    return ExerciseView(
        id=key,
        exercise_id=shown(getattr(entry, "exercise_id", None)),
        name=shown(getattr(entry, "name", None)),
        notes=shown(getattr(entry, "notes", None)),
        skipped=skipped,
        superset=shown(getattr(entry, "superset", None)),
        sets=views,
        personal_record=None if marks is None else _holds_record(shown(getattr(entry, "name", None)), views, marks),
    )


def set_view(key: str, entry: Any, set_number: int, *, done: bool = True) -> SetView:
    """Show one set, its load as it was typed; `done` is what it counts as where nobody said."""
    load_kg = shown(entry.load_kg)
    load, load_unit = load_as_typed(load_kg, shown(entry.load), shown(entry.load_unit))
    completed = shown(entry.completed)
    return SetView(
        id=key,
        set_number=set_number,
        type=shown(entry.type) or "working",
        reps=shown(entry.reps),
        load=load,
        load_unit=load_unit,
        load_kg=load_kg,
        rpe=shown(entry.rpe),
        rir=shown(entry.rir),
        completed=done if completed is None else completed,
        failure_reason=shown(entry.failure_reason),
        distance_m=shown(entry.distance_m),
        duration_seconds=shown(entry.duration_seconds),
        notes=shown(entry.notes),
    )


def _holds_record(name: str | None, sets: Iterable[SetView], marks: Iterable[PersonalRecord]) -> bool:
    """Tell whether a set holds a record, or the exercise as a whole: such a record names it and no set."""
    set_keys = {view.id for view in sets}
    return any(
        mark.set_key in set_keys if mark.set_key is not None else mark.exercise_name == text(name) for mark in marks
    )


def _record_mark(mark: PersonalRecord) -> RecordMark:
    return RecordMark(
        kind=mark.kind,
        exercise_name=mark.exercise_name,
        set_id=mark.set_key,
        value=as_shown(mark.value),
        previous=as_shown(mark.previous),
        unit=mark.unit,
        formula=mark.formula,
    )
