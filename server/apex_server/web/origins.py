"""Which devices wrote what on a page: all client ids of all its records, named by two queries."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_server.resources import KnownRecord, Origin
from apex_server.resources.provenance import UNKNOWN, installation, server_author

__all__ = ["Origins", "origins_on_page"]

Origins = Mapping[int, Origin]

_queries = load_queries("apex_server.resources")


async def origins_on_page(
    connection: Connection, scope_id: UUID, records: Iterable[KnownRecord], *more_client_ids: int
) -> Origins:
    """Name every client that wrote to these records of one scope."""
    clients = sorted({*more_client_ids, *(write.client_id for known in records for write in known.document.writes())})
    rows = await connection.fetch(_queries.list_installations, clients)
    origins = {row["client_id"]: installation(row) for row in rows}
    others = [client_id for client_id in clients if client_id not in origins]
    if others:
        rows = await connection.fetch(_queries.list_server_authors, scope_id, others)
        origins |= {row["client_id"]: server_author(row) for row in rows}
    return {client_id: origins.get(client_id, UNKNOWN) for client_id in clients}
