"""What a check-in says: its answers against the athlete's own last weeks, the weight trend, adherence, and notes.

`check_in_facts` gathers the facts; `check_in_findings` says which of them a coach should know, as findings whose
`flag` is `warning`, `concern` or `positive`. One check-in alone never says more than that: risks need two sources
(`recovery`).
"""

import datetime
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from apex_sync.coaching.adherence import GOOD_PERCENT, Adherence, workout_adherence
from apex_sync.coaching.adherence_findings import session_facts
from apex_sync.coaching.body_weight_lifts import BodyWeights
from apex_sync.coaching.bodyweight import (
    FLAG_THRESHOLDS,
    RATE_WEIGH_INS_MIN,
    TrendDay,
    WeighIn,
    WeightFlag,
    WeightRate,
    on_course,
    rate_window,
    weigh_ins_of,
    weight_flags,
    weight_rate,
    weight_trend,
)
from apex_sync.coaching.fatigue_findings import answer_facts, strain_finding
from apex_sync.coaching.finding import Fact, Finding, computed, confidence, finding, shown, written
from apex_sync.coaching.history import TrainingHistory
from apex_sync.coaching.note_findings import mention_finding
from apex_sync.coaching.notes import Mention, check_in_texts, find_mentions
from apex_sync.coaching.plan import ScheduledSession
from apex_sync.coaching.profile import TrainingProfile
from apex_sync.coaching.session import SessionTotals, session_totals
from apex_sync.coaching.strain import (
    ANSWERS,
    BASELINE_ANSWERS_MIN,
    BASELINE_DAYS,
    BETTER_HIGH,
    BETTER_LOW,
    NOTABLE_DIFFERENCE,
    Answers,
    Comparison,
    Strain,
    answers_of,
    comparisons,
    is_submitted,
    strain_of,
)
from apex_sync.coaching.weeks import WINDOW_DAYS, days_before
from apex_sync.collection import Record

TRAINING_DAYS = 7
"""The days before a check-in whose training is summed up beside it."""

POOR_LOW, POOR_HIGH = 3, 8
"""Answers at the poor end: at most this where more is better, at least this where less is [D]."""

EXPIRES_AFTER_DAYS = 14


class CheckInFacts(Struct, frozen=True, kw_only=True):
    """The facts of one check-in.

    `weight` is its own reading in the trend, `rate_days` the readings that `rate` was read from. `adherence` is of
    the last two weeks, `totals` of the training of the last one; a log without a set is no session.
    """

    answers: Answers
    strain: Strain | None
    comparisons: tuple[Comparison, ...]
    weight: TrendDay | None
    rate: WeightRate | None
    rate_days: tuple[TrendDay, ...]
    weight_flags: tuple[WeightFlag, ...]
    adherence: Adherence
    workout_ids: tuple[str, ...]
    totals: SessionTotals
    mentions: tuple[Mention, ...]


def check_in_facts(
    check_in_id: str,
    check_in: Record,
    *,
    history: Iterable[tuple[str, Record]],
    training: TrainingHistory,
    scheduled: Sequence[ScheduledSession] = (),
    profile: TrainingProfile,
    weigh_ins: Iterable[WeighIn] = (),
) -> CheckInFacts | None:
    """Gather the facts of a check-in on its own day; None where it is deleted or has no day.

    `history` holds the athlete's check-ins, in any order and with or without this one; drafts among them are left out.
    `weigh_ins` are readings from elsewhere (daily body metrics).
    """
    answers = answers_of(check_in_id, check_in)
    if answers is None:
        return None
    others = [(id_, record) for id_, record in history if id_ != check_in_id and is_submitted(record)]
    earlier = [read for id_, record in others if (read := answers_of(id_, record)) is not None]
    readings = [*weigh_ins, *weigh_ins_of([*others, (check_in_id, check_in)])]
    trend = weight_trend([reading for reading in readings if reading.date <= answers.date])
    weights = BodyWeights(trend)
    rate = weight_rate(trend, answers.date)
    last_week = [
        id_
        for id_ in training.workouts_since(days_before(answers.date, TRAINING_DAYS - 1))
        if training.dates[id_] <= answers.date and training.sets_by_workout[id_]
    ]
    return CheckInFacts(
        answers=answers,
        strain=strain_of(answers, earlier),
        comparisons=tuple(comparisons(answers, earlier)),
        weight=next((d for d in trend if any(reading.record_id == check_in_id for reading in d.weigh_ins)), None),
        rate=rate,
        rate_days=tuple(rate_window(trend, answers.date, rate.window_days)) if rate else (),
        weight_flags=tuple(weight_flags(trend, answers.date, profile.target_weight_kg)),
        adherence=workout_adherence(scheduled, training.sessions, as_of=answers.date),
        workout_ids=tuple(last_week),
        totals=session_totals(
            [performed for id_ in last_week for performed in training.sets_by_workout[id_]], weights=weights
        ),
        mentions=tuple(find_mentions(check_in_id, check_in_texts(check_in))),
    )


