"""Weekly hard sets of a muscle, direct and fractional, and how they compare with published landmarks.

Landmarks are compared with direct sets, like with like; the fractional count (indirect sets as halves) stands beside
it, because that is what growth followed in the meta-regression [V, Pelland et al. 2024]: about 4 fractional sets a
week show growth, 5 to 10 are a good target [V, metameha.com].
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from math import fsum

from msgspec import Struct

from apex_sync.coaching.landmarks import (
    EDITIONS,
    LANDMARK_BASIS,
    Landmark,
    LandmarkEdition,
    VolumeStatus,
    scaled,
    volume_status,
)
from apex_sync.coaching.session import MuscleShares
from apex_sync.coaching.sets import PerformedSet, working_share
from apex_sync.coaching.weeks import DAYS, days_before, monday_of

JUMP_SHARE = 0.20
"""A rise of a muscle's weekly sets by more than this is worth a note, no alarm [D]."""

JUMP_SETS_MIN = 2.0
"""A rise by fewer sets than this is no jump, whatever its share [D]: from 2 sets to 3 is fifty per cent."""

WEEKS_ABOVE_MRV = 2
"""Weeks running above MRV that make a sign of fatigue [D]."""


class WeekVolume(Struct, frozen=True, kw_only=True):
    """What one muscle got in one ISO week (named by its Monday), with the sessions it came from."""

    week: datetime.date
    muscle: str
    direct_sets: float
    fractional_sets: float
    sets_by_workout: tuple[tuple[str, float], ...] = ()
    """Direct sets of each session."""


class JudgedVolume(Struct, frozen=True, kw_only=True):
    """A week's volume against a landmark."""

    volume: WeekVolume
    landmark: Landmark
    edition: LandmarkEdition
    landmark_basis: str
    status: VolumeStatus


def weekly_volume(
    sets_by_exercise: Mapping[str, Iterable[PerformedSet]], muscles: Mapping[str, MuscleShares]
) -> list[WeekVolume]:
    """Count the weekly sets of every muscle, by week and muscle; exercises without shares are left out.

    Both mappings are keyed by exercise identity.
    """
    direct: dict[tuple[datetime.date, str], dict[str, float]] = {}
    fractional: dict[tuple[datetime.date, str], float] = {}
    for exercise in sorted(sets_by_exercise.keys() & muscles.keys()):
        shares = muscles[exercise]
        for performed in sets_by_exercise[exercise]:
            share = working_share(performed)
            if not share or performed.date is None:
                continue
            week = monday_of(performed.date)
            for muscle, part in shares.items():
                key = (week, muscle)
                fractional[key] = fractional.get(key, 0.0) + share * part
                if part >= 1:
                    workouts = direct.setdefault(key, {})
                    workouts[performed.workout_id] = workouts.get(performed.workout_id, 0.0) + share
    return [_week(key, direct.get(key, {}), fractional[key]) for key in sorted(fractional)]


def together(volumes: Sequence[WeekVolume], landmark: Landmark) -> list[WeekVolume]:
    """Give the weeks of the muscles that a landmark covers as one muscle, oldest first."""
    weeks: dict[datetime.date, list[WeekVolume]] = {}
    for volume in volumes:
        if volume.muscle in landmark.covers:
            weeks.setdefault(volume.week, []).append(volume)
    if len(landmark.covers) == 1:
        return [members[0] for _, members in sorted(weeks.items())]
    summed = []
    for week, members in sorted(weeks.items()):
        by_workout: dict[str, float] = {}
        for workout_id, sets in (pair for member in members for pair in member.sets_by_workout):
            by_workout[workout_id] = by_workout.get(workout_id, 0.0) + sets
        fractional = fsum(member.fractional_sets for member in members)
        summed.append(_week((week, landmark.muscle), by_workout, fractional))
    return summed


def judged_volume(
    volumes: Sequence[WeekVolume], *, edition: LandmarkEdition = "rp_2017", tolerance: str = "medium"
) -> list[JudgedVolume]:
    """Judge every week of every muscle that the edition has a landmark for, by muscle and week.

    A week in which a muscle was not trained at all is not listed.
    """
    return [
        JudgedVolume(
            volume=volume,
            landmark=landmark,
            edition=edition,
            landmark_basis=LANDMARK_BASIS,
            status=volume_status(volume.direct_sets, landmark),
        )
        for landmark in (scaled(unscaled, tolerance) for unscaled in EDITIONS[edition])
        for volume in together(volumes, landmark)
    ]


def weeks_above_mrv(judged: Sequence[JudgedVolume], last_week: datetime.date) -> dict[str, list[JudgedVolume]]:
    """Give the muscles that were above MRV in each of the last weeks running, up to `last_week`, with those weeks."""
    excessive = {(j.volume.muscle, j.volume.week): j for j in judged if j.status == "excessive"}
    weeks = [days_before(last_week, DAYS * back) for back in range(WEEKS_ABOVE_MRV - 1, -1, -1)]
    return {
        muscle: [excessive[muscle, week] for week in weeks]
        for muscle in sorted({muscle for muscle, _ in excessive})
        if all((muscle, week) in excessive for week in weeks)
    }


def volume_jumps(volumes: Sequence[WeekVolume], week: datetime.date) -> list[tuple[WeekVolume, WeekVolume]]:
    """Give the muscles whose direct sets rose by more than a fifth in a week, as (week before, week)."""
    by_key = {(volume.muscle, volume.week): volume for volume in volumes}
    jumps = []
    for muscle in sorted({volume.muscle for volume in volumes}):
        before, after = by_key.get((muscle, days_before(week, DAYS))), by_key.get((muscle, week))
        if before is None or after is None or not before.direct_sets:
            continue
        rise = after.direct_sets - before.direct_sets
        if rise > before.direct_sets * JUMP_SHARE and rise >= JUMP_SETS_MIN:
            jumps.append((before, after))
    return jumps


def _week(key: tuple[datetime.date, str], by_workout: Mapping[str, float], fractional: float) -> WeekVolume:
    return WeekVolume(
        week=key[0],
        muscle=key[1],
        direct_sets=fsum(by_workout.values()),
        fractional_sets=fractional,
        sets_by_workout=tuple(sorted(by_workout.items())),
    )
