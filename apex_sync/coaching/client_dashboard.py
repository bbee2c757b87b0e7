"""One athlete at a glance: what a server and a coach's device make of the rows that each has read."""

import datetime
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Literal

from msgspec import Struct

from apex_sync.coaching.body_weight_lifts import BodyWeights
from apex_sync.coaching.bodyweight import TrendDay, latest_rate, rate_as_shown, trend_as_shown
from apex_sync.coaching.leaves import day, text
from apex_sync.coaching.nutrition import DayTotals, Macros, day_score
from apex_sync.coaching.plan import plan_from_program
from apex_sync.coaching.rounding import as_shown
from apex_sync.coaching.session import session_totals
from apex_sync.coaching.sets import PerformedSet
from apex_sync.coaching.weeks import DAYS, days_before, monday_of
from apex_sync.collection import Record

WEEKS = 4
"""What a coach looks back over when planning the next weeks."""

WORKOUTS_SHOWN = 100
CHECK_INS_SHOWN = 8
INSIGHTS_SHOWN = 20
TO_LOOK_AT_SHOWN = 20


class WeightTrend(Struct, frozen=True, kw_only=True):
    """The smoothed body weight, and how fast it moves; `low_confidence` where that rests on few readings."""

    trend_kg: float
    as_of: datetime.date
    kg_per_week: float | None = None
    percent_per_week: float | None = None
    low_confidence: bool = False


class WeightDay(Struct, frozen=True):
    """A day's weight, and the trend after it; `held_out` says why it was left out of the trend."""

    date: datetime.date
    weight_kg: float
    trend_kg: float
    held_out: Literal["unit_slip", "outlier"] | None


class NutritionDay(Struct, frozen=True, kw_only=True):
    """What was eaten on a day beside what was asked for; `percent` is the day's score, none where it is incomplete."""

    date: datetime.date
    energy_kcal: float | None
    protein_g: float | None
    target_energy_kcal: float | None
    target_protein_g: float | None
    percent: float | None


class SessionFigures(Struct, frozen=True, kw_only=True):
    """A session of the last weeks: `sets` were done, warm-ups too.

    Hard sets, volume load and reps without a known body weight are as in analytics.
    """

    date: datetime.date
    title: str | None
    sets: int
    duration_minutes: float | None
    working_sets: float
    volume_load_kg: float
    body_weight_reps: int
    average_rpe: float | None


class FollowedProgram(Struct, frozen=True, kw_only=True):
    """The program that is followed today; `week_number` counts from 1, and is none outside of its weeks."""

    name: str | None
    start_date: datetime.date | None
    end_date: datetime.date | None
    week_number: int | None
    week_count: int


class MessageCounts(Struct, frozen=True, kw_only=True):
    """How much the two wrote to each other in these weeks, and what waits for the coach to read; never what."""

    from_athlete: int
    from_coach: int
    unread: int


def first_day_shown(until: datetime.date) -> datetime.date:
    """Give the Monday from which on sessions, weights, meals and messages are shown."""
    return monday_of(days_before(until, DAYS * (WEEKS - 1)))


def sets_by_workout(sets: Iterable[PerformedSet]) -> dict[str, list[PerformedSet]]:
    """Group sets by session; those of one stand together."""
    return {workout_id: list(found) for workout_id, found in groupby(sets, key=lambda performed: performed.workout_id)}


def session_figures(
    on: datetime.date,
    title: str | None,
    duration_minutes: float | None,
    sets: Sequence[PerformedSet],
    weights: BodyWeights,
) -> SessionFigures:
    """Add a session up from its live sets, of an athlete with these body weights."""
    totals = session_totals(sets, weights=weights)
    return SessionFigures(
        date=on,
        title=title,
        sets=totals.sets_completed,
        duration_minutes=duration_minutes,
        working_sets=totals.working_sets,
        volume_load_kg=as_shown(totals.volume_load_kg),
        body_weight_reps=totals.body_weight_reps,
        average_rpe=None if totals.average_rpe is None else as_shown(totals.average_rpe),
    )


def weight_now(days: Sequence[TrendDay]) -> WeightTrend | None:
    """Give the weight as its trend has it, and how fast it moves; None where nobody was weighed."""
    counted = [each for each in days if each.held_out is None]
    if not counted:
        return None
    rate = rate_as_shown(latest_rate(counted))
    return WeightTrend(
        trend_kg=as_shown(counted[-1].trend_kg),
        as_of=counted[-1].date,
        kg_per_week=rate.kg_per_week if rate else None,
        percent_per_week=rate.percent_per_week if rate else None,
        low_confidence=rate is None or rate.low_confidence,
    )


def weight_days_since(days: Sequence[TrendDay], first: datetime.date) -> list[WeightDay]:
    """List the weighed days since a day, with the trend that began long before."""
    shown = trend_as_shown([each for each in days if each.date >= first])
    return [WeightDay(each.date, each.weight_kg, each.trend_kg, each.held_out) for each in shown]


def nutrition_days(
    eaten: Sequence[tuple[datetime.date, DayTotals]], asked: Sequence[tuple[datetime.date, Macros]]
) -> list[NutritionDay]:
    """Hold days of eating to what was asked for on each; `asked` says since when, the earliest first.

    >>> from datetime import date
    >>> eaten = DayTotals(meals=3, foods=5, macros=Macros(energy_kcal=2000, protein_g=120))
    >>> [day] = nutrition_days([(date(2026, 3, 2), eaten)], [(date(2026, 3, 1), Macros(energy_kcal=2000))])
    >>> day.target_energy_kcal, day.target_protein_g, day.percent
    (2000, None, 100.0)
    """
    found = []
    for on, totals in eaten:
        target = target_on(asked, on)
        score = day_score(totals, target).percent if target else None
        found.append(
            NutritionDay(
                date=on,
                energy_kcal=totals.macros.energy_kcal,
                protein_g=totals.macros.protein_g,
                target_energy_kcal=target.energy_kcal if target else None,
                target_protein_g=target.protein_g if target else None,
                percent=None if score is None else as_shown(score),
            )
        )
    return found


def target_on(asked: Sequence[tuple[datetime.date, Macros]], on: datetime.date) -> Macros | None:
    """Give what was asked for on a day; `asked` says since when, the earliest first."""
    return next((macros for start, macros in reversed(asked) if start <= on), None)


def followed_program(program: Record, on: datetime.date) -> FollowedProgram:
    """Show a program as it stands on a day; total for any record."""
    plan = plan_from_program("", program)
    return FollowedProgram(
        name=text(getattr(program, "name", None)),
        start_date=day(getattr(program, "start_date", None)),
        end_date=day(getattr(program, "end_date", None)),
        week_number=plan.week_number(on),
        week_count=plan.week_count,
    )
