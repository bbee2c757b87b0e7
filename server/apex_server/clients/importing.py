"""Bulk import of athletes: every row judged alone, every problem named by row and field, and nothing else stopped.

A row becomes an invite with a draft of profile and file. Problems name a row and a column and repeat no value; of a row
that became an invite the answer repeats the name. It is JSON and runs nowhere: whoever writes a table of it guards the
cells, as every CSV file of the SDK does (`apex_sync.csv_cells`); what was guarded is read as what it was.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from apex_server.clients.payloads import ImportProblem
from apex_server.errors import FieldError, InvalidFields
from apex_server.invite_drafts import InviteDraft, problems_of
from apex_server.people import normalise_email
from apex_sync.coaching.client_columns import CLIENT_COLUMNS, unknown_column
from apex_sync.csv_cells import unguarded

__all__ = ["IMPORT_ROWS_MAX", "VALUES_MAX", "JudgedRow", "check_values", "judged", "rows_of"]

IMPORT_ROWS_MAX = 10_000
"""Judged in about a second; nobody coaches more people."""

PROBLEMS_OF_ROW_MAX = 10
CELL_LENGTH_MAX = 10_000
"""The longest note that a record takes."""

COLUMNS_MAX = 100
"""Several times as many as there are."""

VALUES_MAX = 500_000
"""Twice what the longest import has, all columns filled. A body of 8 MB can hold ten times that, at 80 bytes each."""

_KINDS = {column.name: column.kind for column in CLIENT_COLUMNS}
_PROFILE = frozenset(column.name for column in CLIENT_COLUMNS if column.part == "profile")
_FILE = frozenset(column.name for column in CLIENT_COLUMNS if column.part == "file")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class JudgedRow(NamedTuple):
    """A row of an import: to be made, unless it has problems."""

    number: int
    email: str | None
    draft: InviteDraft
    problems: list[ImportProblem]


class _Found(Struct):
    """What is wrong with one row so far."""

    row: int
    problems: list[ImportProblem]

    def add(self, field: str, message: str) -> None:
        if len(self.problems) < PROBLEMS_OF_ROW_MAX:
            self.problems.append(ImportProblem(self.row, field, message))


def rows_of(text: str) -> list[Mapping[str, Any]]:
    """Read a CSV file whose first line names the columns. Raises InvalidFields for what is none."""
    lines = (line[0] for line in _LINE.finditer(text.removeprefix("\ufeff")))
    try:
        reader = csv.DictReader(lines, restkey="", strict=True)
        reader.fieldnames = _column_names(reader.fieldnames or ())
        return [_plain(row) for _, row in zip(range(IMPORT_ROWS_MAX + 1), reader, strict=False)]
    except csv.Error as error:
        raise InvalidFields.one("csv", "Expected a CSV file with a line of column names") from error


def _plain(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: unguarded(cell) if isinstance(cell, str) else cell for name, cell in row.items()}


def _column_names(typed: Sequence[str]) -> list[str]:
    """Read the first line. Raises InvalidFields that names each column that there is not: once, and not in each row."""
    names = [name.strip().lower() for name in typed]
    if len(names) > COLUMNS_MAX:
        raise InvalidFields.one("csv", f"Expected at most {COLUMNS_MAX} columns")
    unknown = [FieldError(name[:40], unknown_column(name)) for name in names if name and name not in _KINDS]
    if unknown:
        raise InvalidFields(unknown)
    return names


def check_values(body: bytes) -> None:
    """Refuse a body with so many values that reading it would take far more memory than it has bytes.

    Commas and brackets are counted, in texts, too. Raises InvalidFields.
    """
    if body.count(b",") + body.count(b"[") + body.count(b"{") > VALUES_MAX:
        raise InvalidFields.one("rows", f"Expected at most {VALUES_MAX} values and commas")


def judged(rows: Sequence[Any]) -> Iterator[JudgedRow]:
    """Judge each row; the second of two with one address is told so. Rows count from 1, without the line of names."""
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        found = _Found(number, [])
        if not isinstance(row, Mapping):
            found.add("", "Expected an object")
            yield JudgedRow(number, None, InviteDraft(), found.problems)
            continue
        cells = {name: value for name, value in row.items() if value not in (None, "", [])}
        for name in cells.keys() - _KINDS.keys():
            found.add(str(name)[:40], unknown_column(str(name)[:40]) if name else "stands behind the last column")
        email = _email(cells.get("email"), found)
        if email is not None and email in seen:
            found.add("email", "stands in a row before")
        seen |= {email} if email else set()
        name = _text(cells.get("name"), "name", found)
        profile = {field: _cell(field, cells[field], found) for field in sorted(cells.keys() & _PROFILE)}
        file = {field: _cell(field, cells[field], found) for field in sorted(cells.keys() & _FILE)}
        if name is not None:
            profile["name"] = name
        draft = InviteDraft(name=name, profile=profile, file=file)
        for _, problem in [] if found.problems else problems_of(draft):
            found.add(problem.field, problem.message)
        yield JudgedRow(number, email, draft, found.problems)


def _email(value: Any, found: _Found) -> str | None:
    typed = _text(value, "email", found)
    if typed is None:
        return None
    try:
        return normalise_email(typed)
    except InvalidFields as error:
        found.add("email", error.errors[0].message)
        return None


def _cell(field: str, value: Any, found: _Found) -> Any:
    """Read a cell as its leaf has it: numbers may be written as text, lists with semicolons."""
    kind = _KINDS[field]
    if kind == "list":
        if isinstance(value, list):
            return value
        typed = _text(value, field, found)
        return [part.strip() for part in (typed or "").split(";") if part.strip()]
    if kind == "text":
        return _text(value, field, found)
    if isinstance(value, str):
        try:
            return float(value.replace(",", ".")) if kind == "number" else int(value)
        except ValueError:
            found.add(field, f"Expected a {kind}")
            return None
    return value


def _text(value: Any, field: str, found: _Found) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > CELL_LENGTH_MAX or "\0" in value:
        found.add(field, f"Expected text of at most {CELL_LENGTH_MAX} characters")
        return None
    return value.strip() or None
