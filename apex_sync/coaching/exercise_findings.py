"""Findings on single exercises: the next load, stagnation, new records, rising effort at the same work."""

import datetime
from collections.abc import Iterable, Iterator

from apex_sync.coaching.exposures import Exposure
from apex_sync.coaching.finding import (
    ActionCode,
    Fact,
    Finding,
    best_facts,
    computed,
    confidence,
    effort_facts,
    finding,
    set_facts,
    shown,
)
from apex_sync.coaching.history import TrainingHistory
from apex_sync.coaching.increments import Step, step_for
from apex_sync.coaching.plan import Plan
from apex_sync.coaching.plateau import (
    HISTORY_EXPOSURES_MIN,
    PLATEAU_GAIN,
    PLATEAU_SLOPE_PER_WEEK,
    REGRESSION_SLOPE_PER_WEEK,
    Stagnation,
    find_stagnation,
)
from apex_sync.coaching.profile import ExerciseTraits, Library
from apex_sync.coaching.progression import EXPOSURES_WANTED, STALE_DAYS, Progression, recommend_progression
from apex_sync.coaching.records import E1RM_FORMULA, PersonalRecord, records_in
from apex_sync.coaching.recovery import DRIFT_BEFORE, DRIFT_LATEST, DRIFT_RPE, FatigueSign, RpeDrift, find_rpe_drift
from apex_sync.coaching.sets import PerformedSet
from apex_sync.coaching.strength import FORMULA_NAMES
from apex_sync.coaching.weeks import DAYS, days_before

EXERCISES_MAX = 40
"""Exercises that findings are made for, the latest trained first: more are not trained at one time."""

EXPIRES_AFTER_DAYS = 28
RECORD_EXPIRES_AFTER_DAYS = 14
UNCLAIMED = frozenset({"progression.no_basis", "progression.stale", "progression.no_exposure"})
"""Recommendations that claim nothing make no finding."""


def current_exercises(history: TrainingHistory) -> list[str]:
    """List the exercises trained in the last four weeks, the latest trained first."""
    since = days_before(history.as_of, STALE_DAYS)
    last = {e: line[-1] for e, line in history.exposures_by_exercise.items() if line and line[-1].date >= since}
    return sorted(last, key=lambda e: (-last[e].date.toordinal(), e))[:EXERCISES_MAX]


def progression_findings(history: TrainingHistory, plan: Plan | None, library: Library) -> Iterator[Finding]:
    """Recommend the next step of every current exercise for which a rule has something to say."""
    next_in_deload = plan is not None and plan.deload_on(history.as_of)
    for exercise in current_exercises(history):
        line = history.hard_exposures(exercise)
        if not line:
            continue
        slot = history.slots.get(line[-1].workout_id)
        line = _same_day_of_program(history, line)
        target = plan.target(exercise, slot) if plan else None
        recommended = recommend_progression(
            line, target, history.as_of, step=_step(history.traits(exercise, library)), deload_week=next_in_deload
        )
        if recommended.rule_id not in UNCLAIMED:
            yield _progression_finding(exercise, history.name(exercise), line[-1], recommended)


def stagnation_findings(
    history: TrainingHistory, *, training_age_years: float | None, adherence: float | None
) -> Iterator[Finding]:
    """Find plateaus and regressions of the current exercises."""
    for exercise in current_exercises(history):
        found = find_stagnation(
            history.hard_exposures(exercise),
            as_of=history.as_of,
            training_age_years=training_age_years,
            adherence=adherence,
        )
        if found is not None:
            yield _stagnation_finding(exercise, history.name(exercise), found)


def record_findings(history: TrainingHistory, since: datetime.date) -> Iterator[Finding]:
    """Report the personal records from a day on, together for each session and exercise."""
    for exercise, line in history.exposures_by_exercise.items():
        if not line or line[-1].date < since:
            continue
        by_session: dict[str, list[PersonalRecord]] = {}
        for record in records_in(line):
            if record.date >= since:
                by_session.setdefault(record.workout_id, []).append(record)
        exposures = {exposure.workout_id: exposure for exposure in line}
        for workout_id, records in sorted(by_session.items()):
            yield _record_finding(exercise, history.name(exercise), exposures[workout_id], records)


