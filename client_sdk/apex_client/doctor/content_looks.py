"""Looks at what is in a replica: every record reads, and whatever stands beside the records follows from them."""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from apex_client.doctor.finding import START_ANEW, Finding, counted, some_of
from apex_client.doctor.image import ReplicaImage, Row
from apex_client.materialise import INDEXED_UP_TO, conflict_row, projected
from apex_client.opened_messages import OPENED, read_opened
from apex_client.rows import BLANK, CHILDREN, COLUMNS, ENTRY_TABLES, TABLES, full_row
from apex_sync.digest import add_digests, digest_bytes, record_digest
from apex_sync.errors import MalformedOp, MalformedUpdate
from apex_sync.session.device import SELF_SCOPE
from apex_sync.session.held import HeldRecord
from apex_sync.wire import parse_document

__all__ = ["content_findings", "held_record"]

WAITING_SECONDS_MAX = 86_400
"""After a day an outbox waits for something."""


def content_findings(image: ReplicaImage) -> Iterator[Finding]:
    """Look at everything in the file."""
    try:
        yield from _records(image)
        yield from _scopes(image)
        yield from _outbox(image)
        yield from _boxes(image)
    except sqlite3.Error as error:
        yield Finding("file", "wrong", f"a part of it cannot be read: {error}", START_ANEW)


def held_record(image: ReplicaImage, row: Row) -> HeldRecord:
    """Give a record as the SDK holds it. Raises MalformedUpdate; and MalformedOp when it is folded."""
    scope = image.scopes.get(row["scope_no"], {}).get("name", "")
    return HeldRecord(
        row["record_id"],
        scope,
        row["collection"],
        image.identity.client_id,
        document=parse_document(row["document"]),
        acked=row.get("acked", 0),
        place=row["record_no"],
    )


def _records(image: ReplicaImage) -> Iterator[Finding]:
    numbers = image.record_numbers()
    unreadable, stale = [], []
    for number in numbers:
        name = f"record number {number}"
        try:
            row = image.record(number)
            name = row["record_id"]
            held = held_record(image, row)
            unreadable += [f"{name}: {wrong}" for wrong in _wrong_with(row, held)]
            stale += [f"{name}: {wrong}" for wrong in _stale_beside(image, row, held)]
        except (MalformedUpdate, MalformedOp, sqlite3.Error, LookupError) as error:
            unreadable.append(f"{name} cannot be read: {error}")
    stale += _words_of_nobody(image)
    if unreadable:
        yield Finding("records", "wrong", some_of(unreadable), START_ANEW)
    else:
        words = f"{len(numbers):,} in all, each readable and with the digest it should have"
        yield Finding("records", "good", words)
    if stale:
        yield Finding("tables", "wrong", some_of(stale), START_ANEW)
    else:
        yield Finding("tables", "good", "all that apps query and search is what the records fold to")


def _wrong_with(row: Row, held: HeldRecord) -> Iterator[str]:
    if held.next_clock != row["next"] or not row["acked"] <= row["next"]:
        yield f"its own clocks end at {held.next_clock}, and {row['acked']} of {row['next']} are acknowledged"
    elif digest_bytes(record_digest(UUID(held.record_id).bytes, held.acknowledged())) != row["digest"] and (
        row["acked"] == row["next"] and not row["offer"]
    ):
        yield "its digest is not that of its content"


def _stale_beside(image: ReplicaImage, row: Row, held: HeldRecord) -> Iterator[str]:
    """Compare rows, conflicts and flags with what the ops fold to now."""
    opened = read_opened([tuple(each.values()) for each in image.rows(OPENED, (held.place,))])
    rows, words, needs_review = projected(held, row["scope_no"], opened)
    for table in _tables_of(held.collection):
        expected = [_as_stored(table, each) for each in rows.get(table, [])]
        if _found(image, table, held.place) != expected:
            yield f"its rows in {table} are not what it folds to"
    conflicts = sorted(conflict_row(held.place, conflict) for conflict in held.conflicts)
    sql = "SELECT record_no, path, keys, kept, discarded FROM conflict_rows WHERE record_no = ? ORDER BY path"
    if [tuple(each.values()) for each in image.rows(sql, (held.place,))] != conflicts:
        yield "its conflicts are not those of its ops"
    if not _is_due(image, held.place) and _indexed(image, held.place) != words:
        yield "a search does not find it by what it says"
    expected_flags = (len(conflicts), needs_review, held.state.get("deleted") is True)
    if (row["conflicts"], row["needs_review"], row["deleted"]) != expected_flags:
        yield "its flags are not what it folds to"


def _tables_of(collection: str) -> tuple[str, ...]:
    table = TABLES.get(collection)
    return () if table is None else (table, *CHILDREN.get(table, ()))


