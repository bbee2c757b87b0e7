"""Personal records of an athlete, found anew from the merged history whenever that has changed.

A history is kept with the seq of the athlete's scope it was read at. Any later commit, a late offline set among them,
makes the changed workouts be read again, and the records of their exercises be found again. So nothing here can be out
of date, and a page of workouts does not read ten years of sets each time.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_server.resources.measurings import body_weights_of
from apex_server.sync.sealing import EXERCISE_NAME, DocumentSeal, seal_of_scope
from apex_server.vault import Vault
from apex_sync.coaching.analytics import LoggedExercise, TrainedSession
from apex_sync.coaching.body_weight_lifts import BodyWeights, body_weight_lift, lift_totals
from apex_sync.coaching.exercise_totals import ExerciseTotals, HardSet, hard_set
from apex_sync.coaching.leaves import number, text, whole
from apex_sync.coaching.records import PersonalRecord, personal_records
from apex_sync.coaching.sets import (
    LOAD_KG_MAX,
    LOAD_KG_MIN,
    REPS_MAX,
    RIR_MAX,
    RPE_MAX,
    RPE_MIN,
    PerformedSet,
    exercise_identity,
    identities_of,
    sets_by_exercise,
)
from apex_sync.coaching.strength import StrengthEstimate
from apex_sync.ids import athlete_scope

__all__ = [
    "body_weight_exercises_of",
    "performed_sets_of_workouts",
    "personal_records_of",
    "trained_exercises_of",
]

SETS_KEPT_MAX = 100_000
"""Some 30 MB: ten athletes with ten years of training each, or a hundred with one."""

RECORDS_KEPT_MAX = 200_000
"""Some 60 MB at most: a few hundred athletes with years of training each."""

CHANGED_WORKOUTS_MAX = 200
"""Where more have changed, the whole history is read again."""

_queries = load_queries(__package__)

T = TypeVar("T")


class _History(NamedTuple):
    """What was read at a seq: sets by workout and by exercise, and the records of each exercise."""

    seq: int
    by_workout: Mapping[str, list[PerformedSet]]
    by_exercise: Mapping[str, list[PerformedSet]]
    records: Mapping[str, list[PersonalRecord]]


class _Found(NamedTuple):
    """What of a history is small enough to be kept of many athletes: what names mean in it, and its records."""

    seq: int
    identities: Mapping[tuple[str | None, str | None], str | None]
    records: Mapping[str, list[PersonalRecord]]


_NOTHING = _History(-1, {}, {}, {})
_kept: "OrderedDict[UUID, _History]" = OrderedDict()
_found: "OrderedDict[UUID, _Found]" = OrderedDict()


class Trained(NamedTuple):
    """The lines of an athlete's exercises through some days, by identity, and all personal records of each exercise."""

    lines: Mapping[str, list[TrainedSession]]
    records: Mapping[str, list[PersonalRecord]]


async def personal_records_of(connection: Connection, vault: Vault, athlete_id: UUID) -> list[PersonalRecord]:
    """List the personal records of an athlete whom the caller may read, in no particular order."""
    found = await _found_of(connection, vault, athlete_id)
    return [record for records in found.records.values() for record in records]


async def trained_exercises_of(
    connection: Connection, vault: Vault, athlete_id: UUID, first: date, last: date
) -> Trained:
    """Read what an athlete trained from one day to another, whom the caller may read."""
    found = await _found_of(connection, vault, athlete_id)
    rows = await connection.fetch(_queries.list_trained_sessions, athlete_id, first, last)
    if not rows:
        return Trained({}, found.records)
    seal = await seal_of_scope(connection, vault, athlete_scope(str(athlete_id)))
    names = {name: text(seal.open_name(name, EXERCISE_NAME)) for name in {row["name"] for row in rows}}
    known_as = {(row["exercise_id"], row["name"]): names[row["name"]] for row in rows}
    lifted = await _body_weight_totals(connection, athlete_id, known_as, first, last)
    lines: dict[str, list[TrainedSession]] = {}
    for record_id, exercise_key, on, exercise_id, sealed_name, *totals in rows:
        name = names[sealed_name]
        identity = found.identities.get((exercise_id, name)) or exercise_identity(exercise_id, name)
        if identity:
            workout_id = str(record_id)
            counted = lifted.get((workout_id, exercise_key)) or totals_of_row(*totals)
            lines.setdefault(identity, []).append(TrainedSession(workout_id, on, name, counted))
    return Trained(lines, found.records)


