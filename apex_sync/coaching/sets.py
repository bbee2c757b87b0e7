"""The sets of a workout as one flat list, and which of them count.

`performed_sets` is total: any record, even one that breaks bounds or lacks leaves, gives a list and never an error.

A set counts as *working* (a hard set) when it was completed, has at least one rep, is no warm-up, and its effort,
where it was logged, was at least RPE 6. Source: hard sets are those ended 0-4 reps short of failure [V, RP volume
landmarks].
"""

import datetime
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from apex_sync.coaching.exercise_library import builtin_id
from apex_sync.coaching.leaves import day, live_entries, local_day, number, text, wall_clock, whole
from apex_sync.collection import Record

DROP, WARMUP = "dropset", "warmup"

HARD_RPE_MIN = 6.0
"""Below this a set is not hard, and reps in reserve can't be told from RPE [V, RP: 0-4 reps from failure]."""

LATER_DROP_SHARE = 0.5
"""How much of a hard set the second and later drops of a drop set are; the first drop is a whole one [D]."""

EFFORT_MISMATCH_MAX = 0.5
"""RPE + RIR may miss 10 by this much before the two contradict each other [D]."""

REPS_MAX = 1000
LOAD_KG_MIN, LOAD_KG_MAX = -500.0, 2000.0
RPE_MIN, RPE_MAX = 1.0, 10.0
RIR_MAX = 30.0
"""The bounds of the workout model; a test holds the two together."""


class PerformedSet(Struct, frozen=True, kw_only=True, gc=False):
    """One logged set with its exercise and day written out.

    `performed_at` sorts sessions in the athlete's own wall-clock time (imports know no zone); a session without a
    start time sorts first on its day. `position` counts through the whole session. `date` is None where no day is
    known.
    """

    workout_id: str
    set_key: str
    exercise_key: str
    exercise_id: str | None
    exercise_name: str | None
    date: datetime.date | None
    performed_at: str
    position: int
    type: str
    reps: int | None
    load_kg: float | None
    load_unit: str
    """The unit the athlete typed, `kg` or `lb`; `load_kg` is canonical all the same."""
    rpe: float | None
    rir: float | None
    completed: bool
    later_drop: bool = False
    """A drop set that follows another drop set of the same exercise."""
    failure_reason: str | None = None

    @property
    def exercise(self) -> str | None:
        """What makes two sets the same exercise; None where the entry names neither id nor name."""
        return exercise_identity(self.exercise_id, self.exercise_name)


def performed_sets(workout_id: str, record: Record) -> list[PerformedSet]:
    """List the live sets of a workout log in the order a reader sees them.

    Deleted sets, and sets of deleted exercises, are left out; sets not completed stay, marked so. In an exercise
    marked as skipped only sets explicitly completed count as done. A set whose exercise entry is missing keeps no
    name.
    """
    if getattr(record, "deleted", None) is True:
        return []
    on = session_date(record)
    at = session_time(record, on)
    performed: list[PerformedSet] = []
    for exercise_key, exercise, entries in _sets_by_exercise(record):
        exercise_id = text(getattr(exercise, "exercise_id", None))
        exercise_name = text(getattr(exercise, "name", None))
        skipped = getattr(exercise, "skipped", None) is True
        after_drop = False
        for set_key, entry in entries:
            kind = text(entry.type) or "working"
            flag = entry.completed
            completed = flag if isinstance(flag, bool) else not skipped
            later_drop = kind == DROP and after_drop
            performed.append(
                PerformedSet(
                    workout_id=workout_id,
                    set_key=set_key,
                    exercise_key=exercise_key,
                    exercise_id=exercise_id,
                    exercise_name=exercise_name,
                    date=on,
                    performed_at=at,
                    position=len(performed),
                    type=kind,
                    reps=whole(entry.reps, 0, REPS_MAX),
                    load_kg=number(entry.load_kg, LOAD_KG_MIN, LOAD_KG_MAX),
                    load_unit="lb" if entry.load_unit == "lb" else "kg",
                    rpe=number(entry.rpe, RPE_MIN, RPE_MAX),
                    rir=number(entry.rir, 0.0, RIR_MAX),
                    completed=completed,
                    later_drop=later_drop,
                    failure_reason=text(entry.failure_reason),
                )
            )
            after_drop = starts_drops(kind, completed, later_drop)
    return performed


def starts_drops(kind: str, completed: bool, later_drop: bool) -> bool:
    """Say whether a drop set right after a set of the same exercise is a later drop of it."""
    return kind == DROP and (completed or later_drop)


def effort_rpe(performed: PerformedSet) -> float | None:
    """Give the effort of a set as RPE, from whichever of RPE and RIR was logged.

    Where the two contradict each other RIR is believed [D]; `effort_conflicts` tells that they do.
    """
    return effort(performed.rpe, performed.rir)


def effort(rpe: float | None, rir: float | None) -> float | None:
    """Give the same from the two leaves, each within its bounds or None."""
    if rir is None or (rpe is not None and not _conflict(rpe, rir)):
        return rpe
    return max(RPE_MIN, 10.0 - rir)


def effort_conflicts(performed: PerformedSet) -> bool:
    """Say whether the RPE and the RIR of a set contradict each other (RIR is 10 - RPE [R, Zourdos 2016])."""
    return _conflict(performed.rpe, performed.rir)


def counts_as_working(performed: PerformedSet) -> bool:
    """Say whether a set is a hard set; one without logged effort is."""
    return working_share(performed) > 0


