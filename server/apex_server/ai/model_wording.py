"""Wording by a model that is never trusted.

Its answer is read strictly, held to the facts, asked for once more if it does not hold, and replaced by the template if
it still does not.

So asking never fails and takes no longer than `asking.TOTAL_SECONDS`; what a model, a network or an athlete's note does
can cost at worst the better text.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import structlog
from msgspec.structs import replace

from apex_server.ai.asking import BoundedModel, Question, Unanswered
from apex_server.ai.limits import MESSAGE_LENGTH_MAX, TITLE_LENGTH_MAX
from apex_server.ai.prompt import ModelReply, cache_key, instructions, question, read_reply, reply_schema
from apex_server.ai.untrusted import names_of
from apex_server.ai.verify import PLACEHOLDER, find_faults
from apex_server.ai.wording import Claim, FlagClaim, Recommendation, WordedInsight, Wording, WordingContext
from apex_sync.coaching.finding import Finding

__all__ = ["ModelWording"]

_log = structlog.get_logger(__name__)


class Asked(NamedTuple):
    """A question, as bytes and under its key, with what it is about."""

    document: bytes
    key: bytes
    findings: Sequence[Finding]
    context: WordingContext


class ModelWording:
    """Words with a model and falls back on `fallback`."""

    def __init__(self, model: BoundedModel, *, fallback: Wording) -> None:
        self._model = model
        self._fallback = fallback

    async def word(self, findings: Sequence[Finding], context: WordingContext) -> WordedInsight:
        """Word findings. Raises DatabaseUnavailable, as the ledger does."""
        document = question(findings, context)
        asked = Asked(document, cache_key(document, self._model.name), findings, context)
        kept = await self._kept(asked)
        if kept is not None:
            return kept
        try:
            worded = await self._worded(asked)
        except Unanswered as unanswered:
            _log.warning("model_not_used", outcome=unanswered.outcome, question_bytes=len(document))
            return replace(await self._fallback.word(findings, context), outcome=unanswered.outcome)
        return worded

    async def _kept(self, asked: Asked) -> WordedInsight | None:
        """Give the text that was made of the same question before, if it still holds under the rules of today."""
        kept = await self._model.ledger.text(asked.key)
        if kept is None:
            return None
        worded, problems = await self._judged(kept.decode(), asked)
        return replace(worded, outcome="cached") if worded is not None and not problems else None

    async def _worded(self, asked: Asked) -> WordedInsight:
        context = asked.context
        told = Question(context.coach_id, instructions(context.kind), asked.document, reply_schema())
        worded, content = await self._model.ask(told, lambda content: self._judged(content, asked))
        await self._model.ledger.keep(asked.key, context.athlete_id, content.encode())
        return worded

    async def _judged(self, content: str, asked: Asked) -> tuple[WordedInsight | None, list[str]]:
        """Read an answer, and list what is wrong with it; an answer that cannot be read is None."""
        try:
            reply = read_reply(content)
        except (msgspec.DecodeError, RecursionError) as error:
            return None, [f"not of the asked form: {str(error)[:200]}"]
        worded = worded_of(reply, self._model.name)
        problems = find_faults(worded, asked.findings)
        return with_names(worded, asked.findings), problems


def worded_of(reply: ModelReply, model_name: str) -> WordedInsight:
    """Take an answer over, with its placeholders."""
    return WordedInsight(
        title=reply.title,
        summary=tuple(Claim(claim.text, tuple(claim.facts)) for claim in reply.summary),
        recommendations=tuple(
            Recommendation(advice.text, advice.action, tuple(advice.facts)) for advice in reply.recommendations
        ),
        flags=tuple(FlagClaim(flag.type, flag.message, tuple(flag.facts)) for flag in reply.flags),
        worded_by="model",
        model_name=model_name[:200],
    )


def with_names(worded: WordedInsight, findings: Sequence[Finding]) -> WordedInsight:
    """Put the names in where placeholders stand."""
    names = {placeholder: name for name, placeholder in names_of(findings).items()}

    def named(text: str) -> str:
        return PLACEHOLDER.sub(lambda match: names.get(match[1], ""), text)[:MESSAGE_LENGTH_MAX]

    return replace(
        worded,
        title=named(worded.title)[:TITLE_LENGTH_MAX],
        summary=tuple(replace(claim, text=named(claim.text)) for claim in worded.summary),
        recommendations=tuple(replace(advice, text=named(advice.text)) for advice in worded.recommendations),
        flags=tuple(replace(flag, message=named(flag.message)) for flag in worded.flags),
    )
