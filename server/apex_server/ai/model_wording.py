"""Wording by a model that is never trusted.

Its answer is read strictly, held to the facts, asked for once more if it does not hold, and replaced by the template if
it still does not.

So asking never fails and never takes longer than `TOTAL_SECONDS`; what a model, a network or an athlete's note does can
cost at worst the better text. Only lengths, counts and outcomes are logged, never what was asked or answered.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import anyio
import msgspec
import structlog
from msgspec.structs import replace

from apex_server.ai.breaker import CircuitBreaker
from apex_server.ai.language_model import LanguageModel, Message, ModelFailure
from apex_server.ai.ledger import Ledger
from apex_server.ai.limits import MESSAGE_LENGTH_MAX, TITLE_LENGTH_MAX
from apex_server.ai.prompt import ModelReply, cache_key, instructions, question, read_reply, reply_schema
from apex_server.ai.untrusted import names_of
from apex_server.ai.verify import PLACEHOLDER, find_faults
from apex_server.ai.wording import Claim, FlagClaim, Recommendation, WordedInsight, Wording, WordingContext
from apex_sync.coaching.finding import Finding

__all__ = ["ModelWording"]

TOTAL_SECONDS = 30.0
"""For the answer and its repair together; the draft is for later, the worker is not."""

QUESTION_BYTES_MAX = 60_000
BYTES_PER_TOKEN = 3
"""Few enough to guess a question rather too dear than too cheap."""

ANSWER_TOKENS_EXPECTED = 800
ATTEMPTS = 2
ANSWER_LENGTH_MAX = 20_000
UNANSWERED = ("misconfigured", "rate_limited", "timed_out", "unavailable")
"""Failures that say something of the provider rather than of the question."""

_log = structlog.get_logger(__name__)


class Asked(NamedTuple):
    """A question, as bytes and under its key, with what it is about."""

    document: bytes
    key: bytes
    findings: Sequence[Finding]
    context: WordingContext


class Unworded(Exception):
    """There will be no text of the model; `outcome` says why."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class ModelWording:
    """Words with a model and falls back on `fallback`; `clock` gives seconds for the breaker.

    How many tokens a coach's athletes may cost stands in the coach's tier; `tokens_per_coach_day` goes before it.
    `tokens_per_day` is for everybody together: accounts cost nothing to make, and the key's money is one.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        fallback: Wording,
        ledger: Ledger,
        clock: Callable[[], float] = time.monotonic,
        total_seconds: float = TOTAL_SECONDS,
        tokens_per_coach_day: int | None = None,
        tokens_per_day: int | None = None,
    ) -> None:
        self._model = model
        self._fallback = fallback
        self._ledger = ledger
        self._breaker = CircuitBreaker(clock)
        self._total_seconds = total_seconds
        self._tokens_per_coach_day = tokens_per_coach_day
        self._tokens_per_day = tokens_per_day

    async def word(self, findings: Sequence[Finding], context: WordingContext) -> WordedInsight:
        """Word findings. Raises DatabaseUnavailable, as the ledger does."""
        document = question(findings, context)
        asked = Asked(document, cache_key(document, self._model.name), findings, context)
        kept = await self._kept(asked)
        if kept is not None:
            return kept
        try:
            worded = await self._worded(asked)
        except Unworded as unworded:
            _log.warning("model_not_used", outcome=unworded.outcome, question_bytes=len(document))
            return replace(await self._fallback.word(findings, context), outcome=unworded.outcome)
        return worded

    async def _kept(self, asked: Asked) -> WordedInsight | None:
        """Give the text that was made of the same question before, if it still holds under the rules of today."""
        kept = await self._ledger.text(asked.key)
        if kept is None:
            return None
        worded, problems = self._judged(kept.decode(), asked)
        return replace(worded, outcome="cached") if worded is not None and not problems else None

    async def _worded(self, asked: Asked) -> WordedInsight:
        if self._breaker.is_open:
            raise Unworded("breaker_open")
        if len(asked.document) > QUESTION_BYTES_MAX:
            raise Unworded("question_too_long")
        messages = [
            Message("system", instructions(asked.context.kind)),
            Message("user", asked.document.decode()),
        ]
        with anyio.move_on_after(self._total_seconds):
            return await self._worded_in_time(asked, messages)
        self._breaker.failed()
        await self._ledger.add_tokens(asked.context.coach_id, tokens_in(messages))
        raise Unworded("timed_out")

    async def _worded_in_time(self, asked: Asked, messages: list[Message]) -> WordedInsight:
        for attempt in range(1, ATTEMPTS + 1):
            content = await self._answer(asked, messages)
            worded, problems = self._judged(content, asked)
            if worded is not None and not problems:
                await self._ledger.keep(asked.key, asked.context.athlete_id, content.encode())
                _log.info("worded_by_model", attempt=attempt, question_bytes=len(asked.document))
                return worded
            _log.info("model_answer_refused", attempt=attempt, problems=len(problems))
            messages = [*messages, Message("assistant", content), Message("user", repair_of(problems))]
        raise Unworded("unverifiable")

    async def _answer(self, asked: Asked, messages: list[Message]) -> str:
        await self._check_budget(asked, messages)
        coach_id = asked.context.coach_id
        try:
            answer = await self._model.answer(messages, reply_schema())
        except ModelFailure as failure:
            await self._ledger.add_tokens(coach_id, failure.tokens or tokens_in(messages))
            if failure.reason in UNANSWERED:
                self._breaker.failed(retry_after=failure.retry_after)
            else:
                self._breaker.succeeded()
            raise Unworded(failure.reason) from failure
        self._breaker.succeeded()
        await self._ledger.add_tokens(coach_id, answer.tokens or tokens_in(messages) + ANSWER_TOKENS_EXPECTED)
        return answer.content[:ANSWER_LENGTH_MAX]

    async def _check_budget(self, asked: Asked, messages: list[Message]) -> None:
        spent = await self._ledger.spent(asked.context.coach_id)
        tier, needed = spent.tier, tokens_in(messages) + ANSWER_TOKENS_EXPECTED
        per_day = tier.ai_tokens_per_day if self._tokens_per_coach_day is None else self._tokens_per_coach_day
        if spent.today + needed > per_day or spent.this_month + needed > tier.ai_tokens_per_month:
            raise Unworded("budget_spent")
        if self._tokens_per_day is not None and spent.everybody_today + needed > self._tokens_per_day:
            raise Unworded("server_budget_spent")

    def _judged(self, content: str, asked: Asked) -> tuple[WordedInsight | None, list[str]]:
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


def repair_of(problems: Sequence[str]) -> str:
    """Ask for the same once more."""
    listed = "\n".join(f"- {problem}" for problem in problems)
    return f"This cannot be used:\n{listed}\nWrite the whole answer anew."


def tokens_in(messages: Sequence[Message]) -> int:
    """Guess what a question costs."""
    return sum(len(message.content.encode()) for message in messages) // BYTES_PER_TOKEN
