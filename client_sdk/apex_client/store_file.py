"""The replica file: opened for one process alone, brought to the current schema, and never made worse.

A file that is not ours, is damaged, is newer or may not be written gives a typed error and is left exactly as it was.
A migration is one SQLite transaction, so an interrupted one leaves the old schema and content.
"""

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import IO

from apex_client.encryption import EncryptionKey, check_encryption, check_key, connect, not_a_database
from apex_client.errors import (
    DiskFull,
    MigrationFailed,
    NotAReplica,
    ReplicaDamaged,
    ReplicaError,
    ReplicaInUse,
    ReplicaNewer,
    ReplicaReadOnly,
)
from apex_client.rows import TRIGRAM_TABLES

APPLICATION_ID = 0x41505843
"""`APXC`, in the header of every replica file."""

BUSY_MILLISECONDS = 5000
"""How long to wait for a foreign tool (a backup, a SQL shell); our own processes exclude each other."""

WAL_BYTES_KEPT = 4 * 1024 * 1024
"""What the log may keep of the disk after records poured in."""

CHECKPOINT_PAGES = 400
"""Pages of log before it goes into the file, about 40 saves: a log that need not grow takes a commit less time."""

BULK_CHECKPOINT_PAGES = 4000
"""The same while records pour in, 16 MB: they write the same pages again and again."""

NEW_KEY_SUFFIX = ".new-key"
"""The copy that is made while the key is changed; one that a power cut left is removed with the next opening."""

_ERRORS: dict[int, tuple[type[ReplicaError], str]] = {
    sqlite3.SQLITE_FULL: (DiskFull, "the disk is full; what was being saved is not saved"),
    sqlite3.SQLITE_IOERR_SHMSIZE: (DiskFull, "the disk is full: make room for 32 KB to open it; nothing is lost"),
    sqlite3.SQLITE_READONLY: (ReplicaReadOnly, "may not be written"),
    sqlite3.SQLITE_PERM: (ReplicaReadOnly, "may not be opened"),
    sqlite3.SQLITE_CORRUPT: (
        ReplicaDamaged,
        "cannot be read: it is damaged, or the disk failed; open it again before giving it up",
    ),
    sqlite3.SQLITE_NOTADB: (NotAReplica, "is not a replica"),
    sqlite3.SQLITE_BUSY: (ReplicaInUse, "is locked by another program"),
    sqlite3.SQLITE_LOCKED: (ReplicaInUse, "is locked by another program"),
    sqlite3.SQLITE_CANTOPEN: (ReplicaReadOnly, "cannot be opened or made"),
}

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class ReplicaFile:
    """The one open connection to a replica, and the lock that keeps others away."""

    def __init__(self, path: Path, key: EncryptionKey | None = None) -> None:
        """Open or make the file. Raises a ReplicaError."""
        self.path = path
        self._durable = False
        check_key(key)
        _make_private(path)
        self._lock = hold_alone(path)
        try:
            check_encryption(path, key)
            with suppress(OSError):
                path.with_name(path.name + NEW_KEY_SUFFIX).unlink()
            with open_errors(path, key):
                self.connection = _connect(path, key)
                try:
                    _check_kind(path, self.connection)
                    self.connection.execute("PRAGMA journal_mode = WAL").fetchone()
                    self.connection.executescript(
                        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;"
                        "PRAGMA foreign_keys = ON;"
                        f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT};"
                    )
                    migrate(path, self.connection)
                except BaseException:
                    self.connection.close()
                    raise
        except BaseException as error:
            self._lock.close()
            if type(error) is NotAReplica:  # Nobody else holds it, and nothing is left beside another program's file.
                lock_of(path).unlink(missing_ok=True)
            raise

    def begin(self, *, durable: bool) -> None:
        """Begin a transaction; a `durable` one is on the disk when it ends, and so is all that came before it."""
        with sqlite_errors(self.path):
            if durable is not self._durable:
                self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                pages = CHECKPOINT_PAGES if durable else BULK_CHECKPOINT_PAGES
                self.connection.execute(f"PRAGMA wal_autocheckpoint = {pages}")
                self._durable = durable
            self.connection.execute("BEGIN IMMEDIATE")

    def shorten_log(self) -> None:
        """Bring the log into the file."""
        with sqlite_errors(self.path):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def scrub(self) -> None:
        """Write the file anew without what was deleted, which SQLite would leave in free pages and in its log."""
        with sqlite_errors(self.path):
            # Words of records that are gone stay in the index until its parts are merged.
            for table in ("words", *TRIGRAM_TABLES.values()):
                self.connection.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")  # noqa: S608
            self.connection.execute("VACUUM")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Close the file and let others have it."""
        try:
            with sqlite_errors(self.path):
                self.connection.close()
        finally:
            self._lock.close()


def migrations() -> list[str]:
    """Give the schema's steps in order; step n brings schema n to n + 1."""
    folder = files("apex_client") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(folder / name).read_text("utf-8") for name in names]


