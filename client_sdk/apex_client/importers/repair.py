"""Rows that do not have the shape of their file: too wide, too narrow, quoted whole, or short of a closing quote.

A reading of such a row is taken only when every cell then looks like its column; else the row is skipped with a reason.
"""

import csv

from apex_client.importers.layouts import TEXT_MEANINGS, Layout, looks_like
from apex_client.importers.records import OPEN_QUOTE, Record

HEADER_AGAIN = "the header row again"
EMPTY_ROW = "an empty row"


def repaired_cells(record: Record, layout: Layout) -> tuple[list[str] | None, str]:
    """Give a row's cells and a remark, if one is due; or None and why to skip it."""
    cells = _split_again(record.cells, layout)
    if cells == layout.header:
        return None, HEADER_AGAIN
    if not any(map(str.strip, cells)):
        return None, EMPTY_ROW
    if record.damage == OPEN_QUOTE:
        mended = _mended([cell.strip('"') for cell in cells], layout)
        return mended, OPEN_QUOTE
    if record.damage:
        return None, record.damage
    if len(cells) <= layout.width:
        return cells + [""] * (layout.width - len(cells)), ""
    return _narrowed(cells, layout)


def _split_again(cells: list[str], layout: Layout) -> list[str]:
    """Undo the quoting of a whole row as one cell, which some spreadsheets do on saving."""
    if len(cells) > 1 or layout.delimiter not in cells[0]:
        return cells
    try:
        return next(csv.reader(cells, delimiter=layout.delimiter))
    except csv.Error:
        return cells


def _narrowed(cells: list[str], layout: Layout) -> tuple[list[str] | None, str]:
    """Bring a row that is too wide to its width by joining a text that was split.

    Empty cells at its end are not simply cut off: `82,5` without quotes leaves one, with every number one column off.
    """
    remark = f"{len(cells)} fields, {layout.width} are expected"
    if mended := _mended(cells, layout):
        return mended, f"{remark}: a text with {layout.delimiter!r} was put together"
    return None, remark


def _mended(cells: list[str], layout: Layout) -> list[str] | None:
    """Put together a text cell that an unquoted delimiter has split, or None where no such reading fits the row.

    The exercise name is tried first: FitNotes writes names with commas unquoted.
    """
    surplus = len(cells) - layout.width
    if surplus < 0:
        cells, surplus = cells + [""] * -surplus, 0
    candidates = [column for column in layout.columns if column.meaning in TEXT_MEANINGS]
    for column in sorted(candidates, key=lambda column: column.meaning != "exercise"):
        end = column.place + surplus + 1
        if not all(any(map(str.isalpha, part)) for part in cells[column.place + 1 : end]):
            # A part without a letter is rather a number with a decimal comma.
            continue
        mended = [*cells[: column.place], layout.delimiter.join(cells[column.place : end]), *cells[end:]]
        if _fits(mended, layout):
            return mended
    return None


def _fits(cells: list[str], layout: Layout) -> bool:
    return all(looks_like(cells[column.place], column.meaning) for column in layout.columns)
