"""Writing to a store by hand and looking into all of it, as a conformance suite does."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any
from uuid import UUID

from apex_server.sync.chaining import chained
from apex_server.sync.projections import project
from apex_server.sync.store import (
    AskedRecord,
    ClockSpan,
    Commit,
    DeadClock,
    FeedSnapshot,
    RecordChange,
    RowsByTable,
    ScopeState,
    ScopeView,
    StoredRecord,
    Writer,
)
from apex_sync.acceptance import Refusal, RefusedOp
from apex_sync.digest import add_digests
from apex_sync.models import COLLECTIONS
from apex_sync.op import Patch
from tests.server.sync_world import START_US, workout
from tests.simulation.store_world import StoreWorld

A, B, C, D = (bytes([letter]) * 16 for letter in b"abcd")
"""Ids of records."""


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
        chain = chained(self.store.audit_chain, self.scope, state, self.writer, START_US, changes)
        return Commit(
            scope=self.scope,
            before=state,
            writer=self.writer,
            at_us=START_US,
            changes=changes,
            digest=add_digests(state.digest, *digests),
            chain=chain.state,
            links=chain.links,
            dirty_kinds=["training"] if self.scope.startswith("athlete:") else [],
        )

    async def view(self, *record_ids: bytes) -> ScopeView:
        """Read records, with every dead clock of the own client in them."""
        async with self.store.session(self.writer.user_id) as session:
            asked = [AskedRecord(record_id, 0, 2**31) for record_id in record_ids]
            return (await session.view(self.scope, self.writer.client_id, asked))._replace(seal=None)

    async def encode(self, *changes: RecordChange) -> None:
        """Let the store do ahead what it can, as a commit does between reading and locking."""
        async with self.store.session(self.writer.user_id) as session:
            seal = (await session.view(self.scope, self.writer.client_id, [])).seal
        for change in changes:
            self.store.encode(user_of(self).bytes, change, seal)

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


async def pen_of(world: StoreWorld, user_id: UUID | None = None, *, scope: str = "") -> Pen:
    """Give somebody a pen, on a device of their own; by default a new athlete, for their own scope."""
    user_id = user_id or await world.athlete()
    device = await world.device(user_id)
    return Pen(world, scope or f"athlete:{user_id}", Writer(user_id, device.caller.device_id, device.client_id))


def refused(client_id: int, clock: int, text: str = "no such field") -> DeadClock:
    """Make the dead clock of a refused op."""
    return DeadClock(client_id, clock, RefusedOp(b"%16d" % clock, Refusal(clock, "mistyped", "sets.s1", text)))


def rows_of(patch: Patch) -> RowsByTable:
    """Give the projection rows of a workout."""
    return project("workout_logs", COLLECTIONS["workout_logs"].read(patch)[0])


def user_of(pen: Pen) -> UUID:
    """Say who writes."""
    assert pen.writer.user_id is not None
    return pen.writer.user_id


async def everything(pen: Pen) -> Any:
    """Look at all of a scope through every door."""
    async with pen.world.feed_store().snapshot(user_of(pen)) as snapshot:
        feed = await everything_of(snapshot, pen.scope)
    tables = [sorted(await pen.world.projected(pen.scope, name)) for name in ("logged_exercises", "logged_sets")]
    return feed, await pen.view(A, B, C, D), await pen.world.audited(pen.scope), tables


async def everything_of(snapshot: FeedSnapshot, scope: str) -> tuple[Any, ...]:
    """Ask a snapshot all that can be asked of one scope."""
    return (
        [grant for grant in await snapshot.granted() if grant.scope == scope],
        await snapshot.above(scope, 0, 1000),
        await snapshot.below(scope, 1000, 1000, 2**40),
        await snapshot.first_seq(scope, [A, B, C, D]),
        await snapshot.count_outside(scope, 2, 2),
        sorted(await snapshot.spans(scope, 0, 1000)),
        await snapshot.records(scope, [A, B, C, D], 2**40),
        sorted(await snapshot.digests(scope)),
    )


async def save_and(
    pen: Pen, then: Callable[[], object], meanwhile: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Save all kinds of things under the lock, and do something before the block ends."""
    known = await pen.known(A)
    async with pen.store.session(pen.writer.user_id) as session, session.locked(pen.scope) as locked:
        rows = rows_of(workout())
        dead = [refused(pen.writer.client_id, 8)]
        changes = pen.change(A, known, b"changed", rows=rows, dead=dead), pen.change(B, rows=rows)
        await locked.save(pen.commit(locked.state, *changes))
        then()
        if meanwhile is not None:
            await meanwhile()
