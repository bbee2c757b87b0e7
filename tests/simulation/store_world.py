"""Worlds whose store can be looked into, held up and cut off: what the conformance suite needs, in both flavours."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from uuid import UUID

import anyio
from anyio import wait_all_tasks_blocked
from typing_extensions import override

from apex_server.sync.projection_tables import TABLES
from apex_server.sync.store import (
    AskedRecord,
    ClockSpan,
    Commit,
    DeadClock,
    RecordChange,
    Row,
    RowsByTable,
    ScopeState,
    ScopeView,
    StoredRecord,
    Writer,
)
from apex_sync.digest import add_digests
from apex_sync.ids import Scope
from tests.server.sync_world import START_US, SyncWorld, World
from tests.simulation.memory_database import EMPTY
from tests.simulation.memory_world import MemoryWorld

COMMITTED_BY = ("apex_app", "apex_commit")

Audited = tuple[int, int, bytes, int, int, int, UUID | None, UUID | None]
"""Seq, client, record, previous seq, first and next clock, user, device."""


class StoreWorld(SyncWorld):
    """A world seen from its store."""

    @abstractmethod
    async def projected(self, scope: str, table: str) -> list[Row]:
        """Give a projection table: the record id and the columns of every row."""

    @abstractmethod
    async def audited(self, scope: str) -> list[Audited]:
        """Give the audit of a scope, ordered by seq and client."""

    @abstractmethod
    async def until_waiting(self) -> None:
        """Return when somebody waits for the lock of a scope."""

    @abstractmethod
    async def cut_connections(self) -> None:
        """End all connections to the database, as its crash does."""

    async def pen(self, user_id: UUID | None = None, *, scope: str = "") -> "Pen":
        """Give somebody who writes to a scope on a device of theirs; by default a new athlete to their own."""
        user_id = user_id or await self.athlete()
        device = await self.device(user_id)
        return Pen(self, scope or f"athlete:{user_id}", Writer(user_id, device.caller.device_id, device.client_id))


class MemoryStoreWorld(MemoryWorld, StoreWorld):
    """One whose data is in memory."""

    @override
    async def projected(self, scope: str, table: str) -> list[Row]:
        content = self.database.scopes.get(scope, EMPTY)
        return [(record_id, *row) for record_id, rows in content.rows(table).items() for row in rows]

    @override
    async def audited(self, scope: str) -> list[Audited]:
        content = self.database.scopes.get(scope, EMPTY)
        return sorted(
            (
                entry.seq,
                entry.client_id,
                entry.record_id,
                entry.previous_seq,
                entry.first_clock,
                entry.next_clock,
                entry.writer.user_id,
                entry.writer.device_id,
            )
            for entry in content.audit
        )

    @override
    async def until_waiting(self) -> None:
        await wait_all_tasks_blocked()

    @override
    async def cut_connections(self) -> None:
        self.database.cut_connections()


class PostgresStoreWorld(World, StoreWorld):
    """One on a real database."""

    @override
    async def projected(self, scope: str, table: str) -> list[Row]:
        columns = ", ".join(column.name for column in TABLES[table].columns)
        statement = f"SELECT record_id, {columns} FROM {table} WHERE scope_id = $1"
        return [(row[0].bytes, *row[1:]) for row in map(tuple, await self.sql(statement, Scope.parse(scope).id))]

    @override
    async def audited(self, scope: str) -> list[Audited]:
        rows = await self.sql(
            "SELECT seq, client_id, record_id, previous_seq, first_clock, next_clock, user_id, device_id "
            "FROM audit WHERE scope_id = $1 ORDER BY seq, client_id",
            Scope.parse(scope).id,
        )
        return [(row[0], row[1], row[2].bytes, *row[3:]) for row in map(tuple, rows)]

    @override
    async def until_waiting(self) -> None:
        statement = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with anyio.fail_after(10):
            while not await self.sql(statement):  # noqa: ASYNC110 - another connection waits.
                await anyio.sleep(0.005)

    @override
    async def cut_connections(self) -> None:
        # asyncpg reports what a dying connection had left over to the loop, which here would fail the test.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        await self.sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND usename = ANY($1)",
            COMMITTED_BY,
        )


class Pen:
    """Somebody on a device who writes to one scope, by hand: what a committer would hand to a store."""

    def __init__(self, world: StoreWorld, scope: str, writer: Writer) -> None:
        self.world = world
        self.store = world.commit_store()
        self.scope = scope
        self.writer = writer
        self.clocks: dict[bytes, int] = {}

    def change(
        self,
        record_id: bytes,
        before: StoredRecord | None = None,
        doc: bytes = b"a document",
        *,
        collection: str = "workout_logs",
        rows: RowsByTable | None = None,
        dead: Sequence[DeadClock] = (),
        spans: Sequence[ClockSpan] = (),
    ) -> RecordChange:
        """Make a change that adds an op to a record, unless other spans are given."""
        clock = self.clocks.get(record_id, 0)
        if not spans:
            self.clocks[record_id] = clock + 1
        return RecordChange(
            record_id=record_id,
            collection=collection,
            before=before,
            doc=doc,
            digest=int.from_bytes(blake2b(record_id + doc, digest_size=16).digest(), "big"),
            needs_review=False,
            has_conflicts=False,
            deleted=False,
            is_long=False,
            spans=spans or [ClockSpan(self.writer.client_id, clock, clock + 1)],
            dead=dead,
            rows=rows or {},
        )

    def commit(self, state: ScopeState, *changes: RecordChange) -> Commit:
        """Make a commit of changes to the scope as it stands."""
        digests = ((change.before.digest if change.before else 0, change.digest) for change in changes)
        return Commit(
            scope=self.scope,
            before=state,
            writer=self.writer,
            at_us=START_US,
            changes=changes,
            digest=add_digests(state.digest, *digests),
            dirty_kinds=["training"] if self.scope.startswith("athlete:") else [],
        )

    async def view(self, *record_ids: bytes) -> ScopeView:
        """Read records, with every dead clock of the own client in them."""
        async with self.store.session(self.writer.user_id) as session:
            asked = [AskedRecord(record_id, 0, 2**31) for record_id in record_ids]
            return await session.view(self.scope, self.writer.client_id, asked)

    async def known(self, record_id: bytes) -> StoredRecord | None:
        """Read one record."""
        records = (await self.view(record_id)).records
        return records[record_id].record if record_id in records else None

    async def state(self) -> ScopeState:
        """Read where the scope stands."""
        return (await self.view()).state

    async def save(self, *changes: RecordChange) -> Commit:
        """Commit the changes, under the lock."""
        async with self.store.session(self.writer.user_id) as session, session.locked(self.scope) as locked:
            commit = self.commit(locked.state, *changes)
            await locked.save(commit)
        return commit

    async def save_short(self, change: RecordChange, state: ScopeState | None = None) -> bool:
        """Commit a change the short way, as of a state, the present one by default."""
        commit = self.commit(state or await self.state(), change)
        async with self.store.session(self.writer.user_id) as session:
            return await session.save_if_unchanged(commit)

    async def write(self, record_id: bytes, doc: bytes = b"a document") -> None:
        """Add an op to a record, new or not."""
        await self.save(self.change(record_id, await self.known(record_id), doc))

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """Hold the lock of the scope for the block, and save nothing."""
        async with self.store.session(self.writer.user_id) as session, session.locked(self.scope):
            yield
