"""Reading records: the fold of their documents, under the caller's own row-level security.

A record that is foreign, of another kind, deleted or absent is `NotFound` alike.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec

from apex_server.db import Connection, load_queries
from apex_server.errors import InvalidFields, NotFound
from apex_server.sync.errors import RecordDamaged
from apex_server.sync.sealing import open_documents
from apex_server.sync.store import DAMAGED
from apex_server.vault import Vault
from apex_sync.collection import Collection, Record
from apex_sync.document import Document
from apex_sync.errors import FieldProblem
from apex_sync.fold import Fold, fold
from apex_sync.ids import Scope
from apex_sync.op import Vector
from apex_sync.versions import fold_as_of
from apex_sync.wire import parse_document

__all__ = ["KnownRecord", "read_record", "read_records", "require_scope"]

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_queries = load_queries(__package__)


class KnownRecord:
    """One record as it stands, with everything that can be asked of its history."""

    def __init__(
        self, collection: Collection, scope: str, record_id: str, document: Document, synced_at: datetime | None = None
    ) -> None:
        self.collection = collection
        self.scope = scope
        self.id = record_id
        self.document = document
        self.synced_at = synced_at
        """When the server last took something in for it."""

    @property
    def version(self) -> Vector:
        """What its ETag stands for."""
        return self.document.next_clocks

    @cached_property
    def fold(self) -> Fold:
        """State and conflicts."""
        return fold(self.document.writes())

    @cached_property
    def _read(self) -> tuple[Record, list[FieldProblem]]:
        return typed(self.collection, self.fold.state)

    @property
    def record(self) -> Record:
        """The typed record."""
        return self._read[0]

    @property
    def problems(self) -> Sequence[FieldProblem]:
        """The bounds it breaks: why it needs review."""
        return self._read[1]

    @property
    def athlete_id(self) -> str | None:
        """Whose record it is, where it lies in an athlete's scope."""
        scope = Scope.parse(self.scope)
        return scope.owner_id if scope.kind == "athlete" else scope.about_id or None

    @property
    def created_at(self) -> str | None:
        """When it was made: as its maker says, else when its oldest write was stamped."""
        named = self.record.created_at
        if isinstance(named, str):
            return named
        oldest = min((write.hlc for write in self.document.writes()), default=None)
        return None if oldest is None else moment_of(oldest).isoformat()

    @property
    def updated_at(self) -> datetime | None:
        """When its newest write was made, by the clock of whoever made it."""
        return moment_of(self.fold.last_hlc) if self.fold.last_hlc else None

    def at(self, version: Vector) -> Record:
        """Give the record as a reader had it who knew this version."""
        known = (write for write in self.document.writes() if write.clock < version.get(write.client_id, 0))
        return typed(self.collection, fold(known).state)[0]

    def as_of(self, stamp: int) -> "KnownRecord":
        """Give the record as it stood when a write was made. Raises NoSuchVersion, VersionFolded."""
        past = KnownRecord(self.collection, self.scope, self.id, self.document, self.synced_at)
        past.fold = fold_as_of(self.document, stamp)
        return past


def typed(collection: Collection, state: dict[str, Any]) -> tuple[Record, list[FieldProblem]]:
    """Give the typed record of a state; one that no longer fits its types reads as empty, and needs review."""
    try:
        return collection.read(state)
    except msgspec.ValidationError as error:
        return collection.model(), [FieldProblem("", str(error))]


def moment_of(hlc: int) -> datetime:
    """Give the time of a stamp."""
    return UNIX_EPOCH + timedelta(microseconds=hlc)


async def read_record(
    connection: Connection,
    vault: Vault,
    collection: Collection,
    record_id: UUID,
    noun: str,
    *,
    deleted: bool = False,
    scopes: Sequence[str] = (),
) -> KnownRecord:
    """Read one record, of any scope or of certain ones; a deleted one only where that is asked for.

    Raises NotFound, RecordDamaged, and InvalidFields where several athletes have a record of this id.
    """
    places = [Scope.parse(scope).id for scope in scopes] or None
    rows = await connection.fetch(_queries.get_record, collection.name, record_id, places)
    if len(rows) > 1 and is_of_athlete(rows[0]) == is_of_athlete(rows[1]):
        raise InvalidFields.one("athlete_id", "Expected the athlete whose record it is: several have one of this id")
    row = rows[0] if rows else None
    if row is None or (row["deleted"] and not deleted):
        raise NotFound(noun)
    [doc] = await open_documents(connection, vault, [row])
    if doc == DAMAGED:
        raise RecordDamaged
    return known_record(collection, row, doc)


async def read_records(
    connection: Connection, vault: Vault, collection: Collection, places: Iterable[tuple[UUID, UUID]]
) -> list[KnownRecord]:
    """Read records by (scope id, record id), in that order; what has gone meanwhile, or is damaged, is left out."""
    wanted = list(places)
    rows = await connection.fetch(_queries.get_records, [place[0] for place in wanted], [place[1] for place in wanted])
    docs = await open_documents(connection, vault, rows)
    by_place = {
        (row["scope_id"], row["record_id"]): known_record(collection, row, doc)
        for row, doc in zip(rows, docs, strict=True)
        if doc != DAMAGED
    }
    return [by_place[place] for place in wanted if place in by_place]


async def require_scope(connection: Connection, user_id: UUID, scope: str, noun: str) -> str:
    """Give the caller's access to a scope. Raises NotFound for one that is not granted."""
    access: str | None = await connection.fetchval(_queries.get_scope_access, user_id, scope)
    if access is None:
        raise NotFound(noun)
    return access


def is_of_athlete(row: Any) -> bool:
    """Tell whether a row stands where an athlete may write."""
    return Scope.parse(row["scope"]).kind == "athlete"


def known_record(collection: Collection, row: Any, doc: bytes) -> KnownRecord:
    """Read a row of records, whose document is open."""
    return KnownRecord(collection, row["scope"], str(row["record_id"]), parse_document(doc), row["synced_at"])
