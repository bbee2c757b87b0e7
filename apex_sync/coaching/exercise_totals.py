"""What an exercise comes to in one session: figures small enough to be kept beside it, and enough for lines of years.

They are found set by set where a session is read, and merged where one session, or one day, has an exercise twice. A
line of estimated maxima uses one formula throughout, so the best by either is kept.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import fsum
from typing import NamedTuple

from msgspec import Struct

from apex_sync.coaching.sets import PerformedSet, effort, hard_share
from apex_sync.coaching.strength import ESTIMATES_KEPT_MAX, StrengthEstimate, estimate_of


class HardSet(NamedTuple):
    """What counts of a hard set: `share` is a half for the later drops of a drop set, `rpe` the effort logged."""

    share: float
    reps: int
    load_kg: float | None
    rpe: float | None

    @property
    def volume_load_kg(self) -> float:
        """Reps times load; 0 where the load that moved is not known."""
        return self.reps * self.load_kg if self.load_kg is not None and self.load_kg > 0 else 0.0


class ExerciseTotals(Struct, frozen=True, kw_only=True, gc=False):
    """What the hard sets of an exercise come to in a session; where there is none, everything is 0 or None.

    `top_*` are of the heaviest set, of equals the one with most reps, of equals the first. Best estimates are by Epley
    and by the RPE table; of equal ones the better founded, then the first. `body_weight_reps` are of lifts with body
    weight (`body_weight_lifts`) whose body weight is not known: nothing of them is in the volume load.
    """

    hard_sets: float = 0.0
    volume_load_kg: float = 0.0
    body_weight_reps: int = 0
    top_load_kg: float | None = None
    top_reps: int | None = None
    top_rpe: float | None = None
    epley: StrengthEstimate | None = None
    rpe_table: StrengthEstimate | None = None


NO_TOTALS = ExerciseTotals()


def hard_set(
    *,
    kind: str,
    reps: int | None,
    load_kg: float | None,
    rpe: float | None,
    rir: float | None,
    completed: bool,
    later_drop: bool,
) -> HardSet | None:
    """Give what counts of a set that is told by its leaves, each within its bounds or None; None of one not hard."""
    share = hard_share(kind=kind, reps=reps, rpe=rpe, rir=rir, completed=completed, later_drop=later_drop)
    return HardSet(share, reps or 0, load_kg, effort(rpe, rir)) if share else None


def hard_set_of(performed: PerformedSet) -> HardSet | None:
    """Give the same of a performed set."""
    return hard_set(
        kind=performed.type,
        reps=performed.reps,
        load_kg=performed.load_kg,
        rpe=performed.rpe,
        rir=performed.rir,
        completed=performed.completed,
        later_drop=performed.later_drop,
    )


def exercise_totals(sets: Sequence[HardSet]) -> ExerciseTotals:
    """Add up the hard sets of an exercise in a session, which come in their order."""
    if not sets:
        return NO_TOTALS
    top = sets[0]
    epley, rpe_table = _estimates(top.load_kg, top.reps, top.rpe)
    for each in sets[1:]:
        if each == top:
            continue  # Straight sets mostly are, and tell nothing new.
        if (each.load_kg or 0.0, each.reps) > (top.load_kg or 0.0, top.reps):
            top = each
        by_epley, by_table = _estimates(each.load_kg, each.reps, each.rpe)
        epley, rpe_table = _better(epley, by_epley), _better(rpe_table, by_table)
    return ExerciseTotals(
        hard_sets=fsum([each.share for each in sets]),
        volume_load_kg=fsum([each.volume_load_kg for each in sets]),
        top_load_kg=top.load_kg,
        top_reps=top.reps,
        top_rpe=top.rpe,
        epley=epley,
        rpe_table=rpe_table,
    )


@lru_cache(maxsize=ESTIMATES_KEPT_MAX)
def _estimates(
    load_kg: float | None, reps: int, rpe: float | None
) -> tuple[StrengthEstimate | None, StrengthEstimate | None]:
    return estimate_of(load_kg, reps, rpe, "epley"), estimate_of(load_kg, reps, rpe, "rpe_table")


def merged_totals(one: ExerciseTotals, other: ExerciseTotals) -> ExerciseTotals:
    """Merge the totals of an exercise from two places of a session or two sessions of a day, in their order."""
    top = max(one, other, key=lambda each: (each.top_load_kg or 0.0, each.top_reps or 0))
    return ExerciseTotals(
        hard_sets=one.hard_sets + other.hard_sets,
        volume_load_kg=one.volume_load_kg + other.volume_load_kg,
        body_weight_reps=one.body_weight_reps + other.body_weight_reps,
        top_load_kg=top.top_load_kg,
        top_reps=top.top_reps,
        top_rpe=top.top_rpe,
        epley=_better(one.epley, other.epley),
        rpe_table=_better(one.rpe_table, other.rpe_table),
    )


def _better(one: StrengthEstimate | None, other: StrengthEstimate | None) -> StrengthEstimate | None:
    """Give the higher estimate, of equals the better founded one, then the first."""
    if one is None or other is None:
        return one or other
    return other if (other.e1rm_kg, not other.low_confidence) > (one.e1rm_kg, not one.low_confidence) else one
