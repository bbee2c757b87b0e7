"""Runs functions beside a block of code, for exactly as long as the block runs."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio

__all__ = ["in_background"]


@asynccontextmanager
async def in_background(*functions: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Start the functions, run the block, and cancel them when it ends.

    A function that raises ends the block with its error. A single error leaves as itself and not in a group, so a
    caller catches what the block raised as if nothing ran beside it.
    """
    try:
        async with anyio.create_task_group() as tasks:
            for function in functions:
                tasks.start_soon(function)
            yield
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from group.exceptions[0].__cause__
