"""Erasure: what a person asked for thirty days ago, and did not take back.

One transaction takes away everything that is theirs (`apex_erase_account`, which goes by the columns of every table
there is) and destroys their data key. What is left is that there was an account, when it went, and fingerprints of the
secrets of its devices, so that they are told to forget when they come again, however late (docs/privacy.md).

From backups the destroyed key erases them: free text stands in the database only sealed. The key file of the backups
that the server knows loses it in the same minute. Files that hold text of a
person outside the database are forgotten first, since only the account knows which they are; so a crash in between
leaves nothing behind, and the next attempt finishes.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog

from apex_server.db import Database, load_queries
from apex_server.vault import KEY_FILE_NAME, VaultError, renew_key_file

__all__ = ["GRACE", "Eraser", "Forgetting"]

GRACE = timedelta(days=30)
"""So long a person may change their mind; the blueprint's figure (7.2)."""

ERASED_AT_ONCE = 20
ERASE_SECONDS_MAX = 600.0
"""Ten years of training are some hundred thousand rows: seconds, or minutes on a busy machine."""

SWEEP_AFTER = timedelta(minutes=5)
"""Longer than any commit may take: what was being written at the moment of an erasure is there or refused by then."""

Forgetting = Callable[[UUID], Awaitable[None]]
"""Forgets what stands about a person outside the database. May be called again, and for somebody unknown."""

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class Eraser:
    """Erases accounts whose time of grace is over; `now` is the wall clock, with a zone."""

    def __init__(
        self,
        database: Database,
        *,
        forgettings: Sequence[Forgetting] = (),
        backup_dir: Path | None = None,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._forgettings = forgettings
        self._key_file = None if backup_dir is None else backup_dir / KEY_FILE_NAME
        self._key_file_knows: datetime | None = None
        self._now = now

    async def erase_due(self) -> int:
        """Erase whoever is due; gives how many.

        Nobody waits for an account that cannot be erased: the others are, and then what went wrong first is raised,
        usually DatabaseUnavailable. Whoever is left stays due.
        """
        async with self._database.commit_connection() as connection:
            due = await connection.fetch(_queries.list_due_deletions, self._now(), ERASED_AT_ONCE)
        wrong: list[Exception] = []
        for row in due:
            try:
                await self.erase(row["user_id"])
            except Exception as error:  # noqa: BLE001 - it is raised in the end.
                _log.error("account_not_erased", user_id=str(row["user_id"]), error=repr(error))
                wrong.append(error)
        await self._sweep()
        try:
            await self._renew_key_file()
        except (VaultError, OSError) as error:
            wrong.append(error)
        if wrong:
            raise wrong[0]
        return len(due)

    async def erase(self, user_id: UUID) -> bool:
        """Erase one person, if that is due; False: it is not, or another worker is at it."""
        async with self._database.commit_connection() as connection, connection.transaction():
            await connection.execute(_queries.take_time)
            if await connection.fetchval(_queries.lock_due_deletion, user_id, self._now()) is None:
                return False
            for forget in self._forgettings:
                await forget(user_id)
            await connection.execute(_queries.erase_account, user_id, self._now(), timeout=ERASE_SECONDS_MAX)
            await self._database.vault.destroy_user_key(connection, user_id)
        _log.info("account_erased", user_id=str(user_id))
        return True

    async def _renew_key_file(self) -> None:
        """Let the keys of the erased be gone from the key file that the server knows, whichever worker erased them.

        What cannot be written now is tried again with the next look.
        """
        if self._key_file is None or not self._key_file.exists():
            return
        async with self._database.commit_connection() as connection:
            last = await connection.fetchval(_queries.last_erasure)
            if last is not None and last != self._key_file_knows:
                await renew_key_file(connection, self._key_file, self._now())
                self._key_file_knows = last

    async def _sweep(self) -> None:
        """Look once more, a while later, for what was being written at that moment and found its way in."""
        now = self._now()
        async with self._database.commit_connection() as connection:
            for row in await connection.fetch(_queries.list_unswept, now - SWEEP_AFTER, ERASED_AT_ONCE):
                async with connection.transaction():
                    await connection.execute(_queries.take_time)
                    await connection.execute(_queries.erase_account, row["user_id"], now, timeout=ERASE_SECONDS_MAX)
                    await connection.execute(_queries.note_swept, row["user_id"], now)
