"""Work that a worker does again and again: what fails is put off, told in the log, and holds up no other."""

from collections.abc import Awaitable, Callable

import anyio
import asyncpg
import structlog
from pgqueuer.errors import FailingListenerError

from apex_server.db import DatabaseUnavailable
from apex_server.db.outage import BUSY, GONE
from apex_server.errors import ServerBusy
from apex_server.media.errors import MediaStoreAway

__all__ = ["every", "log_failure", "passes", "passing"]

PASSING = (
    DatabaseUnavailable,
    ServerBusy,
    MediaStoreAway,
    FailingListenerError,
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    *GONE,
    *BUSY,
)
"""What a Postgres that is lost, full or busy looks like from inside the queue."""

_log = structlog.get_logger(__name__)


async def every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again; a failure only puts it off."""
    while True:
        await passing(work)
        await anyio.sleep(seconds)


async def passing(work: Callable[[], Awaitable[object]]) -> None:
    """Do something, and leave it for the next time when it fails: the other work must go on."""
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is logged and tried again.
        log_failure("postponed", error)


def passes(error: Exception) -> bool:
    """Tell what passes with an outage of Postgres from a bug of ours."""
    if isinstance(error, ExceptionGroup):
        return all(passes(each) for each in error.exceptions)
    return isinstance(error, PASSING)


def log_failure(event: str, error: Exception) -> None:
    """Log an outage in one line, and a bug with all that is known."""
    if passes(error):
        _log.warning(event, reason=str(error))
    else:
        _log.error(event, exc_info=error)
