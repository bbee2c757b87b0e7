"""The catalogue of rules: every finding names one of these, with the version of its arithmetic.

Raise a rule's version when its thresholds or its arithmetic change: findings of the old version are then superseded,
and their wording is made anew.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

FindingType = Literal["progression", "recovery", "adherence", "nutrition", "warning", "opportunity"]
Priority = Literal["critical", "high", "medium", "low"]
FlagType = Literal["warning", "concern", "positive"]


class Rule(Struct, frozen=True):
    """What kind of finding a rule makes, how urgent it is unless the rule says otherwise, and what it looks at."""

    type: FindingType
    priority: Priority
    flag: FlagType | None
    summary: str
    version: int = 1


RULES: Mapping[str, Rule] = {
    # One exercise.
    "double_progression.range_topped": Rule(
        "progression", "medium", "positive", "every set reached the top of its rep range at the prescribed effort"
    ),
    "double_progression.effort_high": Rule(
        "progression", "low", None, "the top of the rep range was reached at more effort than prescribed"
    ),
    "double_progression.in_range": Rule("progression", "low", None, "all sets are within the rep range"),
    "double_progression.sets_missing": Rule("progression", "low", None, "fewer sets were done than prescribed"),
    "double_progression.below_range_once": Rule("progression", "low", None, "a set ended below its rep range once"),
    "double_progression.below_range_twice": Rule(
        "progression", "medium", "concern", "sets ended below their rep range twice running"
    ),
    "rpe.below_target": Rule("progression", "medium", "positive", "effort was at least one RPE below its target"),
    "rpe.on_target": Rule("progression", "low", None, "effort was on target"),
    "rpe.near_target": Rule("progression", "low", None, "effort was near its target"),
    "rpe.above_target": Rule("progression", "medium", "concern", "effort was at least one RPE above its target"),
    "progression.deload_week": Rule("progression", "low", None, "the next session falls into a planned deload week"),
    "plateau.no_gain": Rule("progression", "medium", "concern", "estimated strength stands still"),
    "plateau.regression": Rule("progression", "medium", "concern", "estimated strength falls"),
    "records.new": Rule("progression", "low", "positive", "personal records in one session", version=2),
    # Recovery.
    "recovery.rpe_drift": Rule("recovery", "medium", "concern", "the same work takes more effort"),
    "recovery.performance_drop": Rule(
        "recovery", "high", "concern", "several main lifts are below their four-week best"
    ),
    "recovery.strain": Rule("recovery", "medium", "concern", "check-in answers show strain"),
    "recovery.strain_low": Rule("recovery", "low", "positive", "check-in answers show little strain"),
    "recovery.overtraining_risk": Rule(
        "warning", "critical", "warning", "different signs of fatigue come together within two weeks"
    ),
    "recovery.deload_due": Rule("recovery", "medium", "concern", "many hard weeks, or several signs of fatigue"),
    # Volume.
    "volume.above_mrv": Rule("recovery", "high", "concern", "a muscle is above its recoverable volume for two weeks"),
    "volume.jump": Rule("recovery", "low", None, "a muscle's weekly sets rose by more than a fifth"),
    "volume.weak_point_low": Rule("opportunity", "medium", None, "a weak point gets less than its effective volume"),
    # Notes.
    "notes.mention": Rule("warning", "high", "warning", "a note has words that the coach should read"),
    "notes.set_ended_by_injury": Rule("warning", "high", "warning", "a set is marked as ended by an injury"),
    # Check-ins.
    "checkin.answers": Rule("recovery", "low", None, "the answers of a check-in"),
    "checkin.change_worse": Rule("recovery", "medium", "concern", "an answer is clearly worse than in the last weeks"),
    "checkin.change_better": Rule("recovery", "low", "positive", "an answer is clearly better than in the last weeks"),
    "checkin.low_answer": Rule("recovery", "medium", "concern", "an answer is at the poor end of its scale"),
    "checkin.training": Rule("progression", "low", None, "the training of the week before a check-in", version=2),
    # Body weight.
    "bodyweight.trend": Rule("nutrition", "low", None, "how the body weight moves"),
    "bodyweight.on_course": Rule("nutrition", "low", "positive", "the body weight moves towards its target"),
    "bodyweight.fast_loss": Rule("nutrition", "medium", "concern", "the body weight falls fast"),
    "bodyweight.fast_gain": Rule("nutrition", "medium", "concern", "the body weight rises fast"),
    "bodyweight.against_goal": Rule("nutrition", "medium", "concern", "the body weight moves away from its target"),
    "bodyweight.unit_slip": Rule("nutrition", "medium", "concern", "a weight looks like pounds taken for kilograms"),
    "bodyweight.outlier": Rule("nutrition", "medium", "concern", "a weight is far from the trend"),
    # Nutrition.
    "nutrition.energy_low": Rule("nutrition", "medium", "concern", "less energy was eaten than asked for"),
    "nutrition.energy_high": Rule("nutrition", "medium", "concern", "more energy was eaten than asked for"),
    "nutrition.protein_low": Rule("nutrition", "medium", "concern", "less protein was eaten than asked for"),
    "nutrition.adherence_low": Rule("nutrition", "medium", "concern", "days of eating were far from their targets"),
    # Adherence.
    "adherence.workouts": Rule("adherence", "low", None, "sessions done against sessions due"),
    "adherence.workouts_good": Rule("adherence", "low", "positive", "nearly all due sessions were done"),
    "adherence.workouts_low": Rule("adherence", "high", "concern", "two weeks running with few of the due sessions"),
    "adherence.check_in_overdue": Rule("adherence", "high", "concern", "a check-in is overdue"),
}
"""Every rule by id. The urgency of some rises with what they find."""
