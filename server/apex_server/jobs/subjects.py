"""Cuts what the rules found into what a coach reads as one insight each: a check-in, or one side of the training."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from apex_server.ai.wording import InsightKind
from apex_server.jobs.reading import AthleteRecords
from apex_sync.coaching.bodyweight import weigh_ins_of
from apex_sync.coaching.client_standing import check_ins_due
from apex_sync.coaching.finding import Finding, facts_digest, in_order
from apex_sync.coaching.insight import analyse_check_in, analyse_training
from apex_sync.coaching.plan import Plan
from apex_sync.coaching.strain import is_submitted
from apex_sync.coaching.weeks import monday_of
from apex_sync.collection import Record
from apex_sync.ids import derived_id
from apex_sync.models.fields import parse_date

__all__ = ["KINDS", "Subject", "subjects_of"]

KINDS: tuple[InsightKind, ...] = ("check_in", "training")

CHECK_IN_DAYS = 28
CHECK_INS_MAX = 8
"""Check-ins of the last four weeks are analysed; an import of years makes no pile of drafts about the past."""

FINDINGS_MAX = 12
"""Findings of one insight, the most urgent ones: more is a report, which nobody reads in a minute."""


class Subject(Struct, frozen=True, kw_only=True):
    """What one insight is about: a check-in by `about_id`, or training by the type of its findings.

    `key` is the same from run to run. Without findings there is nothing to say about it any more.
    """

    kind: InsightKind
    key: str
    about_id: str | None
    findings: tuple[Finding, ...]

    @property
    def digest(self) -> str:
        """What the findings rest on; the same digest is the same insight."""
        return facts_digest(self.findings)

    def insight_id(self, coach_id: UUID, athlete_id: UUID) -> str:
        """Give the id of the insight that says this to a coach."""
        return derived_id("insight", str(coach_id), str(athlete_id), self.kind, self.key, self.digest)


def subjects_of(kind: InsightKind, records: AthleteRecords, today: date) -> list[Subject]:
    """Run the rules of a kind."""
    return list(check_in_subjects(records, today) if kind == "check_in" else training_subjects(records, today))


def check_in_subjects(records: AthleteRecords, today: date) -> Iterator[Subject]:
    """Look at the latest check-ins that were submitted."""
    latest = sorted(handed_in(records), key=lambda item: item[:2], reverse=True)
    for day, id_, record in latest[:CHECK_INS_MAX]:
        if day < today - timedelta(days=CHECK_IN_DAYS):
            return
        findings = analyse_check_in(
            id_,
            record,
            history=records.check_ins,
            workouts=records.workouts,
            as_of=today,
            profile=records.profile,
            program=records.plan,
            weigh_ins=weigh_ins_of(records.body_metrics),
        )
        yield Subject(kind="check_in", key=id_, about_id=id_, findings=cut(findings, records))


def training_subjects(records: AthleteRecords, today: date) -> Iterator[Subject]:
    """Look at the training: progression, recovery, adherence and so on, each for itself."""
    findings = analyse_training(
        records.workouts,
        check_ins=records.check_ins,
        nutrition_logs=records.nutrition_logs,
        nutrition_targets=records.nutrition_targets,
        as_of=today,
        profile=records.profile,
        program=plan_of(records, today),
        library=records.library,
    )
    for type_ in dict.fromkeys(found.type for found in findings):
        group = [found for found in findings if found.type == type_]
        yield Subject(kind="training", key=type_, about_id=None, findings=cut(group, records))


def handed_in(records: AthleteRecords) -> Iterator[tuple[date, str, Record]]:
    """Give the check-ins that were submitted, with their days."""
    for id_, record in records.check_ins:
        if is_submitted(record) and (day := parse_date(getattr(record, "date", None) or None)) is not None:
            yield day, id_, record


def plan_of(records: AthleteRecords, today: date) -> Plan | None:
    """Give the program that is followed, with the days of the last weeks on which a check-in was due."""
    plan = records.plan
    if plan is None or plan.start_monday is None:
        return plan
    since = max(plan.start_monday, monday_of(today - timedelta(days=CHECK_IN_DAYS)))
    came = [day for day, _, _ in handed_in(records)]
    return replace(plan, due_check_ins=tuple(check_ins_due(since, came, today, records.profile.check_in_day_number)))


def cut(findings: Sequence[Finding], records: AthleteRecords) -> tuple[Finding, ...]:
    """Keep the most urgent findings, with facts numbered among themselves."""
    return tuple(in_order(findings[:FINDINGS_MAX], records.versions))
