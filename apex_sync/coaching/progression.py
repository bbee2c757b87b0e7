"""What to do with an exercise next time: progress, maintain or deload, always with the rule that fired and its reasons.

With a known rep range the rule is double progression: reps rise within the range, then the load rises and reps start
over. Without one the load follows reported effort (RPE autoregulation). With neither nothing is claimed. Numbers are
common practice and defaults of ours [D] unless tagged otherwise.
"""

import datetime
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from apex_sync.coaching.exposures import Exposure, mean_effort
from apex_sync.coaching.increments import DEFAULT_STEP, Step, lowered_kg, raised_kg, typed
from apex_sync.coaching.plan import Target
from apex_sync.coaching.sets import PerformedSet, effort_conflicts, effort_rpe
from apex_sync.coaching.weeks import days_between

Action = Literal["progress", "maintain", "deload"]

EFFORT_SLACK = 0.5
"""How far above its target an effort still counts as the prescribed one, in RPE."""

EFFORT_STEP = 1.0
"""How far an effort must lie from its target to change the load, in RPE; less is noise [V: people misjudge reps left by
about one, Halperin et al. 2022]."""

EFFORT_STEP_LARGE = 2.0
"""From here above the target the load falls by the larger cut, in RPE."""

DEFAULT_TARGET_RPE = 8.0
"""The effort aimed at where none was prescribed: two reps in reserve."""

RPE_RAISE = 0.025
RPE_CUT, RPE_CUT_LARGE = 0.025, 0.05
"""Change of load by autoregulation, as a share."""

MISS_CUT, MISS_CUT_LARGE = 0.05, 0.10
MISS_REPS_LARGE = 3
"""Cut of load after two exposures below the range, and the missing reps from which it is the larger one."""

DELOAD_CUT = 0.10
"""Cut of load in a planned deload week."""

BUILD_UP_SHARE = 0.90
"""Sets lighter than this share of the session's top load are build-up or back-off, and judge no progression."""

STALE_DAYS = 28
"""After so long without the exercise, what was last done says too little."""

EXPOSURES_WANTED = 2
"""Exposures from which a recommendation is fully founded."""


class Progression(Struct, frozen=True, kw_only=True):
    """A recommendation for the next exposure.

    `next_load_kg` is None where the load stays unknown or no step fits; `next_load` is the same in `load_unit`, the
    unit the athlete types. `next_reps` is what to aim at: the lowest set for maintain, every set otherwise.
    """

    action: Action
    rule_id: str
    reasons: tuple[str, ...]
    n: int = 0
    load_kg: float | None = None
    next_load_kg: float | None = None
    next_load: float | None = None
    load_unit: str = "kg"
    next_reps: int | None = None
    effort_rpe: float | None = None
    hardest_rpe: float | None = None
    target_rpe: float | None = None
    target_reps: tuple[int, int] | None = None
    target_sets: int | None = None
    low_confidence: bool = False
    judged: tuple[PerformedSet, ...] = ()


def recommend_progression(
    exposures: Sequence[Exposure],
    target: Target | None,
    as_of: datetime.date,
    *,
    step: Step = DEFAULT_STEP,
    deload_week: bool = False,
) -> Progression:
    """Recommend the next step of one exercise from its exposures, oldest first.

    Exposures after `as_of` are ignored; those of deload weeks should be left out by the caller. `deload_week` says
    that the next exposure falls into a planned one.
    """
    known = [exposure for exposure in exposures if exposure.date <= as_of]
    if not known:
        return Progression(action="maintain", rule_id="progression.no_exposure", reasons=("not trained yet",))
    last = known[-1]
    sets = straight_sets(last)
    base = Progression(
        action="maintain",
        rule_id="progression.no_basis",
        reasons=("neither a rep range nor effort is known",),
        n=len(known),
        load_kg=sets[0].load_kg,
        load_unit=sets[0].load_unit,
        effort_rpe=mean_effort(sets),
        hardest_rpe=max((effort for s in sets if (effort := effort_rpe(s)) is not None), default=None),
        target_rpe=target.rpe if target else None,
        target_reps=target.rep_range if target else None,
        target_sets=target.sets if target else None,
        low_confidence=any(effort_conflicts(performed) for performed in sets),
        judged=sets,
    )
    if days_between(last.date, as_of) > STALE_DAYS:
        return _with(base, "maintain", "progression.stale", f"last trained {days_between(last.date, as_of)} days ago")
    if deload_week:
        return _lower(base, "progression.deload_week", "a planned deload week", DELOAD_CUT, step)
    if base.target_reps is not None:
        return _double_progression(base, known, base.target_reps, step)
    if base.effort_rpe is not None:
        return _autoregulation(base, base.effort_rpe, step)
    return base


def straight_sets(exposure: Exposure) -> tuple[PerformedSet, ...]:
    """Give the sets that judge a progression: the hard sets near the session's top load, heaviest first.

    Drop and back-off sets are left out, unless the session has no others.
    """
    straight = [s for s in exposure.sets if s.type not in ("dropset", "backoff")] or list(exposure.sets)
    top = max(s.load_kg or 0.0 for s in straight)
    near = [s for s in straight if (s.load_kg or 0.0) >= top * BUILD_UP_SHARE] if top > 0 else straight
    return tuple(sorted(near, key=lambda s: (-(s.load_kg or 0.0), s.position)))