async def body_weight_exercises_of(
    connection: Connection,
    athlete_id: UUID,
    known_as: Mapping[tuple[str | None, bytes | None], str | None],
    first: date,
    last: date,
) -> list[LoggedExercise]:
    """List the lifts in which the body moves; `known_as` are all exercises of those days, with their opened names."""
    lifts = {pair for pair, name in known_as.items() if body_weight_lift(pair[0], name)}
    if not lifts:
        return []
    ids = [exercise_id for exercise_id, _ in lifts if exercise_id is not None]
    names = [name for exercise_id, name in lifts if exercise_id is None]
    rows = await connection.fetch(_queries.list_sets_of_exercises, athlete_id, first, last, ids, names)
    logged = []
    for place, members in groupby(rows, key=itemgetter(0, 1, 2, 3, 4)):
        record_id, exercise_key, on, exercise_id, sealed_name = place
        if (exercise_id, sealed_name) in lifts:
            sets = [hard for row in members if (hard := _hard_set(*row[5:])) is not None]
            name = known_as[exercise_id, sealed_name]
            logged.append(LoggedExercise(str(record_id), exercise_key, on, exercise_id, name, sets))
    return logged


@lru_cache(maxsize=4096)
def _hard_set(
    kind: str,
    reps: int | None,
    load_kg: float | None,
    rpe: float | None,
    rir: float | None,
    completed: bool,
    later_drop: bool,
) -> HardSet | None:
    """Read the leaves of a set as `performed_sets_of` does; the same recur for a year of training."""
    return hard_set(
        kind=kind,
        reps=whole(reps, 0, REPS_MAX),
        load_kg=number(load_kg, LOAD_KG_MIN, LOAD_KG_MAX),
        rpe=number(rpe, RPE_MIN, RPE_MAX),
        rir=number(rir, 0.0, RIR_MAX),
        completed=completed,
        later_drop=later_drop,
    )


async def _body_weight_totals(
    connection: Connection,
    athlete_id: UUID,
    known_as: Mapping[tuple[str | None, bytes | None], str | None],
    first: date,
    last: date,
) -> dict[tuple[str, str], ExerciseTotals]:
    """Give what lifts in which the body moves come to, by workout and exercise key; no row of theirs can hold it."""
    logged = await body_weight_exercises_of(connection, athlete_id, known_as, first, last)
    weights = await body_weights_of(connection, athlete_id, last) if logged else BodyWeights()
    return {
        (each.workout_id, each.exercise_key): lift_totals(
            each.sets, body_weight_lift(each.exercise_id, each.name), weights.on(each.date)
        )
        for each in logged
    }


def totals_of_row(
    hard_sets: float,
    volume_load_kg: float,
    top_load_kg: float | None,
    top_reps: int | None,
    top_rpe: float | None,
    epley_kg: float | None,
    epley_low_confidence: bool,
    rpe_table_kg: float | None,
    rpe_table_low_confidence: bool,
) -> ExerciseTotals:
    """Read what an exercise came to in a session, as `apex_server.sync.projections` wrote it out."""
    return ExerciseTotals(
        hard_sets=hard_sets,
        volume_load_kg=volume_load_kg,
        top_load_kg=top_load_kg,
        top_reps=top_reps,
        top_rpe=top_rpe,
        epley=None if epley_kg is None else StrengthEstimate(epley_kg, "epley", epley_low_confidence),
        rpe_table=None
        if rpe_table_kg is None
        else StrengthEstimate(rpe_table_kg, "rpe_table", rpe_table_low_confidence),
    )


async def _found_of(connection: Connection, vault: Vault, athlete_id: UUID) -> _Found:
    # The seq is read first: what is kept for it may then be newer, and never older.
    seq = await connection.fetchval(_queries.get_scope_seq, athlete_id)
    if seq is None:
        return _Found(-1, {}, {})
    found = _found.pop(athlete_id, None)
    if found is None or found.seq != seq:
        history = _kept.pop(athlete_id, _NOTHING)
        if history.seq != seq:
            history = await _brought_up_to(connection, vault, athlete_id, history, seq)
        _keep(_kept, athlete_id, history, _size, SETS_KEPT_MAX)
        named = {(each.exercise_id, each.exercise_name) for sets in history.by_workout.values() for each in sets}
        found = _Found(seq, identities_of(named), history.records)
    _keep(_found, athlete_id, found, _count, RECORDS_KEPT_MAX)
    return found


