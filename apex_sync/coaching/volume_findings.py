"""Findings on weekly sets of muscles: above what is recoverable, jumps, weak points with too little."""

import datetime
from collections.abc import Iterable, Iterator, Sequence

from apex_sync.coaching.fatigue_findings import Signs
from apex_sync.coaching.finding import Fact, Finding, computed, confidence, finding, shown, written
from apex_sync.coaching.history import TrainingHistory
from apex_sync.coaching.muscles import muscle_named
from apex_sync.coaching.profile import Library, TrainingProfile
from apex_sync.coaching.recovery import RISK_DAYS, FatigueSign
from apex_sync.coaching.volume import (
    JUMP_SHARE,
    WEEKS_ABOVE_MRV,
    WeekVolume,
    judged_volume,
    volume_jumps,
    weekly_volume,
    weeks_above_mrv,
)
from apex_sync.coaching.weeks import DAYS, complete_weeks, days_before, monday_of, week_end

VOLUME_WEEKS = 3
"""Weeks of sets that volume rules look at: the current one and the two before."""


def volume_signs(volumes: Sequence[WeekVolume], profile: TrainingProfile, as_of: datetime.date) -> Signs:
    """Find muscles above MRV for two weeks running, ending with this week or the last one."""
    judged = judged_volume(volumes, edition=profile.landmark_edition, tolerance=profile.volume_tolerance)
    this = monday_of(as_of)
    above = weeks_above_mrv(judged, days_before(this, DAYS)) | weeks_above_mrv(judged, this)
    signs: Signs = []
    for muscle, weeks in sorted(above.items()):
        latest = weeks[-1]
        date = min(as_of, week_end(latest.volume.week))
        workouts = [pair for week in reversed(weeks) for pair in week.volume.sets_by_workout]
        signs.append(
            (
                FatigueSign(
                    kind="volume",
                    level="yellow",
                    date=date,
                    subject=muscle,
                    record_ids=tuple(sorted({workout_id for workout_id, _ in workouts})),
                ),
                finding(
                    "volume.above_mrv",
                    muscle,
                    about=muscle.replace("_", " "),
                    statement=f"{len(weeks)} weeks running above {shown(latest.landmark.mrv or 0.0)} direct sets, "
                    f"{shown(latest.volume.direct_sets)} in the latest",
                    window=(weeks[0].volume.week, date),
                    inputs=_workout_set_facts(workouts),
                    computed=[
                        *(_direct_sets(week.volume, n) for n, week in enumerate(weeks, start=1)),
                        computed("landmark edition", latest.edition),
                        computed("landmark basis", latest.landmark_basis),
                    ],
                    threshold={"mrv": latest.landmark.mrv or 0.0, "weeks": WEEKS_ABOVE_MRV},
                    n=len(weeks),
                    confidence=1.0,
                    expires_after_days=RISK_DAYS,
                    action="review_volume",
                    recommendation="Take sets off this muscle.",
                ),
            )
        )
    return signs


def volume_findings(volumes: Sequence[WeekVolume], profile: TrainingProfile, as_of: datetime.date) -> Iterator[Finding]:
    """Note jumps of the last complete week, and weak points that got less than their effective volume in it."""
    week = complete_weeks(as_of, 1)[0]
    for before, after in volume_jumps(volumes, week):
        yield finding(
            "volume.jump",
            after.muscle,
            about=after.muscle.replace("_", " "),
            statement=f"weekly direct sets rose from {shown(before.direct_sets)} to {shown(after.direct_sets)}",
            window=(before.week, week_end(week)),
            inputs=_workout_set_facts([*after.sets_by_workout, *before.sets_by_workout]),
            computed=[_direct_sets(before, 1), _direct_sets(after, 2)],
            threshold={"share": JUMP_SHARE},
            n=2,
            confidence=1.0,
            expires_after_days=DAYS,
            action="review_volume",
        )
    judged = judged_volume(volumes, edition=profile.landmark_edition, tolerance=profile.volume_tolerance)
    weak = {muscle for name in profile.weak_points if (muscle := muscle_named(name))}
    for week_volume in judged:
        landmark, volume = week_volume.landmark, week_volume.volume
        if volume.week == week and weak & set(landmark.covers) and volume.direct_sets < landmark.mev:
            yield finding(
                "volume.weak_point_low",
                landmark.muscle,
                about=landmark.muscle.replace("_", " "),
                statement=f"{shown(volume.direct_sets)} direct sets last week, {shown(landmark.mev)} are the least "
                "held to be effective",
                window=(week, week_end(week)),
                inputs=_workout_set_facts(volume.sets_by_workout),
                computed=[
                    _direct_sets(volume, 1),
                    computed("fractional sets", volume.fractional_sets, "sets"),
                    computed("landmark edition", week_volume.edition),
                ],
                threshold={"mev": landmark.mev},
                n=1,
                confidence=confidence(1, 2),
                expires_after_days=DAYS,
                action="review_volume",
                recommendation="Add sets for this weak point, or set it aside on purpose.",
            )


def recent_volumes(history: TrainingHistory, library: Library) -> list[WeekVolume]:
    """Count the weekly sets of muscles over the weeks that volume rules look at, deload weeks left out."""
    first = days_before(monday_of(history.as_of), DAYS * (VOLUME_WEEKS - 1))
    recent = {
        exercise: [
            s for s in sets if s.date is not None and s.date >= first and s.workout_id not in history.deload_workouts
        ]
        for exercise, sets in history.sets_by_exercise.items()
    }
    muscles = {exercise: traits.muscles for exercise in recent if (traits := history.traits(exercise, library))}
    return weekly_volume(recent, muscles)


def _direct_sets(volume: WeekVolume, number: int) -> Fact:
    return computed(f"direct sets of week {number}", volume.direct_sets, "sets")


def _workout_set_facts(workouts: Iterable[tuple[str, float]]) -> list[Fact]:
    return [written(workout_id, "sets", "direct sets", sets, "sets") for workout_id, sets in workouts]
