"""Takes the keys of devices that were signed out from their threads, so that nothing is encrypted for them any more.

Written on behalf of their person, as they themselves could. Threads are looked through when a session has ended lately
or two people have just begun to work together, perhaps again; and all of them now and then, for what was missed.

A key names the installation that it was drawn for, and is believed as far as it can be held to that: its person must be
signed in there, and on the device that wrote it, too. So nobody leaves a key behind, under an id of their own making or
of a device that stays, which is encrypted for when they themselves have long been signed out.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from apex_server.db import Connection, Database, load_queries
from apex_server.errors import NotFound
from apex_server.resources import KnownRecord, keys_place, moment_of, read_records
from apex_server.sync import Committer
from apex_sync.ids import Scope
from apex_sync.models import DEVICE_KEYS
from apex_sync.models.message import SIDES, Side
from apex_sync.op import Patch

__all__ = ["withdraw_signed_out_keys"]

THREADS_AT_ONCE = 500
"""Records read in one go, half a megabyte."""

UNBOUND_KEPT = timedelta(days=7)
"""A device whose sign-in a restore has lost signs in again meanwhile; by syncing or signing in an id is bound."""

_queries = load_queries(__package__)


class _LiveKey(NamedTuple):
    """A key that is encrypted for, with an installation that its person has to be signed in on."""

    known: KnownRecord
    side: Side
    person: UUID
    key_id: str
    client_id: int
    drawn_at: datetime


async def withdraw_signed_out_keys(
    database: Database, committer: Committer, *, lately: timedelta | None, now: datetime
) -> int:
    """Take out the keys of devices without a session, in threads where that may have changed lately, or in all.

    Gives how many were taken out. Raises DatabaseUnavailable, ServerBusy.
    """
    count, after = 0, (UUID(int=0), UUID(int=0))
    while True:
        async with database.commit_connection() as connection:
            pairs = await connection.fetch(_queries.list_threads_with_keys, lately, *after, THREADS_AT_ONCE)
            places = [keys_place(pair["coach_id"], pair["athlete_id"]) for pair in pairs]
            found = await read_records(connection, database.vault, DEVICE_KEYS, places)
            signed_out = await _signed_out(connection, [key for known in found for key in _live(known)], now)
        count += await _withdraw(committer, signed_out)
        if len(pairs) < THREADS_AT_ONCE:
            return count
        after = pairs[-1]["coach_id"], pairs[-1]["athlete_id"]


async def _signed_out(connection: Connection, keys: list[_LiveKey], now: datetime) -> list[_LiveKey]:
    rows = await connection.fetch(
        _queries.list_signed_out,
        [key.client_id for key in keys],
        [key.person for key in keys],
        [key.drawn_at for key in keys],
        now - UNBOUND_KEPT,
    )
    return [keys[row["place"] - 1] for row in rows]


async def _withdraw(committer: Committer, keys: list[_LiveKey]) -> int:
    gone: dict[tuple[str, str, Side, UUID], set[str]] = defaultdict(set)
    for key in keys:
        gone[key.known.scope, key.known.id, key.side, key.person].add(key.key_id)
    count = 0
    for (scope, record_id, side, person), key_ids in gone.items():
        with suppress(NotFound):  # They have just parted.
            patch: Patch = {side: {key_id: {"deleted": True} for key_id in sorted(key_ids)}}
            await committer.write(person, scope, DEVICE_KEYS.name, record_id, patch)
            count += len(key_ids)
    return count


def _live(known: KnownRecord) -> Iterator[_LiveKey]:
    """List the keys that are encrypted for: with the installation each names, and with the one that wrote it."""
    _, coach, athlete = Scope.parse(known.scope)
    people = {"coach": UUID(coach), "athlete": UUID(athlete)}
    claims = dict(known.fold.claims())
    for side in SIDES:
        for key_id, each in (getattr(known.record, side, None) or {}).items():
            written = claims.get((side, key_id, "key"))
            if each.deleted is True or written is None:
                continue
            for client_id in {written.client_id, each.client_id or written.client_id}:
                yield _LiveKey(known, side, people[side], key_id, client_id, moment_of(written.hlc))
