"""The four steps in which a person gets another data key. `data_keys.renewal` names the one that comes next.

    asked       a new key is made and known to everybody, and seals nothing yet
    announced   after KEYS_HELD_MAX nobody holds keys without it: from now on it seals
    resealing   everything is sealed with it, until a look that began KEYS_HELD_MAX later finds nothing that was not
    kept        former keys open backups; when those are gone, and one more look finds nothing, the keys go, too

Each step is a transaction, or can be begun again; whoever takes a person up has them for LEASE, so a worker that dies
holds up one person for so long. The invariant: a former key goes only when everything opens without it. What does not
open at all keeps it, since a disk that is repaired may bring back what it sealed.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from apex_server.db import Database, load_queries
from apex_server.key_renewal.resealing import seal_person_anew
from apex_server.personal_data import BACKUPS_KEPT
from apex_server.vault import FORMER_KEYS_MAX, KeyDestroyed, KeyRing, VaultError

__all__ = ["KEYS_HELD_MAX", "LEASE", "KeyRenewal"]

KEYS_HELD_MAX = timedelta(minutes=15)
"""Longer than any request, commit or job holds the keys that it has read."""

LEASE = timedelta(minutes=10)
LOOK_AGAIN = timedelta(days=1)
"""Where something does not open."""

PEOPLE_AT_ONCE = 200
"""In one turn: seconds, or a minute."""

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class KeyRenewal:
    """Renews the keys of whoever is due; `now` is the wall clock, with a zone."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._vault = database.vault
        self._now = now

    async def step(self) -> int:
        """Do the next step of those who are due, and give their number.

        Whoever's keys do not unwrap are logged and looked at later. Raises DatabaseUnavailable.
        """
        for count in range(PEOPLE_AT_ONCE):
            now = self._now()
            async with self._database.commit_connection() as connection:
                row = await connection.fetchrow(_queries.take_due, now, now + LEASE)
            if row is None:
                return count
            try:
                await self._step(row, now)
            except KeyDestroyed:  # Erased meanwhile.
                continue
            except VaultError as error:
                _log.error("key_not_renewed", user_id=str(row["user_id"]), reason=str(error))
        return PEOPLE_AT_ONCE

    async def _step(self, row: Any, now: datetime) -> None:
        match row["renewal"]:
            case "asked":
                await self._announce(row["user_id"], now)
            case "announced":
                await self._begin(row["user_id"], now)
            case "resealing":
                await self._reseal(row["user_id"], row["renewed_at"], now)
            case "kept":
                await self._let_go(row["user_id"], now)

    async def _announce(self, user_id: UUID, now: datetime) -> None:
        async with self._database.commit_connection() as connection, connection.transaction():
            ring = await self._vault.change_user_keys(connection, user_id, self._announcing)
            if ring.next is None:
                _log.warning("key_not_renewed", user_id=str(user_id), reason="too many former keys are needed")
            step, due = ("announced", KEYS_HELD_MAX) if ring.next else ("kept", LOOK_AGAIN)
            await connection.execute(_queries.put_step, user_id, step, now + due)

    def _announcing(self, ring: KeyRing) -> KeyRing:
        return ring if len(ring.former) >= FORMER_KEYS_MAX else ring.announcing(self._vault.new_key())

    async def _begin(self, user_id: UUID, now: datetime) -> None:
        async with self._database.commit_connection() as connection, connection.transaction():
            await self._vault.change_user_keys(connection, user_id, KeyRing.renewed)
            await connection.execute(_queries.note_renewed, user_id, now)

    async def _reseal(self, user_id: UUID, renewed_at: datetime, now: datetime) -> None:
        if await self._finds_more(user_id, now):
            return
        until = now + BACKUPS_KEPT
        async with self._database.commit_connection() as connection, connection.transaction():
            if now < renewed_at + KEYS_HELD_MAX:
                await connection.execute(_queries.put_step, user_id, "resealing", renewed_at + KEYS_HELD_MAX)
                return
            await self._vault.change_user_keys(
                connection, user_id, lambda ring: ring.needed_until(int(until.timestamp()))
            )
            await connection.execute(_queries.put_step, user_id, "kept", until)
        _log.info("key_renewed", user_id=str(user_id))

    async def _let_go(self, user_id: UUID, now: datetime) -> None:
        if await self._finds_more(user_id, now):
            return
        until = int(now.timestamp())
        async with self._database.commit_connection() as connection, connection.transaction():
            before = await self._vault.change_user_keys(connection, user_id, lambda ring: ring)
            ring = await self._vault.change_user_keys(connection, user_id, lambda ring: ring.without_those_until(until))
            gone = [each.needed_until or until for each in before.former if each not in ring.former]
            times = [each.needed_until for each in ring.former if each.needed_until is not None]
            due = datetime.fromtimestamp(min(times), UTC) if times else None
            since = datetime.fromtimestamp(max(gone), UTC) - BACKUPS_KEPT if gone else None
            await connection.execute(_queries.note_let_go, user_id, due, since)
        _log.info("former_key_destroyed", user_id=str(user_id))

    async def _finds_more(self, user_id: UUID, now: datetime) -> bool:
        """Seal anew what is not, and tell whether there was any, or what does not open; then it is looked at again."""
        found = await seal_person_anew(self._database, user_id)
        if not found.anew and not found.broken:
            return False
        if found.anew:
            _log.info("sealed_anew", user_id=str(user_id), values=found.anew)
        again = LOOK_AGAIN if found.broken else KEYS_HELD_MAX
        async with self._database.commit_connection() as connection:
            await connection.execute(_queries.put_step, user_id, "resealing", now + again)
        return True
