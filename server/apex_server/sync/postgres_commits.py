"""Commits to Postgres: the scope's row is the lock, binary COPY the way in, one statement the short way for one change.

Works under the commit role. Where that role may not bypass row-level security, which COPY does not work under, rows are
copied into a temporary table and inserted from there.
"""

import struct
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from apex_server.audit.chain import AuditChain
from apex_server.db import Connection, Database, load_queries
from apex_server.sync.chaining import spans_in_order
from apex_server.sync.damage import mark_damaged
from apex_server.sync.postgres_rows import (
    Encoded,
    TableWriter,
    as_datetime,
    as_digest,
    audit_rows,
    pack_projections,
    record_rows,
)
from apex_server.sync.save_one import save_one_arguments, save_one_statement
from apex_server.sync.sealing import DocumentSeal, person_of, seal_of_scope
from apex_server.sync.store import (
    Access,
    AskedRecord,
    Commit,
    RecordChange,
    RecordState,
    RowsByTable,
    ScopeState,
    ScopeUnreadable,
    ScopeView,
    StoredRecord,
    UnstorableBatch,
)
from apex_server.vault import KeyDestroyed, SealBroken, Vault
from apex_sync.acceptance import Refusal, RefusedOp
from apex_sync.digest import digest_bytes
from apex_sync.ids import Scope

__all__ = ["PostgresCommitStore"]

queries = load_queries(__package__)

REFUSAL_FIELD = "dead_ops.field"
REFUSAL_MESSAGE = "dead_ops.message"
"""The places that the words of refusals are sealed for."""

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

UNSTORABLE = (
    asyncpg.CardinalityViolationError,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    OverflowError,
)
"""What the content of a record could cause, if it can cause anything."""


class PostgresCommitStore:
    """The commit store of a server."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.audit_chain = AuditChain(db.vault.server_key("audit_chain"))

    @asynccontextmanager
    async def session(self, user_id: UUID | None) -> AsyncIterator["PostgresCommitSession"]:
        """Open a line for a user, or the system; raises DatabaseUnavailable, as everything in the block may."""
        async with self._db.commit_connection() as connection:
            if not self._db.commit_may_copy:
                # Without BYPASSRLS grants can only be looked up by whom they are given to; the pool resets this.
                await connection.execute("SELECT set_config('apex.user_id', $1, false)", str(user_id or ""))
            yield PostgresCommitSession(connection, self._db.vault, user_id, may_copy=self._db.commit_may_copy)

    def encode(self, scope_id: bytes, change: RecordChange, seal: DocumentSeal | None = None) -> None:
        """Seal the document and pack the projection rows, which are not needed after that.

        What can't be packed is told when it is saved, and without a seal that is when all of it is done.
        """
        if seal is None:
            return
        with suppress(UnstorableBatch):
            change.encoded = encoded(scope_id, change, seal)
            change.rows = {}


class PostgresCommitSession:
    """One connection of the commit role, for one user."""

    def __init__(self, connection: Connection, vault: Vault, user_id: UUID | None, *, may_copy: bool) -> None:
        self.connection = connection
        self._vault = vault
        self._seals: dict[str, DocumentSeal] = {}
        self._user_id = user_id
        self._may_copy = may_copy

    async def bind_client_id(self, device_id: UUID, client_id: int) -> bool:
        """Bind a client id to the device that uses it first."""
        return bool(await self.connection.fetchval(queries.bind_client_id, self._user_id, device_id, client_id))

    async def server_client_id(self, epoch: bytes, candidate: int, at_us: int) -> int:
        """Give the server's client id for the user."""
        connection, user_id, at = self.connection, self._user_id, as_datetime(at_us)
        async with connection.transaction():
            await connection.execute(queries.draw_server_client_id, candidate, epoch, user_id, at)
            client_id = int(await connection.fetchval(queries.get_server_client_id, epoch, user_id))
            if user_id is not None:
                await connection.execute(queries.bind_server_client_id, client_id, user_id, at)
        return client_id

    async def view(self, scope: str, client_id: int, asked: Sequence[AskedRecord]) -> ScopeView:
        """Read without a lock. The scope of a person whose key is destroyed is nobody's any more."""
        scope_id, user_id = Scope.parse(scope).id, self._user_id
        if len(asked) == 1:
            [(record_id, first, end)] = asked
            row = await self.connection.fetchrow(
                queries.view_one,
                *(scope_id, user_id, scope, UUID(bytes=record_id), client_id, first, end, person_of(scope)),
            )
            seal = await self._seal_with(scope, row)
            if seal is None:
                return ScopeView(ScopeState(None), {})
            digest = as_digest(row["scope_digest"])
            state = ScopeState(row["access"], row["scope_seq"], digest, row["record_count"], row["chain"])
            one = {record_id: record_state(row, seal)} if row["doc"] is not None else {}
            await self._mark_damaged(scope_id, one)
            return ScopeView(state, one, seal)
        row = await self.connection.fetchrow(queries.view_scope, scope_id, user_id, scope)
        state = scope_state(row, row["access"])
        if state.access is None:
            return ScopeView(state, {})
        seal = await self.seal_of(scope)
        if seal is None:
            return ScopeView(ScopeState(None), {})
        records = await view_records(self.connection, seal, scope_id, client_id, asked, after_seq=0)
        await self._mark_damaged(scope_id, records)
        return ScopeView(state, records, seal)

    async def _mark_damaged(self, scope_id: UUID, records: Mapping[bytes, RecordState]) -> None:
        damaged = [
            (record_id, state.record.seq)
            for record_id, state in records.items()
            if state.record is not None and state.record.is_damaged
        ]
        await mark_damaged(self.connection, scope_id, damaged)

    async def seal_of(self, scope: str) -> DocumentSeal | None:
        """Give what seals the documents of a scope; None where the key is destroyed."""
        if scope not in self._seals:
            try:
                self._seals[scope] = await seal_of_scope(self.connection, self._vault, scope)
            except KeyDestroyed:
                return None
            except SealBroken as error:
                raise ScopeUnreadable(scope) from error
        return self._seals[scope]

    async def _seal_with(self, scope: str, row: Any) -> DocumentSeal | None:
        """Give the same, from a row that has the wrapped key with it."""
        person = person_of(scope)
        if person is None:
            self._seals[scope] = DocumentSeal(scope, None)
        elif row["wrapped"] is None:
            return None
        else:
            try:
                key = await self._vault.unwrapped(person, row["wrapped"], row["master_key_id"])
            except SealBroken as error:
                raise ScopeUnreadable(scope) from error
            self._seals[scope] = DocumentSeal(scope, key)
        return self._seals[scope]

    @asynccontextmanager
    async def locked(self, scope: str) -> AsyncIterator["PostgresLockedScope"]:
        """Hold a scope for the block."""
        with unstorable():
            seal = await self.seal_of(scope)
            async with self.connection.transaction():
                state = await self.lock(scope) if seal is not None else ScopeState(None)
                yield PostgresLockedScope(self.connection, Scope.parse(scope).id, state, seal, may_copy=self._may_copy)

    async def lock(self, scope: str) -> ScopeState:
        """Lock a scope until the transaction ends, and see how it stands."""
        scope_id, user_id = Scope.parse(scope).id, self._user_id
        row = await self.connection.fetchrow(queries.lock_scope, scope_id, user_id, scope)
        if row is None:
            await self.connection.execute(queries.create_scope, scope_id, user_id, scope)
            row = await self.connection.fetchrow(queries.lock_scope, scope_id, user_id, scope)
        if row is None:
            return ScopeState(None)
        return scope_state(row, await self.connection.fetchval(queries.access_now, user_id, scope))

    async def save_if_unchanged(self, commit: Commit) -> bool:
        """Store a commit of one change, if nothing else has been committed to its scope."""
        [change] = commit.changes
        seal = await self.seal_of(commit.scope)
        if change.dead or seal is None:
            return False
        sealed = sealed_rows(change, seal), sealed_document(change, seal)
        with unstorable():
            saved = await self.connection.fetchval(
                save_one_statement(change.collection), *save_one_values(commit, change, *sealed)
            )
        return saved is not None


