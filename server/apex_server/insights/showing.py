"""Shows the record of an insight as people read it."""

from typing import Any
from uuid import UUID

from msgspec import UNSET

from apex_server.insights.payloads import InsightDetail, InsightSummary, SuggestedAction
from apex_server.resources import KnownRecord
from apex_sync.ids import Scope

__all__ = ["show_detail", "show_summary"]

PLAIN = (
    "athlete_id", "kind", "about_id", "type", "priority", "title", "summary", "status", "dismissed_reason", "acted_at",
    "superseded_by", "worded_by", "confidence", "expires_at",
)  # fmt: skip


def show_summary(known: KnownRecord) -> InsightSummary:
    """Show an insight in a list."""
    return InsightSummary(**summary_of(known))


def show_detail(known: KnownRecord) -> InsightDetail:
    """Show an insight with what it rests on."""
    state = known.fold.state
    return InsightDetail(
        **summary_of(known),
        reasoning=state.get("reasoning"),
        facts=state.get("facts") or [],
        findings=state.get("findings") or [],
        rules=state.get("rules") or [],
    )


def summary_of(known: KnownRecord) -> dict[str, Any]:
    state, record = known.fold.state, known.record
    status = state.get("status")
    return {
        **{name: present(getattr(record, name)) for name in PLAIN},
        "id": known.id,
        "coach_id": UUID(Scope.parse(known.scope).owner_id),
        "recommendations": state.get("recommendations") or [],
        "flags": state.get("flags") or [],
        "suggested_actions": suggested_actions(state.get("findings") or []),
        "dismissed": status == "dismissed",
        "acted_upon": status in ("approved", "dismissed"),
        "model": state.get("model_name") or None,
        "created_at": known.created_at,
        "needs_review": bool(known.problems),
    }


def suggested_actions(findings: list[dict[str, Any]]) -> list[SuggestedAction]:
    """List what the findings suggest, the most urgent first and each once."""
    actions: dict[tuple[str, Any, str], SuggestedAction] = {}
    for found in findings:
        action, label = found.get("action"), found.get("recommendation")
        if action and label:
            about = found.get("about")
            actions.setdefault(
                (action, about, label),
                SuggestedAction(f"{about}: {label}" if about else label, action, found.get("facts") or []),
            )
    return list(actions.values())


def present(value: Any) -> Any:
    return None if value is UNSET else value
