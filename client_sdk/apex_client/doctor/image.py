"""A replica file as it lies there: read without a lock, an identity or a migration, and never written to.

It may be open in another program, damaged, or of a newer version. Everything is read at one moment. Where SQLite may
not make the files that it needs beside it (a read-only disk), a copy in a temporary folder is read instead.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from apex_client.accounts import Session
from apex_client.encryption import EncryptionKey, connect
from apex_client.local import SESSION
from apex_sync.session.device import Identity

__all__ = ["ReplicaImage", "Row", "Unreadable"]

Row = dict[str, Any]

RECORD_COLUMNS = (
    "record_no", "record_id", "scope_no", "collection", "acked", "sent", "next", "offer", "blocked", "pending_since_us",
    "conflicts", "needs_review", "deleted", "digest", "document",
)  # fmt: skip
NEEDED_COLUMNS = {"record_no", "record_id", "scope_no", "collection", "document"}

NUMBERS_BY = (
    "SELECT record_no FROM held_records INDEXED BY held_records_by_id ORDER BY record_id {way}, scope_no {way}",
    "SELECT record_no FROM held_records NOT INDEXED ORDER BY record_no {way}",
)
"""Two trees name the records; where a page of one is damaged, the other and the other end may still be read."""


class Unreadable(Exception):
    """SQLite can read nothing of the file at all."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ReplicaImage:
    """One moment of a replica file; made by `ReplicaImage.open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, path: Path, key: EncryptionKey | None = None) -> Iterator["ReplicaImage"]:
        """Give the file as it is now. Raises Unreadable, EncryptionMissing and KeyUnusable."""
        with ExitStack() as stack:
            try:
                connection = _in_place(path, key, stack)
            except sqlite3.OperationalError:
                connection = _as_copy(path, key, stack)
            except sqlite3.DatabaseError as error:
                raise Unreadable(path, _reason(error, key)) from error
            yield cls(path, connection)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Read rows. Raises sqlite3.Error where a page on the way is damaged."""
        cursor = self._connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def pragma(self, name: str) -> Any:
        """Read a number from the head of the file."""
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]

    def has_records(self) -> bool:
        """Tell whether records are kept as this version knows it."""
        return self._columns >= NEEDED_COLUMNS

    def record_numbers(self) -> list[int]:
        """List the numbers of all records that any tree still names."""
        numbers: set[int] = set()
        for sql in NUMBERS_BY:
            found, whole = self._as_far_as_possible(sql.format(way="ASC"))
            numbers.update(found)
            if not whole:
                numbers.update(self._as_far_as_possible(sql.format(way="DESC"))[0])
        return sorted(numbers)

    def record(self, number: int) -> Row:
        """Read one record with the columns there are. Raises sqlite3.Error, LookupError."""
        columns = ", ".join(column for column in RECORD_COLUMNS if column in self._columns)
        rows = self.rows(f"SELECT {columns} FROM held_records NOT INDEXED WHERE record_no = ?", (number,))  # noqa: S608
        if not rows:
            raise LookupError(number)
        return rows[0]

    @cached_property
    def scopes(self) -> dict[int, Row]:
        """Give the scopes by number, as far as they can be read."""
        try:
            return {row["scope_no"]: row for row in self.rows("SELECT * FROM held_scopes ORDER BY name")}
        except sqlite3.Error:
            return {}

    def rejected(self) -> list[Row]:
        """Give the rejected box. Raises sqlite3.Error."""
        return self.rows("SELECT * FROM rejections ORDER BY id")

    @cached_property
    def identity(self) -> Identity:
        """Give who this device is; client id 0 where that cannot be read."""
        value = self.setting("identity")
        return msgspec.json.decode(value, type=Identity) if value else Identity(0)

    @cached_property
    def session(self) -> Session | None:
        """Give who is signed in, or was last."""
        value = self.setting(SESSION)
        return msgspec.json.decode(value, type=Session) if value else None

    def tables(self) -> list[str]:
        """List the tables that hold anything of their own."""
        return [row["name"] for row in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]

    def setting(self, name: str) -> bytes | None:
        """Read a value that was kept by name; None where that cannot be read."""
        try:
            found = self.rows("SELECT value FROM settings WHERE name = ?", (name,))
        except sqlite3.Error:
            return None
        return bytes(found[0]["value"]) if found else None

    @cached_property
    def _columns(self) -> set[str]:
        return {row["name"] for row in self.rows("PRAGMA table_info(held_records)")}

    def _as_far_as_possible(self, sql: str) -> tuple[list[int], bool]:
        """Read numbers up to the first damage; also tells whether there was none."""
        found: list[int] = []
        try:
            for (number,) in self._connection.execute(sql):
                found.append(number)
        except sqlite3.Error:
            return found, False
        return found, True


def _in_place(path: Path, key: EncryptionKey | None, stack: ExitStack) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode=ro"
    connection = stack.enter_context(closing(connect(uri, key, uri=True, isolation_level=None)))
    connection.text_factory = _text
    connection.execute("PRAGMA query_only = ON")
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return connection


def _as_copy(path: Path, key: EncryptionKey | None, stack: ExitStack) -> sqlite3.Connection:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="apex-doctor-")))
    try:
        for part in (path, path.with_name(f"{path.name}-wal")):
            if part.exists():
                shutil.copyfile(part, folder / part.name)
        return _in_place(folder / path.name, key, stack)
    except (OSError, sqlite3.Error) as error:
        raise Unreadable(path, str(error)) from error


def _reason(error: sqlite3.Error, key: EncryptionKey | None) -> str:
    if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_NOTADB:
        return str(error)
    if key is None:
        return "it is encrypted (give apex --key-file), or no database"
    return "it does not open with this key: it is another's, or the file is plain, or damaged"


def _text(value: bytes) -> str:
    """Read text even where bytes of it are damaged."""
    return value.decode("utf-8", "replace")
