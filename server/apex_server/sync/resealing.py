"""Sealing what a scope holds with the present key of its person, after that key was renewed.

What is sealed with the present key already is left alone, so it can be stopped anywhere and begun again. Each piece is
a transaction of its own that holds the scope, as a commit does: what is being written comes before it or after it.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from apex_server.db import Connection, Database, load_queries
from apex_server.sync.document_pages import FIRST_ID, documents_after
from apex_server.sync.projection_tables import TABLES
from apex_server.sync.sealing import DocumentSeal, seal_of_scope
from apex_server.vault import SealBroken

__all__ = ["Resealed", "seal_scope_anew", "sealed_anew"]

queries = load_queries(__package__)

NAMES_AT_ONCE = 500
"""Different names; each may stand in as many rows as its exercise was done."""

SEALED_ALIKE = (
    ("dead_ops", "field"),
    ("dead_ops", "message"),
    *((table.name, place.partition(".")[2]) for table in TABLES.values() for _, place in table.sealed),
)
"""Tables and columns of texts that are sealed so that equal ones look alike."""

_log = structlog.get_logger(__name__)


class Resealed(NamedTuple):
    """How many values were sealed anew, and how many open with none of the keys."""

    anew: int = 0
    broken: int = 0

    def plus(self, other: "Resealed") -> "Resealed":
        """Add another count."""
        return Resealed(self.anew + other.anew, self.broken + other.broken)


async def seal_scope_anew(database: Database, scope: str, scope_id: UUID) -> Resealed:
    """Seal everything of one scope with the present key of its person. Raises KeyDestroyed, DatabaseUnavailable."""
    found = await _seal_documents_anew(database, scope, scope_id)
    for table, column in SEALED_ALIKE:
        found = found.plus(await _seal_names_anew(database, scope, scope_id, table, column))
    return found


def sealed_anew(
    where: str, values: Iterable[tuple[Any, bytes]], anew: Callable[[Any, bytes], bytes | None]
) -> tuple[list[tuple[Any, bytes, bytes]], Resealed]:
    """Seal values anew: gives of those that had to be what they are known by, the old value, and the new one.

    One that does not open is logged and left as it is.
    """
    changed, broken = [], 0
    for known_by, sealed in values:
        try:
            fresh = anew(known_by, sealed)
        except SealBroken:
            _log.error("value_damaged", where=where)
            broken += 1
            continue
        if fresh is not None:
            changed.append((known_by, sealed, fresh))
    return changed, Resealed(len(changed), broken)


async def _seal_documents_anew(database: Database, scope: str, scope_id: UUID) -> Resealed:
    found, last = Resealed(), FIRST_ID
    while True:
        async with database.commit_connection() as connection, connection.transaction():
            seal = await _held(connection, database, scope, scope_id)
            rows = await documents_after(connection, scope_id, last)
            if not rows:
                return found
            changed, some = sealed_anew(scope, [(row, row["doc"]) for row in rows], partial(_document_anew, seal))
            await connection.executemany(
                queries.put_document, [(scope_id, row["record_id"], new) for row, _, new in changed]
            )
        found, last = found.plus(some), rows[-1]["record_id"]


async def _seal_names_anew(database: Database, scope: str, scope_id: UUID, table: str, column: str) -> Resealed:
    # The names are those of our own tables; a query of each would say the same nine times.
    listed = (
        f"SELECT DISTINCT {column} FROM {table} "  # noqa: S608
        f"WHERE scope_id = $1 AND {column} > $2 ORDER BY {column} LIMIT $3"
    )
    put = (
        f"UPDATE {table} SET {column} = renewed.new FROM unnest($2::bytea[], $3::bytea[]) AS renewed (old, new) "  # noqa: S608
        f"WHERE scope_id = $1 AND {column} = renewed.old"
    )
    found, last = Resealed(), b""
    while True:
        async with database.commit_connection() as connection, connection.transaction():
            seal = await _held(connection, database, scope, scope_id)
            names = [row[0] for row in await connection.fetch(listed, scope_id, last, NAMES_AT_ONCE)]
            if not names:
                return found
            place = f"{table}.{column}"
            anew = partial(_name_anew, seal)
            changed, some = sealed_anew(f"{scope} {place}", [(place, name) for name in names], anew)
            await connection.execute(put, scope_id, [old for _, old, _ in changed], [new for _, _, new in changed])
        found, last = found.plus(some), names[-1]


def _document_anew(seal: DocumentSeal, row: Any, doc: bytes) -> bytes | None:
    return seal.sealed_anew(row["record_id"].bytes, row["digest"], doc)


def _name_anew(seal: DocumentSeal, place: str, name: bytes) -> bytes | None:
    return seal.name_sealed_anew(name, place)


async def _held(connection: Connection, database: Database, scope: str, scope_id: UUID) -> DocumentSeal:
    """Hold the scope, and give its seal as it is now: the longer keys are held, the older they may be."""
    await connection.execute(queries.hold_scope, scope_id)
    return await seal_of_scope(connection, database.vault, scope)
