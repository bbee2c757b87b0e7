"""What an insight's record says: the words, the findings behind them, and every fact they rest on."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from apex_server.ai.wording import WordedInsight
from apex_server.jobs.subjects import Subject
from apex_sync.coaching.finding import Fact, Finding
from apex_sync.op import Patch

__all__ = ["draft_of", "local_time"]

LABEL_LENGTH_MAX, UNIT_LENGTH_MAX, VALUE_LENGTH_MAX, RECORD_ID_LENGTH_MAX = 200, 20, 500, 64
"""The bounds of an insight's fact."""

SUBJECT_LENGTH_MAX = 200


def draft_of(subject: Subject, worded: WordedInsight, athlete_id: UUID, now: datetime) -> Patch:
    """Write the draft of an insight, whole."""
    findings = subject.findings
    first = findings[0]
    patch: Patch = {
        "created_at": local_time(now),
        "athlete_id": str(athlete_id),
        "kind": subject.kind,
        "type": first.type,
        "priority": first.priority,
        "title": worded.title,
        "summary": worded.summary_text,
        "recommendations": [advice.text for advice in worded.recommendations],
        "flags": [{"type": flag.type, "message": flag.message} for flag in worded.flags],
        "reasoning": reasoning_of(findings),
        "facts": [fact_of(fact) for found in findings for fact in found.facts],
        "rules": sorted({f"{found.rule_id} v{found.rule_version}" for found in findings}),
        "findings": [finding_of(found) for found in findings],
        "facts_digest": subject.digest,
        "status": "draft",
        "worded_by": worded.worded_by,
        "model_name": worded.model_name,
        "confidence": min(found.confidence for found in findings),
        "expires_at": f"{min(found.expires_at for found in findings).isoformat()}T00:00:00",
    }
    return patch if subject.about_id is None else {**patch, "about_id": subject.about_id}


def reasoning_of(findings: Sequence[Finding]) -> str:
    """Say in the rules' own words what was found, for whoever wants to check a text against it."""
    return "\n".join(f"{found.about}: {found.statement}" if found.about else found.statement for found in findings)


def fact_of(fact: Fact) -> dict[str, Any]:
    """Write a fact that a text may cite."""
    value = fact.value
    shown: dict[str, Any] = {
        "id": fact.id,
        "label": fact.label[:LABEL_LENGTH_MAX],
        "value": value[:VALUE_LENGTH_MAX] if isinstance(value, str) else float(value),
    }
    more = {
        "unit": fact.unit[:UNIT_LENGTH_MAX],
        "record_id": fact.record_id[:RECORD_ID_LENGTH_MAX],
        "field": fact.field,
    }
    return shown | {name: text for name, text in more.items() if text}


def finding_of(found: Finding) -> dict[str, Any]:
    """Write a finding; its facts are named by their ids, because they stand in the insight themselves."""
    return {
        "rule_id": found.rule_id,
        "rule_version": found.rule_version,
        "subject": found.subject[:SUBJECT_LENGTH_MAX],
        "about": found.about,
        "type": found.type,
        "priority": found.priority,
        "flag": found.flag,
        "statement": found.statement,
        "action": found.action,
        "recommendation": found.recommendation,
        "from": found.window.from_.isoformat(),
        "to": found.window.to.isoformat(),
        "facts": ids_of(found.facts),
        "threshold": dict(found.threshold),
        "n": found.n,
        "confidence": found.confidence,
        "expires_at": found.expires_at.isoformat(),
    }


def ids_of(facts: Iterable[Fact]) -> list[str]:
    """Name facts."""
    return [fact.id for fact in facts]


def local_time(moment: datetime) -> str:
    """Write a moment as records do."""
    return moment.isoformat(timespec="seconds")
