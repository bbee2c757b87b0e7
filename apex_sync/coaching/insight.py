"""The two entry points of the analysis: what a check-in says, and what the training says.

Both are pure: the same records, profile, program and day give the same findings, byte for byte, in any order of the
input. Their cost grows with the length of the history (n log n) and is bounded in what they give: at most
`FINDINGS_MAX` findings of at most `INPUTS_MAX` inputs. Ten years of logs take well under a second.
"""

import datetime
from collections.abc import Iterable, Mapping

from apex_sync.coaching.adherence import workout_adherence
from apex_sync.coaching.adherence_findings import adherence_findings, overdue_findings, schedule_of
from apex_sync.coaching.bodyweight import WeighIn
from apex_sync.coaching.checkin import check_in_facts, check_in_findings
from apex_sync.coaching.exercise_findings import (
    drift_findings,
    progression_findings,
    record_findings,
    stagnation_findings,
)
from apex_sync.coaching.fatigue_findings import (
    Signs,
    deload_findings,
    performance_drop_signs,
    risk_findings,
    strain_signs,
)
from apex_sync.coaching.finding import Fact, Finding, Window, facts_digest, in_order
from apex_sync.coaching.history import read_history
from apex_sync.coaching.note_findings import note_findings
from apex_sync.coaching.nutrition_findings import nutrition_findings
from apex_sync.coaching.plan import Plan
from apex_sync.coaching.plateau import window_days
from apex_sync.coaching.profile import Library, TrainingProfile
from apex_sync.coaching.strain import answers_of, is_submitted
from apex_sync.coaching.volume_findings import recent_volumes, volume_findings, volume_signs
from apex_sync.coaching.weeks import days_before
from apex_sync.collection import Record

__all__ = ["Fact", "Finding", "Window", "analyse_check_in", "analyse_training", "facts_digest"]

NEW_RECORDS_DAYS = 14
"""Personal records are reported for so many days, unless the caller says since when [D]."""

UNKNOWN_ATHLETE = TrainingProfile()


def analyse_check_in(
    check_in_id: str,
    check_in: Record,
    *,
    history: Iterable[tuple[str, Record]],
    workouts: Iterable[tuple[str, Record]],
    as_of: datetime.date,
    profile: TrainingProfile = UNKNOWN_ATHLETE,
    program: Plan | None = None,
    weigh_ins: Iterable[WeighIn] = (),
    versions: Mapping[str, str | int] | None = None,
) -> list[Finding]:
    """Say what a coach should know of one check-in, most urgent first.

    `history` holds the athlete's check-ins and `workouts` their logs, by id and in any order; `as_of` is the day in the
    athlete's zone. `versions` names the version of each record, for the facts. A check-in without a day gives nothing.
    """
    training = read_history(workouts, as_of=as_of, plan=program)
    facts = check_in_facts(
        check_in_id,
        check_in,
        history=history,
        training=training,
        scheduled=schedule_of(program, profile, training),
        profile=profile,
        weigh_ins=weigh_ins,
    )
    if facts is None:
        return []
    return in_order(check_in_findings(facts, training=training, profile=profile), versions)


def analyse_training(
    workouts: Iterable[tuple[str, Record]],
    *,
    check_ins: Iterable[tuple[str, Record]] = (),
    nutrition_logs: Iterable[tuple[str, Record]] = (),
    nutrition_targets: Iterable[tuple[str, Record]] = (),
    as_of: datetime.date,
    profile: TrainingProfile = UNKNOWN_ATHLETE,
    program: Plan | None = None,
    library: Library | None = None,
    records_since: datetime.date | None = None,
    versions: Mapping[str, str | int] | None = None,
) -> list[Finding]:
    """Say what a coach should know of an athlete's training and eating, most urgent first.

    Records are given by id and in any order; `as_of` is the day in the athlete's zone. Without a
    `library` muscles are unknown and volume rules silent.
    """
    history = read_history(workouts, as_of=as_of, plan=program)
    submitted = {id_: record for id_, record in check_ins if is_submitted(record)}
    answers = [read for id_, record in sorted(submitted.items()) if (read := answers_of(id_, record)) is not None]
    scheduled = schedule_of(program, profile, history)
    traits = library or {}
    age = profile.training_age_years
    adherence = workout_adherence(scheduled, history.sessions, as_of=as_of, window_days=window_days(age)).percent
    volumes = recent_volumes(history, traits)

    drifts = list(drift_findings(history))
    drops = performance_drop_signs(history, profile.main_lifts)
    above = volume_signs(volumes, profile, as_of)
    signs: Signs = [*drifts, *drops, *strain_signs(answers, as_of), *above]
    return in_order(
        [
            *progression_findings(history, program, traits),
            *stagnation_findings(
                history, training_age_years=age, adherence=None if adherence is None else adherence / 100
            ),
            *record_findings(history, records_since or days_before(as_of, NEW_RECORDS_DAYS - 1)),
            *(found for _, found in [*drifts, *drops, *above]),
            *volume_findings(volumes, profile, as_of),
            *risk_findings(signs, as_of),
            *deload_findings(history, signs, program),
            *note_findings(history),
            *adherence_findings(history, scheduled),
            *nutrition_findings(nutrition_logs, [*nutrition_targets], as_of),
            *overdue_findings(program, {read.check_in_id: read.date for read in answers}, as_of),
        ],
        versions,
    )
