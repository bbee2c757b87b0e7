"""Which threads are end-to-end encrypted, so that nobody writes to them in the open."""

from collections.abc import Sequence, Set
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_server.resources.reading import known_record
from apex_server.sync.sealing import open_documents
from apex_server.sync.store import DAMAGED
from apex_server.vault import Vault
from apex_sync.ids import Scope, thread_scope
from apex_sync.models import DEVICE_KEYS
from apex_sync.models.device_keys import device_keys_id

__all__ = ["encrypted_threads", "keys_place"]

_queries = load_queries(__package__)


async def encrypted_threads(connection: Connection, vault: Vault, pairs: Sequence[tuple[UUID, UUID]]) -> Set[UUID]:
    """Give the ids of those threads, of a coach and an athlete each, that are encrypted, or whose keys are damaged."""
    places = [keys_place(*pair) for pair in pairs]
    rows = await connection.fetch(_queries.get_records, [place[0] for place in places], [place[1] for place in places])
    docs = await open_documents(connection, vault, rows)
    return {
        row["scope_id"]
        for row, doc in zip(rows, docs, strict=True)
        if doc == DAMAGED or known_record(DEVICE_KEYS, row, doc).fold.state.get("encryption")
    }


def keys_place(coach_id: UUID, athlete_id: UUID) -> tuple[UUID, UUID]:
    """Give where the keys of a thread stand: the id of its scope, and of the record."""
    coach, athlete = str(coach_id), str(athlete_id)
    return Scope.parse(thread_scope(coach, athlete)).id, UUID(device_keys_id(coach, athlete))
