"""Totals of a session: derived from its sets whenever they are asked for, never stored as truth and never merged."""

from collections.abc import Mapping, Sequence
from math import fsum

from msgspec import Struct

from apex_sync.coaching.body_weight_lifts import BodyWeights, body_weight_lift, moved_kg
from apex_sync.coaching.sets import (
    PerformedSet,
    counts_as_working,
    effort_conflicts,
    effort_rpe,
    working_share,
)

MuscleShares = Mapping[str, float]
"""How much of a set each muscle gets: 1.0 directly, 0.5 indirectly."""


class MuscleTotal(Struct, frozen=True):
    """What one muscle got in a session; `fractional_sets` counts indirect sets as halves."""

    muscle: str
    direct_sets: float
    fractional_sets: float
    volume_load_kg: float


class SessionTotals(Struct, frozen=True, kw_only=True):
    """The derived figures of a session.

    `sets_logged` counts all live sets, `sets_completed` those done, `working_sets` the hard ones (later drops as
    halves). Reps and volume load are of hard sets. `reps_without_load` are reps of hard sets whose moved load is not
    known: they are in `reps` and not in `volume_load_kg`. `body_weight_reps` are those among them of lifts in which the
    body moves.
    """

    sets_logged: int
    sets_completed: int
    working_sets: float
    reps: int
    reps_without_load: int
    body_weight_reps: int
    volume_load_kg: float
    average_rpe: float | None
    effort_conflicts: int
    muscles: tuple[MuscleTotal, ...] = ()


def session_totals(
    sets: Sequence[PerformedSet],
    *,
    muscles: Mapping[str, MuscleShares] | None = None,
    weights: BodyWeights | None = None,
) -> SessionTotals:
    """Add up sets, in any order, to one result.

    `muscles` are keyed by exercise identity (`sets.exercise_identity`). With the `weights` of the athlete a lift with
    body weight moves the body and what hangs on it (`body_weight_lifts`). Without them, as where a record is read by
    itself, what was logged as its load counts alone.
    """
    working = [performed for performed in sets if counts_as_working(performed)]
    loads = [_moved_load_kg(performed, weights) for performed in working]
    efforts = [effort for performed in working if (effort := effort_rpe(performed)) is not None]
    return SessionTotals(
        sets_logged=len(sets),
        sets_completed=sum(performed.completed for performed in sets),
        working_sets=fsum(working_share(performed) for performed in working),
        reps=sum(performed.reps or 0 for performed in working),
        reps_without_load=sum(s.reps or 0 for s, load in zip(working, loads, strict=True) if load is None),
        body_weight_reps=sum(
            s.reps or 0
            for s, load in zip(working, loads, strict=True)
            if load is None and weights is not None and body_weight_lift(s.exercise_id, s.exercise_name)
        ),
        volume_load_kg=fsum(_volume(s, load) for s, load in zip(working, loads, strict=True)),
        average_rpe=fsum(efforts) / len(efforts) if efforts else None,
        effort_conflicts=sum(effort_conflicts(performed) for performed in working),
        muscles=_muscle_totals(working, loads, muscles) if muscles else (),
    )


def _moved_load_kg(performed: PerformedSet, weights: BodyWeights | None) -> float | None:
    """Give the load that a set moved, or None where it is not known."""
    lift = body_weight_lift(performed.exercise_id, performed.exercise_name) if weights is not None else None
    if lift is not None and weights is not None:
        return moved_kg(lift, performed.load_kg, weights.on(performed.date))
    return performed.load_kg if performed.load_kg and performed.load_kg > 0 else None


def _volume(performed: PerformedSet, load_kg: float | None) -> float:
    return max(0.0, load_kg) * (performed.reps or 0) if load_kg else 0.0


def _muscle_totals(
    working: Sequence[PerformedSet], loads: Sequence[float | None], muscles: Mapping[str, MuscleShares]
) -> tuple[MuscleTotal, ...]:
    direct: dict[str, list[float]] = {}
    fractional: dict[str, list[float]] = {}
    volume: dict[str, list[float]] = {}
    for performed, load in zip(working, loads, strict=True):
        share = working_share(performed)
        for muscle, part in muscles.get(performed.exercise or "", {}).items():
            direct.setdefault(muscle, []).append(share if part >= 1 else 0.0)
            fractional.setdefault(muscle, []).append(share * part)
            volume.setdefault(muscle, []).append(_volume(performed, load) if part >= 1 else 0.0)
    return tuple(
        MuscleTotal(muscle, fsum(direct[muscle]), fsum(fractional[muscle]), fsum(volume[muscle]))
        for muscle in sorted(direct)
    )