class PostgresLockedScope:
    """A scope whose row this transaction holds."""

    def __init__(
        self, connection: Connection, scope_id: UUID, state: ScopeState, seal: DocumentSeal | None, *, may_copy: bool
    ) -> None:
        self.state = state
        self.tables = TableWriter(connection, may_copy=may_copy)
        self.connection = connection
        self.scope_id = scope_id
        self._seal = seal

    @property
    def seal(self) -> DocumentSeal:
        """What seals the documents of the scope, wherever there is access to it."""
        if self._seal is None:
            raise ValueError("there is no access to this scope, and nothing to seal in it")
        return self._seal

    async def changed(
        self, client_id: int, asked: Sequence[AskedRecord], since_seq: int
    ) -> Mapping[bytes, RecordState]:
        """Give those of the records that have changed after a seq."""
        return await view_records(self.connection, self.seal, self.scope_id, client_id, asked, after_seq=since_seq)

    async def save(self, commit: Commit) -> None:
        """Store a commit."""
        for change in commit.changes:
            if change.encoded is None:
                change.encoded = encoded(self.scope_id.bytes, change, self.seal)
        former = [change for change in commit.changes if change.before is not None]
        if former:
            ids = [UUID(bytes=change.record_id) for change in former]
            await self.tables.delete(self.scope_id, ids, {change.collection for change in former})
        await self.tables.write_records(record_rows(self.scope_id, commit))
        await self.tables.write_audit(audit_rows(self.scope_id, commit))
        await self.tables.write_projections([change.encoded.rows for change in commit.changes])
        await self._add_dead(commit)
        at = as_datetime(commit.at_us)
        if commit.dirty_kinds:
            await self.connection.execute(queries.mark_dirty, self.scope_id, commit.dirty_kinds, commit.seq, at)
        await self.connection.execute(
            queries.advance_scope,
            self.scope_id,
            commit.seq,
            digest_bytes(commit.digest),
            commit.record_count,
            commit.chain,
        )

    async def _add_dead(self, commit: Commit) -> None:
        rows = [(UUID(bytes=change.record_id), dead) for change in commit.changes for dead in change.dead]
        if not rows:
            return
        try:
            refusals = [refusal_columns(dead.op.refusal, self.seal) for _, dead in rows]
        except UnicodeError as error:
            raise UnstorableBatch(f"{type(error).__name__}: {error}") from error
        await self.connection.execute(
            queries.add_dead_ops,
            self.scope_id,
            [record_id for record_id, _ in rows],
            [dead.client_id for _, dead in rows],
            [dead.clock for _, dead in rows],
            [dead.op.hash for _, dead in rows],
            *zip(*refusals, strict=True),
        )


