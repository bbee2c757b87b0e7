"""The commit store of a simulated server: the promises of `apex_server.sync.store`, kept over a `MemoryDatabase`.

Deterministic, without threads, clock or randomness; nothing is awaited but the lock of a scope and the `hook`, by which
a simulation lets other tasks run, and makes happen what happens to connections.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal
from uuid import UUID

from apex_server.audit.chain import AuditChain
from apex_server.db import DatabaseUnavailable
from apex_server.sync.store import (
    AskedRecord,
    Commit,
    RecordChange,
    RecordState,
    ScopeState,
    ScopeView,
    UnstorableBatch,
)
from tests.simulation.memory_database import EMPTY, MemoryDatabase, ScopeContent
from tests.simulation.unstorable import refusal_of

Moment = Literal[
    "connect", "bind", "view", "view_records", "lock", "locked", "changed", "save", "commit", "committed", "snapshot",
    "read",
]  # fmt: skip
"""Where a server waits for its database, and the database may be gone.

A commit waits at `lock` (before it has the lock), `locked` (with it), `save` (before the content is handed over),
`commit` (before it is durable) and `committed` (after that, so what is raised here is a lost answer).
"""

Hook = Callable[[Moment], Awaitable[None]]
"""Awaited at each moment. May let others run, raise DatabaseUnavailable, be cancelled, or raise UnstorableBatch at
`save` and `commit`."""


async def go_on(moment: Moment) -> None:
    """Let nothing happen."""


class Connection:
    """One line to the database: open until the database cuts it."""

    def __init__(self, database: MemoryDatabase, hook: Hook) -> None:
        self._life = database.life
        self._database = database
        self._hook = hook

    async def reach(self, moment: Moment) -> None:
        """Come to a moment; raises DatabaseUnavailable when the line was cut meanwhile."""
        await self._hook(moment)
        if self._database.life != self._life:
            raise DatabaseUnavailable("the connection was cut")


class MemoryCommitStore:
    """The commit store of one server process."""

    audit_chain = AuditChain(b"the audit's key of a simulated installation")

    def __init__(self, database: MemoryDatabase, hook: Hook = go_on) -> None:
        self._database = database
        self._hook = hook

    @asynccontextmanager
    async def session(self, user_id: UUID | None) -> AsyncIterator["MemoryCommitSession"]:
        """Open a line for a user, or the system."""
        connection = Connection(self._database, self._hook)
        await connection.reach("connect")
        yield MemoryCommitSession(self._database, connection, user_id)

    def encode(self, scope_id: bytes, change: RecordChange, seal: Any = None) -> None:
        """Do nothing ahead: rows are kept as they are."""


class MemoryCommitSession:
    """One line to the database, for one user."""

    def __init__(self, database: MemoryDatabase, connection: Connection, user_id: UUID | None) -> None:
        self._database = database
        self._connection = connection
        self._user_id = user_id

    async def bind_client_id(self, device_id: UUID, client_id: int) -> bool:
        """Bind a client id to the device that uses it first."""
        await self._connection.reach("bind")
        owner = self._database.bindings.setdefault(client_id, (self._user_id, device_id))
        await self._connection.reach("committed")
        return owner == (self._user_id, device_id)

    async def server_client_id(self, epoch: bytes, candidate: int, at_us: int) -> int:
        """Give the server's client id for the user."""
        await self._connection.reach("bind")
        client_id = self._database.server_client_ids.setdefault((epoch, self._user_id), candidate)
        self._database.bindings[client_id] = self._user_id, None
        await self._connection.reach("committed")
        return client_id

    async def view(self, scope: str, client_id: int, asked: Sequence[AskedRecord]) -> ScopeView:
        """Read without a lock; many records are read in a second statement, which may see newer ones."""
        await self._connection.reach("view")
        content = self._content(scope)
        state = content.state(self._database.access(self._user_id, scope))
        if state.access is None:
            return ScopeView(state, {})
        if len(asked) != 1:
            await self._connection.reach("view_records")
            content = self._content(scope)
        return ScopeView(state, states_of(content, client_id, asked, after_seq=0))

    @asynccontextmanager
    async def locked(self, scope: str) -> AsyncIterator["MemoryLockedScope"]:
        """Hold a scope for the block."""
        await self._connection.reach("lock")
        if self._database.access(self._user_id, scope) is None:
            yield MemoryLockedScope(self._connection, EMPTY, EMPTY.state(None))
            return
        async with self._database.locks[scope]:
            await self._connection.reach("locked")
            content = self._content(scope)
            access = self._database.access(self._user_id, scope)
            locked = MemoryLockedScope(self._connection, content, content.state(access))
            yield locked
            await self._connection.reach("commit")
            if access is not None:
                self._database.scopes[scope] = locked.content
        await self._connection.reach("committed")

    async def save_if_unchanged(self, commit: Commit) -> bool:
        """Store a commit of one change, if nothing else has been committed to its scope."""
        [change] = commit.changes
        if change.dead:
            return False
        await self._connection.reach("lock")
        lock = self._database.locks[commit.scope]
        if lock.locked():
            return False
        async with lock:
            await self._connection.reach("commit")
            content = self._database.scopes.get(commit.scope)
            access = self._database.access(commit.writer.user_id, commit.scope)
            if content is None or access is None or content.state(access) != commit.before:
                return False
            refuse_unstorable(content, commit)
            self._database.scopes[commit.scope] = content.after(commit)
        await self._connection.reach("committed")
        return True

    def _content(self, scope: str) -> ScopeContent:
        return self._database.scopes.get(scope, EMPTY)


class MemoryLockedScope:
    """A scope whose lock is held; `content` is what it will be when the block ends."""

    def __init__(self, connection: Connection, content: ScopeContent, state: ScopeState) -> None:
        self.state = state
        self.content = content
        self._connection = connection

    async def changed(
        self, client_id: int, asked: Sequence[AskedRecord], since_seq: int
    ) -> Mapping[bytes, RecordState]:
        """Give those of the records that have changed after a seq."""
        await self._connection.reach("changed")
        return states_of(self.content, client_id, asked, after_seq=since_seq)

    async def save(self, commit: Commit) -> None:
        """Store a commit."""
        await self._connection.reach("save")
        refuse_unstorable(self.content, commit)
        self.content = self.content.after(commit)


def states_of(
    content: ScopeContent, client_id: int, asked: Sequence[AskedRecord], *, after_seq: int
) -> dict[bytes, RecordState]:
    """Look up those of the records that are there, and stand after a seq."""
    states = {}
    for record_id, first_clock, end_clock in asked:
        record = content.records.get(record_id)
        if record is not None and record.stored.seq > after_seq:
            known = content.dead.get((record_id, client_id), {})
            dead = {clock: op for clock, op in known.items() if first_clock <= clock < end_clock}
            states[record_id] = RecordState(record.stored, dead)
    return states


def refuse_unstorable(content: ScopeContent, commit: Commit) -> None:
    """Raise UnstorableBatch for what Postgres would not take."""
    reason = refusal_of(content, commit)
    if reason is not None:
        raise UnstorableBatch(reason)
