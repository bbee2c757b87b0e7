"""The feed as Postgres shows it to one user: a snapshot under row-level security, and explicit predicates as well."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from apex_server.db import Connection, Database, load_queries
from apex_server.db.pool import connection_of
from apex_server.sync.damage import mark_damaged
from apex_server.sync.postgres_rows import as_digest
from apex_server.sync.sealing import DocumentSeal, overhead_of, seal_of_scope
from apex_server.sync.store import FeedEntry, FeedRecord, GrantedScope, ScopeUnreadable, SpanSince
from apex_server.vault import SealBroken, Vault
from apex_sync.ids import Scope

__all__ = ["PostgresFeedStore"]

queries = load_queries(__package__)


class PostgresFeedStore:
    """The feed store of a server."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @asynccontextmanager
    async def snapshot(self, user_id: UUID) -> AsyncIterator["PostgresFeedSnapshot"]:
        """Open a snapshot; raises DatabaseUnavailable, as everything in the block may."""
        async with (
            connection_of(self._db.app) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute("SELECT set_config('apex.user_id', $1, true)", str(user_id))
            snapshot = PostgresFeedSnapshot(connection, self._db.vault, user_id)
            yield snapshot
        if snapshot.damaged:
            async with self._db.commit_connection() as connection:
                for scope, records in snapshot.damaged.items():
                    await mark_damaged(connection, scope_id(scope), records)


class PostgresFeedSnapshot:
    """What one user may read, as of the first statement.

    `damaged` are records by scope, with their seqs, of which it has come to light that they do not open.
    """

    def __init__(self, connection: Connection, vault: Vault, user_id: UUID) -> None:
        self._connection = connection
        self._vault = vault
        self._seals: dict[str, DocumentSeal] = {}
        self._user_id = user_id
        self.damaged: defaultdict[str, list[tuple[bytes, int]]] = defaultdict(list)

    async def granted(self) -> Sequence[GrantedScope]:
        """List the scopes by name."""
        rows = await self._connection.fetch(queries.granted_scopes, self._user_id)
        granted = [
            GrantedScope(row["scope"], row["access"], row["seq"], as_digest(row["digest"]), row["record_count"])
            for row in rows
        ]
        if not rows or not rows[0]["is_damage_somewhere"]:
            return granted
        damaged = {row["scope"]: row["digests"] for row in await self._connection.fetch(queries.damaged_digests)}
        return [scope.without([as_digest(digest) for digest in damaged.get(scope.scope, ())]) for scope in granted]

    async def above(self, scope: str, seq: int, records_max: int) -> Sequence[FeedEntry]:
        """List the feed upwards after a seq."""
        rows = await self._connection.fetch(queries.feed_above, scope_id(scope), seq, records_max, overhead_of(scope))
        return [FeedEntry(row["record_id"].bytes, row["seq"], row["doc_bytes"]) for row in rows]

    async def below(self, scope: str, seq: int, records_max: int, bytes_max: int) -> Sequence[FeedRecord]:
        """Read the feed downwards before a seq."""
        rows = await self._connection.fetch(
            queries.feed_below, scope_id(scope), seq, records_max, bytes_max, overhead_of(scope)
        )
        return await self._opened(scope, rows)

    async def first_seq(self, scope: str, record_ids: Sequence[bytes]) -> int | None:
        """Give the place in the feed of the first of some records."""
        ids = [UUID(bytes=record_id) for record_id in record_ids]
        found: int | None = await self._connection.fetchval(queries.first_seq, scope_id(scope), ids)
        return found

    async def count_outside(self, scope: str, tail: int, head: int) -> int:
        """Count the records before `tail` and after `head`."""
        return int(await self._connection.fetchval(queries.count_outside, scope_id(scope), tail, head))

    async def spans(self, scope: str, after_seq: int, up_to_seq: int) -> Sequence[SpanSince]:
        """Tell who added what to which record in a stretch of the feed."""
        rows = await self._connection.fetch(queries.spans_between, scope_id(scope), after_seq, up_to_seq)
        return [
            SpanSince(row["record_id"].bytes, row["client_id"], row["first_clock"], row["previous_seq"]) for row in rows
        ]

    async def records(self, scope: str, record_ids: Sequence[bytes], bytes_max: int) -> Sequence[FeedRecord]:
        """Read records by id."""
        ids = [UUID(bytes=record_id) for record_id in record_ids]
        rows = await self._connection.fetch(queries.records_by_id, scope_id(scope), ids, bytes_max, overhead_of(scope))
        return await self._opened(scope, rows)

    async def digests(self, scope: str) -> Sequence[tuple[bytes, int]]:
        """Give the id and digest of every record of a scope."""
        rows = await self._connection.fetch(queries.digests_of_scope, scope_id(scope))
        return [(row["record_id"].bytes, as_digest(row["digest"])) for row in rows]

    async def _opened(self, scope: str, rows: Sequence[Any]) -> list[FeedRecord]:
        if not rows:
            return []
        if scope not in self._seals:
            try:
                self._seals[scope] = await seal_of_scope(self._connection, self._vault, scope)
            except SealBroken as error:
                raise ScopeUnreadable(scope) from error
        records = [feed_record(row, self._seals[scope]) for row in rows]
        damaged = [(record.record_id, record.seq) for record in records if record.is_damaged]
        if damaged:
            self.damaged[scope] += damaged
        return records


def feed_record(row: Any, seal: DocumentSeal) -> FeedRecord:
    record_id = row["record_id"].bytes
    doc = seal.open(record_id, row["digest"], row["doc"])
    return FeedRecord(record_id, row["collection"], row["seq"], doc, as_digest(row["digest"]))


def scope_id(scope: str) -> UUID:
    return Scope.parse(scope).id
