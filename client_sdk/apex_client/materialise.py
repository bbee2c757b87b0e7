"""Keeps the tables an app queries in step with the records, writing as little as it can.

A record that is new is inserted; one that was saved lately is compared with the rows it had; any other is written anew.
"""

import json
import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct

from apex_client.flat_rows import Row
from apex_client.opened_messages import NOTHING, MessageOpener, OpenedParts
from apex_client.rows import (
    COLUMNS,
    ENTRY_TABLES,
    TABLES,
    TRIGRAM_TABLES,
    USUAL_SET_COLUMNS,
    Rows,
    Words,
    full_row,
    project,
)
from apex_sync.fold import Claim, Conflict
from apex_sync.models import COLLECTIONS
from apex_sync.session.held import HeldRecord

_FILLED = (
    "record_no", "position", "key", "type", "completed", "skipped", "volume_load_kg", "sender", "deleted", "side",
    "key_id", "removed",
)  # fmt: skip


SETS_A_STATEMENT = 8
"""A statement costs as much as the binding of three columns."""


def _insert(table: str, columns: Sequence[str], *, count: int = 1) -> str:
    filled = table not in ENTRY_TABLES
    marks = ["?" if filled or column in _FILLED else "nullif(?, '')" for column in columns]
    values = ", ".join([f"({', '.join(marks)})"] * count)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}"  # noqa: S608


def _upsert(table: str, columns: Sequence[str]) -> str:
    keys = columns[:2] if table in ENTRY_TABLES else columns[:1]
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in keys)
    return f"{_insert(table, columns)} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"


_INSERTS = {table: _insert(table, columns) for table, columns in COLUMNS.items()}
_USUAL = COLUMNS["logged_set_rows"][:USUAL_SET_COLUMNS]
_INSERT_USUAL_SET = _insert("logged_set_rows", _USUAL)
_INSERT_USUAL_SETS = _insert("logged_set_rows", _USUAL, count=SETS_A_STATEMENT)
_UPSERTS = {table: _upsert(table, columns) for table, columns in COLUMNS.items()}
_WORDS = (
    "words WHERE rowid",
    "words_due WHERE record_no",
    *(f"{table} WHERE rowid" for table in TRIGRAM_TABLES.values()),
)
FORGET_WORDS = tuple(f"DELETE FROM {words} = ?" for words in _WORDS)  # noqa: S608
"""What takes the words of a record out of every index."""

INDEXED_UP_TO = "indexed_up_to"
"""The setting that holds the number of the last record that was indexed when it was new; no record is given one again.

Once it was `words_up_to`, in files that gave such numbers again when records had gone: those are indexed anew, once.
"""

_WORDS_DUE = "INSERT OR IGNORE INTO words_due (record_no) VALUES (?)"
_INSERT_CONFLICT = "INSERT INTO conflict_rows (record_no, path, keys, kept, discarded) VALUES (?, ?, ?, ?, ?)"


class _Written(Struct, frozen=True):
    """What stands in the tables for one record."""

    rows: Rows
    words: Words | None


