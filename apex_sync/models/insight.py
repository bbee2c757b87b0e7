"""Insights: what the analysis found, as a draft for the coach, who approves or dismisses it.

An insight lives in the coach's private scope. Approving it makes the server write the text where the athlete reads it:
for a check-in into the check-in itself, for training into a published insight, which is a record of its own in the
athlete's scope. The draft itself is never replicated to the athlete.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct

from apex_sync.collection import Collection, Leaf, Record, Role
from apex_sync.models.checkin import Flag
from apex_sync.models.fields import LocalTime, Name, Note, Ref

InsightType = Literal["progression", "recovery", "adherence", "nutrition", "warning", "opportunity"]


class InsightFact(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """One input or computed number that the text may cite by its id: `F1`, `F2` and so on."""

    id: Annotated[str, Meta(max_length=8)]
    label: Name
    value: float | Annotated[str, Meta(max_length=500)] | None = None
    unit: Annotated[str, Meta(max_length=20)] = ""
    record_id: Annotated[str, Meta(max_length=64)] = ""
    field: Annotated[str, Meta(max_length=200)] = ""


class SuggestedAction(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """Something the coach may do about it: `action` names what, with what it takes in `params`."""

    label: Name
    action: Annotated[str, Meta(max_length=100)]
    params: dict[Annotated[str, Meta(max_length=100)], Any] = {}


class Insight(Record):
    """One finding with its wording and the facts behind it."""

    athlete_id: Leaf[Ref] = UNSET
    kind: Leaf[Literal["check_in", "training"]] = UNSET
    about_id: Leaf[Ref] = UNSET
    """The record it speaks of: the check-in, or nothing."""
    type: Leaf[InsightType] = UNSET
    priority: Leaf[Literal["low", "medium", "high", "critical"]] = UNSET
    title: Leaf[Name] = UNSET
    summary: Leaf[Note] = UNSET
    recommendations: Leaf[list[Note]] = UNSET
    flags: Leaf[list[Flag]] = UNSET
    suggested_actions: Leaf[list[SuggestedAction]] = UNSET
    reasoning: Leaf[Note] = UNSET
    facts: Leaf[list[InsightFact]] = UNSET
    rules: Leaf[list[Name]] = UNSET
    findings: Leaf[list[dict[str, Any]]] = UNSET
    facts_digest: Leaf[Name] = UNSET
    status: Leaf[Literal["draft", "approved", "dismissed", "superseded"]] = UNSET
    dismissed_reason: Leaf[Note] = UNSET
    acted_at: Leaf[LocalTime] = UNSET
    superseded_by: Leaf[Ref] = UNSET
    worded_by: Leaf[Literal["rules", "model"]] = UNSET
    model_name: Leaf[Name] = UNSET
    confidence: Leaf[Annotated[float, Meta(ge=0, le=1)]] = UNSET
    expires_at: Leaf[LocalTime] = UNSET


class PublishedInsight(Record):
    """What the athlete may read of an approved insight on training: its text, and when it was published.

    It has an id derived from the insight's, named in `source_id`; `deleted` once the coach has withdrawn the approval.
    """

    source_id: Leaf[Ref] = UNSET
    type: Leaf[InsightType] = UNSET
    title: Leaf[Name] = UNSET
    summary: Leaf[Note] = UNSET
    recommendations: Leaf[list[Note]] = UNSET
    flags: Leaf[list[Flag]] = UNSET
    published_at: Leaf[LocalTime] = UNSET


_COACH: frozenset[Role] = frozenset({"coach"})
_COACH_OR_SYSTEM: frozenset[Role] = frozenset({"coach", "system"})

INSIGHTS = Collection(
    name="insights",
    model=Insight,
    scope_kinds=frozenset({"private"}),
    default_writers=frozenset({"system"}),
    writers={
        "status": _COACH_OR_SYSTEM,
        "dismissed_reason": _COACH,
        "acted_at": _COACH,
        "title": _COACH_OR_SYSTEM,
        "flags": _COACH_OR_SYSTEM,
        "summary": _COACH_OR_SYSTEM,
        "recommendations": _COACH_OR_SYSTEM,
    },
    version=2,
)

PUBLISHED_INSIGHTS = Collection(
    name="published_insights",
    model=PublishedInsight,
    scope_kinds=frozenset({"athlete"}),
    default_writers=frozenset({"system"}),
)