def check_in_findings(facts: CheckInFacts, *, training: TrainingHistory, profile: TrainingProfile) -> Iterator[Finding]:
    """Say what a coach should know of a check-in."""
    answers = facts.answers
    if answers.scores:
        yield _answers_finding(answers)
    if facts.strain is not None and facts.strain.level != "normal":
        yield strain_finding(facts.strain, answers)
    changed = {c.field for c in facts.comparisons if c.notable and c.direction != "neutral"}
    yield from (_change_finding(answers, c) for c in facts.comparisons if c.field in changed)
    yield from (_poor_finding(answers, field) for field in _poor_answers(answers) if field not in changed)
    if facts.mentions:
        yield mention_finding(answers.check_in_id, answers.date, facts.mentions)
    yield from _weight_findings(facts, profile)
    if facts.workout_ids:
        yield _training_finding(facts, training)
    if facts.adherence.percent is not None:
        yield _adherence_finding(facts, facts.adherence.percent, training)


def _answers_finding(answers: Answers) -> Finding:
    given = len(answers.scores)
    return finding(
        "checkin.answers",
        answers.check_in_id,
        statement=f"{given} of {len(ANSWERS)} questions were answered",
        window=(answers.date, answers.date),
        inputs=answer_facts(answers, ANSWERS),
        computed=[computed("answers given", given), computed("questions", len(ANSWERS))],
        n=given,
        confidence=confidence(given, len(ANSWERS)),
        expires_after_days=EXPIRES_AFTER_DAYS,
    )


def _change_finding(answers: Answers, found: Comparison) -> Finding:
    worse = found.direction == "worse"
    return finding(
        "checkin.change_worse" if worse else "checkin.change_better",
        f"{answers.check_in_id}:{found.field}",
        statement=f"{found.field} is {found.value}; the mean of the four weeks before is {shown(found.mean, 1)}",
        window=(days_before(answers.date, BASELINE_DAYS), answers.date),
        inputs=answer_facts(answers, [found.field]),
        computed=[
            computed("mean of the four weeks before", found.mean, "of 10", 1),
            computed("difference", found.difference, "points", 1),
        ],
        threshold={"difference": NOTABLE_DIFFERENCE},
        n=found.n,
        confidence=confidence(found.n, BASELINE_ANSWERS_MIN),
        expires_after_days=EXPIRES_AFTER_DAYS,
        action="ask_athlete" if worse else None,
        recommendation=f"Ask what changed in {found.field}." if worse else None,
    )


def _poor_answers(answers: Answers) -> list[str]:
    return [
        field
        for field, score in answers.scores.items()
        if (field in BETTER_HIGH and score <= POOR_LOW) or (field in BETTER_LOW and score >= POOR_HIGH)
    ]


def _poor_finding(answers: Answers, field: str) -> Finding:
    return finding(
        "checkin.low_answer",
        f"{answers.check_in_id}:{field}",
        statement=f"{field} is {answers.scores[field]} of 10",
        window=(answers.date, answers.date),
        inputs=answer_facts(answers, [field]),
        threshold={"at_most": POOR_LOW} if field in BETTER_HIGH else {"at_least": POOR_HIGH},
        n=1,
        confidence=confidence(1, 2),
        expires_after_days=EXPIRES_AFTER_DAYS,
        action="ask_athlete",
        recommendation=f"Ask about {field}.",
    )


def _training_finding(facts: CheckInFacts, training: TrainingHistory) -> Finding:
    totals, sessions = facts.totals, len(facts.workout_ids)
    results = [
        computed("sessions of the last week", sessions),
        computed("hard sets", totals.working_sets, "sets"),
        computed("volume load", totals.volume_load_kg, "kg", 0),
    ]
    if totals.body_weight_reps:
        results.append(computed("reps with a body weight that is not known", totals.body_weight_reps, "reps"))
    statement = f"{sessions} sessions in the last week with {shown(totals.working_sets)} hard sets"
    if totals.average_rpe is not None:
        results.append(computed("average effort", totals.average_rpe, "RPE", 1))
        statement += f" at RPE {shown(totals.average_rpe, 1)} on average"
    return finding(
        "checkin.training",
        facts.answers.check_in_id,
        statement=statement,
        window=(days_before(facts.answers.date, TRAINING_DAYS - 1), facts.answers.date),
        inputs=session_facts(training, facts.workout_ids),
        computed=results,
        n=sessions,
        confidence=1.0,
        expires_after_days=EXPIRES_AFTER_DAYS,
    )