def encoded(scope_id: bytes, change: RecordChange, seal: DocumentSeal) -> Encoded:
    """Seal the document of a change, and pack its projection rows. Raises UnstorableBatch."""
    try:
        rows = pack_projections(scope_id, change.record_id, seal.seal_rows(change.rows))
        return Encoded(rows, sealed_document(change, seal))
    except (AttributeError, TypeError, ValueError, struct.error) as error:
        raise UnstorableBatch(f"{type(error).__name__}: {error}") from error


def sealed_document(change: RecordChange, seal: DocumentSeal) -> bytes:
    """Seal the document of a change."""
    return seal.seal(change.record_id, digest_bytes(change.digest), change.doc)


def sealed_rows(change: RecordChange, seal: DocumentSeal) -> RowsByTable:
    """Seal the projection rows of a change. Raises UnstorableBatch for what is no text."""
    try:
        return seal.seal_rows(change.rows)
    except (AttributeError, UnicodeError) as error:
        raise UnstorableBatch(f"{type(error).__name__}: {error}") from error


def save_one_values(commit: Commit, change: RecordChange, rows: RowsByTable, doc: bytes) -> list[Any]:
    spans = list(spans_in_order(change))
    return [
        Scope.parse(commit.scope).id,
        UUID(bytes=change.record_id),
        commit.before.seq,
        digest_bytes(commit.digest),
        commit.record_count,
        commit.writer.user_id,
        commit.before.access,
        change.collection,
        doc,
        digest_bytes(change.digest),
        change.needs_review,
        change.has_conflicts,
        change.deleted,
        change.before.seq if change.before is not None else 0,
        commit.writer.device_id,
        as_datetime(commit.at_us),
        [span.client_id for span in spans],
        [span.first_clock for span in spans],
        [span.next_clock for span in spans],
        list(commit.dirty_kinds),
        change.is_long,
        list(commit.links),
        commit.chain,
        *save_one_arguments(change.collection, rows),
    ]


async def view_records(
    connection: Connection,
    seal: DocumentSeal,
    scope_id: UUID,
    client_id: int,
    asked: Sequence[AskedRecord],
    *,
    after_seq: int,
) -> Mapping[bytes, RecordState]:
    ids = [UUID(bytes=one.record_id) for one in asked]
    first_clocks, end_clocks = [one.first_clock for one in asked], [one.end_clock for one in asked]
    rows = await connection.fetch(queries.view_records, scope_id, ids, client_id, after_seq, first_clocks, end_clocks)
    return {row["record_id"].bytes: record_state(row, seal) for row in rows}


def record_state(row: Any, seal: DocumentSeal) -> RecordState:
    doc = seal.open(row["record_id"].bytes, row["digest"], row["doc"])
    record = StoredRecord(row["collection"], row["seq"], doc, as_digest(row["digest"]))
    dead = {
        clock: RefusedOp(dead_hash, None if code is None else opened_refusal(clock, code, field, message, seal))
        for clock, dead_hash, code, field, message in row["dead"] or ()
    }
    return RecordState(record, dead)


def opened_refusal(clock: int, code: Any, field: bytes | None, message: bytes | None, seal: DocumentSeal) -> Refusal:
    opened_field, opened_message = seal.open_name(field, REFUSAL_FIELD), seal.open_name(message, REFUSAL_MESSAGE)
    return Refusal(clock, code, opened_field or "", opened_message or "")


def refusal_columns(refusal: Refusal | None, seal: DocumentSeal) -> tuple[str | None, bytes | None, bytes | None]:
    if refusal is None:
        return None, None, None
    field, message = seal.seal_name(refusal.field, REFUSAL_FIELD), seal.seal_name(refusal.message, REFUSAL_MESSAGE)
    return refusal.code, field, message


def scope_state(row: Any, access: Access | None) -> ScopeState:
    return ScopeState(access, row["seq"], as_digest(row["digest"]), row["record_count"], row["chain"])


@contextmanager
def unstorable() -> Iterator[None]:
    """Tell a commit that Postgres will never take from an outage that passes."""
    try:
        yield
    except UNSTORABLE as error:
        raise UnstorableBatch(f"{type(error).__name__}: {error}") from error
