"""CSV that a spreadsheet shows and never runs.

A cell that begins like a formula is one to Excel, LibreOffice and Google Sheets, quoted or not, and a formula can send
the sheet somewhere or start a program. A title comes from whoever wrote it: a coach, an import, a device that was
tampered with. So such a cell gets an apostrophe before it, which spreadsheets hide; reading takes it away again.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from typing import IO, Any

__all__ = ["guarded", "unguarded", "write_rows"]

DANGEROUS = re.compile(r"'*[\s\x00]*[=+\-@\t\r|%＝＋－＠]")  # noqa: RUF001 - wide forms count to spreadsheets of East Asia.
"""What a formula begins with, behind apostrophes and blanks that a sheet may drop; `|` and `%` begin DDE calls."""


def guarded(value: Any) -> Any:
    """Give a value as it is written into a cell; numbers stay numbers, `-5` among them.

    >>> guarded("=1+1"), guarded("Bench Press"), guarded(-5), guarded("'=1")
    ("'=1+1", 'Bench Press', -5, "''=1")
    """
    return f"'{value}" if isinstance(value, str) and DANGEROUS.match(value) else value


def unguarded(cell: str) -> str:
    """Give back what was guarded; any other cell is what it is.

    >>> unguarded("'=1+1"), unguarded("'bench"), unguarded(str(guarded("''@x")))
    ('=1+1', "'bench", "''@x")
    """
    return cell[1:] if cell.startswith("'") and DANGEROUS.match(cell) else cell


def write_rows(file: IO[str], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows with a header, where there is a row; gives their number."""
    writer, count = csv.writer(file, lineterminator="\n"), 0
    for row in rows:
        if not count:
            writer.writerow(map(guarded, row))
        writer.writerow(map(guarded, row.values()))
        count += 1
    return count
