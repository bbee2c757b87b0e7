"""Asking a model within its means: bounded in time, in tokens of the coach and of everybody, and behind a breaker.

Whoever asks brings a judge: an answer that does not hold is complained of once, and given up if it still does not.
What a question may cost at most, its repair included, is reserved before it is asked, and settled once, at what all its
tries have cost. What is still on its way then, or was when the process ended, counts at its most: nobody knows.
Only lengths, counts and outcomes are logged, never what was asked or answered.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

import anyio
import structlog

from apex_server.ai.breaker import CircuitBreaker
from apex_server.ai.language_model import ANSWER_TOKENS_MAX, LanguageModel, Message, ModelFailure
from apex_server.ai.ledger import Ledger, Spent

__all__ = ["BoundedModel", "Judge", "Question", "Unanswered"]

T = TypeVar("T")
Judge: TypeAlias = Callable[[str], Awaitable[tuple[T | None, list[str]]]]
"""Reads an answer, and lists what is wrong with it; an answer that cannot be read is None."""

TOTAL_SECONDS = 30.0
"""For the answer and its repair together; a draft is for later, the worker is not."""

QUESTION_BYTES_MAX = 60_000
BYTES_PER_TOKEN = 3
"""Few enough to guess a question rather too dear than too cheap."""

ANSWER_TOKENS_EXPECTED = 800
"""Where a provider does not say what an answer cost."""
ATTEMPTS = 2
COMPLAINT_BYTES_MAX = 3_000
"""Of all that is wrong with an answer: a model mends what it is told first, and the rest is as wrong for it."""
ANSWER_LENGTH_MAX = 20_000
UNANSWERED = ("misconfigured", "rate_limited", "timed_out", "unavailable")
"""Failures that say something of the provider rather than of the question."""

_log = structlog.get_logger(__name__)


class Question(NamedTuple):
    """What is asked, in which form it must be answered, and whose budget it goes on."""

    coach_id: UUID
    instructions: str
    document: bytes
    schema: dict[str, Any]


class Bill:
    """What a question has cost so far, in tokens; a try that is on its way at its most."""

    def __init__(self) -> None:
        self.tokens = 0


class Unanswered(Exception):
    """There is no answer that holds; `outcome` says why."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class BoundedModel:
    """A model with its ledger; `clock` gives seconds for the breaker.

    How many tokens a coach's athletes may cost stands in the coach's tier; `tokens_per_coach_day` goes before it.
    `tokens_per_day` is for everybody together: accounts cost nothing to make, and the key's money is one.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        ledger: Ledger,
        clock: Callable[[], float] = time.monotonic,
        total_seconds: float = TOTAL_SECONDS,
        tokens_per_coach_day: int | None = None,
        tokens_per_day: int | None = None,
    ) -> None:
        self._model = model
        self.ledger = ledger
        self._breaker = CircuitBreaker(clock)
        self._total_seconds = total_seconds
        self._tokens_per_coach_day = tokens_per_coach_day
        self._tokens_per_day = tokens_per_day

    @property
    def name(self) -> str:
        """The name of the model."""
        return self._model.name

    async def ask(self, question: Question, judge: Judge[T]) -> tuple[T, str]:
        """Give what the judge makes of an answer, and the answer. Raises Unanswered, DatabaseUnavailable."""
        if self._breaker.is_open:
            raise Unanswered("breaker_open")
        if len(question.document) > QUESTION_BYTES_MAX:
            raise Unanswered("question_too_long")
        messages = [Message("system", question.instructions), Message("user", question.document.decode())]
        most = tokens_at_most(messages)
        day = await self.ledger.reserve(question.coach_id, most, lambda spent: self._check_budget(spent, most))
        bill = Bill()
        try:
            with anyio.move_on_after(self._total_seconds):
                return await self._asked_in_time(question, messages, judge, bill)
            self._breaker.failed()
            raise Unanswered("timed_out")
        finally:
            await self.ledger.settle(question.coach_id, day, bill.tokens - most)

    async def _asked_in_time(
        self, question: Question, messages: list[Message], judge: Judge[T], bill: Bill
    ) -> tuple[T, str]:
        for attempt in range(1, ATTEMPTS + 1):
            content = await self._answer(question, messages, bill)
            judged, problems = await judge(content)
            if judged is not None and not problems:
                _log.info("model_answered", attempt=attempt, question_bytes=len(question.document))
                return judged, content
            _log.info("model_answer_refused", attempt=attempt, problems=len(problems))
            messages = [*messages, Message("assistant", content), Message("user", repair_of(problems))]
        raise Unanswered("unverifiable")

    async def _answer(self, question: Question, messages: list[Message], bill: Bill) -> str:
        asked = tokens_in(messages)
        most = asked + ANSWER_TOKENS_MAX
        bill.tokens += most
        try:
            answer = await self._model.answer(messages, question.schema)
        except ModelFailure as failure:
            bill.tokens += (failure.tokens or asked) - most
            if failure.reason in UNANSWERED:
                self._breaker.failed(retry_after=failure.retry_after)
            else:
                self._breaker.succeeded()
            raise Unanswered(failure.reason) from failure
        self._breaker.succeeded()
        bill.tokens += (answer.tokens or asked + ANSWER_TOKENS_EXPECTED) - most
        return answer.content[:ANSWER_LENGTH_MAX]

    def _check_budget(self, spent: Spent, needed: int) -> None:
        tier = spent.tier
        per_day = tier.ai_tokens_per_day if self._tokens_per_coach_day is None else self._tokens_per_coach_day
        if spent.today + needed > per_day or spent.this_month + needed > tier.ai_tokens_per_month:
            raise Unanswered("budget_spent")
        if self._tokens_per_day is not None and spent.everybody_today + needed > self._tokens_per_day:
            raise Unanswered("server_budget_spent")


def repair_of(problems: Sequence[str]) -> str:
    """Ask for the same once more."""
    listed = "\n".join(f"- {problem}" for problem in problems).encode()[:COMPLAINT_BYTES_MAX].decode(errors="ignore")
    return f"This cannot be used:\n{listed}\nWrite the whole answer anew."


def tokens_in(messages: Sequence[Message]) -> int:
    """Guess what a question costs."""
    return sum(len(message.content.encode()) for message in messages) // BYTES_PER_TOKEN


def tokens_at_most(messages: Sequence[Message]) -> int:
    """Guess what a question costs at most with all its tries, each told the answers before it and what was wrong."""
    told_more = ANSWER_TOKENS_MAX + COMPLAINT_BYTES_MAX // BYTES_PER_TOKEN
    return sum(tokens_in(messages) + earlier * told_more + ANSWER_TOKENS_MAX for earlier in range(ATTEMPTS))
