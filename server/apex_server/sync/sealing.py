"""Documents as they stand in Postgres: sealed with the data key of the person they are about.

What is about an athlete, their coach's private remarks and the messages of the two among it, is sealed with the
athlete's key; templates and the library of a coach with the coach's; the built-in library is nobody's and stands plain.
A document opens only as the record, in the scope, and with the content digest that it was sealed for: an older one in
the place of a newer one is as damaged as one of which a bit has flipped.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog

from apex_server.db import Connection
from apex_server.sync.projection_tables import TABLES
from apex_server.sync.store import DAMAGED, Row, RowsByTable
from apex_server.vault import SEAL_OVERHEAD_BYTES, KeyDestroyed, SealBroken, UserKey, Vault
from apex_sync.ids import SCOPES_REMEMBERED_MAX, Scope

__all__ = [
    "EXERCISE_NAME",
    "DocumentSeal",
    "open_documents",
    "overhead_of",
    "person_of",
    "seal_of_scope",
    "seals_of_scopes",
]


SEALED = {table.name: table.sealed for table in TABLES.values()}

EXERCISE_NAME = "logged_exercises.name"
"""The place that the names of logged exercises are sealed for."""

NAMES_MAX = 4096
"""Different names in one commit of which the sealed form is remembered; about 1 MB."""

_log = structlog.get_logger(__name__)


@lru_cache(maxsize=SCOPES_REMEMBERED_MAX)
def person_of(scope: str) -> UUID | None:
    """Give the person whose key a scope's documents are sealed with; None for the global library."""
    parsed = Scope.parse(scope)
    about = parsed.about_id or parsed.owner_id
    return UUID(about) if about else None


def overhead_of(scope: str) -> int:
    """Tell by how many bytes a document of this scope is longer in Postgres than it is."""
    return 0 if person_of(scope) is None else SEAL_OVERHEAD_BYTES


class DocumentSeal:
    """What seals and opens the documents of one scope; without a key they stand as they are."""

    __slots__ = ("_key", "_names", "_place", "scope")

    def __init__(self, scope: str, key: UserKey | None) -> None:
        if key is None and person_of(scope) is not None:
            raise ValueError("only the documents of the global library stand plain")
        self.scope = scope
        self._key = key
        self._names: dict[tuple[str, str], bytes] = {}
        self._place = f"records.doc {Scope.parse(scope).id.hex}/"

    def seal(self, record_id: bytes, digest: bytes, doc: bytes) -> bytes:
        """Seal a document as this record of the scope, with this content."""
        return doc if self._key is None else self._key.seal(doc, what=self._what(record_id, digest))

    def open(self, record_id: bytes, digest: bytes, sealed: bytes) -> bytes:
        """Open the document of a record; DAMAGED where it does not open, which is logged."""
        if self._key is None:
            return sealed
        try:
            return self._key.open(sealed, what=self._what(record_id, digest))
        except SealBroken:
            _log.error("document_damaged", scope=self.scope, record_id=str(UUID(bytes=record_id)))
            return DAMAGED

    def sealed_anew(self, record_id: bytes, digest: bytes, sealed: bytes) -> bytes | None:
        """Seal the document of a record with the present key; None where it is already. Raises SealBroken."""
        return None if self._key is None else self._key.sealed_anew(sealed, what=self._what(record_id, digest))

    def name_sealed_anew(self, sealed: bytes, what: str) -> bytes | None:
        """Seal a name in a column with the present key; None where it is already. Raises SealBroken."""
        return None if self._key is None else self._key.sealed_anew(sealed, what=what)

    def seal_name(self, name: str, what: str) -> bytes:
        """Seal a name for a column, as often as it occurs in one commit but once."""
        if self._key is None:
            return name.encode()
        known = self._names.get((what, name))
        if known is None:
            if len(self._names) >= NAMES_MAX:
                self._names.clear()
            known = self._names[what, name] = self._key.seal_alike(name, what=what)
        return known

    def open_name(self, sealed: bytes | None, what: str) -> str | None:
        """Open a name out of a column. Raises SealBroken."""
        if sealed is None:
            return None
        return sealed.decode() if self._key is None else self._key.open_alike(sealed, what=what)

    def seal_rows(self, rows: RowsByTable) -> RowsByTable:
        """Seal the columns of projection rows that are to be sealed."""
        return {table: self._sealed(SEALED[table], of_table) for table, of_table in rows.items()}

    def open_row(self, table: str, row: Row) -> Row:
        """Open the sealed columns of one projection row. Raises SealBroken."""
        values = list(row)
        for place, what in SEALED[table]:
            values[place] = self.open_name(values[place], what)
        return tuple(values)

    def _what(self, record_id: bytes, digest: bytes) -> str:
        return f"{self._place}{record_id.hex()} {digest.hex()}"

    def _sealed(self, places: Sequence[tuple[int, str]], rows: Sequence[Row]) -> Sequence[Row]:
        if not places:
            return rows
        sealed = []
        for row in rows:
            values = list(row)
            for place, what in places:
                name = values[place]
                values[place] = None if name is None else self.seal_name(name, what)
            sealed.append(tuple(values))
        return sealed


async def seal_of_scope(connection: Connection, vault: Vault, scope: str) -> DocumentSeal:
    """Give what opens the documents of a scope. Raises KeyDestroyed, MasterKeyMissing."""
    person = person_of(scope)
    return DocumentSeal(scope, None if person is None else await vault.user_key(connection, person))


async def seals_of_scopes(connection: Connection, vault: Vault, scopes: Iterable[str]) -> dict[str, DocumentSeal]:
    """Give what opens the documents of several scopes; one whose person has no key any more is missing."""
    persons = {scope: person_of(scope) for scope in set(scopes)}
    known = [person for person in persons.values() if person is not None]
    keys = await vault.user_keys(connection, known) if known else {}
    return {
        scope: DocumentSeal(scope, None if person is None else keys[person])
        for scope, person in persons.items()
        if person is None or person in keys
    }


async def open_documents(
    connection: Connection, vault: Vault, rows: Sequence[Any], scope: str | None = None
) -> list[bytes]:
    """Open the documents of rows with `record_id`, `digest`, `doc`, and `scope` where it is not one for all.

    One that does not open is DAMAGED. Raises KeyDestroyed, MasterKeyMissing.
    """
    seals = await seals_of_scopes(connection, vault, [row["scope"] for row in rows] if scope is None else [scope])
    opened = []
    for row in rows:
        name = row["scope"] if scope is None else scope
        if name not in seals:
            raise KeyDestroyed(person_of(name) or UUID(int=0))
        opened.append(seals[name].open(row["record_id"].bytes, row["digest"], row["doc"]))
    return opened