def working_share(performed: PerformedSet) -> float:
    """Give how many hard sets a set is: 0, 1, or a half for the later drops of a drop set."""
    return hard_share(
        kind=performed.type,
        reps=performed.reps,
        rpe=performed.rpe,
        rir=performed.rir,
        completed=performed.completed,
        later_drop=performed.later_drop,
    )


def hard_share(
    *, kind: str, reps: int | None, rpe: float | None, rir: float | None, completed: bool, later_drop: bool
) -> float:
    """Give the same of a set that is told by its leaves, each within its bounds or None."""
    if not completed or not reps or kind == WARMUP:
        return 0.0
    logged = effort(rpe, rir)
    if logged is not None and logged < HARD_RPE_MIN:
        return 0.0
    return LATER_DROP_SHARE if later_drop else 1.0


def session_date(record: Record) -> datetime.date | None:
    """Give the day of a workout: its `date`, or the day it started."""
    return day(getattr(record, "date", None)) or local_day(getattr(record, "start_time", None))


def session_time(record: Record, on: datetime.date | None) -> str:
    """Give the sort key of a workout in time: its day, then the time it started; empty where no day is known."""
    if on is None:
        return ""
    clock = wall_clock(getattr(record, "start_time", None))
    return f"{on.isoformat()}T{clock}" if clock else on.isoformat()


def exercise_identity(exercise_id: str | None, name: str | None) -> str | None:
    """Give what makes two logged exercises the same: the id in the library, else the name without case and spacing.

    >>> exercise_identity(None, "  Bench  Press ")
    'name:bench press'
    """
    if exercise_id:
        return f"id:{exercise_id}"
    folded = fold_name(name) if name else ""
    return f"name:{folded}" if folded else None


def identities(exercise_id: str | None, name: str | None) -> list[str]:
    """Give what an exercise of a program is known by: its id, else the one that its name has in the library; its name.

    >>> identities("7", "Bench"), identities(None, "RDL") == identities(builtin_id("Romanian Deadlift"), "rdl")
    (['id:7', 'name:bench'], True)
    """
    known = exercise_identity(exercise_id or (builtin_id(name) if name else None), None), exercise_identity(None, name)
    return [identity for identity in known if identity is not None]


@lru_cache(maxsize=4096)
def fold_name(name: str) -> str:
    """Fold a name for comparison: compatibility forms, case and spacing do not tell exercises apart."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def identities_of(named: Iterable[tuple[str | None, str | None]]) -> dict[tuple[str | None, str | None], str | None]:
    """Give the exercise that each pair of id and name means, among all pairs of a history; None where it names none.

    A name that stands beside exactly one library id anywhere means that exercise also where it stands alone, as it
    does in imports; one that stands beside none means what the built-in library calls so.

    >>> known = identities_of([("7", "Bench Press"), (None, "bench press"), (None, "RDL"), (None, "Romanian Deadlift")])
    >>> known[None, "bench press"], known[None, "RDL"] == known[None, "Romanian Deadlift"]
    ('id:7', True)
    """
    pairs = set(named)
    ids_by_name: dict[str, set[str]] = {}
    for exercise_id, name in pairs:
        if exercise_id and name:
            ids_by_name.setdefault(fold_name(name), set()).add(exercise_id)
    identities = {}
    for exercise_id, name in pairs:
        meant = _id_meant(name, ids_by_name.get(fold_name(name), set())) if name and not exercise_id else exercise_id
        identities[exercise_id, name] = exercise_identity(meant, name)
    return identities


def _id_meant(name: str, ids: set[str]) -> str | None:
    """Give the id that a name means which stands beside these elsewhere; beside several it means neither of them."""
    return builtin_id(name) if not ids else next(iter(ids)) if len(ids) == 1 else None


def sets_by_exercise(sets: Iterable[PerformedSet]) -> dict[str, list[PerformedSet]]:
    """Group sets by exercise over a whole history, in the order of the identities (`identities_of`).

    Sets that name no exercise are left out.
    """
    groups: dict[tuple[str | None, str | None], list[PerformedSet]] = {}
    for performed in sets:
        groups.setdefault((performed.exercise_id, performed.exercise_name), []).append(performed)
    by_exercise: dict[str, list[PerformedSet]] = {}
    for pair, identity in identities_of(groups).items():
        if identity:
            by_exercise.setdefault(identity, []).extend(groups[pair])
    return {identity: sorted(by_exercise[identity], key=event_order) for identity in sorted(by_exercise)}


def event_order(performed: PerformedSet) -> tuple[str, str, int]:
    """Give the sort key of a set in time; workouts that began at one moment are ordered by id."""
    return performed.performed_at, performed.workout_id, performed.position


def _sets_by_exercise(record: Record) -> list[tuple[str, Any, list[tuple[str, Any]]]]:
    """List (exercise key, exercise entry or None, sets) in reading order; sets of unknown exercises come last."""
    logged = getattr(record, "exercises", None)
    known = logged if isinstance(logged, dict) else {}
    entries: dict[str, list[tuple[str, Any]]] = {}
    for set_key, entry in live_entries(getattr(record, "sets", None)):
        if _is_set(entry):
            entries.setdefault(text(entry.exercise) or "", []).append((set_key, entry))
    groups = [(key, exercise, entries.pop(key)) for key, exercise in live_entries(known) if key in entries]
    return groups + [(key, None, entries[key]) for key in sorted(entries) if key not in known]


def _is_set(entry: Any) -> bool:
    return isinstance(entry, Struct) and {"exercise", "reps", "load_kg"} <= set(entry.__struct_fields__)


def _conflict(rpe: float | None, rir: float | None) -> bool:
    return rpe is not None and rir is not None and abs(rpe + rir - 10.0) > EFFORT_MISMATCH_MAX
