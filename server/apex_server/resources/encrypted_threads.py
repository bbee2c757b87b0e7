"""Which threads are end-to-end encrypted, so that nobody writes to them in the open."""

from collections.abc import Sequence, Set
from uuid import UUID

from apex_server.db import Connection
from apex_server.resources.reading import read_records
from apex_server.vault import Vault
from apex_sync.ids import Scope, thread_scope
from apex_sync.models import DEVICE_KEYS
from apex_sync.models.device_keys import device_keys_id

__all__ = ["encrypted_threads", "keys_place"]


async def encrypted_threads(connection: Connection, vault: Vault, pairs: Sequence[tuple[UUID, UUID]]) -> Set[UUID]:
    """Give the ids of those threads, of a coach and an athlete each, that are encrypted."""
    found = await read_records(connection, vault, DEVICE_KEYS, [keys_place(*pair) for pair in pairs])
    return {Scope.parse(known.scope).id for known in found if getattr(known.record, "encryption", None)}


def keys_place(coach_id: UUID, athlete_id: UUID) -> tuple[UUID, UUID]:
    """Give where the keys of a thread stand: the id of its scope, and of the record."""
    coach, athlete = str(coach_id), str(athlete_id)
    return Scope.parse(thread_scope(coach, athlete)).id, UUID(device_keys_id(coach, athlete))
