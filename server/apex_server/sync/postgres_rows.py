"""The way into Postgres's tables: rows in binary COPY, or through a temporary table where COPY is not allowed."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from apex_server.db import Connection
from apex_server.sync.chaining import spans_in_order
from apex_server.sync.copy_rows import COPY_HEADER, COPY_TRAILER, RecurringRowPacker, RowPacker
from apex_server.sync.projection_tables import TABLES, Table
from apex_server.sync.store import Commit, RowsByTable
from apex_sync.digest import digest_bytes

__all__ = [
    "Encoded",
    "PackedRows",
    "TableWriter",
    "as_datetime",
    "as_digest",
    "audit_rows",
    "pack_projections",
    "record_rows",
]

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CHUNK_BYTES = 256 * 1024
"""Rows are joined to pieces of about this size, each worth a write to the socket."""

PackedRows = Mapping[str, bytes]
"""Packed projection rows by table."""


class Encoded(NamedTuple):
    """A change as it goes into the tables: its projection rows packed, its document sealed."""

    rows: PackedRows
    doc: bytes


RECORDS_COLUMNS = (
    "scope_id", "record_id", "seq", "collection", "doc", "digest", "needs_review", "has_conflicts", "deleted",
    "is_long",
)  # fmt: skip
AUDIT_COLUMNS = (
    "scope_id", "seq", "client_id", "record_id", "previous_seq", "first_clock", "next_clock", "user_id", "device_id",
    "committed_at", "link",
)  # fmt: skip
RECORDS_PACKER = RowPacker(
    ["uuid", "bigint", "text", "bytea", "bytea", "boolean", "boolean", "boolean", "boolean"], shared=["uuid"]
)
AUDIT_PACKER = RowPacker(
    ["bigint", "bigint", "uuid", "bigint", "bigint", "bigint", "uuid", "uuid", "timestamptz", "bytea"], shared=["uuid"]
)


def packer_of(table: Table) -> RowPacker:
    """Make what packs the projection rows of one table."""
    kinds = [column.type for column in table.columns]
    if table.own is None:
        return RowPacker(kinds, shared=["uuid", "uuid"])
    return RecurringRowPacker(kinds, shared=["uuid", "uuid"], own=table.own)


PROJECTION_PACKERS = {table.name: packer_of(table) for table in TABLES.values()}


class TableWriter:
    """Writes and deletes rows on one connection, inside its transaction."""

    def __init__(self, connection: Connection, *, may_copy: bool) -> None:
        self._connection = connection
        self._may_copy = may_copy

    async def write_records(self, packed: Iterable[bytes]) -> None:
        """Add rows of `records`, as `record_rows` packs them."""
        await self._write("records", RECORDS_COLUMNS, packed)

    async def write_audit(self, packed: Iterable[bytes]) -> None:
        """Add rows of `audit`, as `audit_rows` packs them."""
        await self._write("audit", AUDIT_COLUMNS, packed)

    async def write_projections(self, packed: Sequence[PackedRows]) -> None:
        """Add projection rows of many records."""
        for table in TABLES.values():
            rows = [part[table.name] for part in packed if part.get(table.name)]
            if rows:
                columns = ("scope_id", "record_id", *(column.name for column in table.columns))
                await self._write(table.name, columns, rows)

    async def delete(self, scope_id: UUID, record_ids: Sequence[UUID], collections: set[str]) -> None:
        """Delete records of these collections with all their projection rows."""
        names = [table.name for table in TABLES.values() if table.collection in collections]
        for name in ("records", *names):
            # The names are our own; every value is a parameter.
            statement = f"DELETE FROM {name} WHERE scope_id = $1 AND record_id = ANY($2::uuid[])"  # noqa: S608
            await self._connection.execute(statement, scope_id, record_ids)

    async def delete_projections(self, scope_id: UUID, keep: Sequence[UUID] = ()) -> None:
        """Delete the projection rows of a scope, but for those of some records."""
        for name in TABLES:
            statement = f"DELETE FROM {name} WHERE scope_id = $1 AND record_id <> ALL($2::uuid[])"  # noqa: S608 - as above.
            await self._connection.execute(statement, scope_id, keep)

    async def _write(self, table: str, columns: Sequence[str], packed: Iterable[bytes]) -> None:
        if self._may_copy:
            await self._copy(table, columns, packed)
            return
        names = ", ".join(columns)
        copied = f"copied_{table}"
        # The names are our own; there are no values.
        await self._connection.execute(
            f"CREATE TEMPORARY TABLE {copied} ON COMMIT DROP AS SELECT {names} FROM {table} WITH NO DATA"  # noqa: S608
        )
        await self._copy(copied, columns, packed)
        await self._connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {copied}")  # noqa: S608

    async def _copy(self, table: str, columns: Sequence[str], packed: Iterable[bytes]) -> None:
        await self._connection.copy_to_table(table, source=as_stream(packed), columns=columns, format="binary")


async def as_stream(packed: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Join rows into pieces that are worth a write each."""
    pieces, size = [COPY_HEADER], 0
    for piece in packed:
        pieces.append(piece)
        size += len(piece)
        if size >= CHUNK_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join((*pieces, COPY_TRAILER))


def pack_projections(scope_id: bytes, record_id: bytes, rows: RowsByTable) -> PackedRows:
    """Pack the projection rows of one record."""
    shared = RECORDS_PACKER.share(scope_id) + RECORDS_PACKER.share(record_id)
    return {table: PROJECTION_PACKERS[table].pack(shared, table_rows) for table, table_rows in rows.items()}


def record_rows(scope_id: UUID, commit: Commit) -> Iterator[bytes]:
    """Pack the sealed documents of a commit, each at its seq."""
    shared = RECORDS_PACKER.share(scope_id.bytes)
    for seq, change in enumerate(commit.changes, commit.before.seq + 1):
        row = (
            change.record_id,
            seq,
            change.collection,
            change.encoded.doc,
            digest_bytes(change.digest),
            change.needs_review,
            change.has_conflicts,
            change.deleted,
            change.is_long,
        )
        yield RECORDS_PACKER.pack(shared, [row])


def audit_rows(scope_id: UUID, commit: Commit) -> Iterator[bytes]:
    """Pack who added what, a row for each author of each change."""
    shared = AUDIT_PACKER.share(scope_id.bytes)
    user_id, device_id = as_bytes(commit.writer.user_id), as_bytes(commit.writer.device_id)
    at = as_datetime(commit.at_us)
    links = iter(commit.links)
    for seq, change in enumerate(commit.changes, commit.before.seq + 1):
        previous_seq = change.before.seq if change.before is not None else 0
        rows = [
            (seq, client_id, change.record_id, previous_seq, first, following, user_id, device_id, at, next(links))
            for client_id, first, following in spans_in_order(change)
        ]
        yield AUDIT_PACKER.pack(shared, rows)


def as_bytes(identifier: UUID | None) -> bytes | None:
    return None if identifier is None else identifier.bytes


def as_datetime(at_us: int) -> datetime:
    """Read microseconds since the Unix epoch."""
    return UNIX_EPOCH + timedelta(microseconds=at_us)


def as_digest(stored: bytes | None) -> int:
    """Read a digest as it is stored; nothing is the digest of nothing."""
    return int.from_bytes(stored or b"", "big")
