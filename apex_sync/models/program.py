"""Training programs: weeks, days, exercises and prescribed sets, as flat maps that name their parent.

Flat maps make every move one leaf, and let two people edit different days at once. A program is assigned to an athlete
as a record of its own (`source_id` names the template), so an edit to a template never rewrites what an athlete
follows.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from apex_sync.collection import Collection, Entry, Leaf, Record
from apex_sync.errors import FieldProblem
from apex_sync.models.body import WeightUnit
from apex_sync.models.fields import Date, Key, Name, Note, Ref, calendar_problems, order_problems

Names = list[Name]
PlannedSetType = Literal["warmup", "working", "dropset", "amrap", "backoff"]


class Week(Entry):
    """One week; `week_number` from 1."""

    week_number: Leaf[Annotated[int, Meta(ge=1, le=104)]] = UNSET
    description: Leaf[Note] = UNSET
    deload: Leaf[bool] = UNSET


class TrainingDay(Entry):
    """One session of a week; `day_number` 1 (Monday) to 7."""

    week: Leaf[Key] = UNSET
    day_number: Leaf[Annotated[int, Meta(ge=1, le=7)]] = UNSET
    name: Leaf[Name] = UNSET
    focus: Leaf[Names] = UNSET
    notes: Leaf[Note] = UNSET
    estimated_duration_minutes: Leaf[Annotated[int, Meta(ge=0, le=1440)]] = UNSET


class PlannedExercise(Entry):
    """One exercise of a day."""

    day: Leaf[Key] = UNSET
    exercise_id: Leaf[Ref] = UNSET
    name: Leaf[Name] = UNSET
    rest_seconds: Leaf[Annotated[int, Meta(ge=0, le=3600)]] = UNSET
    tempo: Leaf[Annotated[str, Meta(max_length=20)]] = UNSET
    superset: Leaf[Annotated[str, Meta(max_length=16)]] = UNSET
    circuit_order: Leaf[Annotated[int, Meta(ge=0, le=100)]] = UNSET
    dropset: Leaf[bool] = UNSET
    notes: Leaf[Note] = UNSET
    coaching_cues: Leaf[Names] = UNSET
    """For this athlete and day; those of the exercise itself are in the library."""


class PlannedSet(Entry):
    """One prescribed set; a rep range is `reps_min` to `reps_max`, AMRAP is the set type.

    A load is absolute (`load_kg`, with `load` as typed where that was pounds) or a share of the one-repetition maximum.
    """

    exercise: Leaf[Key] = UNSET
    type: Leaf[PlannedSetType] = UNSET
    reps_min: Leaf[Annotated[int, Meta(ge=0, le=1000)]] = UNSET
    reps_max: Leaf[Annotated[int, Meta(ge=0, le=1000)]] = UNSET
    rpe: Leaf[Annotated[float, Meta(ge=1, le=10)]] = UNSET
    rir: Leaf[Annotated[float, Meta(ge=0, le=30)]] = UNSET
    load_kg: Leaf[Annotated[float, Meta(ge=-500, le=2000)]] = UNSET
    load: Leaf[Annotated[float, Meta(ge=-1200, le=4500)]] = UNSET
    load_unit: Leaf[WeightUnit] = UNSET
    load_percent: Leaf[Annotated[float, Meta(ge=0, le=150)]] = UNSET
    tempo: Leaf[Annotated[str, Meta(max_length=20)]] = UNSET
    rest_before_seconds: Leaf[Annotated[int, Meta(ge=0, le=3600)]] = UNSET


class Program(Record):
    """A program as the athlete follows it; the coach's private remarks live in another scope."""

    name: Leaf[Name] = UNSET
    description: Leaf[Note] = UNSET
    type: Leaf[Literal["hypertrophy", "strength", "conditioning", "hybrid"]] = UNSET
    difficulty: Leaf[Literal["beginner", "intermediate", "advanced"]] = UNSET
    start_date: Leaf[Date] = UNSET
    end_date: Leaf[Date] = UNSET
    duration_weeks: Leaf[Annotated[int, Meta(ge=1, le=104)]] = UNSET
    status: Leaf[Literal["draft", "active", "completed", "archived"]] = UNSET
    weekly_volume: Leaf[Literal["low", "moderate", "high"]] = UNSET
    intensity_zone: Leaf[Literal["RPE 6-7", "RPE 7-8", "RPE 8-10"]] = UNSET
    goals: Leaf[Names] = UNSET
    notes: Leaf[Note] = UNSET
    athlete_feedback: Leaf[Note] = UNSET
    source_id: Leaf[Ref] = UNSET
    weeks: dict[Key, Week] | UnsetType = UNSET
    days: dict[Key, TrainingDay] | UnsetType = UNSET
    exercises: dict[Key, PlannedExercise] | UnsetType = UNSET
    sets: dict[Key, PlannedSet] | UnsetType = UNSET


def _check(program: Program) -> list[FieldProblem]:
    """Find what makes no sense as a whole; half-written programs are whole again with the next edit."""
    return [
        *calendar_problems(program, "start_date", "end_date"),
        *order_problems(program, "start_date", "end_date"),
        *_lone_members(program),
        *_ranges_upside_down(program),
    ]


def _lone_members(program: Program) -> Iterator[FieldProblem]:
    """Find supersets of one: a label that no other exercise of its day has."""
    members: dict[tuple[str, str], list[str]] = {}
    for key, exercise in (program.exercises or {}).items():
        if exercise.superset and exercise.deleted is not True:
            members.setdefault((str(exercise.day), exercise.superset), []).append(key)
    for keys in members.values():
        if len(keys) == 1:
            yield FieldProblem(f"exercises.{keys[0]}.superset", "is a superset of one: nothing to alternate with")


def _ranges_upside_down(program: Program) -> Iterator[FieldProblem]:
    for key, planned in (program.sets or {}).items():
        low, high = planned.reps_min, planned.reps_max
        if isinstance(low, int) and isinstance(high, int) and high < low and planned.deleted is not True:
            yield FieldProblem(f"sets.{key}.reps_max", "is less than `reps_min`")


PROGRAMS = Collection(
    name="programs",
    model=Program,
    scope_kinds=frozenset({"athlete", "private", "coach"}),
    default_writers=frozenset({"coach"}),
    writers={"athlete_feedback": frozenset({"athlete"})},
    check=_check,
    version=2,
)
