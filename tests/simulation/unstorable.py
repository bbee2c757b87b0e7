"""What Postgres would refuse of a commit: the same content is refused in memory, so that a simulation meets it too."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, defstruct

from apex_server.sync.projection_tables import TABLES, Table
from apex_server.sync.store import Commit, RecordChange, Row
from tests.simulation.memory_database import ScopeContent

COLUMN_TYPES: dict[str, Any] = {
    "text": str,
    "sealed": str,
    "bigint": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)],
    "integer": Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)],
    "double precision": float,
    "boolean": bool,
    "date": date,
    "timestamp": Annotated[datetime, Meta(tz=False)],
}
"""What each type of column takes, beside null."""


def rows_type(table: Table) -> type[Struct]:
    """Make the type of all rows of a table for one record; the key is never null.

    A Struct, because msgspec would look into any other type anew for each record.
    """
    columns = [
        COLUMN_TYPES[column.kind] if column.name == table.key else COLUMN_TYPES[column.kind] | None
        for column in table.columns
    ]
    return defstruct(table.name, [("rows", list[tuple[tuple(columns)]])])  # type: ignore[misc]


ROWS_TYPES = {table.name: rows_type(table) for table in TABLES.values()}


def refusal_of(content: ScopeContent, commit: Commit) -> str | None:
    """Say why a commit can't be stored over this content; None: it can."""
    return next(reasons(content, commit), None)


def reasons(content: ScopeContent, commit: Commit) -> Iterator[str]:
    """Say what is wrong with a commit."""
    seen = set()
    for change in commit.changes:
        if change.record_id in seen or (change.before is None and change.record_id in content.records):
            yield "a record that is there already"
        seen.add(change.record_id)
        if len({span.client_id for span in change.spans}) < len(change.spans):
            yield "two spans of one client"
        if not is_text(change.collection):
            yield "a collection that is no text"
        yield from bad_refusals(change)
        for name, rows in change.rows.items():
            yield from bad_rows(TABLES[name], rows)


def bad_refusals(change: RecordChange) -> Iterator[str]:
    """Find texts of refusals that can't be kept."""
    for _, _, op in change.dead:
        if op.refusal is not None and not (is_sealable(op.refusal.field) and is_sealable(op.refusal.message)):
            yield "a refusal that is no text"


def bad_rows(table: Table, rows: Sequence[Row]) -> Iterator[str]:
    """Find rows that their table would not take."""
    try:
        msgspec.convert({"rows": rows}, ROWS_TYPES[table.name])
    except msgspec.ValidationError as error:
        yield f"{table.name}: {error}"
    texts = "".join([value for row in rows for value in row if value.__class__ is str])
    if not is_text(texts):
        yield f"{table.name}: text that is none"
    if len({row[0] if table.key is not None else None for row in rows}) < len(rows):
        yield f"{table.name}: two rows with one key"


def is_sealable(text: str) -> bool:
    """Tell whether a text is Unicode; sealed, it may hold NUL."""
    return is_text(text.replace("\0", ""))


def is_text(value: Any) -> bool:
    """Tell whether a value is text as Postgres keeps it: Unicode without NUL."""
    if value.__class__ is not str or "\0" in value:
        return False
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
