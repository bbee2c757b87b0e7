"""The seam to a language model: a question in, a piece of JSON out, or the reason why not."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from msgspec import Struct

__all__ = ["ANSWER_TOKENS_MAX", "LanguageModel", "Message", "ModelAnswer", "ModelFailure"]

ANSWER_TOKENS_MAX = 4000
"""An answer is about 500; the rest is for models that think before they write."""

FailureReason = Literal["misconfigured", "rate_limited", "refused", "timed_out", "truncated", "unavailable", "unusable"]


class Message(Struct, frozen=True):
    """One turn of the conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ModelAnswer(Struct, frozen=True):
    """What a model wrote, and what it cost."""

    content: str
    tokens: int


@dataclass(eq=False)
class ModelFailure(Exception):
    """There is no answer; `tokens` were spent all the same, and `retry_after` is in seconds."""

    reason: FailureReason
    detail: str = ""
    tokens: int = 0
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class LanguageModel(Protocol):
    """A model by its name."""

    @property
    def name(self) -> str:
        """The name under which its texts are shown and kept."""

    async def answer(self, messages: list[Message], schema: dict[str, Any]) -> ModelAnswer:
        """Ask for JSON of that schema. Raises ModelFailure; the caller sets the time limit."""