def _as_stored(table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    full = full_row(table, row)
    return tuple(None if value == BLANK else value for value in full) if table in ENTRY_TABLES else full


def _found(image: ReplicaImage, table: str, number: int) -> list[tuple[Any, ...]]:
    # The names are the SDK's own; the number is a parameter.
    order = "position" if table in ENTRY_TABLES else "record_no"
    sql = f"SELECT {', '.join(COLUMNS[table])} FROM {table} WHERE record_no = ? ORDER BY {order}"  # noqa: S608
    return [tuple(row.values()) for row in image.rows(sql, (number,))]


def _is_due(image: ReplicaImage, number: int) -> bool:
    """Tell whether the next search indexes a record anew."""
    if number > int(image.setting(INDEXED_UP_TO) or 0):
        return True
    return bool(image.rows("SELECT 1 FROM words_due WHERE record_no = ?", (number,)))


def _indexed(image: ReplicaImage, number: int) -> tuple[Any, ...] | None:
    found = image.rows("SELECT title, names, notes FROM words WHERE rowid = ?", (number,))
    return tuple(found[0].values()) if found else None


def _words_of_nobody(image: ReplicaImage) -> Iterator[str]:
    try:
        found = image.rows("SELECT rowid FROM words WHERE rowid NOT IN (SELECT record_no FROM held_records)")
    except sqlite3.Error as error:
        yield f"the search index cannot be read: {error}"
    else:
        yield from (f"a search finds words of record number {row['rowid']}, which is not here" for row in found)


def _scopes(image: ReplicaImage) -> Iterator[Finding]:
    """Add up the digests of each scope's records: the figure by which replica and server know that they agree."""
    sums: Counter[int] = Counter()
    for row in image.rows("SELECT scope_no, digest FROM held_records"):
        sums[row["scope_no"]] = add_digests(sums[row["scope_no"]], (0, int.from_bytes(row["digest"], "big")))
    scopes = image.scopes
    wrong = [
        f"the digest of {scope['name']} is not the sum of its records'"
        for number, scope in scopes.items()
        if int.from_bytes(scope["digest"], "big") != sums[number]
    ]
    remaining = sum(scope["remaining"] for scope in scopes.values())
    if wrong:
        yield Finding(
            "scopes", "wrong", some_of(wrong), "apex sync finds what differs and mends it; look again after it"
        )
    else:
        yield Finding("scopes", "good", f"{len(scopes):,} in all, each with the digest of its records")
    if remaining:
        yield Finding("scopes", "note", f"{counted(remaining, 'record')} still to be fetched", "apex sync")


def _outbox(image: ReplicaImage) -> Iterator[Finding]:
    """Say how much waits, how old it is, and for what."""
    waiting = image.rows(
        "SELECT scope.name AS scope, record.acked, record.sent, record.next, record.offer, record.pending_since_us"
        " FROM held_records AS record JOIN held_scopes AS scope ON scope.scope_no = record.scope_no"
        " WHERE record.pending_since_us > 0"
    )
    if not waiting:
        yield Finding("outbox", "good", "everything is sent")
        return
    edits = sum(row["next"] - row["acked"] for row in waiting)
    seconds = time.time() - min(row["pending_since_us"] for row in waiting) / 1e6
    held = f"{counted(len(waiting), 'record')} with {counted(edits, 'edit')} {'wait' if len(waiting) > 1 else 'waits'}"
    words = f"{held}, the oldest for {_age(seconds)}: {_reason(image, waiting)}"
    advice = "apex login --server URL --email YOU" if image.session is None else "apex sync"
    yield Finding("outbox", "hand" if seconds > WAITING_SECONDS_MAX else "note", words, advice)


def _reason(image: ReplicaImage, waiting: list[Row]) -> str:
    if image.session is None:
        if all(row["scope"] == SELF_SCOPE for row in waiting):
            return "they were logged before anybody signed in"
        return "nobody is signed in"
    if any(row["offer"] for row in waiting):
        return "the server was restored or lacks something, and is offered whole records again"
    if any(row["sent"] > row["acked"] for row in waiting):
        return "a sync tried to send them, and no answer came"
    return "they go with the next sync"


def _boxes(image: ReplicaImage) -> Iterator[Finding]:
    codes = Counter(row["code"] for row in image.rejected())
    if codes:
        words = ", ".join(f"{count} {code}" for code, count in sorted(codes.items()))
        yield Finding(
            "rejected", "hand", f"the server refused {counted(codes.total(), 'edit')} ({words})", "apex rejected"
        )
    else:
        yield Finding("rejected", "good", "nothing was refused")
    conflicted = image.rows("SELECT count(*) AS count FROM held_records WHERE conflicts > 0")[0]["count"]
    if conflicted:
        yield Finding(
            "conflicts",
            "note",
            f"edits met in {counted(conflicted, 'record')}; nothing is lost",
            "apex conflicts",
        )


def _age(seconds: float) -> str:
    for unit_seconds, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit_seconds:
            return f"{seconds / unit_seconds:.0f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"
