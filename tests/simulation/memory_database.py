"""A server's data in memory, for a simulation: what Postgres keeps, as values that never change.

A commit replaces the `ScopeContent` of its scope by the next one. So whoever holds an older one (a snapshot, a backup)
goes on seeing one moment, and a backup costs as much as there are scopes. Copying the records of a scope for each
commit is meant for the hundreds that a simulated athlete has.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from apex_server.sync.chaining import spans_in_order
from apex_server.sync.identity import ServerIdentity
from apex_server.sync.receipts import ReceiptBook, receipt_key
from apex_server.sync.store import Access, Commit, RecordChange, Row, RowsByTable, ScopeState, StoredRecord, Writer
from apex_sync.acceptance import RefusedOp

ScopesOf = Callable[[UUID], Mapping[str, Access]]
"""Every scope granted to a user, with what they may do there; a mapping once given never changes."""


class MemoryRecord(NamedTuple):
    """A row of `records`, and the record's rows in the projection tables."""

    stored: StoredRecord
    needs_review: bool
    has_conflicts: bool
    deleted: bool
    is_long: bool
    rows: RowsByTable


class AuditEntry(NamedTuple):
    """A row of `audit`: one author's clocks that a commit added to a record."""

    seq: int
    record_id: bytes
    previous_seq: int
    client_id: int
    first_clock: int
    next_clock: int
    writer: Writer
    at_us: int
    link: bytes


class DirtyMark(NamedTuple):
    """A row of `dirty`: an analysis that is due."""

    watermark: int
    first_marked_us: int
    last_marked_us: int


class ScopeContent(Struct, frozen=True):
    """All of one scope at one moment. Records stand in the order of their seqs, as audit entries do.

    `dead` is what is kept of dead clocks: `dead[record_id, client_id][clock]`.
    """

    seq: int = 0
    digest: int = 0
    record_count: int = 0
    chain: bytes = b""
    records: dict[bytes, MemoryRecord] = {}
    audit: tuple[AuditEntry, ...] = ()
    dead: dict[tuple[bytes, int], dict[int, RefusedOp]] = {}
    dirty: dict[str, DirtyMark] = {}

    def state(self, access: Access | None) -> ScopeState:
        """Say where the scope stands to somebody who may do this there."""
        return ScopeState(access, self.seq, self.digest, self.record_count, self.chain)

    def after(self, commit: Commit) -> "ScopeContent":
        """Give the content with a commit."""
        records = self.records.copy()
        for seq, change in enumerate(commit.changes, commit.before.seq + 1):
            records.pop(change.record_id, None)
            records[change.record_id] = record_of(change, seq)
        return replace(
            self,
            seq=commit.seq,
            digest=commit.digest,
            record_count=commit.record_count,
            chain=commit.chain,
            records=records,
            audit=(*self.audit, *audit_entries(commit)),
            dead=with_dead(self.dead, commit),
            dirty=with_marks(self.dirty, commit) if commit.dirty_kinds else self.dirty,
        )

    def rows(self, table: str) -> dict[bytes, list[Row]]:
        """Give a projection table: the rows of each record that has any there."""
        return {
            record_id: list(record.rows[table]) for record_id, record in self.records.items() if record.rows.get(table)
        }


EMPTY = ScopeContent()


class Backup(NamedTuple):
    """Everything in a database at one moment."""

    scopes: dict[str, ScopeContent]
    bindings: dict[int, tuple[UUID | None, UUID | None]]
    server_client_ids: dict[tuple[bytes, UUID | None], int]


class MemoryDatabase:
    """The data of any number of server processes. Grants are no part of it: `scopes_of` knows them.

    `bindings` tell whose a client id is: user and device, no device for an id of the server's own.
    """

    def __init__(self, scopes_of: ScopesOf, *, epoch: bytes) -> None:
        self.scopes_of = scopes_of
        self.epoch = epoch
        self.scopes: dict[str, ScopeContent] = {}
        self.bindings: dict[int, tuple[UUID | None, UUID | None]] = {}
        self.server_client_ids: dict[tuple[bytes, UUID | None], int] = {}
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.life = 0

    def identity(self, secret: str) -> ServerIdentity:
        """Give the identity of a server that is started on this data now; `secret` is the installation's."""
        return ServerIdentity(self.epoch, ReceiptBook(receipt_key(secret), self.epoch))

    def access(self, user_id: UUID | None, scope: str) -> Access | None:
        """Say what a user may do in a scope; the system (None) may do everything."""
        return "system" if user_id is None else self.scopes_of(user_id).get(scope)

    def backup(self) -> Backup:
        """Take a backup; what happens later leaves it as it is."""
        return Backup(self.scopes.copy(), self.bindings.copy(), self.server_client_ids.copy())

    def restore(self, backup: Backup, *, epoch: bytes) -> None:
        """Put everything back to a backup and begin an epoch. Servers must be started anew; their sessions are cut."""
        self.scopes = backup.scopes.copy()
        self.bindings = backup.bindings.copy()
        self.server_client_ids = backup.server_client_ids.copy()
        self.epoch = epoch
        self.cut_connections()

    def cut_connections(self) -> None:
        """Crash and come back: every open session and snapshot meets DatabaseUnavailable, and nothing it had begun."""
        self.life += 1

    def long_records(self) -> list[tuple[str, bytes]]:
        """List the records, with their scope, whose history is worth compacting."""
        return [
            (scope, record_id)
            for scope, content in self.scopes.items()
            for record_id, record in content.records.items()
            if record.is_long
        ]


def record_of(change: RecordChange, seq: int) -> MemoryRecord:
    stored = StoredRecord(change.collection, seq, change.doc, change.digest)
    return MemoryRecord(stored, change.needs_review, change.has_conflicts, change.deleted, change.is_long, change.rows)


def audit_entries(commit: Commit) -> Iterator[AuditEntry]:
    links = iter(commit.links)
    for seq, change in enumerate(commit.changes, commit.before.seq + 1):
        previous_seq = change.before.seq if change.before is not None else 0
        for span in spans_in_order(change):
            yield AuditEntry(seq, change.record_id, previous_seq, *span, commit.writer, commit.at_us, next(links))


def with_dead(
    dead: dict[tuple[bytes, int], dict[int, RefusedOp]], commit: Commit
) -> dict[tuple[bytes, int], dict[int, RefusedOp]]:
    """Add what a commit buries; a clock dies once."""
    added = [(change.record_id, dead_clock) for change in commit.changes for dead_clock in change.dead]
    if not added:
        return dead
    dead = dead.copy()
    for record_id, (client_id, clock, op) in added:
        known = {clock: op, **dead.get((record_id, client_id), {})}
        dead[record_id, client_id] = dict(sorted(known.items()))
    return dead


def with_marks(dirty: dict[str, DirtyMark], commit: Commit) -> dict[str, DirtyMark]:
    """Mark the analyses that a commit calls for."""
    marks = dirty.copy()
    for kind in commit.dirty_kinds:
        first_marked_us = marks[kind].first_marked_us if kind in marks else commit.at_us
        marks[kind] = DirtyMark(commit.seq, first_marked_us, commit.at_us)
    return marks
