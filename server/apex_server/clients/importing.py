"""Bulk import of athletes: every row judged alone, every problem named by row and field, and nothing else stopped.

A row becomes an invite with a draft of profile and file. Problems name a row and a column and repeat no value; of a row
that became an invite the answer repeats the name. It is JSON and runs nowhere: whoever writes a table of it guards the
cells, as every CSV file of the SDK does (`apex_sync.csv_cells`).
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from apex_server.clients.payloads import ImportProblem
from apex_server.errors import InvalidFields
from apex_server.invite_drafts import InviteDraft, problems_of
from apex_server.people import normalise_email

__all__ = ["IMPORT_ROWS_MAX", "JudgedRow", "judged", "rows_of"]

IMPORT_ROWS_MAX = 10_000
"""Judged in about a second; nobody coaches more people."""

PROBLEMS_OF_ROW_MAX = 10
CELL_LENGTH_MAX = 10_000
"""The longest note that a record takes."""

_WORDS = ("phone", "date_of_birth", "gender", "nutrition_habits", "volume_tolerance", "recovery_status", "load_unit")
_NUMBERS = ("training_age_years", "target_weight_kg", "height_cm")
_WHOLES = ("training_days_per_week", "session_duration_minutes", "check_in_day_number")
_LISTS = ("goals", "weak_points", "equipment")
_PROFILE = frozenset((*_WORDS, *_NUMBERS, *_WHOLES, *_LISTS))
_FILE = frozenset(("status", "subscription_tier", "tags", "notes"))
_KNOWN = frozenset(("name", "email", *_PROFILE, *_FILE))


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
    try:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), restkey="", strict=True)
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        return [row for _, row in zip(range(IMPORT_ROWS_MAX + 1), reader, strict=False)]
    except csv.Error as error:
        raise InvalidFields.one("csv", "Expected a CSV file with a line of column names") from error


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
        for name in cells.keys() - _KNOWN:
            found.add(str(name)[:40], "is no column of an import")
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
    if field in _LISTS or field == "tags":
        if isinstance(value, list):
            return value
        typed = _text(value, field, found)
        return [part.strip() for part in (typed or "").split(";") if part.strip()]
    if (field in _NUMBERS or field in _WHOLES) and isinstance(value, str):
        try:
            return float(value.replace(",", ".")) if field in _NUMBERS else int(value)
        except ValueError:
            found.add(field, "Expected a number")
            return None
    return value if field in _NUMBERS or field in _WHOLES else _text(value, field, found)


def _text(value: Any, field: str, found: _Found) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > CELL_LENGTH_MAX or "\0" in value:
        found.add(field, f"Expected text of at most {CELL_LENGTH_MAX} characters")
        return None
    return value.strip() or None