def drift_findings(history: TrainingHistory) -> Iterator[tuple[FatigueSign, Finding]]:
    """Find the current exercises in which the same work takes more effort, each with the sign of fatigue it is."""
    for exercise in current_exercises(history):
        drift = find_rpe_drift(history.hard_exposures(exercise), history.as_of)
        if drift is not None:
            yield _drift_sign(exercise, drift), _drift_finding(exercise, history.name(exercise), drift)


def _same_day_of_program(history: TrainingHistory, line: list[Exposure]) -> list[Exposure]:
    """Keep the exposures on the latest one's day of the program: a heavy and a light day are not each other's trend."""
    slot = history.slots.get(line[-1].workout_id)
    if slot is None:
        return line
    return [e for e in line if (own := history.slots.get(e.workout_id)) is not None and own[1] == slot[1]]


def _step(traits: ExerciseTraits | None) -> Step:
    return step_for(traits.equipment, lower_body=traits.lower_body) if traits else step_for(None)


def _progression_finding(exercise: str, name: str, last: Exposure, found: Progression) -> Finding:
    facts = [computed("exposures known", found.n), computed("sets at the working load", len(found.judged), "sets")]
    if found.effort_rpe is not None:
        facts.append(computed("mean effort", found.effort_rpe, "RPE"))
    if found.hardest_rpe is not None:
        facts.append(computed("hardest effort", found.hardest_rpe, "RPE"))
    if found.target_rpe is not None:
        facts.append(computed("target effort", found.target_rpe, "RPE"))
    if found.target_reps is not None:
        facts.append(computed("fewest target reps", found.target_reps[0], "reps"))
        facts.append(computed("most target reps", found.target_reps[1], "reps"))
    if found.target_sets is not None:
        facts.append(computed("target sets", found.target_sets, "sets"))
    if found.next_load is not None:
        facts.append(computed("next load", found.next_load, found.load_unit))
    if found.next_reps is not None:
        facts.append(computed("next reps", found.next_reps, "reps"))
    return finding(
        found.rule_id,
        exercise,
        about=name,
        statement="; ".join(found.reasons),
        window=(last.date, last.date),
        inputs=[fact for performed in found.judged for fact in set_facts(performed)],
        computed=facts,
        n=found.n,
        confidence=confidence(found.n, EXPOSURES_WANTED, low=found.low_confidence),
        expires_after_days=EXPIRES_AFTER_DAYS,
        action=_action(found),
        recommendation=_next_step(found),
    )


def _action(found: Progression) -> ActionCode:
    if found.action == "deload":
        return "lower_load" if found.next_load_kg is not None else "check_effort"
    if found.action == "progress":
        return "raise_load" if found.next_load_kg is not None else "add_reps"
    return "check_effort" if found.rule_id == "double_progression.effort_high" else "keep_load"


def _next_step(found: Progression) -> str:
    load = "" if found.next_load is None else f"{shown(found.next_load)} {found.load_unit}"
    reps = "" if found.next_reps is None else f"{found.next_reps} reps"
    aim = " for ".join(part for part in (load, reps) if part) or "the same again"
    return f"{ {'progress': 'Progress', 'maintain': 'Maintain', 'deload': 'Deload'}[found.action] }: next time {aim}."