def _double_progression(
    base: Progression, known: Sequence[Exposure], rep_range: tuple[int, int], step: Step
) -> Progression:
    low, high = rep_range
    sets, hardest, target_rpe = base.judged, base.hardest_rpe, base.target_rpe
    fewest = min(s.reps or 0 for s in sets)
    if fewest < low:
        return _below_range(base, known, low, fewest, step)
    if base.target_sets is not None and len(sets) < base.target_sets:
        reason = f"{len(sets)} of {base.target_sets} sets were done at the working load"
        return _with(base, "maintain", "double_progression.sets_missing", reason, next_reps=fewest)
    if fewest < high:
        reason = f"all sets are within {low} to {high} reps, the lowest at {fewest}"
        return _with(base, "maintain", "double_progression.in_range", reason, next_reps=fewest + 1)
    if target_rpe is not None and hardest is not None and hardest > target_rpe + EFFORT_SLACK:
        reason = f"all sets reached {high} reps, but at RPE {hardest:g} where {target_rpe:g} was prescribed"
        return _with(base, "maintain", "double_progression.effort_high", reason, next_reps=high)
    return _raise(base, "double_progression.range_topped", f"all sets reached {high} reps", step, low, high + 1)


def _below_range(base: Progression, known: Sequence[Exposure], low: int, fewest: int, step: Step) -> Progression:
    """Repeat after one exposure below the range, lower the load after two running."""
    before = known[-2] if len(known) > 1 else None
    if before is None or min(s.reps or 0 for s in straight_sets(before)) >= low:
        reason = f"a set ended at {fewest} reps, below {low}, for the first time"
        return _with(base, "maintain", "double_progression.below_range_once", reason, next_reps=low)
    cut = MISS_CUT_LARGE if low - fewest >= MISS_REPS_LARGE else MISS_CUT
    reason = f"sets ended below {low} reps in two exposures running, the lowest now at {fewest}"
    return _lower(base, "double_progression.below_range_twice", reason, cut, step, next_reps=low)


def _autoregulation(base: Progression, effort: float, step: Step) -> Progression:
    aimed_at = "asked for" if base.target_rpe is not None else "usual, as no plan asks for one"
    target = base.target_rpe if base.target_rpe is not None else DEFAULT_TARGET_RPE
    base = replace(base, target_rpe=target)
    fewest = min(s.reps or 0 for s in base.judged)
    reason = f"mean effort was RPE {round(effort, 2):g} where {target:g} is {aimed_at}"
    if effort <= target - EFFORT_STEP:
        return _raise(base, "rpe.below_target", reason, step, fewest, fewest + 1, share=RPE_RAISE)
    if effort >= target + EFFORT_STEP:
        cut = RPE_CUT_LARGE if effort >= target + EFFORT_STEP_LARGE else RPE_CUT
        return _lower(base, "rpe.above_target", reason, cut, step, next_reps=fewest)
    if abs(effort - target) <= EFFORT_SLACK:
        return _with(base, "maintain", "rpe.on_target", reason, next_reps=fewest + 1)
    return _with(base, "maintain", "rpe.near_target", reason, next_reps=fewest)


def _raise(
    base: Progression, rule_id: str, reason: str, step: Step, reps: int, reps_instead: int, share: float | None = None
) -> Progression:
    """Progress by load, or by a rep where the load can't rise by a small enough step."""
    next_kg = raised_kg(base.load_kg, base.load_unit, step, share) if base.load_kg else None
    if next_kg is None:
        why = "no step of load is small enough" if base.load_kg else "no load was logged"
        return _with(base, "progress", rule_id, reason, f"{why}, so by a rep", next_reps=reps_instead)
    return _with(base, "progress", rule_id, reason, next_load_kg=next_kg, next_reps=reps)


def _lower(
    base: Progression, rule_id: str, reason: str, cut: float, step: Step, next_reps: int | None = None
) -> Progression:
    """Lower the load by at least a share; where nothing lighter can be loaded, keep it."""
    next_kg = lowered_kg(base.load_kg, base.load_unit, step, cut) if base.load_kg else None
    reasons = (reason,) if next_kg is not None else (reason, "no lighter step of load is known")
    return _with(base, "deload", rule_id, *reasons, next_load_kg=next_kg, next_reps=next_reps)


def _with(
    base: Progression,
    action: Action,
    rule_id: str,
    *reasons: str,
    next_load_kg: float | None = None,
    next_reps: int | None = None,
) -> Progression:
    """Complete a recommendation; maintaining keeps the load."""
    next_kg = base.load_kg if action == "maintain" else next_load_kg
    return replace(
        base,
        action=action,
        rule_id=rule_id,
        reasons=reasons,
        next_load_kg=next_kg,
        next_load=None if next_kg is None else typed(next_kg, base.load_unit),
        next_reps=next_reps,
    )
