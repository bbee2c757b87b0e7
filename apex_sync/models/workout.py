"""Workout logs: what an athlete really did in one session.

Exercises and sets are two flat maps; a set names its exercise entry, so moving a set is one leaf. Totals, average RPE
and personal records are derived (`apex_sync.coaching`), never stored.

Loads are canonical in kilograms. A load typed in pounds keeps what was typed beside it (`load`, `load_unit`), so 225 lb
shows back as 225 lb; a load typed in kilograms has `load_kg` alone.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from apex_sync.collection import Collection, Entry, Leaf, Record
from apex_sync.errors import FieldProblem
from apex_sync.models.fields import (
    Date,
    Key,
    LocalTime,
    Name,
    Note,
    Ref,
    Score,
    calendar_problems,
    orphan_problems,
    parse_local_time,
)

SetType = Literal["warmup", "working", "dropset", "amrap", "backoff", "failure"]
FailureReason = Literal["technique", "fatigue", "injury", "equipment"]
LoadUnit = Literal["kg", "lb"]


class LoggedExercise(Entry):
    """One exercise of a session, in the order it was done."""

    exercise_id: Leaf[Ref] = UNSET
    name: Leaf[Name] = UNSET
    notes: Leaf[Note] = UNSET
    skipped: Leaf[bool] = UNSET
    superset: Leaf[Annotated[str, Meta(max_length=16)]] = UNSET
    """Entries with the same label are done in alternation."""


class LoggedSet(Entry):
    """One set as performed; `exercise` is the key of its entry in `exercises`."""

    exercise: Leaf[Key] = UNSET
    type: Leaf[SetType] = UNSET
    """Absent means `working`."""
    reps: Leaf[Annotated[int, Meta(ge=0, le=1000)]] = UNSET
    load_kg: Leaf[Annotated[float, Meta(ge=-500, le=2000)]] = UNSET
    """Negative is assistance."""
    load: Leaf[Annotated[float, Meta(ge=-1200, le=4500)]] = UNSET
    load_unit: Leaf[LoadUnit] = UNSET
    rpe: Leaf[Annotated[float, Meta(ge=1, le=10)]] = UNSET
    rir: Leaf[Annotated[float, Meta(ge=0, le=30)]] = UNSET
    completed: Leaf[bool] = UNSET
    """Absent means true: a logged set was done."""
    failure_reason: Leaf[FailureReason] = UNSET
    distance_m: Leaf[Annotated[float, Meta(ge=0, le=1_000_000)]] = UNSET
    duration_seconds: Leaf[Annotated[float, Meta(ge=0, le=864_000)]] = UNSET
    notes: Leaf[Note] = UNSET


class WorkoutLog(Record):
    """One training session."""

    program_id: Leaf[Ref] = UNSET
    week_number: Leaf[Annotated[int, Meta(ge=1, le=520)]] = UNSET
    day_number: Leaf[Annotated[int, Meta(ge=1, le=7)]] = UNSET
    title: Leaf[Name] = UNSET
    date: Leaf[Date] = UNSET
    start_time: Leaf[LocalTime] = UNSET
    end_time: Leaf[LocalTime] = UNSET
    duration_minutes: Leaf[Annotated[float, Meta(ge=0, le=14_400)]] = UNSET
    exercises: dict[Key, LoggedExercise] | UnsetType = UNSET
    sets: dict[Key, LoggedSet] | UnsetType = UNSET
    fatigue: Leaf[Score] = UNSET
    pump: Leaf[Score] = UNSET
    mood: Leaf[Score] = UNSET
    notes: Leaf[Note] = UNSET
    completed: Leaf[bool] = UNSET
    source: Leaf[Annotated[str, Meta(max_length=40)]] = UNSET
    """Where an imported session came from (`strong`, `hevy`, `fitnotes`); absent when it was logged here."""


def _check(log: WorkoutLog) -> list[FieldProblem]:
    problems = calendar_problems(log, "date", "start_time", "end_time")
    start, end = parse_local_time(log.start_time), parse_local_time(log.end_time)
    if start is not None and end is not None and _is_before(end, start):
        problems.append(FieldProblem("end_time", "ends before it starts"))
    problems += orphan_problems(log, "sets", "exercise", "exercises")
    return problems


def _is_before(one: datetime, other: datetime) -> bool:
    """Compare two times; those of which only one has an offset can't be."""
    return (one.tzinfo is None) == (other.tzinfo is None) and one < other


WORKOUT_LOGS = Collection(
    name="workout_logs",
    model=WorkoutLog,
    scope_kinds=frozenset({"athlete"}),
    default_writers=frozenset({"athlete", "coach"}),
    check=_check,
)