def _adherence_finding(facts: CheckInFacts, percent: float, training: TrainingHistory) -> Finding:
    done, due = facts.adherence.done, facts.adherence.due
    done_ids = [outcome.workout_id for outcome in facts.adherence.outcomes if outcome.workout_id]
    good = percent >= GOOD_PERCENT
    return finding(
        "adherence.workouts_good" if good else "adherence.workouts",
        facts.answers.check_in_id,
        statement=f"{shown(done, 1)} of {due} due sessions were done in two weeks",
        window=(days_before(facts.answers.date, WINDOW_DAYS - 1), facts.answers.date),
        inputs=session_facts(training, done_ids) or answer_facts(facts.answers, ["adherence"]),
        computed=[
            computed("sessions done", done, "sessions", 1),
            computed("sessions due", due, "sessions"),
            computed("adherence", percent, "%", 0),
        ],
        threshold={"good_percent": GOOD_PERCENT},
        n=due,
        confidence=confidence(due, 4),
        expires_after_days=EXPIRES_AFTER_DAYS,
    )


def _weight_findings(facts: CheckInFacts, profile: TrainingProfile) -> Iterator[Finding]:
    if facts.weight is None:
        return
    if facts.weight.held_out is not None:
        yield _held_out_finding(facts.weight)
    elif facts.rate is not None and facts.weight_flags:
        yield from (_weight_flag_finding(facts, flag) for flag in facts.weight_flags)
    elif facts.rate is not None:
        yield _trend_finding(facts, facts.rate, profile.target_weight_kg)


def _trend_finding(facts: CheckInFacts, rate: WeightRate, target_weight_kg: float | None) -> Finding:
    target = [computed("target weight", target_weight_kg, "kg")] if target_weight_kg is not None else []
    return finding(
        "bodyweight.on_course" if on_course(rate, target_weight_kg) else "bodyweight.trend",
        "body_weight",
        statement=_rate_text(rate),
        window=_rate_days(facts, rate),
        inputs=_weight_facts(reversed(facts.rate_days)),
        computed=[*_rate_facts(rate), *target],
        n=rate.n,
        confidence=confidence(rate.n, RATE_WEIGH_INS_MIN, low=rate.low_confidence),
        expires_after_days=EXPIRES_AFTER_DAYS,
    )


def _weight_flag_finding(facts: CheckInFacts, flag: WeightFlag) -> Finding:
    return finding(
        f"bodyweight.{flag.kind}",
        "body_weight",
        statement=_rate_text(flag.rate),
        window=_rate_days(facts, flag.rate),
        inputs=_weight_facts(reversed(facts.rate_days)),
        computed=_rate_facts(flag.rate),
        threshold=FLAG_THRESHOLDS[flag.kind],
        n=flag.rate.n,
        confidence=confidence(flag.rate.n, RATE_WEIGH_INS_MIN, low=flag.rate.low_confidence),
        expires_after_days=EXPIRES_AFTER_DAYS,
        action="review_nutrition",
        recommendation="Look at intake and at the target together with the athlete.",
        priority="high" if flag.level == "red" else None,
        flag="warning" if flag.level == "red" else None,
    )


def _rate_days(facts: CheckInFacts, rate: WeightRate) -> tuple[datetime.date, datetime.date]:
    return days_before(facts.answers.date, rate.window_days), facts.answers.date


def _held_out_finding(today: TrendDay) -> Finding:
    slip = today.held_out == "unit_slip"
    trend = shown(today.trend_kg, 1)
    return finding(
        "bodyweight.unit_slip" if slip else "bodyweight.outlier",
        "body_weight",
        statement=f"{shown(today.weight_kg, 1)} kg against a trend of {trend} kg"
        + (", as if pounds and kilograms were mixed up" if slip else ""),
        window=(today.date, today.date),
        inputs=_weight_facts([today]),
        computed=[computed("weight", today.weight_kg, "kg", 1), computed("trend", today.trend_kg, "kg", 1)],
        n=1,
        confidence=0.5,
        expires_after_days=EXPIRES_AFTER_DAYS,
        action="confirm_weight",
        recommendation="Ask the athlete whether the weight is right; it is held out of the trend until then.",
    )


def _rate_text(rate: WeightRate) -> str:
    percent, kg = shown(rate.percent_per_week), shown(rate.kg_per_week)
    return f"the weight trend is {shown(rate.trend_kg, 1)} kg and moves by {percent} % ({kg} kg) per week"


def _rate_facts(rate: WeightRate) -> list[Fact]:
    return [
        computed("weight trend", rate.trend_kg, "kg", 1),
        computed("rate", rate.percent_per_week, "% per week"),
        computed("rate in kilograms", rate.kg_per_week, "kg per week"),
        computed("days with a weigh-in", rate.n, "days"),
    ]


def _weight_facts(days: Iterable[TrendDay]) -> list[Fact]:
    readings = [reading for day in days for reading in day.weigh_ins]
    return [written(r.record_id, r.field, f"body weight on {r.date}", r.weight_kg, "kg") for r in readings]