class Materialiser:
    """Writes rows and conflicts of records through one connection; `flush` after the records themselves."""

    def __init__(self, sql: sqlite3.Connection, opener: MessageOpener) -> None:
        self._sql = sql
        self._opener = opener
        self._written: dict[int, _Written] = {}
        self._inserts: dict[str, list[Row]] = {table: [] for table in COLUMNS}
        self._words_due: list[tuple[int]] = []

    def forget(self, place: int | None = None) -> None:
        """Remember no more what was written of one record, or of any."""
        if place is None:
            self._written.clear()
            self._clear()
        else:
            self._written.pop(place, None)

    def take(self, held: HeldRecord, scope_no: int, *, new: bool, remember: bool) -> bool:
        """Take a record to be written with the next flush; tell whether it breaks bounds of its model."""
        rows, words, needs_review = projected(held, scope_no, self._opener.take(held))
        before = self._written.get(held.place)
        if new:
            self._insert(rows)
        elif before is not None:
            self._write_differences(held.place, before.rows, rows)
        else:
            self._remove(held)
            self._insert(rows)
        if not new and (before is None or words != before.words):
            self._words_due.append((held.place,))
        if remember:
            self._written[held.place] = _Written(rows, words)
        else:
            self._written.pop(held.place, None)
        if held.known_conflicts and not new:
            self._sql.execute("DELETE FROM conflict_rows WHERE record_no = ?", (held.place,))
        return needs_review

    def flush(self, records: Sequence[HeldRecord]) -> None:
        """Write what was taken; the records stand in their own table by now."""
        for table, rows in self._inserts.items():
            if rows and table == "logged_set_rows":
                self._insert_sets(rows)
            elif rows:
                self._sql.executemany(_INSERTS[table], rows)
        if self._words_due:
            self._sql.executemany(_WORDS_DUE, self._words_due)
        self._clear()
        conflicts = [conflict_row(held.place, conflict) for held in records for conflict in held.conflicts]
        if conflicts:
            self._sql.executemany(_INSERT_CONFLICT, conflicts)

    def drop(self, place: int) -> None:
        """Remove the words of one record; its rows go with it."""
        for forget in FORGET_WORDS:
            self._sql.execute(forget, (place,))
        self._written.pop(place, None)

    def drop_scope(self, scope_no: int) -> None:
        """Remove the words of a scope; its rows go with its records."""
        of_scope = "SELECT record_no FROM held_records WHERE scope_no = ?"
        for words in _WORDS:
            self._sql.execute(f"DELETE FROM {words} IN ({of_scope})", (scope_no,))  # noqa: S608
        self._written.clear()

    def move_scope(self, old: int, new: int) -> None:
        """Give the rows of one scope to another."""
        for table in TABLES.values():
            self._sql.execute(f"UPDATE {table} SET scope_no = ? WHERE scope_no = ?", (new, old))  # noqa: S608
        self._written.clear()

    def _insert(self, rows: Rows) -> None:
        for table, added in rows.items():
            self._inserts[table] += added

    def _insert_sets(self, rows: Sequence[Row]) -> None:
        """Bind only the columns that a usual set fills: most of a first sync's time goes into binding."""
        usual = [row for row in rows if len(row) == USUAL_SET_COLUMNS]
        end = len(usual) - len(usual) % SETS_A_STATEMENT
        places = range(0, end, SETS_A_STATEMENT)
        joined = [list(chain.from_iterable(usual[place : place + SETS_A_STATEMENT])) for place in places]
        self._sql.executemany(_INSERT_USUAL_SETS, joined)
        self._sql.executemany(_INSERT_USUAL_SET, usual[end:])
        if len(usual) < len(rows):
            unusual = [row for row in rows if len(row) > USUAL_SET_COLUMNS]
            self._sql.executemany(_INSERTS["logged_set_rows"], unusual)

    def _remove(self, held: HeldRecord) -> None:
        table = TABLES.get(held.collection)
        if table is not None:
            self._sql.execute(f"DELETE FROM {table} WHERE record_no = ?", (held.place,))  # noqa: S608

    def _write_differences(self, place: int, before: Rows, rows: Rows) -> None:
        if before and not rows:
            table = next(iter(before))
            self._sql.execute(f"DELETE FROM {table} WHERE record_no = ?", (place,))  # noqa: S608
        for table, now in rows.items():
            then = before.get(table, [])
            changed = [row for row, old in zip(now, then, strict=False) if row != old] + now[len(then) :]
            if changed:
                self._sql.executemany(_UPSERTS[table], [full_row(table, row) for row in changed])
            if len(then) > len(now):
                self._sql.execute(
                    f"DELETE FROM {table} WHERE record_no = ? AND position > ?",  # noqa: S608
                    (place, len(now)),
                )

    def _clear(self) -> None:
        for rows in self._inserts.values():
            rows.clear()
        self._words_due.clear()


def projected(held: HeldRecord, scope_no: int, opened: OpenedParts = NOTHING) -> tuple[Rows, Words | None, bool]:
    """Give rows, words, and whether the record needs a review; a record that is not readable has no rows and does."""
    collection = COLLECTIONS.get(held.collection)
    if collection is None:
        return {}, None, False
    try:
        if held.problems is None:
            held.problems = collection.read(held.state)[1]
        rows, words = project(held.collection, (held.place, scope_no, held.record_id), held.state, opened)
    except (msgspec.ValidationError, TypeError, AttributeError, ValueError):
        # A newer version gave a field another type: nothing to show here until this app is updated.
        return {}, None, True
    return rows, words, bool(held.problems)


def conflict_row(place: int, conflict: Conflict) -> tuple[Any, ...]:
    """Give the row of a conflict in the record at a place."""
    return (
        place,
        ".".join(conflict.path),
        json.dumps(conflict.path),
        None if conflict.kept is None else _claim(conflict.kept),
        json.dumps([json.loads(_claim(claim)) for claim in conflict.discarded]),
    )


def _claim(claim: Claim) -> str:
    return msgspec.json.encode([claim.value, claim.client_id, claim.hlc]).decode()
