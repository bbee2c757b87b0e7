"""The reading connection: an app's own SQL, on a connection that cannot write and never waits for a sync."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from apex_client.encryption import EncryptionKey, connect
from apex_client.errors import QueryFailed


class Reader:
    """Runs SELECTs over the tables of a replica."""

    def __init__(self, path: Path, key: EncryptionKey | None) -> None:
        self._path = path
        self._key = key
        self._connection: sqlite3.Connection | None = None
        self._lock = Lock()

    def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
        """Give the rows as maps, at most `limit`. Raises QueryFailed."""
        with self._lock:
            try:
                connection = self._connection or self._open()
                cursor = connection.execute(sql, parameters)
                rows = cursor.fetchmany(limit)
                names = [column[0] for column in cursor.description or ()]
                cursor.close()
            except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
                raise QueryFailed(str(error)) from error
        return [dict(zip(names, row, strict=True)) for row in rows]

    def close(self) -> None:
        """Close the connection, if there was a query."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        uri = f"{self._path.resolve().as_uri()}?mode=ro"
        connection = connect(uri, self._key, uri=True, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
        self._connection = connection
        return connection
