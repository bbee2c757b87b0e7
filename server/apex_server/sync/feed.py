"""The feed: what is new to a device in each scope it may read, page by page, and where two replicas differ.

Gapless: a scope has one writer at a time and its commits take ascending seqs, so a reader who knows everything up to a
seq has missed nothing. A record stands in the feed once, at its latest seq. All of one answer is read from one
snapshot, so the digest of a scope belongs to exactly the records that were sent up to then.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import structlog

from apex_server.sync.cursors import Cursor, read_cursor
from apex_server.sync.identity import ServerIdentity
from apex_server.sync.repair import differing_records
from apex_server.sync.store import (
    FeedEntry,
    FeedRecord,
    FeedSnapshot,
    FeedStore,
    GrantedScope,
    ScopeUnreadable,
    SpanSince,
)
from apex_sync.digest import digest_bytes
from apex_sync.ids import Scope
from apex_sync.protocol.messages import (
    PULL_RECORDS_MAX,
    RESPONSE_BYTES_TARGET,
    PulledRecord,
    ScopeCursor,
    ScopePage,
    SyncRequest,
    hash_cursors,
)
from apex_sync.wire import encode_delta, parse_document

__all__ = ["Feed", "Pulled"]

RECORD_OVERHEAD_BYTES = 64
"""What a record costs on the wire beside its document: id, collection, receipt."""

REPAIR_RECORDS_MAX = 20_000
"""About 1 MB; a replica that differs in more comes back for the rest."""

REPAIR_SCOPES_MAX = 8
"""Summing up a scope of 10,000 records takes 20 ms; whoever differs in more scopes comes back."""


_log = structlog.get_logger(__name__)


class Pulled(NamedTuple):
    """What answers the reading part of a request."""

    pages: list[ScopePage]
    forget: list[str]
    send_cursors: bool = False
    repair: Sequence[tuple[str, bytes, bytes]] = ()


class _Budget:
    """What one answer may still hold, over all its pages."""

    def __init__(self, bytes_asked: int) -> None:
        self.bytes = max(1, min(bytes_asked, RESPONSE_BYTES_TARGET))
        self.records = PULL_RECORDS_MAX

    @property
    def is_spent(self) -> bool:
        return self.bytes <= 0 or self.records <= 0

    def spend(self, doc_bytes: int) -> None:
        self.bytes -= doc_bytes + RECORD_OVERHEAD_BYTES
        self.records -= 1


class _Reader(NamedTuple):
    """One request on its way through the scopes; `client_id` is None when it is not the device's own.

    `pushed` are the records it brought, by scope; `damaged` the digests of those that turned out to be damaged while
    the scope in hand was read.
    """

    snapshot: FeedSnapshot
    client_id: int | None
    budget: _Budget
    pushed: Mapping[str, list[bytes]]
    damaged: list[int]

    def sound(self, rows: Iterable[FeedRecord]) -> list[FeedRecord]:
        """Give the records that can be sent, and keep in mind the others."""
        sound = []
        for row in rows:
            if row.is_damaged:
                self.damaged.append(row.digest)
            else:
                sound.append(row)
        return sound


class Feed:
    """Reads the feed of one store."""

    def __init__(self, store: FeedStore, identity: ServerIdentity) -> None:
        self._store = store
        self._identity = identity

    async def pull(self, user_id: UUID, client_id: int | None, request: SyncRequest) -> Pulled:
        """Answer what a device asks to read. Raises DatabaseUnavailable.

        What `client_id` wrote itself is not sent back. A scope that is not granted, and one that does not exist, are
        both to be forgotten.
        """
        if request.cursors is None and not request.cursors_hash:
            return Pulled([], [])
        async with self._store.snapshot(user_id) as snapshot:
            granted = await snapshot.granted()
            if request.cursors is None:
                return Pulled([], [], send_cursors=request.cursors_hash != self._settled_hash(granted))
            named = {cursor.scope: cursor for cursor in request.cursors}
            asked_again = ids_by_scope(request.resend)
            pushed = ids_by_scope((record.scope, record.record_id) for record in request.push)
            reader = _Reader(snapshot, client_id, _Budget(request.pull_bytes), pushed, [])
            pages = []
            for grant in granted:
                try:
                    page = await self._page(reader, grant, named.get(grant.scope), asked_again.get(grant.scope, ()))
                except ScopeUnreadable as error:
                    _log.error("scope_unreadable", scope=error.scope)
                    continue
                if page is not None:
                    pages.append(page)
            repair = await self._repair(snapshot, granted, request)
        forget = sorted(named.keys() - {grant.scope for grant in granted})
        return Pulled(pages, forget, repair=repair)

    def _settled_hash(self, granted: Iterable[GrantedScope]) -> bytes:
        """Give the hash of a device that has everything."""
        return hash_cursors(
            ScopeCursor(
                grant.scope, Cursor.complete(self._identity.epoch, grant.seq).encode(), digest_bytes(grant.digest)
            )
            for grant in granted
        )

    async def _page(
        self, reader: _Reader, grant: GrantedScope, asked: ScopeCursor | None, asked_again: Sequence[bytes]
    ) -> ScopePage | None:
        """Give the next page of a scope, or None when the device has everything."""
        start, reset = self._start(grant, asked)
        if reset:
            # Offering comes first: a record that had merged with one from here would fit no receipt any more.
            return self._as_page(grant, start, [], grant.record_count, reset=True)
        is_behind = start.head < grant.seq or start.tail > 0
        if asked is not None and asked.cursor and not (is_behind or asked_again):
            same = not asked.digest or asked.digest == digest_bytes(grant.digest)
            return None if same else self._as_page(grant, start, [], 0, reset=False)
        if asked is None or not asked.cursor:
            start = await self._before_push(reader, grant, start)
        again = await self._whole(reader, grant, asked_again)
        newer, cursor = await self._newer(reader, grant, start)
        older, cursor = await self._older(reader, grant, cursor)
        grant = grant.without(reader.damaged)
        reader.damaged.clear()
        settled = cursor.head == grant.seq and cursor.tail == 0
        remaining = 0 if settled else await reader.snapshot.count_outside(grant.scope, cursor.tail, cursor.head)
        return self._as_page(grant, cursor, [*newer, *older, *again], remaining, reset=False)

    def _as_page(
        self, grant: GrantedScope, cursor: Cursor, records: list[PulledRecord], remaining: int, *, reset: bool
    ) -> ScopePage:
        if not remaining:
            cursor = Cursor.complete(cursor.epoch, grant.seq)
        return ScopePage(
            grant.scope,
            grant.access,
            cursor.encode(),
            records,
            remaining,
            grant.record_count,
            b"" if remaining else digest_bytes(grant.digest),
            reset,
        )

    def _start(self, grant: GrantedScope, asked: ScopeCursor | None) -> tuple[Cursor, bool]:
        """Give where the device stands, and whether what it holds must be offered again (another epoch)."""
        fresh = Cursor.fresh(self._identity.epoch, grant.seq)
        if asked is None or not asked.cursor:
            return fresh, False
        cursor = read_cursor(asked.cursor)
        if cursor is None or cursor.epoch != self._identity.epoch or cursor.head > grant.seq:
            return fresh, True
        return cursor, False

    async def _before_push(self, reader: _Reader, grant: GrantedScope, fresh: Cursor) -> Cursor:
        """Let a device that has read nothing yet begin right before what it has just brought, and so hear no echo."""
        pushed = reader.pushed.get(grant.scope)
        if not pushed or reader.client_id is None:
            return fresh
        first_seq = await reader.snapshot.first_seq(grant.scope, pushed)
        return fresh if first_seq is None else Cursor.fresh(fresh.epoch, first_seq - 1)

    async def _newer(self, reader: _Reader, grant: GrantedScope, start: Cursor) -> tuple[list[PulledRecord], Cursor]:
        """Read upwards from the head, as far as the budget goes."""
        records: list[PulledRecord] = []
        spans: defaultdict[bytes, list[SpanSince]] = defaultdict(list)
        head, spans_up_to = start.head, start.settled
        while head < grant.seq and not reader.budget.is_spent:
            entries = await reader.snapshot.above(grant.scope, head, PULL_RECORDS_MAX)
            if not entries:  # What stood there was erased.
                head = grant.seq
                break
            for span in await reader.snapshot.spans(grant.scope, spans_up_to, entries[-1].seq):
                spans[span.record_id].append(span)
            spans_up_to = entries[-1].seq
            wanted, head = choose(entries, spans, start, reader)
            docs = await reader.snapshot.records(grant.scope, wanted, 2**62) if wanted else ()
            found = {record.record_id: record for record in reader.sound(docs)}
            records += [
                self._continued(grant, found[record_id], spans[record_id], start, reader.client_id)
                for record_id in wanted
                if record_id in found
            ]
        settled = head if head == grant.seq else start.settled
        return records, start._replace(head=head, settled=settled)

    async def _older(self, reader: _Reader, grant: GrantedScope, start: Cursor) -> tuple[list[PulledRecord], Cursor]:
        """Read downwards from the tail, once nothing newer is left."""
        budget = reader.budget
        if start.head < grant.seq or start.tail == 0 or budget.is_spent:
            return [], start
        records_max, bytes_max = budget.records, budget.bytes
        rows = await reader.snapshot.below(grant.scope, start.tail, records_max, bytes_max)
        for row in rows:
            budget.spend(len(row.doc))
        is_last = len(rows) < records_max and sum(len(row.doc) for row in rows) < bytes_max
        tail = 0 if is_last else rows[-1].seq
        return [self._as_whole(grant, row) for row in reader.sound(rows)], start._replace(tail=tail)

    async def _whole(self, reader: _Reader, grant: GrantedScope, record_ids: Sequence[bytes]) -> list[PulledRecord]:
        """Read the records that the device asked for by name; what does not fit it asks for again."""
        if not record_ids:
            return []
        rows = await reader.snapshot.records(grant.scope, record_ids[:PULL_RECORDS_MAX], reader.budget.bytes)
        for row in rows:
            reader.budget.spend(len(row.doc))
        return [self._as_whole(grant, row) for row in reader.sound(rows)]

    def _as_whole(self, grant: GrantedScope, row: FeedRecord) -> PulledRecord:
        return PulledRecord(row.collection, row.record_id, row.doc, self._receipt(grant, row))

    def _continued(
        self,
        grant: GrantedScope,
        row: FeedRecord,
        spans: Sequence[SpanSince],
        start: Cursor,
        client_id: int | None,
    ) -> PulledRecord:
        """Give what others added since the device was settled, if it surely has the rest; else the whole record."""
        if not spans or not start.had(previous_seq(spans)):
            return self._as_whole(grant, row)
        document = parse_document(row.doc)
        known = dict(document.next_clocks)
        for span in spans:
            if span.client_id != client_id:
                known[span.client_id] = min(known[span.client_id], span.first_clock)
        if not any(known.values()):
            return self._as_whole(grant, row)
        update = encode_delta(document.since(known))
        return PulledRecord(row.collection, row.record_id, update, self._receipt(grant, row), delta=True)

    def _receipt(self, grant: GrantedScope, row: FeedRecord) -> bytes:
        scope_id = Scope.parse(grant.scope).id.bytes
        return self._identity.receipts.issue(scope_id, row.record_id, row.doc)

    async def _repair(
        self, snapshot: FeedSnapshot, granted: Sequence[GrantedScope], request: SyncRequest
    ) -> list[tuple[str, bytes, bytes]]:
        """List the records of every bucket in which the device's digest is another one."""
        theirs = dict(request.bucket_digests)
        asked = [grant.scope for grant in granted if grant.scope in theirs]
        found: list[tuple[str, bytes, bytes]] = []
        for scope in asked[:REPAIR_SCOPES_MAX]:
            ours = await snapshot.digests(scope)
            found += [(scope, *record) for record in await differing_records(ours, theirs[scope])]
        return found[:REPAIR_RECORDS_MAX]