def migrate(path: Path, connection: sqlite3.Connection) -> None:
    """Bring a file to the current schema. Raises ReplicaNewer or MigrationFailed, with the file as it was."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version and version == _known_version():
        return
    steps = migrations()
    if version > len(steps):
        raise ReplicaNewer(path, version, len(steps))
    for number, step in enumerate(steps[version:], version + 1):
        header = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{step}\n{header}\nCOMMIT;")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.rollback()
            if error.sqlite_errorcode & 0xFF in _ERRORS:
                raise
            raise MigrationFailed(path, f"schema {number} could not be made: {error}") from error


def _known_version() -> int:
    folder = files("apex_client") / "migrations"
    return sum(entry.name.endswith(".sql") for entry in folder.iterdir())


@contextmanager
def open_errors(path: Path, key: EncryptionKey | None) -> Iterator[None]:
    """Give what SQLite raises while a file is opened; what is no database under this key has another."""
    try:
        with sqlite_errors(path):
            yield
    except NotAReplica as error:
        cause = error.__cause__
        reason = not_a_database(path, key) if isinstance(cause, sqlite3.Error) else None
        if reason is None:
            raise
        raise reason from cause


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Give what SQLite raises as an error of the SDK."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None) or 0
        kind, reason = _ERRORS.get(code) or _ERRORS.get(code & 0xFF, (ReplicaError, str(error)))
        raise kind(path, reason) from error


def file_error(path: Path, what: str, error: OSError) -> ReplicaError:
    """Give what the operating system says of a file as an error of the SDK."""
    if error.errno in _NO_ROOM:
        return DiskFull(path, f"{what}: the disk is full")
    kind = ReplicaError if error.errno == errno.EIO else ReplicaReadOnly
    return kind(path, f"{what}: {error.strerror}")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system knows of such a thing. Raises OSError."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _connect(path: Path, key: EncryptionKey | None) -> sqlite3.Connection:
    connection = connect(
        path,
        key,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_MILLISECONDS / 1000,
        cached_statements=256,
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _check_kind(path: Path, connection: sqlite3.Connection) -> None:
    """Tell a replica, or a file with nothing in it, from everything else. Raises NotAReplica."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application == APPLICATION_ID:
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application or tables:
        raise NotAReplica(path, "is another program's database")


def _make_private(path: Path) -> None:
    """Make the file where there is none, readable to its owner alone: it holds tokens and health data."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except IsADirectoryError as error:
        raise NotAReplica(path, "is a directory") from error
    except OSError as error:
        raise file_error(path, "cannot be opened or made", error) from error
    if not os.access(path.parent, os.W_OK):
        raise ReplicaReadOnly(path, "its folder may not be written, which SQLite needs for its log")


def lock_of(path: Path) -> Path:
    """Name the lock beside a replica."""
    return path.with_name(f"{path.name}.lock")


def hold_alone(path: Path) -> IO[bytes]:
    """Hold a lock beside the file until it is closed, or this process ends in whatever way."""
    try:
        lock = lock_of(path).open("ab")
    except OSError as error:
        raise file_error(path, "no lock can be made beside it", error) from error
    try:
        _take(lock)
    except OSError as error:
        lock.close()
        raise ReplicaInUse(path, "is open already, in another process or twice in this one") from error
    return lock


if sys.platform == "win32":
    import msvcrt

    def _take(lock: IO[bytes]) -> None:
        lock.seek(0)
        msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(lock: IO[bytes]) -> None:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
