"""What the endpoints of insights take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_server.resources import Mark, record_view
from apex_sync.models import PublishedInsight
from apex_sync.models.checkin import Flag
from apex_sync.models.fields import Name, Note

__all__ = [
    "Approval",
    "Asked",
    "Dismissal",
    "Edit",
    "GenerateRequest",
    "InsightDetail",
    "InsightMark",
    "InsightSummary",
    "InsightsPage",
    "Kind",
    "PublishedInsightResource",
    "PublishedInsightsPage",
    "Status",
    "SuggestedAction",
    "Texts",
]

Kind = Literal["check_in", "training"]
Status = Literal["draft", "approved", "dismissed", "superseded"]

RECOMMENDATIONS_MAX, FLAGS_MAX = 20, 20


class SuggestedAction(Struct, frozen=True):
    """What a finding suggests, as a code that an app may turn into a button."""

    label: str
    action: str
    facts: list[str]


class InsightSummary(Struct, kw_only=True):
    """An insight as it stands in a list; leaves that nobody wrote are null."""

    id: str
    coach_id: UUID
    athlete_id: str | None
    kind: str | None
    about_id: str | None
    type: str | None
    priority: str | None
    title: str | None
    summary: str | None
    recommendations: list[str]
    flags: list[dict[str, Any]]
    suggested_actions: list[SuggestedAction]
    status: str | None
    dismissed: bool
    dismissed_reason: str | None
    acted_upon: bool
    acted_at: str | None
    superseded_by: str | None
    worded_by: str | None
    """`rules`, or `model` where a language model chose the words."""
    model: str | None
    confidence: float | None
    created_at: str | None
    expires_at: str | None
    needs_review: bool


class InsightDetail(InsightSummary, kw_only=True):
    """An insight with everything it rests on; a fact with a `record_id` can be looked up there."""

    reasoning: str | None
    facts: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    rules: list[str]


class InsightsPage(Struct):
    """Insights, the most urgent first; `next` goes into `after` for the page that follows, null on the last."""

    insights: list[InsightSummary]
    next: str | None


@record_view
class PublishedInsightResource(PublishedInsight, kw_only=True):
    """What an athlete reads of an insight on training, in the words that their coach approved."""


class PublishedInsightsPage(Struct):
    """Published insights, the latest published or changed first; `next` goes into `after` for the page that follows."""

    insights: list[PublishedInsightResource]
    next: str | None


class Texts(Struct, forbid_unknown_fields=True, kw_only=True):
    """What a coach may say in their own words; what is left out stays."""

    title: Name | UnsetType = UNSET
    summary: Note | UnsetType = UNSET
    recommendations: Annotated[list[Note], Meta(max_length=RECOMMENDATIONS_MAX)] | UnsetType = UNSET
    flags: Annotated[list[Flag], Meta(max_length=FLAGS_MAX)] | UnsetType = UNSET


class Approval(Texts, kw_only=True):
    """An approval, with the text as the coach wants it."""


class Edit(Texts, kw_only=True):
    """A change of the text."""


class Dismissal(Struct, forbid_unknown_fields=True):
    """Why an insight is put aside; it helps to tune the rules."""

    reason: Note | None = None


class GenerateRequest(Struct, forbid_unknown_fields=True):
    """Whose records are to be analysed now."""

    athlete_id: UUID
    kinds: Annotated[list[Kind], Meta(min_length=1, max_length=2)] | None = None


class Asked(Struct):
    """What was asked for; its insights come like any other, unless there is nothing new to say."""

    athlete_id: UUID
    kinds: list[Kind]


class InsightMark(Mark, array_like=True, frozen=True):
    """Where a page ended that is sorted by urgency."""

    rank: Annotated[int, Meta(ge=1, le=9)]
    expires_at: datetime
    id: UUID