def choose(
    entries: Sequence[FeedEntry], spans: Mapping[bytes, Sequence[SpanSince]], start: Cursor, reader: _Reader
) -> tuple[list[bytes], int]:
    """Choose the records to send from a stretch of the feed, and say up to where it is then known."""
    wanted: list[bytes] = []
    head = entries[0].seq - 1
    for entry in entries:
        if not is_echo(spans.get(entry.record_id, ()), start, reader.client_id):
            if reader.budget.is_spent:
                return wanted, head
            reader.budget.spend(entry.doc_bytes)
            wanted.append(entry.record_id)
        head = entry.seq
    return wanted, head


def is_echo(spans: Sequence[SpanSince], start: Cursor, client_id: int | None) -> bool:
    """Tell whether all that happened to a record since the device was settled is what it wrote itself."""
    if not spans or any(span.client_id != client_id for span in spans):
        return False
    return start.had(previous_seq(spans))


def previous_seq(spans: Sequence[SpanSince]) -> int:
    """Give where the record stood in the feed before all of this."""
    return min(span.previous_seq for span in spans)


def ids_by_scope(records: Iterable[tuple[str, bytes]]) -> Mapping[str, list[bytes]]:
    """Group the records that a request names; what is no record id is no record."""
    grouped: defaultdict[str, list[bytes]] = defaultdict(list)
    for scope, record_id in records:
        if len(record_id) == 16:
            grouped[scope].append(record_id)
    return grouped
