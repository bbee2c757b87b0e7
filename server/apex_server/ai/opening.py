"""The model that the settings name, opened for as long as it is needed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from apex_server.ai.asking import BoundedModel
from apex_server.ai.ledger import Ledger
from apex_server.db import Database
from apex_server.settings import Settings

__all__ = ["open_model"]


@asynccontextmanager
async def open_model(
    settings: Settings, database: Database, *, now: Callable[[], datetime]
) -> AsyncIterator[BoundedModel | None]:
    """Give the model, with its budgets; None, and nothing of it loaded, where none is configured."""
    if not settings.openai_api_key and not settings.openai_base_url:
        yield None
        return
    from apex_server.ai.openai_model import OpenAIModel

    model = OpenAIModel(
        settings.openai_model, api_key=settings.openai_api_key or "none", base_url=settings.openai_base_url
    )
    try:
        yield BoundedModel(model, ledger=Ledger(database, now=now), tokens_per_day=settings.model_tokens_per_day)
    finally:
        await model.aclose()
