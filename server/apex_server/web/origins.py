"""Which devices wrote what on a page: all client ids of all its records, named by two queries."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from apex_server.db import Connection
from apex_server.resources import KnownRecord, Origin
from apex_server.resources.provenance import origins_of_clients
from apex_server.vault import Vault

__all__ = ["Origins", "origins_on_page"]

Origins = Mapping[int, Origin]


async def origins_on_page(
    connection: Connection, vault: Vault, scope_id: UUID, records: Iterable[KnownRecord], *more_client_ids: int
) -> Origins:
    """Name every client that wrote to these records of one scope."""
    clients = sorted({*more_client_ids, *(write.client_id for known in records for write in known.document.writes())})
    return await origins_of_clients(connection, vault, scope_id, clients)
