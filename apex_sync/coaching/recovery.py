"""Signs of fatigue in training, the risk they make together, and when a deload is due.

One sign is an observation; `overtraining_risk` needs two different ones, from different records, within fourteen
days. The ratio of acute to chronic load is left out on purpose: it predicted no better than a constant [V,
Impellizzeri et al. 2020, doi 10.1007/s40279-020-01378-6].
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import Literal

from msgspec import Struct

from apex_sync.coaching.exposures import Best, Exposure, day_bests, mean_effort, top_set
from apex_sync.coaching.sets import PerformedSet, effort_rpe, working_share
from apex_sync.coaching.trend import median
from apex_sync.coaching.weeks import complete_weeks, days_between, monday_of

SignKind = Literal["rpe_drift", "performance_drop", "strain", "volume"]

SAME_LOAD_SHARE = 0.025
SAME_REPS = 1
"""Sets within this share of load and this many reps are the same work done again [D]."""

DRIFT_LATEST, DRIFT_BEFORE = 2, 3
DRIFT_RPE = 1.0
DRIFT_HORIZON_DAYS = 56
"""RPE drift: the latest exposures, those before them, the rise of mean RPE between them, and how far back to look
[D]."""

DROP_SHARE = 0.95
DROP_DAYS, DROP_BASELINE_DAYS = 7, 28
DROP_LIFTS_MIN = 2
"""Performance drop: below this share of the four-week best, within a week, on at least two of the main lifts [D]."""

MAIN_LIFTS_MAX = 4
MAIN_LIFT_DAYS = 56
MAIN_LIFT_EXPOSURES_MIN = 3
"""Where no main lifts are named: the most trained exercises of the last eight weeks stand for them [D]."""

RISK_DAYS = 14
RISK_SIGNS_MIN = 2
"""Different signs within so many days that make a risk [D]."""

HARD_WEEKS_MAX = 6
DELOAD_SIGNS_MIN = 2
"""Hard weeks after which a deload is suggested [V, practice of 246 competitors: every 5.6 weeks, Rogerson et al.
2024], and signs of fatigue within fourteen days that suggest one sooner [D]."""

LIGHT_WEEK_SHARE = 0.60
LIGHT_WEEK_BASIS, LIGHT_WEEK_BASIS_MIN = 4, 2
HARD_WEEK_SESSIONS_MIN = 2
WEEKS_LOOKED_BACK = 26
"""A light week has at most this share of the median sets of the training weeks before it (four, at least two of
them), or fewer sessions than this [D]. Looking back is bounded to half a year."""

DELOAD_DAYS = 7
DELOAD_SETS_SHARE_LOW, DELOAD_SETS_SHARE_HIGH = 0.5, 0.6
DELOAD_LOAD_SHARE = 0.9
DELOAD_RIR_MORE = 2
"""A deload: one week, half the sets, nine tenths of the load, two more reps in reserve [V for fewer sets and lower
effort at unchanged frequency, Rogerson et al. 2024; D for the numbers]."""


class FatigueSign(Struct, frozen=True, kw_only=True):
    """One sign of fatigue: on which day, about what, and from which records."""

    kind: SignKind
    level: Literal["yellow", "red"]
    date: datetime.date
    subject: str
    record_ids: tuple[str, ...]


class RpeDrift(Struct, frozen=True, kw_only=True):
    """The same work at rising effort: mean RPE of the latest exposures and of those before, with the sets compared."""

    latest_rpe: float
    before_rpe: float
    latest: tuple[PerformedSet, ...]
    before: tuple[PerformedSet, ...]
    date: datetime.date

    @property
    def rise_rpe(self) -> float:
        """How much the mean effort rose."""
        return self.latest_rpe - self.before_rpe


class PerformanceDrop(Struct, frozen=True, kw_only=True):
    """A lift whose best of the last week is below its four-week best; `share` is the one over the other."""

    exercise: str
    latest: Best
    baseline: Best
    share: float


class HardWeeks(Struct, frozen=True, kw_only=True):
    """The run of hard weeks up to the last complete one; `light_week` is the week before it (its Monday)."""

    weeks: int
    first_week: datetime.date | None
    light_week: datetime.date | None


def find_rpe_drift(exposures: Sequence[Exposure], as_of: datetime.date) -> RpeDrift | None:
    """Find the same work at rising effort in one exercise; exposures oldest first.

    The work compared is that of the latest exposure's top set.
    """
    known = [e for e in exposures if e.date <= as_of and days_between(e.date, as_of) <= DRIFT_HORIZON_DAYS]
    if not known:
        return None
    reference = top_set(known[-1])
    same = [sets for exposure in known if (sets := _same_work(exposure, reference))]
    if len(same) < DRIFT_LATEST + DRIFT_BEFORE or same[-1][0].workout_id != known[-1].workout_id:
        return None
    latest, before = same[-DRIFT_LATEST:], same[-DRIFT_LATEST - DRIFT_BEFORE : -DRIFT_LATEST]
    drift = RpeDrift(
        latest_rpe=_mean_of_means(latest),
        before_rpe=_mean_of_means(before),
        latest=tuple(performed for sets in latest for performed in sets),
        before=tuple(performed for sets in before for performed in sets),
        date=known[-1].date,
    )
    return drift if drift.rise_rpe >= DRIFT_RPE - 1e-9 else None


def main_lifts(exposures_by_exercise: Mapping[str, Sequence[Exposure]], as_of: datetime.date) -> tuple[str, ...]:
    """Name the exercises trained most often in the last eight weeks with an estimable load, most trained first."""
    counts = []
    for exercise, exposures in exposures_by_exercise.items():
        recent = [e for e in exposures if e.date <= as_of and days_between(e.date, as_of) <= MAIN_LIFT_DAYS]
        bests = len(day_bests(recent))
        if bests >= MAIN_LIFT_EXPOSURES_MIN:
            counts.append((-bests, exercise))
    return tuple(exercise for _, exercise in sorted(counts)[:MAIN_LIFTS_MAX])


def find_performance_drops(
    exposures_by_exercise: Mapping[str, Sequence[Exposure]], lifts: Iterable[str], as_of: datetime.date
) -> list[PerformanceDrop]:
    """Find the main lifts that dropped in the last week; empty unless at least two did.

    The best session of the week is compared, so that a planned light day beside a heavy one is no drop.
    """
    drops = []
    for exercise in sorted(set(lifts)):
        recent = [
            exposure
            for exposure in exposures_by_exercise.get(exercise, ())
            if exposure.date <= as_of and days_between(exposure.date, as_of) < DROP_BASELINE_DAYS
        ]
        bests = day_bests(recent)
        week = [best for best in bests if days_between(best.exposure.date, as_of) < DROP_DAYS]
        if not week:
            continue
        latest, baseline = _strongest(week), _strongest(bests)
        share = latest.estimate.e1rm_kg / baseline.estimate.e1rm_kg
        if share < DROP_SHARE:
            drops.append(PerformanceDrop(exercise=exercise, latest=latest, baseline=baseline, share=share))
    return drops if len(drops) >= DROP_LIFTS_MIN else []


def recent_signs(signs: Iterable[FatigueSign], as_of: datetime.date) -> tuple[FatigueSign, ...]:
    """Give the signs of the last fourteen days, by kind, subject and day."""
    recent = [sign for sign in signs if 0 <= days_between(sign.date, as_of) < RISK_DAYS]
    return tuple(sorted(recent, key=lambda sign: (sign.kind, sign.subject, sign.date)))


def overtraining_risk(signs: Iterable[FatigueSign], as_of: datetime.date) -> tuple[FatigueSign, ...]:
    """Give the signs that make a risk together, or none.

    Needs two different kinds within fourteen days, resting on at least two records: one check-in never makes it alone.
    """
    recent = recent_signs(signs, as_of)
    kinds = {sign.kind for sign in recent}
    records = {record_id for sign in recent for record_id in sign.record_ids}
    return recent if len(kinds) >= RISK_SIGNS_MIN and len(records) >= RISK_SIGNS_MIN else ()


def hard_weeks(
    sets: Iterable[PerformedSet], as_of: datetime.date, planned_deloads: Iterable[datetime.date] = ()
) -> HardWeeks:
    """Count the hard weeks running, up to the last complete ISO week.

    A week is light when it was a planned deload (given by its Monday), or had fewer than two sessions, or at most three
    fifths of the median sets of the four training weeks before it.
    """
    sets_by_week: dict[datetime.date, float] = {}
    sessions_by_week: dict[datetime.date, set[str]] = {}
    for performed in sets:
        share = working_share(performed)
        if share and performed.date is not None:
            week = monday_of(performed.date)
            sets_by_week[week] = sets_by_week.get(week, 0.0) + share
            sessions_by_week.setdefault(week, set()).add(performed.workout_id)
    deloads = set(planned_deloads)
    run: list[datetime.date] = []
    basis: list[float] = []
    light_week = None
    for week in complete_weeks(as_of, WEEKS_LOOKED_BACK):
        done = sets_by_week.get(week, 0.0)
        usual = median(basis[-LIGHT_WEEK_BASIS:]) if len(basis) >= LIGHT_WEEK_BASIS_MIN else None
        few = len(sessions_by_week.get(week, ())) < HARD_WEEK_SESSIONS_MIN
        if week in deloads or few or (usual is not None and done <= usual * LIGHT_WEEK_SHARE):
            light_week, run = week, []
        else:
            run.append(week)
        if done:
            basis.append(done)
    return HardWeeks(weeks=len(run), first_week=run[0] if run else None, light_week=light_week)


def deload_reasons(weeks: HardWeeks, signs: Iterable[FatigueSign]) -> tuple[str, ...]:
    """Name what speaks for a deload, `hard_weeks`, `fatigue_signs`, both or neither, given the recent signs."""
    reasons = []
    if weeks.weeks >= HARD_WEEKS_MAX:
        reasons.append("hard_weeks")
    if len({(sign.kind, sign.subject) for sign in signs}) >= DELOAD_SIGNS_MIN:
        reasons.append("fatigue_signs")
    return tuple(reasons)


def _same_work(exposure: Exposure, reference: PerformedSet) -> tuple[PerformedSet, ...]:
    """Give the sets of an exposure that repeat the reference and whose effort was logged."""
    if not reference.load_kg or reference.load_kg <= 0 or not reference.reps:
        return ()
    return tuple(
        performed
        for performed in exposure.sets
        if performed.load_kg is not None
        and abs(performed.load_kg - reference.load_kg) <= reference.load_kg * SAME_LOAD_SHARE
        and abs((performed.reps or 0) - reference.reps) <= SAME_REPS
        and effort_rpe(performed) is not None
    )


def _mean_of_means(exposures: Sequence[Sequence[PerformedSet]]) -> float:
    """Mean over exposures, so that a session with many sets weighs no more."""
    return fsum(mean_effort(sets) or 0.0 for sets in exposures) / len(exposures)


def _strongest(bests: Sequence[Best]) -> Best:
    return max(bests, key=lambda best: (best.estimate.e1rm_kg, best.exposure.date.toordinal()))
