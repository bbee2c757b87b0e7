"""An insight as the page shows it: what it says, and each fact it rests on with a link to where it was logged."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from apex_server.resources import KnownRecord
from apex_server.web.wording import as_number
from apex_sync.coaching.leaves import shown

__all__ = ["InsightCard", "insight_card"]

_PRIORITIES = {"critical": "Critical", "high": "Urgent", "medium": "Worth a look", "low": "For your information"}


class FactShown(Struct, frozen=True, kw_only=True):
    """One fact; `href` leads to the record it was read from."""

    id: str
    label: str
    value: str
    href: str | None


class InsightCard(Struct, frozen=True, kw_only=True):
    """Everything a card shows."""

    id: str
    kind: str
    status: str
    priority: str
    priority_name: str
    title: str
    summary: str
    recommendations: Sequence[str]
    flags: Sequence[Any]
    reasoning: str
    facts: Sequence[FactShown]
    about_href: str | None
    worded_by: str
    needs_review: bool


def insight_card(known: KnownRecord, athlete_id: UUID) -> InsightCard:
    """Lay out an insight; it is total, as every card is."""
    record: Any = known.record
    kind, priority = shown(record.kind) or "training", shown(record.priority) or "low"
    about = shown(record.about_id)
    return InsightCard(
        id=known.id,
        kind=kind,
        status=shown(record.status) or "draft",
        priority=priority,
        priority_name=_PRIORITIES.get(priority, priority),
        title=shown(record.title) or "Insight",
        summary=shown(record.summary) or "",
        recommendations=shown(record.recommendations) or [],
        flags=shown(record.flags) or [],
        reasoning=shown(record.reasoning) or "",
        facts=[_fact(fact, athlete_id, kind, about) for fact in shown(record.facts) or []],
        about_href=f"/athletes/{athlete_id}/checkins/{about}" if kind == "check_in" and _is_id(about) else None,
        worded_by=_worded_by(record),
        needs_review=bool(known.problems),
    )


def _fact(fact: Any, athlete_id: UUID, kind: str, about: str | None) -> FactShown:
    value = as_number(fact.value) if fact.value is not None else "–"
    folder = "checkins" if kind == "check_in" and fact.record_id == about else "records"
    return FactShown(
        id=fact.id,
        label=fact.label,
        value=f"{value} {fact.unit}".strip(),
        href=f"/athletes/{athlete_id}/{folder}/{fact.record_id}" if _is_id(fact.record_id) else None,
    )


def _worded_by(record: Any) -> str:
    if shown(record.worded_by) != "model":
        return "Worded by rules"
    return f"Worded by {shown(record.model_name) or 'a model'}, checked against the facts"


def _is_id(text: str | None) -> bool:
    try:
        return text is not None and str(UUID(text)) == text
    except ValueError:
        return False
