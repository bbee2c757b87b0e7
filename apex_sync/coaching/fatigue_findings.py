"""Findings on fatigue: its signs, what they make together, and when a deload is due."""

import datetime
from collections.abc import Collection, Iterable, Iterator, Sequence

from apex_sync.coaching.adherence_findings import session_facts
from apex_sync.coaching.finding import Fact, Finding, best_facts, computed, confidence, finding, shown, written
from apex_sync.coaching.history import TrainingHistory
from apex_sync.coaching.plan import Plan
from apex_sync.coaching.recovery import (
    DELOAD_DAYS,
    DELOAD_LOAD_SHARE,
    DELOAD_RIR_MORE,
    DELOAD_SETS_SHARE_HIGH,
    DELOAD_SETS_SHARE_LOW,
    DELOAD_SIGNS_MIN,
    DROP_BASELINE_DAYS,
    DROP_LIFTS_MIN,
    DROP_SHARE,
    HARD_WEEKS_MAX,
    RISK_DAYS,
    RISK_SIGNS_MIN,
    FatigueSign,
    deload_reasons,
    find_performance_drops,
    hard_weeks,
    main_lifts,
    overtraining_risk,
    recent_signs,
)
from apex_sync.coaching.strain import (
    DEVIATION_SDS,
    RESTORING,
    STRAIN_RED,
    STRAIN_YELLOW,
    STRAINING,
    Answers,
    Strain,
    strain_of,
)
from apex_sync.coaching.weeks import DAYS, days_before, days_between, monday_of

SIGN_NAMES = {
    "rpe_drift": "rising effort at the same work",
    "performance_drop": "performance below the four-week best",
    "strain": "strain in check-in answers",
    "volume": "weekly sets above the recoverable volume",
}

FACTS_PER_SIGN = 6
"""Facts that each of several signs brings into a finding on all of them, so that none crowds out the others."""

Signs = list[tuple[FatigueSign, Finding]]
"""Signs of fatigue, each with the finding whose facts show it."""


def performance_drop_signs(history: TrainingHistory, lifts: Sequence[str]) -> Signs:
    """Find several main lifts below their four-week best; one sign for all of them."""
    as_of = history.as_of
    hard = {exercise: history.hard_exposures(exercise) for exercise in history.exposures_by_exercise}
    drops = find_performance_drops(hard, lifts or main_lifts(hard, as_of), as_of)
    if not drops:
        return []
    pairs = [best for drop in drops for best in (drop.latest, drop.baseline)]
    date = max(drop.latest.exposure.date for drop in drops)
    sign = FatigueSign(
        kind="performance_drop",
        level="red",
        date=date,
        subject="main_lifts",
        record_ids=tuple(sorted({best.performed.workout_id for best in pairs})),
    )
    found = finding(
        "recovery.performance_drop",
        "main_lifts",
        about=", ".join(history.name(drop.exercise) for drop in drops),
        statement=f"{len(drops)} main lifts are below {shown(100 * DROP_SHARE)} % of their four-week best this week",
        window=(days_before(as_of, DROP_BASELINE_DAYS - 1), as_of),
        inputs=best_facts(pairs),
        computed=[
            computed("lifts below", len(drops)),
            *(computed(f"lift {n}: share of its best", 100 * drop.share, "%") for n, drop in enumerate(drops, start=1)),
        ],
        threshold={"percent": 100 * DROP_SHARE},
        n=len(drops),
        confidence=confidence(len(drops), DROP_LIFTS_MIN, low=any(best.estimate.low_confidence for best in pairs)),
        expires_after_days=RISK_DAYS,
        action="review_recovery",
        recommendation="Look at the week's sleep, stress and volume before the next heavy session.",
    )
    return [(sign, found)]


def strain_signs(check_ins: Sequence[Answers], as_of: datetime.date) -> Signs:
    """Find the check-ins of the last two weeks that show strain."""
    recent = [answers for answers in check_ins if 0 <= days_between(answers.date, as_of) < RISK_DAYS]
    return [
        (_strain_sign(strain), strain_finding(strain, answers))
        for answers in sorted(recent, key=lambda a: (a.date, a.check_in_id))
        if (strain := strain_of(answers, check_ins)) is not None and strain.level in ("yellow", "red")
    ]


def strain_finding(strain: Strain, answers: Answers) -> Finding:
    """Report the strain of a check-in."""
    low = strain.level == "low"
    facts = [computed("strain", strain.value, "of 10")]
    if strain.baseline is not None:
        facts.append(computed("mean strain of the four weeks before", strain.baseline.mean, "of 10"))
    statement = f"strain is {shown(strain.value)} of 10"
    if strain.baseline is not None:
        statement += f"; the mean of the four weeks before is {shown(strain.baseline.mean)}"
    return finding(
        "recovery.strain_low" if low else "recovery.strain",
        strain.check_in_id,
        statement=statement,
        window=(strain.date, strain.date),
        inputs=answer_facts(answers, STRAINING + RESTORING),
        computed=facts,
        threshold={"yellow": STRAIN_YELLOW, "red": STRAIN_RED, "deviations": DEVIATION_SDS},
        n=strain.answered,
        confidence=confidence(strain.answered, len(STRAINING + RESTORING)),
        expires_after_days=RISK_DAYS,
        action="hold_plan" if low else "review_recovery",
        recommendation=None if low else "Ask about sleep and stress, and keep the coming week's load as it is.",
        priority="high" if strain.level == "red" else None,
        flag="warning" if strain.level == "red" else None,
    )


