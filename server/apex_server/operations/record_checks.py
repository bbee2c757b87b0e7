"""What must be true of one record as it is stored, decided without I/O: everything follows from its document."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from apex_server.sync.projection_tables import TABLES
from apex_server.sync.projections import project
from apex_server.sync.store import Row
from apex_sync.compaction import needs_compaction
from apex_sync.digest import digest_bytes, record_digest
from apex_sync.document import Document
from apex_sync.errors import MalformedOp, MalformedUpdate
from apex_sync.fold import fold
from apex_sync.models import COLLECTIONS
from apex_sync.wire import encode_document, parse_document

__all__ = ["AuditedClient", "Check", "DeadRun", "RecordOnTrial", "problems_of"]

Check = Literal["documents", "digests", "flags", "rows", "audit", "chains", "dead ops", "scopes", "orphans", "media"]


class AuditedClient(Struct, frozen=True):
    """What the audit says of one client's clocks in a record, all commits together."""

    client_id: int
    next_clock: int
    is_gapless: bool
    last_seq: int


class DeadRun(Struct, frozen=True):
    """Clocks that the server remembers as dead: from `first_clock` up to but not including `end_clock`."""

    client_id: int
    first_clock: int
    end_clock: int


class RecordOnTrial(Struct):
    """A record with all that stands about it in other tables."""

    record_id: UUID
    collection: str
    seq: int
    doc: bytes | None
    """None: it does not open."""
    digest: bytes
    flags: Mapping[str, bool]
    rows: Mapping[str, Sequence[Row]]
    audited: Sequence[AuditedClient]
    dead: Sequence[DeadRun]


def problems_of(record: RecordOnTrial) -> Iterator[tuple[Check, str]]:
    """Name everything that is not as the document says; of one that cannot be read nothing else can be said."""
    if record.doc is None:
        yield "documents", "does not open: it was altered, is an older one, or was sealed for another record or key"
        return
    try:
        document = parse_document(record.doc)
        writes = document.writes()
    except (MalformedUpdate, MalformedOp) as error:
        yield "documents", str(error)
        return
    if encode_document(document) != record.doc:
        yield "documents", "is not written in the one form that receipts are made for"
    if digest_bytes(record_digest(record.record_id.bytes, document)) != record.digest:
        yield "digests", "its digest is not that of its content"
    yield from _projection_problems(record, document, fold(writes))
    yield from _audit_problems(record, document)
    yield from _dead_problems(record, document)


def _projection_problems(record: RecordOnTrial, document: Document, folded: Any) -> Iterator[tuple[Check, str]]:
    collection = COLLECTIONS.get(record.collection)
    if collection is None:
        yield "documents", f"is one of {record.collection!r}, which this server does not know"
        return
    try:
        typed, problems = collection.read(folded.state)
        is_sound = not problems
    except msgspec.ValidationError:
        typed, is_sound = collection.model(), False
    expected_flags = {
        "needs_review": not is_sound,
        "has_conflicts": bool(folded.conflicts),
        "deleted": typed.deleted is True,
        "is_long": needs_compaction(document),
    }
    wrong = [name for name, flag in expected_flags.items() if record.flags[name] != flag]
    if wrong:
        yield "flags", f"{', '.join(wrong)} should be {', '.join(str(expected_flags[name]).lower() for name in wrong)}"
    expected = project(collection.name, typed)
    for table in TABLES:
        if sorted(record.rows.get(table, ()), key=_key) != sorted(expected.get(table, ()), key=_key):
            yield "rows", f"its rows in {table} are not what it projects to"


def _key(row: Row) -> str:
    """Order rows by what tells them apart; where a record has one row, that is anything."""
    return str(row[0])


def _audit_problems(record: RecordOnTrial, document: Document) -> Iterator[tuple[Check, str]]:
    audited = {client.client_id: client.next_clock for client in record.audited}
    if audited != document.next_clocks:
        yield "audit", "names other clocks than the document has"
    elif not all(client.is_gapless for client in record.audited):
        yield "audit", "does not name every clock exactly once"
    if any(client.last_seq > record.seq for client in record.audited):
        yield "audit", "names a change after the record's last"


def _dead_problems(record: RecordOnTrial, document: Document) -> Iterator[tuple[Check, str]]:
    dead = document.dead_ranges()
    for run in record.dead:
        if not any(start <= run.first_clock and run.end_clock <= end for start, end in dead.get(run.client_id, ())):
            clocks = f"{run.first_clock} to {run.end_clock - 1}"
            yield "dead ops", f"clocks {clocks} of client {run.client_id} are kept as dead, and are not"
