"""What training adds up to over weeks: sets of muscles and exercises, lines of strength, weeks of adherence.

The same figures on a device, which counts its own sets (`tallies_of`), and on the server, where Postgres counts them
from what stands beside each session and exercise; a property test holds the two together. What is made of a tally or
of a session is written here alone.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import groupby
from math import fsum
from operator import attrgetter
from typing import Literal, NamedTuple

from msgspec import Struct

from apex_sync.coaching.adherence import DoneSession, weekly_adherence
from apex_sync.coaching.body_weight_lifts import (
    BodyWeightLift,
    BodyWeights,
    body_weight_lift,
    lift_totals,
    moved_sets,
    reps_apart,
)
from apex_sync.coaching.exercise_totals import NO_TOTALS, ExerciseTotals, HardSet, hard_set_of, merged_totals
from apex_sync.coaching.exposures import exposures
from apex_sync.coaching.plan import ScheduledSession
from apex_sync.coaching.profile import Library, traits_of_logged
from apex_sync.coaching.records import PersonalRecord, record_as_shown
from apex_sync.coaching.rounding import as_shown
from apex_sync.coaching.sets import PerformedSet, identities_of
from apex_sync.coaching.strength import Formula, StrengthEstimate
from apex_sync.coaching.trend import rate_per_week
from apex_sync.coaching.weeks import days_before, monday_of


class Tally(Struct, frozen=True, array_like=True, gc=False):
    """The hard sets of one exercise, as it was named, in one ISO week; later drops count as halves."""

    week: datetime.date
    exercise_id: str | None
    name: str | None
    sets: float
    volume_load_kg: float
    body_weight_reps: int = 0


class MuscleWeek(Struct, frozen=True, kw_only=True, gc=False):
    """The hard sets of a muscle in the week of a Monday; `fractional_sets` counts indirect ones as halves."""

    week: datetime.date
    muscle: str
    direct_sets: float
    fractional_sets: float


class ExerciseWeek(Struct, frozen=True, kw_only=True, gc=False):
    """The hard sets of an exercise in the week of a Monday.

    `muscles` is what one set of it gives each muscle; null where no library knows the exercise, so that its sets are
    in no muscle's figures. `body_weight_reps` are of days whose body weight is not known, and in no volume load.
    """

    week: datetime.date
    exercise_id: str | None
    name: str | None
    sets: float
    volume_load_kg: float
    body_weight_reps: int
    muscles: Mapping[str, float] | None


class Volume(Struct, frozen=True, kw_only=True):
    """Weekly hard sets, by muscle and by exercise, the oldest week first."""

    muscles: list[MuscleWeek]
    exercises: list[ExerciseWeek]


class AdherenceWeek(Struct, frozen=True, kw_only=True, gc=False):
    """Sessions done (parts count as parts) of those due in a complete ISO week; null per cent where none was due."""

    week: datetime.date
    due: int
    done: float
    percent: float | None


class LoggedExercise(NamedTuple):
    """The hard sets of an exercise in a session, as it was named there."""

    workout_id: str
    exercise_key: str
    date: datetime.date
    exercise_id: str | None
    name: str | None
    sets: Sequence[HardSet]


class TrainedSession(Struct, frozen=True, gc=False):
    """What the hard sets of an exercise came to in a session, or in one place of it where it stands there twice."""

    workout_id: str
    date: datetime.date
    exercise_name: str | None
    totals: ExerciseTotals


class ProgressPoint(Struct, frozen=True, kw_only=True, gc=False):
    """One day of an exercise: its heaviest set, and the best estimate of the one-rep maximum where there is one.

    `workout_id` is the session of the heaviest set: a light one later that day adds its sets and takes nothing away.
    Of a lift with body weight `top_load_kg` is what hangs on the body, negative where that is assistance; volume load
    and estimate are of all that moves, and null or in `body_weight_reps` where the body weight is not known.
    """

    workout_id: str
    date: datetime.date
    sets: float
    volume_load_kg: float
    body_weight_reps: int
    top_load_kg: float | None
    top_reps: int
    top_rpe: float | None
    e1rm_kg: float | None
    low_confidence: bool


class ExerciseProgress(Struct, frozen=True, kw_only=True):
    """The line of one exercise, oldest day first; all estimates are by the one `formula`, records by their own.

    `percent_per_week` is the slope of the estimates against their mean; where it is null, `percent_per_week_missing`
    says why.
    """

    exercise_id: str | None
    name: str | None
    formula: Formula
    points: list[ProgressPoint]
    percent_per_week: float | None
    percent_per_week_missing: Literal["not_enough_data"] | None
    records: list[PersonalRecord]


def tallies_of(sets: Iterable[PerformedSet], weights: BodyWeights) -> list[Tally]:
    """Count hard sets by week and exercise as it was named; sets without a day are left out.

    `weights` are the athlete's, for lifts in which the body moves.
    """
    return tallies_of_exercises(_logged_exercises(sets), weights)


def tallies_of_exercises(logged: Iterable[LoggedExercise], weights: BodyWeights) -> list[Tally]:
    """Count the same of exercises whose hard sets are found already, in any order."""
    hard_sets: dict[tuple[datetime.date, str | None, str | None], list[HardSet]] = {}
    reps: Counter[tuple[datetime.date, str | None, str | None]] = Counter()
    for each in logged:
        key = (monday_of(each.date), each.exercise_id, each.name)
        lift = body_weight_lift(each.exercise_id, each.name)
        counted = each.sets if lift is None else moved_sets(each.sets, lift, weights.on(each.date))
        hard_sets.setdefault(key, []).extend(counted)
        reps[key] += 0 if lift is None else reps_apart(counted)
    return [
        Tally(*key, fsum(each.share for each in sets), fsum(each.volume_load_kg for each in sets), reps[key])
        for key, sets in hard_sets.items()
    ]


def volume_of(tallies: Iterable[Tally], library: Library) -> Volume:
    """Add tallies up by exercise, whatever it was called, and by muscle, as far as the library knows."""
    tallies = list(tallies)
    identities = identities_of((tally.exercise_id, tally.name) for tally in tallies)
    by_exercise: dict[tuple[datetime.date, str], list[Tally]] = {}
    for tally in tallies:
        key = (tally.week, identities[tally.exercise_id, tally.name] or "")
        by_exercise.setdefault(key, []).append(tally)
    named: dict[str, list[tuple[str | None, str | None]]] = {}
    for pair, known_as in identities.items():
        named.setdefault(known_as or "", []).append(pair)
    traits = {identity: traits_of_logged(library, identity, pairs) for identity, pairs in named.items()}
    exercises = []
    direct: dict[tuple[datetime.date, str], float] = {}
    fractional: dict[tuple[datetime.date, str], float] = {}
    for (week, identity), members in sorted(by_exercise.items()):
        known = traits[identity]
        sets = fsum(tally.sets for tally in members)
        exercises.append(
            ExerciseWeek(
                week=week,
                exercise_id=identity[3:] if identity.startswith("id:") else None,
                name=min((tally.name for tally in members if tally.name), default=None),
                sets=sets,
                volume_load_kg=as_shown(fsum(tally.volume_load_kg for tally in members)),
                body_weight_reps=sum(tally.body_weight_reps for tally in members),
                muscles=None if known is None else known.muscles,
            )
        )
        for muscle, share in ({} if known is None else known.muscles).items():
            place = (week, muscle)
            direct[place] = direct.get(place, 0.0) + (sets if share >= 1 else 0.0)
            fractional[place] = fractional.get(place, 0.0) + sets * share
    muscles = [
        MuscleWeek(week=week, muscle=muscle, direct_sets=direct[week, muscle], fractional_sets=fractional[week, muscle])
        for week, muscle in sorted(direct)
    ]
    return Volume(muscles=muscles, exercises=exercises)


def adherence_weeks(
    scheduled: Iterable[ScheduledSession], done: Iterable[DoneSession], *, as_of: datetime.date, weeks: int
) -> list[AdherenceWeek]:
    """State adherence of each of the last complete ISO weeks, the oldest first."""
    return [
        AdherenceWeek(
            week=each.week,
            due=each.adherence.due,
            done=as_shown(each.adherence.done),
            percent=None if each.adherence.percent is None else as_shown(each.adherence.percent),
        )
        for each in weekly_adherence(scheduled, done, as_of=as_of, weeks=weeks)
    ]


def trained_sessions(sets: Iterable[PerformedSet], weights: BodyWeights) -> list[TrainedSession]:
    """Give the line of one exercise, oldest session first, from its sets in any order; `weights` as above."""
    return [
        TrainedSession(
            exposure.workout_id,
            exposure.date,
            next((performed.exercise_name for performed in exposure.sets if performed.exercise_name), None),
            _totals_of_sets(exposure.sets, weights.on(exposure.date)),
        )
        for exposure in exposures(sets)
    ]


def progress_of(
    lines: Mapping[str, Sequence[TrainedSession]],
    first: datetime.date,
    last: datetime.date,
    records_by_exercise: Mapping[str, Sequence[PersonalRecord]],
) -> list[ExerciseProgress]:
    """Draw the lines of all exercises trained from one day to another, by identity; the most trained first.

    Each line comes oldest first. A record stands against everything before it, so records are those of the whole
    history.
    """
    progress = []
    for identity, sessions in lines.items():
        line = [session for session in sessions if first <= session.date <= last]
        if line:
            known = records_by_exercise.get(identity, ())
            records = [record_as_shown(record) for record in known if first <= record.date <= last]
            progress.append(_progress(identity, line, records))
    return sorted(progress, key=lambda each: (-len(each.points), each.name or "", each.exercise_id or ""))


def first_day_of(weeks: int, last: datetime.date) -> datetime.date:
    """Give the Monday on which so many weeks begin, the week of the last day among them."""
    return days_before(monday_of(last), 7 * (weeks - 1))


def _logged_exercises(sets: Iterable[PerformedSet]) -> Iterator[LoggedExercise]:
    by_exercise = attrgetter("workout_id", "exercise_key", "date", "exercise_id", "exercise_name")
    for (workout_id, exercise_key, on, exercise_id, name), members in groupby(sets, key=by_exercise):
        hard = [counted for performed in members if (counted := hard_set_of(performed)) is not None]
        if on is not None and hard:
            yield LoggedExercise(workout_id, exercise_key, on, exercise_id, name, hard)


def _totals_of_sets(sets: Iterable[PerformedSet], body_weight_kg: float | None) -> ExerciseTotals:
    """Add up the sets of one exercise in a session, however it is called there."""
    by_lift: dict[BodyWeightLift | None, list[HardSet]] = {}
    for performed in sets:
        hard = hard_set_of(performed)
        if hard is not None:
            by_lift.setdefault(body_weight_lift(performed.exercise_id, performed.exercise_name), []).append(hard)
    totals = [lift_totals(hard, lift, body_weight_kg) for lift, hard in by_lift.items()]
    return reduce(merged_totals, totals, NO_TOTALS) if len(totals) != 1 else totals[0]


def _progress(identity: str, line: Sequence[TrainedSession], records: list[PersonalRecord]) -> ExerciseProgress:
    days = [reduce(_merged, sessions) for _, sessions in groupby(line, key=attrgetter("date"))]
    # A day whose body weight nobody knows has no estimate by either formula, and says nothing of which to use.
    in_table = all(day.totals.rpe_table for day in days if day.totals.epley or not day.totals.body_weight_reps)
    points = [_point(day, day.totals.rpe_table if in_table else day.totals.epley) for day in days]
    estimates = [(point.date, point.e1rm_kg) for point in points if point.e1rm_kg is not None]
    slope = rate_per_week(estimates)
    mean = fsum(value for _, value in estimates) / len(estimates) if estimates else 0.0
    return ExerciseProgress(
        exercise_id=identity[3:] if identity.startswith("id:") else None,
        name=next((day.exercise_name for day in reversed(days) if day.exercise_name), None),
        formula="rpe_table" if in_table else "epley",
        points=points,
        percent_per_week=None if slope is None else as_shown(100.0 * slope / mean),
        percent_per_week_missing="not_enough_data" if slope is None else None,
        records=records,
    )


def _merged(one: TrainedSession, later: TrainedSession) -> TrainedSession:
    """Merge two sessions of a day, or two places of an exercise in one session."""
    heavier = max(one, later, key=lambda each: (each.totals.top_load_kg or 0.0, each.totals.top_reps or 0))
    name = one.exercise_name or later.exercise_name
    return TrainedSession(heavier.workout_id, one.date, name, merged_totals(one.totals, later.totals))


def _point(day: TrainedSession, best: StrengthEstimate | None) -> ProgressPoint:
    totals = day.totals
    return ProgressPoint(
        workout_id=day.workout_id,
        date=day.date,
        sets=totals.hard_sets,
        volume_load_kg=as_shown(totals.volume_load_kg),
        body_weight_reps=totals.body_weight_reps,
        top_load_kg=None if totals.top_load_kg is None else as_shown(totals.top_load_kg),
        top_reps=totals.top_reps or 0,
        top_rpe=totals.top_rpe,
        e1rm_kg=None if best is None else as_shown(best.e1rm_kg),
        low_confidence=best is not None and best.low_confidence,
    )
