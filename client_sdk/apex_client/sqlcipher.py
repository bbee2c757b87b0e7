"""SQLCipher behind the face of `sqlite3`: the same calls, and the same exceptions, so that nobody else knows of it.

Imported only where there is a key; the package is an extra.
"""

import sqlite3
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, cast

from sqlcipher3 import dbapi2

__all__ = ["connect"]


def connect(target: str, key: str | None, **options: Any) -> sqlite3.Connection:
    """Connect with a key as SQLCipher reads it, or to a plain file. Raises what `sqlite3` would."""
    connection = _connect(target, factory=_Connection, **options)
    try:
        # It tells failures to the standard error, which belongs to the app; they are errors here.
        connection.execute("PRAGMA cipher_log_level = NONE").fetchone()
        if key is not None:
            connection.execute("PRAGMA key = '{}'".format(key.replace("'", "''"))).fetchone()
    except BaseException:
        connection.close()
        raise
    return cast(sqlite3.Connection, connection)


def _as_sqlite3(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let a call raise the errors of `sqlite3`."""

    @wraps(call)
    def translated(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except (dbapi2.Error, dbapi2.Warning) as error:
            raise _translated(error) from error

    return translated


def _translated(error: Exception) -> Exception:
    kind = getattr(sqlite3, type(error).__name__, sqlite3.Error)
    same: Exception = kind(*error.args)
    for name in ("sqlite_errorcode", "sqlite_errorname"):
        if hasattr(error, name):
            setattr(same, name, getattr(error, name))
    return same


_connect = _as_sqlite3(dbapi2.connect)


class _Cursor(dbapi2.Cursor):  # type: ignore[misc]
    execute = _as_sqlite3(dbapi2.Cursor.execute)
    executemany = _as_sqlite3(dbapi2.Cursor.executemany)
    executescript = _as_sqlite3(dbapi2.Cursor.executescript)
    fetchone = _as_sqlite3(dbapi2.Cursor.fetchone)
    fetchmany = _as_sqlite3(dbapi2.Cursor.fetchmany)
    fetchall = _as_sqlite3(dbapi2.Cursor.fetchall)
    __next__ = _as_sqlite3(dbapi2.Cursor.__next__)
    close = _as_sqlite3(dbapi2.Cursor.close)


class _Connection(dbapi2.Connection):  # type: ignore[misc]
    commit = _as_sqlite3(dbapi2.Connection.commit)
    rollback = _as_sqlite3(dbapi2.Connection.rollback)
    close = _as_sqlite3(dbapi2.Connection.close)
    _cursor = _as_sqlite3(dbapi2.Connection.cursor)

    def cursor(self, factory: type[Any] = _Cursor) -> Any:
        return self._cursor(factory)

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> Any:
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql: str) -> Any:
        return self.cursor().executescript(sql)
