"""The seam at which findings become words: what goes in, what comes out, and who may stand behind it.

The engine decides and a wording only says it, so every claim names the facts it rests on, and nothing is claimed that
is not among them (`verify.py`). The template (`template.py`) is the default and always there; a model
(`model_wording.py`) may word better and falls back on it, so asking for words never fails.
"""

from collections.abc import Sequence
from typing import Literal, Protocol
from uuid import UUID

from msgspec import Struct

from apex_sync.coaching.finding import ActionCode, Finding
from apex_sync.coaching.rules import FlagType

__all__ = ["Claim", "FlagClaim", "Recommendation", "WordedInsight", "Wording", "WordingContext"]

InsightKind = Literal["check_in", "training"]


class Claim(Struct, frozen=True):
    """A sentence and the ids of the facts it rests on."""

    text: str
    facts: tuple[str, ...]


class Recommendation(Struct, frozen=True):
    """What the coach might do, which is one of the actions that the findings suggest."""

    text: str
    action: ActionCode
    facts: tuple[str, ...]


class FlagClaim(Struct, frozen=True):
    """Something to look at; its type is that of a finding it rests on."""

    type: FlagType
    message: str
    facts: tuple[str, ...]


class WordedInsight(Struct, frozen=True, kw_only=True):
    """Findings in words; `model_name` is empty where rules alone made the text.

    `outcome` says for the log how it came about: `worded`, `cached`, or why the template had to step in.
    """

    title: str
    summary: tuple[Claim, ...]
    recommendations: tuple[Recommendation, ...] = ()
    flags: tuple[FlagClaim, ...] = ()
    worded_by: Literal["rules", "model"] = "rules"
    model_name: str = ""
    outcome: str = "worded"

    @property
    def summary_text(self) -> str:
        """The sentences of the summary, as one text."""
        return " ".join(claim.text for claim in self.summary)

    @property
    def cited(self) -> frozenset[str]:
        """The ids of all facts that something rests on."""
        claims: tuple[Claim | Recommendation | FlagClaim, ...] = (*self.summary, *self.recommendations, *self.flags)
        return frozenset(id_ for claim in claims for id_ in claim.facts)


class WordingContext(Struct, frozen=True, kw_only=True):
    """What a wording may know beside the findings.

    The ids are for the budget and for erasing what was kept; no name, address or birthday is here, and no id is ever
    shown to a model. `goals` are the athlete's own words.
    """

    kind: InsightKind
    athlete_id: UUID
    coach_id: UUID
    training_age_years: float | None = None
    volume_tolerance: str = "medium"
    program_week: int | None = None
    goals: tuple[str, ...] = ()


class Wording(Protocol):
    """Puts findings into words."""

    async def word(self, findings: Sequence[Finding], context: WordingContext) -> WordedInsight:
        """Word findings, most urgent first, at least one. Never raises for what a model or the network does."""
