"""Keeps the tables an app queries in step with the records, writing as little as it can.

A record that is new is inserted; one that was saved lately is compared with the rows it had; any other is written anew.
"""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from apex_client.held import HeldRecord
from apex_client.rows import COLUMNS, TABLES, Row, Rows, Words, project
from apex_sync.fold import Claim, Conflict
from apex_sync.models import COLLECTIONS

_CHILDREN = ("logged_exercise_rows", "logged_set_rows")


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def _upsert(table: str, columns: Sequence[str]) -> str:
    keys = columns[:2] if table in _CHILDREN else columns[:1]
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in keys)
    return f"{_insert(table, columns)} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"


_INSERTS = {table: _insert(table, columns) for table, columns in COLUMNS.items()}
_UPSERTS = {table: _upsert(table, columns) for table, columns in COLUMNS.items()}
_INSERT_WORDS = "INSERT INTO words (rowid, title, names, notes) VALUES (?, ?, ?, ?)"
_DELETE_WORDS = "DELETE FROM words WHERE rowid = ?"
_INSERT_CONFLICT = "INSERT INTO conflict_rows (record_no, path, keys, kept, discarded) VALUES (?, ?, ?, ?, ?)"


class _Written(Struct, frozen=True):
    """What stands in the tables for one record."""

    rows: Rows
    words: Words | None


class Materialiser:
    """Writes rows, words and conflicts of records through one connection; `flush` after the records themselves."""

    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql
        self._written: dict[int, _Written] = {}
        self._inserts: dict[str, list[Row]] = {table: [] for table in COLUMNS}
        self._words: list[Row] = []
        self._stale_words: list[tuple[int]] = []

    def forget(self, place: int | None = None) -> None:
        """Remember no more what was written of one record, or of any."""
        if place is None:
            self._written.clear()
            self._clear()
        else:
            self._written.pop(place, None)

    def take(self, held: HeldRecord, scope_no: int, *, new: bool, remember: bool) -> bool:
        """Take a record to be written with the next flush; tell whether it breaks bounds of its model."""
        rows, words, needs_review = _project(held, scope_no)
        before = self._written.get(held.place)
        if new:
            self._insert(rows, words, held.place)
        elif before is not None:
            self._write_differences(held.place, before, rows, words)
        else:
            self._remove(held)
            self._insert(rows, words, held.place)
        if remember:
            self._written[held.place] = _Written(rows, words)
        else:
            self._written.pop(held.place, None)
        if held.known_conflicts and not new:
            self._sql.execute("DELETE FROM conflict_rows WHERE record_no = ?", (held.place,))
        return needs_review

    def flush(self, records: Sequence[HeldRecord]) -> None:
        """Write what was taken; the records stand in their own table by now."""
        if self._stale_words:
            self._sql.executemany(_DELETE_WORDS, self._stale_words)
        for table, rows in self._inserts.items():
            if rows:
                self._sql.executemany(_INSERTS[table], rows)
        if self._words:
            self._sql.executemany(_INSERT_WORDS, self._words)
        self._clear()
        conflicts = [_conflict_row(held.place, conflict) for held in records for conflict in held.conflicts]
        if conflicts:
            self._sql.executemany(_INSERT_CONFLICT, conflicts)

    def drop(self, place: int) -> None:
        """Remove the words of one record; its rows go with it."""
        self._sql.execute(_DELETE_WORDS, (place,))
        self._written.pop(place, None)

    def drop_scope(self, scope_no: int) -> None:
        """Remove the words of a scope; its rows go with its records."""
        self._sql.execute(
            "DELETE FROM words WHERE rowid IN (SELECT record_no FROM held_records WHERE scope_no = ?)", (scope_no,)
        )
        self._written.clear()

    def move_scope(self, old: int, new: int) -> None:
        """Give the rows of one scope to another."""
        for table in TABLES.values():
            self._sql.execute(f"UPDATE {table} SET scope_no = ? WHERE scope_no = ?", (new, old))  # noqa: S608
        self._written.clear()

    def _insert(self, rows: Rows, words: Words | None, place: int) -> None:
        for table, added in rows.items():
            self._inserts[table] += added
        if words is not None:
            self._words.append((place, *words))

    def _remove(self, held: HeldRecord) -> None:
        table = TABLES.get(held.collection)
        if table is not None:
            self._sql.execute(f"DELETE FROM {table} WHERE record_no = ?", (held.place,))  # noqa: S608
            self._stale_words.append((held.place,))

    def _write_differences(self, place: int, before: _Written, rows: Rows, words: Words | None) -> None:
        if before.rows and not rows:
            table = next(iter(before.rows))
            self._sql.execute(f"DELETE FROM {table} WHERE record_no = ?", (place,))  # noqa: S608
        for table, now in rows.items():
            then = before.rows.get(table, [])
            known = set(then) if len(then) > 1 else then
            changed = [row for row in now if row not in known]
            if changed:
                self._sql.executemany(_UPSERTS[table], changed)
            if len(then) > len(now):
                self._sql.execute(
                    f"DELETE FROM {table} WHERE record_no = ? AND position > ?",  # noqa: S608
                    (place, len(now)),
                )
        if words != before.words:
            if before.words is not None:
                self._stale_words.append((place,))
            if words is not None:
                self._words.append((place, *words))

    def _clear(self) -> None:
        for rows in self._inserts.values():
            rows.clear()
        self._words.clear()
        self._stale_words.clear()


def _project(held: HeldRecord, scope_no: int) -> tuple[Rows, Words | None, bool]:
    """Give rows, words, and whether the record needs a review; a record that is not readable has no rows and does."""
    collection = COLLECTIONS.get(held.collection)
    if collection is None:
        return {}, None, False
    try:
        _, problems = collection.read(held.state)
        rows, words = project(held.collection, (held.place, scope_no, held.record_id), held.state)
    except (msgspec.ValidationError, TypeError, AttributeError, ValueError):
        # A newer version gave a field another type: nothing to show here until this app is updated.
        return {}, None, True
    return rows, words, bool(problems)


def _conflict_row(place: int, conflict: Conflict) -> tuple[Any, ...]:
    return (
        place,
        ".".join(conflict.path),
        json.dumps(conflict.path),
        None if conflict.kept is None else _claim(conflict.kept),
        json.dumps([json.loads(_claim(claim)) for claim in conflict.discarded]),
    )


def _claim(claim: Claim) -> str:
    return msgspec.json.encode([claim.value, claim.client_id, claim.hlc]).decode()
