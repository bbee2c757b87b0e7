"""What is kept no longer than it may be: the blueprint's rules (7.2), and what of accounts has outlived its use.

    coach and athlete parted       two years, then what the coach had noted about the athlete goes
    deleted accounts               thirty days (erasure.py)
    backups                        ninety days: the files `*.apexbackup` of APEX_BACKUP_DIR, but for the newest
    attempts to sign in            a day; they are counted over minutes
    sessions that ended            ninety days, for their person to look back at; then with their tokens
    texts in the folder            a day; a server in development keeps there what others send to telephones
    invites that ran out           thirty days
    looks of support               two years; the person's own events tell of them for as long as the account stands
    accounts nobody answered for   a year without use, and thirty days more, of which a mail tells

`docs/privacy.md` lists them for people.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import anyio.to_thread
import structlog

from apex_server.db import Database, load_queries
from apex_server.personal_data.erasure import GRACE

__all__ = ["BACKUPS_KEPT", "Retention", "prune_backups"]

PARTED_KEPT = timedelta(days=730)
BACKUPS_KEPT = timedelta(days=90)
LOGIN_ATTEMPTS_KEPT = timedelta(days=1)
SESSIONS_KEPT = timedelta(days=90)
UNUSED_SESSIONS_KEPT = timedelta(days=400)
"""A session is over after a year at the latest; until then its device may come back and is to be told so."""
INVITES_KEPT = timedelta(days=30)
LOOKS_KEPT = timedelta(days=730)
UNANSWERED_KEPT = timedelta(days=365)
"""Without use. Whether another account has the address plays no part, or the end of one would tell."""

TEXTS_KEPT = timedelta(days=1)
"""The codes in them are good for minutes."""

AT_ONCE = 1000
"""Rows of a kind in one statement; what is left waits for the next hour."""

BACKUP_FILES = "*.apexbackup"

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class Retention:
    """Keeps to the rules; `now` is the wall clock, with a zone."""

    def __init__(
        self,
        database: Database,
        backup_dir: Path | None,
        *,
        text_folder: Path | None = None,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._backup_dir = backup_dir
        self._text_folder = text_folder
        self._now = now

    async def forget_old(self) -> None:
        """Forget what is over. Raises DatabaseUnavailable."""
        now = self._now()
        async with self._database.commit_connection() as connection:
            for query, kept in (
                (_queries.forget_parted, PARTED_KEPT),
                (_queries.forget_login_attempts, LOGIN_ATTEMPTS_KEPT),
                (_queries.forget_ended_sessions, SESSIONS_KEPT),
                (_queries.forget_unused_sessions, UNUSED_SESSIONS_KEPT),
                (_queries.forget_invites, INVITES_KEPT),
                (_queries.forget_looks, LOOKS_KEPT),
            ):
                await connection.execute(query, now - kept, AT_ONCE)
            await connection.execute(_queries.end_unanswered, now - UNANSWERED_KEPT, AT_ONCE, now, now + GRACE)
        if self._text_folder is not None:
            await anyio.to_thread.run_sync(prune_texts, self._text_folder, now)
        if self._backup_dir is not None:
            pruned = await anyio.to_thread.run_sync(prune_backups, self._backup_dir, now)
            if pruned:
                _log.info("backups_pruned", files=[path.name for path in pruned])


def prune_texts(folder: Path, now: datetime) -> None:
    """Delete the text messages that a server in development kept instead of sending."""
    for path in folder.glob("*.json"):
        if path.stat().st_mtime < (now - TEXTS_KEPT).timestamp():
            path.unlink(missing_ok=True)


def prune_backups(directory: Path, now: datetime, kept: timedelta = BACKUPS_KEPT) -> list[Path]:
    """Delete backups that are older than they may be, and give their paths; the newest stays, whatever its age.

    The age is that of the file, which is written once and never touched again. A directory that is not there has none.
    """
    aged = sorted((path.stat().st_mtime, path) for path in directory.glob(BACKUP_FILES) if path.is_file())
    old = [path for modified, path in aged[:-1] if modified < (now - kept).timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return old
