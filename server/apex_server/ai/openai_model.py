"""A model behind the OpenAI API or anything that speaks like it; the one module that imports `openai`.

The SDK's own retries are off, because they would stack on the job's, and its read timeout of ten minutes is cut short.
"""

from typing import Any, cast

import openai
from openai.types.chat import ChatCompletion

from apex_server.ai.language_model import ANSWER_TOKENS_MAX, Message, ModelAnswer, ModelFailure

__all__ = ["OpenAIModel"]

TIMEOUT_SECONDS = 30.0
"""Of one wait on the network; the caller bounds the whole."""

RATE_LIMIT_SECONDS = 30.0
"""Where a provider does not say for how long it wants to be left alone."""


class OpenAIModel:
    """Asks one model for JSON of a strict schema."""

    def __init__(self, name: str, *, api_key: str, base_url: str | None) -> None:
        self.name = name
        self._client = openai.AsyncOpenAI(api_key=api_key, base_url=base_url, timeout=TIMEOUT_SECONDS, max_retries=0)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def answer(self, messages: list[Message], schema: dict[str, Any]) -> ModelAnswer:
        """Ask. Raises ModelFailure."""
        try:
            completion = await self._client.chat.completions.create(
                model=self.name,
                messages=cast("Any", [{"role": message.role, "content": message.content} for message in messages]),
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "strict": True, "schema": schema},
                },
                max_completion_tokens=ANSWER_TOKENS_MAX,
            )
        except openai.APITimeoutError as error:
            raise ModelFailure("timed_out", "no answer in time") from error
        except openai.APIConnectionError as error:
            raise ModelFailure("unavailable", "cannot be reached") from error
        except openai.RateLimitError as error:
            raise ModelFailure("rate_limited", retry_after=seconds_asked_for(error)) from error
        except openai.APIStatusError as error:
            detail = f"status {error.status_code}"
            if error.status_code >= 500:
                raise ModelFailure("unavailable", detail) from error
            raise ModelFailure("misconfigured", detail) from error
        except (openai.OpenAIError, ValueError) as error:
            raise ModelFailure("unusable", type(error).__name__) from error
        return read_completion(completion)


def read_completion(completion: ChatCompletion) -> ModelAnswer:
    """Take the text out of an answer, whatever a compatible server made of it. Raises ModelFailure."""
    try:
        tokens = completion.usage.total_tokens if completion.usage else 0
        choice = completion.choices[0]
        content, refusal, finish = choice.message.content, choice.message.refusal, choice.finish_reason
    except (AttributeError, IndexError, TypeError) as error:
        raise ModelFailure("unusable", "no choices") from error
    if refusal or finish == "content_filter":
        raise ModelFailure("refused", tokens=tokens)
    if finish == "length":
        raise ModelFailure("truncated", tokens=tokens)
    if not isinstance(content, str) or not content:
        raise ModelFailure("unusable", "no text", tokens=tokens)
    return ModelAnswer(content, tokens)


def seconds_asked_for(error: openai.RateLimitError) -> float:
    """Give how long the provider wants to be left alone."""
    try:
        return max(0.0, float(error.response.headers.get("retry-after", RATE_LIMIT_SECONDS)))
    except ValueError:
        return RATE_LIMIT_SECONDS
