"""Exposures: the sessions in which one exercise was trained, as the rules of progression see them.

An exposure holds only sets that count and have a day. A trend line of estimated maxima uses one formula throughout.
"""

import datetime
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import fsum
from operator import attrgetter

from msgspec import Struct

from apex_sync.coaching.sets import PerformedSet, counts_as_working, effort_rpe, event_order
from apex_sync.coaching.strength import Formula, StrengthEstimate, set_estimate


class Exposure(Struct, frozen=True):
    """One exercise in one session; `sets` are its hard sets in order, never empty."""

    workout_id: str
    date: datetime.date
    performed_at: str
    sets: tuple[PerformedSet, ...]


class Best(Struct, frozen=True):
    """The best estimate of an exposure, and the set it came from."""

    exposure: Exposure
    performed: PerformedSet
    estimate: StrengthEstimate


def exposures(sets: Iterable[PerformedSet]) -> list[Exposure]:
    """List the exposures of one exercise, oldest first, from its sets in any order."""
    by_session: dict[tuple[str, str], list[PerformedSet]] = {}
    for performed in sets:
        if performed.date is not None and counts_as_working(performed):
            by_session.setdefault((performed.performed_at, performed.workout_id), []).append(performed)
    result = []
    for (performed_at, workout_id), members in sorted(by_session.items()):
        members.sort(key=event_order)
        on = members[0].date
        if on is not None:
            result.append(Exposure(workout_id, on, performed_at, tuple(members)))
    return result


def top_set(exposure: Exposure) -> PerformedSet:
    """Give the heaviest set, of equals the one with most reps, of equals the first."""
    return max(exposure.sets, key=lambda s: (s.load_kg or 0.0, s.reps or 0, -s.position))


def mean_effort(sets: Iterable[PerformedSet]) -> float | None:
    """Give the mean RPE of the sets whose effort was logged."""
    efforts = [effort for performed in sets if (effort := effort_rpe(performed)) is not None]
    return fsum(efforts) / len(efforts) if efforts else None


def trend_formula(line: Sequence[Exposure]) -> Formula:
    """Pick the formula of a trend line: the RPE table where every exposure has a set it can read, else Epley."""
    in_table = all(any(set_estimate(s, "rpe_table") for s in exposure.sets) for exposure in line)
    return "rpe_table" if line and in_table else "epley"


def session_best(exposure: Exposure, formula: Formula) -> Best | None:
    """Give the best estimate of a session; of equals the better founded one, then the first."""
    found = [
        Best(exposure, performed, estimate)
        for performed in exposure.sets
        if (estimate := set_estimate(performed, formula)) is not None
    ]
    return max(
        found,
        key=lambda best: (best.estimate.e1rm_kg, not best.estimate.low_confidence, -best.performed.position),
        default=None,
    )


def day_bests(line: Sequence[Exposure]) -> list[Best]:
    """Give the best of each day by one formula, oldest first; days without an estimate are left out.

    Nobody grows weaker by a light session in the evening: the day is worth its heaviest.
    """
    days = [
        Exposure(first.workout_id, day, first.performed_at, (*first.sets, *(s for each in later for s in each.sets)))
        for day, (first, *later) in groupby(line, key=attrgetter("date"))
    ]
    formula = trend_formula(days)
    return [best for exposure in days if (best := session_best(exposure, formula)) is not None]