def _stagnation_finding(exercise: str, name: str, found: Stagnation) -> Finding:
    falls = found.kind == "regression"
    percent = 100 * found.slope_per_week
    facts = [
        computed("change of estimated maximum", percent, "% per week"),
        computed("best estimated maximum in the window", max(b.estimate.e1rm_kg for b in found.window), "kg"),
        computed("exposures in the window", len(found.window)),
        computed("days in the window", found.window_days, "days"),
    ]
    if found.best_before is not None:
        facts.append(computed("best estimated maximum before", found.best_before.estimate.e1rm_kg, "kg"))
    bests = (*found.window, found.best_before) if found.best_before else found.window
    exposures = f"{len(found.window)} exposures over {found.window_days} days"
    statement = f"estimated maximum changes by {shown(percent)} % per week over {exposures}"
    return finding(
        "plateau.regression" if falls else "plateau.no_gain",
        exercise,
        about=name,
        statement=statement,
        window=(found.window[0].exposure.date, found.window[-1].exposure.date),
        inputs=best_facts(reversed(bests)),
        computed=facts,
        threshold={"slope_per_week": REGRESSION_SLOPE_PER_WEEK}
        if falls
        else {"gain": PLATEAU_GAIN, "slope_per_week": PLATEAU_SLOPE_PER_WEEK},
        n=found.n,
        confidence=confidence(len(found.window) if falls else found.n, HISTORY_EXPOSURES_MIN, low=found.low_confidence),
        expires_after_days=EXPIRES_AFTER_DAYS,
        action="review_exercise",
        recommendation="Review load, volume and recovery of this exercise before the next block.",
    )


RECORD_NAMES = {
    "load_pr": "heaviest load",
    "rep_pr": "most reps at this load",
    "e1rm_pr": f"best estimated maximum by {FORMULA_NAMES[E1RM_FORMULA]}",
    "volume_pr": "most volume load in a session",
    "set_volume_pr": "most volume load in a set",
}


def _record_finding(exercise: str, name: str, exposure: Exposure, records: list[PersonalRecord]) -> Finding:
    held = {record.set_key for record in records if record.set_key is not None}
    sets = [performed for performed in exposure.sets if performed.set_key in held] or list(exposure.sets)
    facts: list[Fact] = []
    for record in records:
        facts.append(computed(RECORD_NAMES[record.kind], record.value, record.unit))
        facts.append(computed(f"{RECORD_NAMES[record.kind]} before", record.previous, record.unit))
    return finding(
        "records.new",
        f"{exercise}:{exposure.workout_id}",
        about=name,
        statement="personal records: " + ", ".join(RECORD_NAMES[record.kind] for record in records),
        window=(exposure.date, exposure.date),
        inputs=[fact for performed in sets for fact in set_facts(performed)],
        computed=facts,
        n=len(records),
        confidence=1.0,
        expires_after_days=RECORD_EXPIRES_AFTER_DAYS,
    )


def _drift_sign(exercise: str, drift: RpeDrift) -> FatigueSign:
    return FatigueSign(
        kind="rpe_drift",
        level="yellow",
        date=drift.date,
        subject=exercise,
        record_ids=_workouts((*drift.latest, *drift.before)),
    )


def _drift_finding(exercise: str, name: str, drift: RpeDrift) -> Finding:
    latest, before = shown(drift.latest_rpe, 1), shown(drift.before_rpe, 1)
    sets = (*reversed(drift.latest), *reversed(drift.before))
    return finding(
        "recovery.rpe_drift",
        exercise,
        about=name,
        statement=f"the same load and reps took RPE {latest} in the last {DRIFT_LATEST} exposures, {before} in the "
        f"{DRIFT_BEFORE} before",
        window=(min(s.date for s in sets if s.date), drift.date),
        inputs=[fact for performed in sets for fact in effort_facts(performed)],
        computed=[
            computed("mean effort of the latest exposures", drift.latest_rpe, "RPE", 1),
            computed("mean effort of the exposures before", drift.before_rpe, "RPE", 1),
            computed("rise of effort", drift.rise_rpe, "RPE", 1),
            computed("load", sets[0].load_kg or 0.0, "kg"),
            computed("reps", sets[0].reps or 0, "reps"),
        ],
        threshold={"rise_rpe": DRIFT_RPE, "latest": DRIFT_LATEST, "before": DRIFT_BEFORE},
        n=DRIFT_LATEST + DRIFT_BEFORE,
        confidence=confidence(DRIFT_LATEST + DRIFT_BEFORE, DRIFT_LATEST + DRIFT_BEFORE),
        expires_after_days=2 * DAYS,
        action="review_recovery",
        recommendation="Ask about sleep, food and stress, and hold the load until effort is back where it was.",
    )


def _workouts(sets: Iterable[PerformedSet]) -> tuple[str, ...]:
    return tuple(sorted({performed.workout_id for performed in sets}))
