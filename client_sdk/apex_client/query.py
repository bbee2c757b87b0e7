"""The reading connection: an app's own SQL, on a connection that cannot write and never waits for a sync."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apex_client.encryption import EncryptionKey, connect
from apex_client.errors import QueryFailed
from apex_client.waiting import Lock

if TYPE_CHECKING:
    import aiosqlite

ITER_ROWS = 64
"""Rows that aiosqlite fetches at once where somebody iterates; nobody does."""


class Reader:
    """Runs SELECTs over the tables of a replica."""

    def __init__(self, path: Path, key: EncryptionKey | None) -> None:
        self._path = path
        self._key = key
        self._connection: aiosqlite.Connection | None = None
        self._lock = Lock()

    async def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
        """Give the rows as maps, at most `limit`. Raises QueryFailed."""
        async with self._lock:
            try:
                connection = self._connection or await self._open()
                async with connection.execute(sql, parameters) as cursor:
                    rows = await cursor.fetchmany(limit)
                    names = [column[0] for column in cursor.description or ()]
            except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
                raise QueryFailed(str(error)) from error
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def aclose(self) -> None:
        """Close the connection, if there was a query."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _open(self) -> "aiosqlite.Connection":
        import aiosqlite

        uri = f"{self._path.resolve().as_uri()}?mode=ro"
        open_file = partial(connect, uri, self._key, uri=True, isolation_level=None)
        connection = await aiosqlite.Connection(open_file, ITER_ROWS)
        await connection.execute("PRAGMA query_only = ON")
        self._connection = connection
        return connection
