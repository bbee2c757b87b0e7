"""The four steps in which a person gets another data key. `data_keys.renewal` names the one that comes next.

    asked       a new key is made and known to everybody, and seals nothing yet
    announced   after KEYS_HELD_MAX nobody holds keys without it: from now on it seals
    resealing   everything is sealed with it, until a look that began KEYS_HELD_MAX later finds nothing that was not
    kept        former keys open backups; when those are gone, a later one exists, and one more look finds nothing, the
                keys go, too

Each step is a transaction, or can be begun again; whoever takes a person up has them for LEASE, so a worker that dies
holds up one person for so long, and one that is slower than that finds itself overtaken and leaves everything as it is.
The invariant: a former key goes only when everything opens without it, and so does the newest backup. What does not
open at all keeps it, since a disk that is repaired may bring back what it sealed.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from apex_server.db import Connection, Database, load_queries
from apex_server.key_renewal.resealing import seal_person_anew
from apex_server.personal_data import BACKUPS_KEPT
from apex_server.vault import FORMER_KEYS_MAX, FormerKey, KeyDestroyed, KeyRing, VaultError

__all__ = ["KEYS_HELD_MAX", "LEASE", "KeyRenewal"]

KEYS_HELD_MAX = timedelta(minutes=15)
"""Longer than any request, commit or job holds the keys that it has read."""

LEASE = timedelta(minutes=10)
LOOK_AGAIN = timedelta(days=1)
"""Where something does not open, or there is no backup yet."""

PEOPLE_AT_ONCE = 200
"""In one turn: seconds, or a minute."""

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class Overtaken(Exception):
    """The person is not at the step any more that was taken up: erased, or somebody else went on, or began anew."""


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
            except (KeyDestroyed, Overtaken):
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
                await self._let_go(row["user_id"], row["resealed_at"], now)

    async def _announce(self, user_id: UUID, now: datetime) -> None:
        async with self._database.commit_connection() as connection, connection.transaction():
            ring = await self._vault.change_user_keys(connection, user_id, self._announcing)
            if ring.next is not None:
                await _put(connection, _queries.put_step, user_id, "asked", "announced", now + KEYS_HELD_MAX)
                return
            await _put(connection, _queries.put_step, user_id, "asked", "resealing", now)
        _log.warning("key_not_renewed", user_id=str(user_id), reason="too many former keys are needed")

    def _announcing(self, ring: KeyRing) -> KeyRing:
        return (
            ring
            if len(ring.former) >= FORMER_KEYS_MAX
            else ring.announcing(self._vault.new_key(), self._vault.new_key())
        )

    async def _begin(self, user_id: UUID, now: datetime) -> None:
        async with self._database.commit_connection() as connection, connection.transaction():
            await _put(connection, _queries.note_renewed, user_id, "announced", now)
            await self._vault.change_user_keys(connection, user_id, KeyRing.renewed)

    async def _reseal(self, user_id: UUID, renewed_at: datetime, now: datetime) -> None:
        if await self._finds_more(user_id, "resealing", now):
            return
        # When the look ended, and not when it began: another worker's may have sealed something anew meanwhile.
        resealed_at = _whole_second(self._now())
        until = int((resealed_at + BACKUPS_KEPT).timestamp())
        async with self._database.commit_connection() as connection, connection.transaction():
            if now < renewed_at + KEYS_HELD_MAX:
                again = renewed_at + KEYS_HELD_MAX
                await _put(connection, _queries.put_step, user_id, "resealing", "resealing", again)
                return
            ring = await self._vault.change_user_keys(connection, user_id, lambda ring: ring.needed_until(until))
            due = _first_needed_until(ring)
            await _put(connection, _queries.note_resealed, user_id, "resealing", due, resealed_at)
        _log.info("key_renewed", user_id=str(user_id))

    async def _let_go(self, user_id: UUID, resealed_at: datetime, now: datetime) -> None:
        async with self._database.commit_connection() as connection:
            backed_up_at = await connection.fetchval(_queries.get_last_backup)
            if backed_up_at is None or backed_up_at <= resealed_at:
                await _put(connection, _queries.put_step, user_id, "kept", "kept", now + LOOK_AGAIN)
                return
        if await self._finds_more(user_id, "kept", now):
            return
        until, gone = int(now.timestamp()), list[FormerKey]()

        def letting_go(ring: KeyRing) -> KeyRing:
            kept = ring.without_those_until(until)
            gone.extend(each for each in ring.former if each not in kept.former)
            return kept

        async with self._database.commit_connection() as connection, connection.transaction():
            ring = await self._vault.change_user_keys(connection, user_id, letting_go)
            since = max((_moment(each.needed_until or until) - BACKUPS_KEPT for each in gone), default=None)
            await _put(connection, _queries.note_let_go, user_id, "kept", _first_needed_until(ring), since)
        if gone:
            _log.info("former_keys_destroyed", user_id=str(user_id), keys=len(gone))

    async def _finds_more(self, user_id: UUID, step: str, now: datetime) -> bool:
        """Seal anew what is not, and tell whether there was any, or what does not open; then it is looked at again."""
        found = await seal_person_anew(self._database, user_id)
        if not found.anew and not found.broken:
            return False
        if found.anew:
            _log.info("sealed_anew", user_id=str(user_id), values=found.anew)
        again = LOOK_AGAIN if found.broken else KEYS_HELD_MAX
        async with self._database.commit_connection() as connection:
            await _put(connection, _queries.put_step, user_id, step, "resealing", now + again)
        return True


async def _put(connection: Connection, query: str, user_id: UUID, step: str, *values: Any) -> None:
    """Note what follows from a step. Raises Overtaken where the person is not at it any more."""
    if await connection.fetchval(query, user_id, step, *values) is None:
        raise Overtaken


def _first_needed_until(ring: KeyRing) -> datetime | None:
    """Give when the first of the former keys may go."""
    return min((_moment(each.needed_until) for each in ring.former if each.needed_until is not None), default=None)


def _whole_second(moment: datetime) -> datetime:
    """Round up, to what a ring can hold."""
    return _moment(math.ceil(moment.timestamp()))


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
