"""The rows of a CSV text with their physical line numbers, however badly it is quoted.

`csv` alone loses rows silently: a quote that is opened and never closed swallows every row up to the next quote. Here a
record that swallowed whole rows is read again line by line, and the row that lost its quote is marked as damaged.
"""

import csv
import io
from collections.abc import Callable, Iterator
from typing import NamedTuple

CUT = "the file ends in the middle of this row"
OPEN_QUOTE = "a quote opens in this row and is never closed"


OVERLONG = "a row longer than any"
LINE_CHARACTERS_MAX = 1_000_000
"""A row has two notes of 10,000 characters at most; a line far beyond that would only fill the memory."""

FIELD_CHARACTERS_MAX = 131_072
"""More than any note. It is csv's own bound, too, unless something else in this process has raised that."""


class Record(NamedTuple):
    """One row, the line on which it begins, and why it cannot be trusted, if so."""

    line: int
    cells: list[str]
    damage: str | None = None


class RowShape(NamedTuple):
    """How many cells a row has, and whether that many cells of a single line are a row."""

    width: int
    is_row: Callable[[list[str]], bool]


def read_records(text: str, delimiter: str, shape: RowShape | None = None) -> Iterator[Record]:
    """Give the rows of a text, blank lines left out.

    Without the shape of its rows, those that lost a quote are not looked for.
    """
    previous: Record | None = None
    usual_width = shape.width if shape else None
    for record in _records(_Lines(text), delimiter, shape):
        if previous is not None:
            yield previous
            usual_width = usual_width if previous.damage else len(previous.cells)
        previous = record
    if previous is not None:
        yield _mark_cut(previous, text, usual_width)


class _Lines:
    """Hands physical lines to `csv`, remembers those of the current record and takes them back."""

    def __init__(self, text: str) -> None:
        self.lines = iter(io.StringIO(text, newline=""))
        self.returned: list[str] = []
        self.taken: list[str] = []
        self.count = 0
        self.overlong = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self.returned.pop() if self.returned else next(self.lines)
        if len(line) > LINE_CHARACTERS_MAX:
            line, self.overlong = line[:200], True
        self.taken.append(line)
        self.count += 1
        return line

    def give_back_all_but_first(self) -> str:
        first, *rest = self.taken
        self.returned.extend(reversed(rest))
        self.count -= len(rest)
        return first


def _records(lines: _Lines, delimiter: str, shape: RowShape | None) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        lines.taken.clear()
        try:
            cells: list[str] | None = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = None
        if cells and max(map(len, cells)) > FIELD_CHARACTERS_MAX:
            cells = None
        if damage := _damage(lines, cells, delimiter, shape):
            first = lines.give_back_all_but_first()
            reader = csv.reader(lines, delimiter=delimiter)
            yield Record(lines.count, first[:LINE_CHARACTERS_MAX].strip("\r\n").split(delimiter), damage)
        elif cells:
            yield Record(lines.count - len(lines.taken) + 1, cells)


def _damage(lines: _Lines, cells: list[str] | None, delimiter: str, shape: RowShape | None) -> str | None:
    """Say why the first line of a record cannot be trusted, if so; the lines after it are then read again.

    `cells` is None for a field beyond FIELD_CHARACTERS_MAX.
    """
    if lines.overlong or (cells is None and len(lines.taken) == 1):
        lines.overlong = False
        return OVERLONG
    if cells is None or (shape and len(lines.taken) > 1 and _swallowed_rows(lines.taken, delimiter, shape)):
        return OPEN_QUOTE
    return None


def _swallowed_rows(taken: list[str], delimiter: str, shape: RowShape) -> bool:
    """Whether one of the lines after the first is a whole row: it vanished in a field that never closed."""
    rows = (next(csv.reader([line], delimiter=delimiter), []) for line in taken[1:])
    return any(len(cells) == shape.width and shape.is_row(cells) for cells in rows)


def _mark_cut(record: Record, text: str, usual_width: int | None) -> Record:
    """Mark the last row as cut when it is narrower than the row before it and does not end like a row.

    A line break at the end of the text that belongs to the last cell stands within quotes that nothing closes.
    """
    ends_like_a_row = text.endswith(("\n", "\r")) and not record.cells[-1].endswith(("\n", "\r"))
    if record.damage or ends_like_a_row or usual_width is None or len(record.cells) >= usual_width:
        return record
    return record._replace(damage=CUT)