async def performed_sets_of_workouts(
    connection: Connection, vault: Vault, athlete_id: UUID, workout_ids: Sequence[UUID] | None = None
) -> list[PerformedSet]:
    """List the dated sets of some workouts of an athlete, or of all; those of one workout stand together."""
    rows = await connection.fetch(_queries.list_performed_sets, athlete_id, workout_ids)
    if not rows:
        return []
    named = await connection.fetch(_queries.list_performed_exercises, athlete_id, workout_ids)
    seal = await seal_of_scope(connection, vault, athlete_scope(str(athlete_id)))
    return list(performed_sets_of(rows, named, seal))


async def _brought_up_to(
    connection: Connection, vault: Vault, athlete_id: UUID, history: _History, seq: int
) -> _History:
    changed: list[UUID] | None = None
    if 0 <= history.seq < seq:
        rows = await connection.fetch(_queries.list_changed_workouts, athlete_id, history.seq, CHANGED_WORKOUTS_MAX + 1)
        changed = [row["record_id"] for row in rows] if len(rows) <= CHANGED_WORKOUTS_MAX else None
    gone = set(history.by_workout) if changed is None else {str(workout_id) for workout_id in changed}
    by_workout = {workout_id: sets for workout_id, sets in history.by_workout.items() if workout_id not in gone}
    if changed is None or changed:
        read = groupby(await performed_sets_of_workouts(connection, vault, athlete_id, changed), key=_workout_id)
        by_workout |= {workout_id: list(sets) for workout_id, sets in read}
    by_exercise = sets_by_exercise(performed for sets in by_workout.values() for performed in sets)
    records = {
        exercise: history.records[exercise] if history.by_exercise.get(exercise) == sets else personal_records(sets)
        for exercise, sets in by_exercise.items()
    }
    return _History(seq, by_workout, by_exercise, records)


def _keep(kept: "OrderedDict[UUID, T]", athlete_id: UUID, history: T, size: Callable[[T], int], size_max: int) -> None:
    """Keep what was read, and forget what nobody asked for longest."""
    kept[athlete_id] = history
    while len(kept) > 1 and sum(map(size, kept.values())) > size_max:
        kept.popitem(last=False)


def _size(history: _History) -> int:
    return sum(len(sets) for sets in history.by_exercise.values())


def _count(found: _Found) -> int:
    return sum(len(records) for records in found.records.values())


def _workout_id(performed: PerformedSet) -> str:
    return performed.workout_id


def performed_sets_of(rows: Iterable[Any], named: Iterable[Any], seal: DocumentSeal) -> Iterator[PerformedSet]:
    """Read rows of logged sets as `apex_sync.coaching.sets.performed_sets` reads the records they were made from.

    Those of one workout stand together; what they have in common is read once.
    """
    opened: dict[bytes | None, str | None] = {}
    exercises: dict[UUID, dict[str | None, tuple[str | None, str | None]]] = {}
    for record_id, exercise_key, exercise_id, name in named:
        if name not in opened:
            opened[name] = text(seal.open_name(name, EXERCISE_NAME))
        exercises.setdefault(record_id, {})[exercise_key] = (exercise_id, opened[name])
    for record_id, rows_of_workout in groupby(rows, key=itemgetter(0)):
        logged = list(rows_of_workout)
        _, _, _, on, start_time, *_ = logged[0]
        workout_id, day, known = str(record_id), on.isoformat(), exercises.get(record_id, {})
        performed_at = f"{day}T{start_time.time().isoformat('microseconds')}" if start_time else day
        for (
            _, set_key, exercise_key, _, _, position, kind, reps, load_kg, load_unit, rpe, rir, completed,
            failure_reason, later_drop,
        ) in logged:  # fmt: skip
            exercise_id, exercise_name = known.get(exercise_key, (None, None))
            yield PerformedSet(
                workout_id=workout_id,
                set_key=set_key,
                exercise_key=exercise_key or "",
                exercise_id=exercise_id,
                exercise_name=exercise_name,
                date=on,
                performed_at=performed_at,
                position=position,
                type=kind,
                reps=whole(reps, 0, REPS_MAX),
                load_kg=number(load_kg, LOAD_KG_MIN, LOAD_KG_MAX),
                load_unit=load_unit or "kg",
                rpe=number(rpe, RPE_MIN, RPE_MAX),
                rir=number(rir, 0.0, RIR_MAX),
                completed=completed,
                later_drop=later_drop,
                failure_reason=failure_reason,
            )
