"""Which app wrote a file, told by its headers; where each column is and what it means.

A source declares its headers by meaning. Meanings are this project's words for columns; one may carry the unit that its
header states: `load:lb`. The delimiter is the one with which most headers are understood, never guessed from counts.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from msgspec import Struct

from apex_client.importers.errors import NotAnExport
from apex_client.importers.moments import read_moment
from apex_client.importers.records import Record, RowShape, read_records
from apex_client.importers.values import LOAD_UNITS, METRES, Unreadable, read_number, read_seconds

DELIMITERS = (",", ";", "\t", "|")
HEAD_CHARACTERS = 200_000
SAMPLE_ROWS = 5

TEXT_MEANINGS = frozenset({"exercise", "category", "title", "set_notes", "exercise_notes", "session_notes"})
NUMBER_MEANINGS = frozenset(
    {"load", "reps", "rpe", "distance", "incline", "resistance", "multiplier", "workout_number"}
)

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_PARENTHESES = re.compile(r"(.*?)\s*\((.*)\)")


class Source(Struct, frozen=True, kw_only=True):
    """One app's export.

    `headers` gives the meaning of a header in lower case; a unit in parentheses is taken off first. `known_orders` are
    whole header rows as meanings, by which a file without headers, or with headers in another language, is recognised.
    """

    name: str
    headers: Mapping[str, str]
    required: frozenset[str]
    by_day: bool = False
    """A session is all rows of a day: the file has no session start."""
    numbers_sets: bool = True
    escapes_line_breaks: bool = False
    known_orders: tuple[tuple[str, ...], ...] = ()


class Column(NamedTuple):
    """Where a meaning stands, and the unit its header states."""

    place: int
    meaning: str
    unit: str | None


class Layout(Struct, frozen=True, kw_only=True):
    """How to read one file; `header` is empty where the file has none."""

    source: Source
    delimiter: str
    header: list[str]
    columns: tuple[Column, ...]
    leading_rows: int
    """Rows before the first set: headers, or a spreadsheet's `sep=;`."""
    warnings: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many cells a row has."""
        return len(self.header) or max(column.place for column in self.columns) + 1

    @property
    def decimal_comma(self) -> bool:
        """Whether `1,000` is one: a semicolon stands where the comma is taken."""
        return self.delimiter == ";"

    def place(self, meaning: str) -> int | None:
        """Give the place of a meaning that stands once, or None."""
        return next((column.place for column in self.columns if column.meaning == meaning), None)

    def records(self, text: str) -> Iterator[Record]:
        """Give the rows that hold sets."""
        start = self.place("start") or 0
        shape = RowShape(self.width, lambda cells: looks_like(cells[start], "start"))
        return islice(read_records(text, self.delimiter, shape), self.leading_rows, None)


def recognise(text: str, sources: tuple[Source, ...]) -> Layout:
    """Find the source and layout of an export. Raises NotAnExport."""
    heads = {delimiter: _head(text, delimiter) for delimiter in DELIMITERS}
    found = [_by_header(head, delimiter, source) for delimiter, head in heads.items() for source in sources]
    if not any(found):
        found = [_by_shape(head, delimiter, source) for delimiter, head in heads.items() for source in sources]
    layouts = [layout for layout in found if layout]
    if not layouts:
        raise _not_an_export(heads)
    return max(layouts, key=lambda layout: len(layout.columns))


def _not_an_export(heads: dict[str, list[Record]]) -> NotAnExport:
    widest = max(heads.values(), key=lambda head: len(head[0].cells) if head else 0)
    headers = [cell[:60] for cell in widest[0].cells[:20]] if widest else []
    return NotAnExport(headers, "it is not text" if _CONTROL.search("".join(headers)) else "")


def _head(text: str, delimiter: str) -> list[Record]:
    return list(islice(read_records(text[:HEAD_CHARACTERS], delimiter), SAMPLE_ROWS + 2))


def _by_header(head: list[Record], delimiter: str, source: Source) -> Layout | None:
    preamble = 1 if head and head[0].cells[0].casefold().startswith("sep=") else 0
    header = head[preamble].cells if len(head) > preamble else []
    meanings = [_meaning(cell, source) for cell in header]
    named = {meaning.partition(":")[0] for meaning in meanings if meaning}
    if not source.required <= named and not _partly_understood(named, head[preamble + 1 :], source):
        return None
    completed = _complete(meanings, source)
    if not source.required <= {meaning.partition(":")[0] for meaning in completed if meaning}:
        return None
    unknown = [cell for cell, meaning in zip(header, completed, strict=True) if not meaning and cell.strip()]
    return Layout(
        source=source,
        delimiter=delimiter,
        header=header,
        columns=_columns(completed),
        leading_rows=preamble + 1,
        warnings=tuple(f"column {cell!r} is unknown and was left out" for cell in unknown),
    )


def _partly_understood(named: set[str], rows: list[Record], source: Source) -> bool:
    """Whether a header in a language that is not fully known stands over rows of a known shape."""
    return len(named) > 1 and any(_fits(order, rows) for order in source.known_orders)


def _complete(meanings: list[str | None], source: Source) -> list[str | None]:
    """Fill in what a translated header left open from a known order that agrees with all the rest."""
    for order in source.known_orders:
        if len(order) == len(meanings) and all(
            found is None or found.partition(":")[0] == known.partition(":")[0]
            for found, known in zip(meanings, order, strict=True)
        ):
            return [found or known for found, known in zip(meanings, order, strict=True)]
    return meanings


def _meaning(cell: str, source: Source) -> str | None:
    name = " ".join(unicodedata.normalize("NFKC", cell).casefold().replace("’", "'").split()).strip('"\ufeff')
    if name in source.headers:
        return source.headers[name]
    if (match := _PARENTHESES.fullmatch(name)) and match[1] in source.headers:
        return f"{source.headers[match[1]]}:{match[2].strip()}"
    return None


def _columns(meanings: list[str | None]) -> tuple[Column, ...]:
    parts = ((index, *(meaning or "").partition(":")) for index, meaning in enumerate(meanings))
    return tuple(Column(index, meaning, unit or None) for index, meaning, _, unit in parts if meaning)


def _by_shape(head: list[Record], delimiter: str, source: Source) -> Layout | None:
    """Recognise rows without a header, or under one in an unknown language, by what their cells look like."""
    for order in source.known_orders:
        for leading, warning in ((0, "no header row"), (1, "a header row in an unknown language")):
            if _fits(order, head[leading:]):
                return Layout(
                    source=source,
                    delimiter=delimiter,
                    header=head[0].cells if leading else [],
                    columns=_columns(list(order)),
                    leading_rows=leading,
                    warnings=(f"the file has {warning}; its columns were recognised by their contents",),
                )
    return None


def _fits(order: tuple[str, ...], rows: list[Record]) -> bool:
    sample = [row.cells for row in rows[:SAMPLE_ROWS] if not row.damage]
    return bool(sample) and all(
        len(cells) == len(order) and all(looks_like(cell, meaning) for cell, meaning in zip(cells, order, strict=True))
        for cells in sample
    )


def looks_like(cell: str, meaning: str) -> bool:
    """Whether a cell holds what its column promises; an empty one does where the column may be empty."""
    meaning = meaning.partition(":")[0]
    if meaning in ("start", "exercise", "set_number") and not cell.strip():
        return False
    if not cell.strip() or meaning in TEXT_MEANINGS:
        return True
    try:
        return _read_like(cell.strip(), meaning)
    except Unreadable:
        return False


def _read_like(cell: str, meaning: str) -> bool:
    """Raises Unreadable where a number, time or duration is due and is not there."""
    if meaning in ("start", "end"):
        read_moment(cell)
    elif meaning == "set_number":
        return cell.isdigit() or not any(map(str.isdigit, cell))
    elif meaning in ("duration", "seconds"):
        read_seconds(cell)
    elif meaning in ("load_unit", "distance_unit"):
        return cell.casefold().rstrip(".") in LOAD_UNITS | METRES
    elif meaning in NUMBER_MEANINGS:
        read_number(cell)
    return True
