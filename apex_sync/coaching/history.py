"""An athlete's training as the rules read it: every workout log once, grouped by exercise and by session."""

import datetime
from collections.abc import Iterable, Mapping

from msgspec import Struct

from apex_sync.coaching.adherence import DoneSession, done_session
from apex_sync.coaching.exposures import Exposure, exposures
from apex_sync.coaching.plan import Plan, Slot
from apex_sync.coaching.profile import ExerciseTraits, Library, traits_of_logged
from apex_sync.coaching.sets import PerformedSet, performed_sets, session_date, sets_by_exercise
from apex_sync.collection import Record


class TrainingHistory(Struct, frozen=True, kw_only=True):
    """Everything up to a day. Mappings by exercise are keyed by exercise identity, in its order.

    `deload_workouts` are the sessions of planned deload weeks: they count as done, and for nothing else.
    """

    as_of: datetime.date
    records: Mapping[str, Record]
    dates: Mapping[str, datetime.date]
    sets_by_workout: Mapping[str, list[PerformedSet]]
    sets_by_exercise: Mapping[str, list[PerformedSet]]
    exposures_by_exercise: Mapping[str, list[Exposure]]
    sessions: tuple[DoneSession, ...]
    slots: Mapping[str, Slot]
    deload_workouts: frozenset[str]

    def hard_exposures(self, exercise: str) -> list[Exposure]:
        """List the exposures of an exercise outside deload weeks, oldest first."""
        return [e for e in self.exposures_by_exercise.get(exercise, []) if e.workout_id not in self.deload_workouts]

    def name(self, exercise: str) -> str:
        """Give the name that the athlete's logs last used for an exercise."""
        names = (performed.exercise_name for performed in reversed(self.sets_by_exercise.get(exercise, [])))
        return next((name for name in names if name), "")

    def traits(self, exercise: str, library: Library) -> ExerciseTraits | None:
        """Give what a library says of an exercise, as the athlete's logs name it; None where it has none of it."""
        sets = self.sets_by_exercise.get(exercise, [])
        return traits_of_logged(library, exercise, ((each.exercise_id, each.exercise_name) for each in sets))

    def workouts_since(self, first: datetime.date) -> list[str]:
        """List the workouts from a day on, oldest first."""
        return sorted((id_ for id_, on in self.dates.items() if on >= first), key=lambda id_: (self.dates[id_], id_))


def read_history(
    workouts: Iterable[tuple[str, Record]], *, as_of: datetime.date, plan: Plan | None = None
) -> TrainingHistory:
    """Read workout logs, given by id in any order; those after `as_of`, without a day, or deleted are left out."""
    records: dict[str, Record] = {}
    dates: dict[str, datetime.date] = {}
    for workout_id, record in workouts:
        on = session_date(record)
        if on is not None and on <= as_of and getattr(record, "deleted", None) is not True:
            records[workout_id], dates[workout_id] = record, on
    sets_by_workout = {workout_id: performed_sets(workout_id, records[workout_id]) for workout_id in sorted(records)}
    grouped = sets_by_exercise(performed for sets in sets_by_workout.values() for performed in sets)
    sessions = tuple(
        session
        for workout_id, sets in sets_by_workout.items()
        if (session := done_session(workout_id, records[workout_id], sets)) is not None
    )
    slots = _slots(sessions, plan)
    return TrainingHistory(
        as_of=as_of,
        records=records,
        dates=dates,
        sets_by_workout=sets_by_workout,
        sets_by_exercise=grouped,
        exposures_by_exercise={exercise: exposures(sets) for exercise, sets in grouped.items()},
        sessions=sessions,
        slots=slots,
        deload_workouts=frozenset(
            id_ for id_, on in dates.items() if plan is not None and _in_deload(plan, slots.get(id_), on)
        ),
    )


def _slots(sessions: Iterable[DoneSession], plan: Plan | None) -> dict[str, Slot]:
    """Give the place in the program of the sessions that name one in it."""
    return {
        session.workout_id: (session.week_number, session.day_number)
        for session in sessions
        if plan is not None and plan.program_id is not None and session.program_id == plan.program_id
        if session.week_number is not None and session.day_number is not None
    }


def _in_deload(plan: Plan, slot: Slot | None, on: datetime.date) -> bool:
    """Say whether a session belongs to a deload week: by its place in the program, else by its day."""
    return slot[0] in plan.deload_weeks if slot else plan.deload_on(on)
