"""Totals of a session: derived from its sets whenever they are asked for, never stored as truth and never merged."""

from collections.abc import Mapping, Sequence
from math import fsum

from msgspec import Struct

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
    known (body weight, assistance): they are in `reps` and not in `volume_load_kg`.
    """

    sets_logged: int
    sets_completed: int
    working_sets: float
    reps: int
    reps_without_load: int
    volume_load_kg: float
    average_rpe: float | None
    effort_conflicts: int
    muscles: tuple[MuscleTotal, ...] = ()


def session_totals(
    sets: Sequence[PerformedSet],
    *,
    muscles: Mapping[str, MuscleShares] | None = None,
    bodyweight_factors: Mapping[str, float] | None = None,
    body_weight_kg: float | None = None,
) -> SessionTotals:
    """Add up sets, in any order, to one result.

    `muscles` and `bodyweight_factors` are keyed by exercise identity (`sets.exercise_identity`). For an exercise with a
    factor the moved load is (body weight + logged load) * factor, known only with the body weight.
    """
    working = [performed for performed in sets if counts_as_working(performed)]
    factors = bodyweight_factors or {}
    loads = [_moved_load_kg(performed, factors, body_weight_kg) for performed in working]
    efforts = [effort for performed in working if (effort := effort_rpe(performed)) is not None]
    return SessionTotals(
        sets_logged=len(sets),
        sets_completed=sum(performed.completed for performed in sets),
        working_sets=fsum(working_share(performed) for performed in working),
        reps=sum(performed.reps or 0 for performed in working),
        reps_without_load=sum(s.reps or 0 for s, load in zip(working, loads, strict=True) if load is None),
        volume_load_kg=fsum(_volume(s, load) for s, load in zip(working, loads, strict=True)),
        average_rpe=fsum(efforts) / len(efforts) if efforts else None,
        effort_conflicts=sum(effort_conflicts(performed) for performed in working),
        muscles=_muscle_totals(working, loads, muscles) if muscles else (),
    )


def _moved_load_kg(performed: PerformedSet, factors: Mapping[str, float], body_weight_kg: float | None) -> float | None:
    """Give the load that a set moved, or None where it is not known."""
    factor = factors.get(performed.exercise or "") if factors else None
    if factor is not None:
        return (body_weight_kg + (performed.load_kg or 0.0)) * factor if body_weight_kg else None
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
