"""What a terminal shows: tables and bars where there is one, plain lines in a pipe or a log.

Results go to `out()`, everything about them to `notes()` (the standard error). Rich honours NO_COLOR by itself.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

PIPE_WIDTH = 1000
"""Columns of a table that no terminal bounds: nothing is cut off on its way into a file."""

TEXT_WIDTH_MAX = 80
"""Columns of a text; longer lines are hard to read, in a file as on a wide screen."""

INDENT = "  "


@cache
def out() -> "Console":
    """Give where results go."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


@cache
def notes() -> "Console":
    """Give where everything goes that is not a result."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPE_WIDTH)


def said(line: str) -> None:
    """Say what was done; text of the person or the server is escaped by the caller."""
    notes().print(line)


def problem(line: str) -> None:
    """Say what went wrong, in one line."""
    from rich.text import Text

    notes().print(Text.assemble(("apex: ", "bold red"), _printable(" ".join(line.split()))), soft_wrap=True)


JOINER = "\u200d"
"""What makes one picture of several emoji: a family, a firefighter."""


def escaped(text: object) -> str:
    """Make text from outside safe to print: neither markup nor control characters do anything."""
    from rich.markup import escape

    return escape(_printable(str(text)))


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() or each == JOINER else "\ufffd" for each in text)


def table(*columns: str, right: tuple[str, ...] = ()) -> "Table":
    """Begin a table in the one look that all of them have; `right` names the columns of numbers."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def shown(found: "RenderableType") -> None:
    """Print a table or a report as a result, without the spaces at the end of lines that a pipe does not need.

    A table that is longer than the screen is paged, by `PAGER` or what there is.
    """
    if sys.stdout.isatty():
        is_long = getattr(found, "row_count", 0) > out().height
        with _paged() if is_long else nullcontext():
            out().print(found)
        return
    with out().capture() as capture:
        out().print(found)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))


def paragraphs(text: str) -> str:
    """Lay out a text under its heading, wrapped at the edge of the screen; safe to print.

    >>> paragraphs("Yes.")
    '  Yes.'
    """
    width = min(out().width, TEXT_WIDTH_MAX) - len(INDENT)
    lines = [line for paragraph in text.splitlines() for line in wrap(paragraph, width) or [""]]
    return "\n".join(f"{INDENT}{escaped(line)}".rstrip() for line in lines)


def shown_json(answer: Any) -> None:
    """Print one JSON object as the result, for programs."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer)).decode() + "\n")


def _paged() -> AbstractContextManager[object]:
    # As git has it: what fits after all is only printed, colours are kept, and the screen stays as it was left.
    os.environ.setdefault("LESS", "FRX")
    return out().pager(styles=True)


@contextmanager
def progress(title: str) -> Iterator[Callable[[Any], None]]:
    """Show how far an import or a sync has come; the result is handed to it as its `progress`.

    Nothing is shown where the standard error is no terminal.
    """
    if not notes().is_terminal:
        yield lambda state: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(30),
        MofNCompleteColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=notes(), transient=True) as bars:
        task = bars.add_task(title, total=None, detail="")

        def advance(state: Any) -> None:
            done, total, detail = _measures(state)
            bars.update(task, completed=done, total=total or None, detail=detail)

        yield advance


@contextmanager
def counting(title: str, *, every: int = 1000) -> Iterator[Callable[[int], None]]:
    """Show how many lines of a file were read, where nobody knows how many it has."""
    with notes().status(title) as status:

        def count(number: int) -> None:
            if number % every == 0:
                status.update(f"{title}: {number:,}")

        yield count


def _measures(state: Any) -> tuple[int, int, str]:
    from apex_client.own_data import DataExportProgress
    from apex_client.status import SyncProgress

    if isinstance(state, DataExportProgress):
        return state.done, state.total, "%, the server makes it" if state.stage == "making" else "bytes"

    if isinstance(state, SyncProgress) and state.media_bytes_total:
        return state.media_bytes, state.media_bytes_total, "bytes of photos and files"
    if isinstance(state, SyncProgress):
        detail = f"↑ {size(state.bytes_up)}  ↓ {size(state.bytes_down)}"
        return state.pushed + state.pulled, state.push_total + state.pull_total, detail
    return state.done, state.total, "workouts"


def size(count: float) -> str:
    """Write a number of bytes for people.

    >>> size(512), size(20_480), size(3_400_000)
    ('512 B', '20.5 kB', '3.4 MB')
    """
    if count < 1000:
        return f"{count:.0f} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def ago(seconds: float) -> str:
    """Write how long something has been.

    >>> ago(4), ago(400), ago(40_000), ago(400_000)
    ('4 s', '7 min', '11 h', '5 days')
    """
    for unit_seconds, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit_seconds or (unit != "days" and seconds >= unit_seconds):
            return f"{seconds / unit_seconds:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun.

    >>> counted(1, "record"), counted(1200, "record"), counted(2, "entry", "entries")
    ('1 record', '1,200 records', '2 entries')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def moment(at_us: int) -> str:
    """Write a time in the clock of this machine, to the minute.

    >>> len(moment(1_772_388_300_000_000))
    16
    """
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_us / 1e6, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
