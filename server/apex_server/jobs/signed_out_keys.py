"""Takes the keys of devices that were signed out from their threads, so that nothing is encrypted for them any more.

Written on behalf of their person, as they themselves could. Threads are looked through when a session has ended lately
or two people have just begun to work together, perhaps again; and all of them now and then, for what was missed.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from apex_server.db import Database, load_queries
from apex_server.errors import NotFound
from apex_server.resources import KnownRecord, keys_place, read_records
from apex_server.sync import Committer
from apex_sync.ids import Scope
from apex_sync.models import DEVICE_KEYS
from apex_sync.models.message import SIDES, Side

__all__ = ["withdraw_signed_out_keys"]

THREADS_AT_ONCE = 500
"""Records read in one go, half a megabyte."""

_queries = load_queries(__package__)


async def withdraw_signed_out_keys(database: Database, committer: Committer, *, lately: timedelta | None) -> int:
    """Take out the keys of devices without a session, in threads where that may have changed lately, or in all.

    Gives how many were taken out. Raises DatabaseUnavailable, ServerBusy.
    """
    count, after = 0, (UUID(int=0), UUID(int=0))
    while True:
        async with database.commit_connection() as connection:
            pairs = await connection.fetch(_queries.list_threads_with_keys, lately, *after, THREADS_AT_ONCE)
            places = [keys_place(pair["coach_id"], pair["athlete_id"]) for pair in pairs]
            found = await read_records(connection, database.vault, DEVICE_KEYS, places)
            client_ids = {client_id for known in found for _, _, client_id in _live(known)}
            rows = await connection.fetch(_queries.list_signed_out, list(client_ids))
        signed_out = {row["client_id"] for row in rows}
        for known in found:
            count += await _withdraw(committer, known, signed_out)
        if len(pairs) < THREADS_AT_ONCE:
            return count
        after = pairs[-1]["coach_id"], pairs[-1]["athlete_id"]


async def _withdraw(committer: Committer, known: KnownRecord, signed_out: set[int]) -> int:
    _, coach, athlete = Scope.parse(known.scope)
    people = {"coach": coach, "athlete": athlete}
    count = 0
    for side in SIDES:
        keys = [key_id for of, key_id, client_id in _live(known) if of == side and client_id in signed_out]
        gone = {key_id: {"deleted": True} for key_id in keys}
        if gone:
            with suppress(NotFound):  # They have just parted.
                await committer.write(UUID(people[side]), known.scope, DEVICE_KEYS.name, known.id, {side: gone})
                count += len(gone)
    return count


def _live(known: KnownRecord) -> Iterator[tuple[Side, str, int]]:
    """List the keys that are encrypted for, with the client ids they were drawn for."""
    for side in SIDES:
        for key_id, each in (getattr(known.record, side, None) or {}).items():
            if each.deleted is not True and each.client_id:
                yield side, key_id, each.client_id