def answer_facts(answers: Answers, fields: Iterable[str]) -> list[Fact]:
    """Make the facts of the answers that were given."""
    return [
        written(answers.check_in_id, f"responses.{field}", field, answers.scores[field], "of 10")
        for field in fields
        if field in answers.scores
    ]


def risk_findings(signs: Signs, as_of: datetime.date) -> Iterator[Finding]:
    """Say when different signs of fatigue come together."""
    together = overtraining_risk([sign for sign, _ in signs], as_of)
    if together:
        kinds = sorted({sign.kind for sign in together})
        yield finding(
            "recovery.overtraining_risk",
            "training",
            statement="within two weeks: " + ", ".join(SIGN_NAMES[kind] for kind in kinds),
            window=(days_before(as_of, RISK_DAYS - 1), as_of),
            inputs=_facts_of(signs, {(sign.kind, sign.subject) for sign in together}),
            computed=[computed("different signs", len(kinds))],
            threshold={"different_signs": RISK_SIGNS_MIN, "days": RISK_DAYS},
            n=len(together),
            confidence=confidence(len(kinds), RISK_SIGNS_MIN),
            expires_after_days=RISK_DAYS,
            action="consider_deload",
            recommendation="Talk to the athlete, and consider a lighter week.",
        )


def deload_findings(history: TrainingHistory, signs: Signs, plan: Plan | None) -> Iterator[Finding]:
    """Suggest a deload after many hard weeks or several signs of fatigue, unless one is planned within a week."""
    as_of = history.as_of
    if plan is not None and (plan.deload_on(as_of) or plan.deload_on(days_before(as_of, -DAYS))):
        return
    sets = [performed for members in history.sets_by_workout.values() for performed in members]
    planned = {monday_of(history.dates[workout_id]) for workout_id in history.deload_workouts}
    weeks = hard_weeks(sets, as_of, planned)
    recent = recent_signs([sign for sign, _ in signs], as_of)
    reasons = deload_reasons(weeks, recent)
    if not reasons:
        return
    texts = {
        "hard_weeks": f"{weeks.weeks} hard weeks running",
        "fatigue_signs": f"at least {DELOAD_SIGNS_MIN} signs of fatigue within two weeks",
    }
    subjects = {(sign.kind, sign.subject) for sign in recent}
    yield finding(
        "recovery.deload_due",
        "training",
        statement="; ".join(texts[reason] for reason in reasons),
        window=(weeks.first_week or days_before(as_of, RISK_DAYS - 1), as_of),
        inputs=[*_facts_of(signs, subjects), *_week_facts(history, weeks.first_week)],
        computed=[
            computed("hard weeks running", weeks.weeks, "weeks"),
            computed("signs of fatigue", len(subjects)),
            computed("deload: days", DELOAD_DAYS, "days"),
            computed("deload: least share of sets", 100 * DELOAD_SETS_SHARE_LOW, "%"),
            computed("deload: most share of sets", 100 * DELOAD_SETS_SHARE_HIGH, "%"),
            computed("deload: share of load", 100 * DELOAD_LOAD_SHARE, "%"),
            computed("deload: more reps in reserve", DELOAD_RIR_MORE, "RIR"),
        ],
        threshold={"hard_weeks": HARD_WEEKS_MAX, "signs": DELOAD_SIGNS_MIN},
        n=weeks.weeks,
        confidence=confidence(max(weeks.weeks, HARD_WEEKS_MAX if len(subjects) > 1 else 0), HARD_WEEKS_MAX),
        expires_after_days=DAYS,
        action="consider_deload",
        recommendation="A week with half the sets, 90 % of the load and 2 more reps in reserve is the usual deload.",
        priority="high" if "fatigue_signs" in reasons else None,
    )


def _strain_sign(strain: Strain) -> FatigueSign:
    return FatigueSign(
        kind="strain",
        level="red" if strain.level == "red" else "yellow",
        date=strain.date,
        subject=strain.check_in_id,
        record_ids=(strain.check_in_id,),
    )


def _facts_of(signs: Signs, subjects: Collection[tuple[str, str]]) -> list[Fact]:
    """Take a share of facts from the finding of each sign, so that none crowds out the others."""
    return [
        fact for sign, found in signs if (sign.kind, sign.subject) in subjects for fact in found.inputs[:FACTS_PER_SIGN]
    ]


def _week_facts(history: TrainingHistory, first: datetime.date | None) -> list[Fact]:
    """Make the facts of the latest sessions of a run of weeks."""
    return session_facts(history, reversed(history.workouts_since(first))) if first is not None else []
