"""Going through every document of a scope, for what goes through everything."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from apex_server.db import Connection, load_queries

__all__ = ["FIRST_ID", "document_pages", "documents_after"]

queries = load_queries(__package__)

RECORDS_AT_ONCE = 500
BYTES_AT_ONCE = 8 * 1024 * 1024
"""Usually 500 records are 1 MB; of very long ones fewer are taken."""

FIRST_ID = UUID(int=0)


async def document_pages(connection: Connection, scope_id: UUID) -> AsyncIterator[Sequence[Any]]:
    """Read the documents of a scope, sealed, some at a time."""
    last = FIRST_ID
    while rows := await documents_after(connection, scope_id, last):
        yield rows
        last = rows[-1]["record_id"]


async def documents_after(connection: Connection, scope_id: UUID, last: UUID) -> Sequence[Any]:
    """Read the documents of a scope that come after one, some of them; none after the last."""
    rows: Sequence[Any] = await connection.fetch(queries.documents_page, scope_id, last, RECORDS_AT_ONCE, BYTES_AT_ONCE)
    return rows
