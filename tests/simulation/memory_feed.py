"""The feed store of a simulated server: a snapshot keeps the immutable contents of the scopes its user may read."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice, takewhile
from uuid import UUID

from apex_server.sync.store import Access, FeedEntry, FeedRecord, GrantedScope, SpanSince
from tests.simulation.memory_commits import Connection, Hook, go_on
from tests.simulation.memory_database import EMPTY, AuditEntry, MemoryDatabase, MemoryRecord, ScopeContent


class MemoryFeedStore:
    """The feed store of one server process."""

    def __init__(self, database: MemoryDatabase, hook: Hook = go_on) -> None:
        self._database = database
        self._hook = hook

    @asynccontextmanager
    async def snapshot(self, user_id: UUID) -> AsyncIterator["MemoryFeedSnapshot"]:
        """Open a snapshot."""
        connection = Connection(self._database, self._hook)
        await connection.reach("snapshot")
        granted = self._database.scopes_of(user_id)
        contents = {scope: self._database.scopes.get(scope, EMPTY) for scope in granted}
        yield MemoryFeedSnapshot(connection, granted, contents)


class MemoryFeedSnapshot:
    """What one user may read, as of the moment it was opened."""

    def __init__(
        self, connection: Connection, granted: Mapping[str, Access], contents: Mapping[str, ScopeContent]
    ) -> None:
        self._connection = connection
        self._granted = granted
        self._contents = contents

    async def granted(self) -> Sequence[GrantedScope]:
        """List the scopes by name."""
        await self._connection.reach("read")
        return [
            GrantedScope(scope, self._granted[scope], content.seq, content.digest, content.record_count)
            for scope, content in sorted(self._contents.items())
        ]

    async def above(self, scope: str, seq: int, records_max: int) -> Sequence[FeedEntry]:
        """List the feed upwards after a seq."""
        content = await self._content(scope)
        newest_first = takewhile(lambda item: item[1].stored.seq > seq, reversed(content.records.items()))
        entries = [
            FeedEntry(record_id, record.stored.seq, len(record.stored.doc)) for record_id, record in newest_first
        ]
        return entries[::-1][:records_max]

    async def below(self, scope: str, seq: int, records_max: int, bytes_max: int) -> Sequence[FeedRecord]:
        """Read the feed downwards before a seq."""
        content = await self._content(scope)
        older = (item for item in reversed(content.records.items()) if item[1].stored.seq < seq)
        return list(fitting(islice(older, records_max), bytes_max))

    async def first_seq(self, scope: str, record_ids: Sequence[bytes]) -> int | None:
        """Give the place in the feed of the first of some records."""
        records = (await self._content(scope)).records
        return min((records[one].stored.seq for one in record_ids if one in records), default=None)

    async def count_outside(self, scope: str, tail: int, head: int) -> int:
        """Count the records before `tail` and after `head`."""
        seqs = [record.stored.seq for record in (await self._content(scope)).records.values()]
        return sum(seq < tail for seq in seqs) + sum(seq > head for seq in seqs)

    async def spans(self, scope: str, after_seq: int, up_to_seq: int) -> Sequence[SpanSince]:
        """Tell who added what to which record in a stretch of the feed."""
        content = await self._content(scope)
        first_entries: dict[tuple[bytes, int], AuditEntry] = {}
        for entry in takewhile(lambda entry: entry.seq > after_seq, reversed(content.audit)):
            if entry.seq <= up_to_seq:
                first_entries[entry.record_id, entry.client_id] = entry
        return [SpanSince(*key, entry.first_clock, entry.previous_seq) for key, entry in first_entries.items()]

    async def records(self, scope: str, record_ids: Sequence[bytes], bytes_max: int) -> Sequence[FeedRecord]:
        """Read records by id."""
        records = (await self._content(scope)).records
        found = [(record_id, records[record_id]) for record_id in sorted(set(record_ids)) if record_id in records]
        return list(fitting(found, bytes_max))

    async def digests(self, scope: str) -> Sequence[tuple[bytes, int]]:
        """Give the id and digest of every record of a scope, by id."""
        content = await self._content(scope)
        return sorted((record_id, record.stored.digest) for record_id, record in content.records.items())

    async def _content(self, scope: str) -> ScopeContent:
        await self._connection.reach("read")
        return self._contents.get(scope, EMPTY)


def fitting(records: Iterable[tuple[bytes, MemoryRecord]], bytes_max: int) -> Iterator[FeedRecord]:
    """Give records until they are as many bytes as were asked for; the last may go beyond."""
    size = 0
    for record_id, (stored, *_) in records:
        if size >= bytes_max:
            return
        yield FeedRecord(record_id, stored.collection, stored.seq, stored.doc, stored.digest)
        size += len(stored.doc)
