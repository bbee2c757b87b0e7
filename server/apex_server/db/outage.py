"""Tells an outage of Postgres, which passes, from an error of ours, which does not.

The invariant: only what a repeat of the same request may cure becomes DatabaseUnavailable. A wrong query, a broken
constraint or a closed pool stays the error it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from apex_server.db.errors import DatabaseBusy, DatabaseUnavailable

__all__ = ["BUSY", "GONE", "connecting", "has_lost_track", "outage_of"]

GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,  # A primary that has just become a replica; reconnecting finds the new one.
)
BUSY = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.QueryCanceledError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


@contextmanager
def connecting() -> Iterator[None]:
    """Turn what a failed connection attempt raises into DatabaseUnavailable, where another attempt may succeed."""
    try:
        yield
    except TimeoutError as error:
        raise DatabaseBusy("no connection became free in time") from error
    except asyncpg.TooManyConnectionsError as error:
        raise DatabaseBusy("it has no connection left") from error
    except BUSY as error:  # A disk so full that Postgres, after a crash, can't even let anybody in.
        raise DatabaseBusy(describe(error)) from error
    except (OSError, *GONE) as error:
        raise DatabaseUnavailable(describe(error)) from error


def outage_of(error: Exception, *, closed: bool) -> DatabaseUnavailable | None:
    """Give the DatabaseUnavailable that an error met inside a transaction amounts to, or None for any other error.

    `closed` says whether the connection was lost: then even an error of asyncpg's own interface, or of the socket, is
    the outage speaking.
    """
    if isinstance(error, GONE):
        return DatabaseUnavailable(describe(error))
    if isinstance(error, BUSY):
        return DatabaseBusy(describe(error))
    if isinstance(error, TimeoutError):
        return DatabaseUnavailable("it has gone silent")
    if (closed and isinstance(error, asyncpg.InterfaceError | OSError)) or has_lost_track(error):
        return DatabaseUnavailable(describe(error))
    return None


def has_lost_track(error: BaseException | None) -> bool:
    """Tell whether asyncpg no longer knows what its connection is at.

    A backend that dies between two statements leaves it so ("cannot switch to state"), before the socket is closed.
    What then fails in cleaning up hides that error behind its own.
    """
    while error is not None and not isinstance(error, asyncpg.InternalClientError):
        error = error.__context__
    return error is not None


def describe(error: Exception) -> str:
    return str(error) or type(error).__name__
