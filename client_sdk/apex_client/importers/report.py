"""The end report of an import, for a terminal. Needs rich; nothing else of the importers does."""

import re
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apex_client.importers.plan import ROUTINE_REASONS, ImportWarning, QuarantinedWorkout, SkippedRow
from apex_client.importers.run import ImportReport

LISTED_ROWS_MAX = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def render_report(report: ImportReport, *, show_all: bool = False) -> RenderableType:
    """Give a summary of every row's fate, then the lists behind it; `show_all` lifts the bound of 20 entries a list."""
    limit = None if show_all else LISTED_ROWS_MAX
    parts = [_summary(report)]
    if report.quarantined:
        parts.append(_quarantined(report.quarantined, limit))
    if report.skipped:
        parts.append(_skipped(report.skipped, limit))
    if report.warnings:
        parts.append(_warnings(report.warnings, limit))
    return Group(*parts)


def _summary(report: ImportReport) -> Group:
    table = _table()
    table.add_column("")
    table.add_column("workouts", justify="right")
    table.add_column("rows", justify="right")
    table.add_row("read", f"{report.workouts_read:,}", f"{report.rows_read:,}", end_section=True)
    for label, style, workouts, rows in (
        ("imported", "green", report.workouts_imported + report.workouts_extended, report.rows_imported),
        ("already there", "", report.workouts_already_there, report.rows_already_there),
        ("quarantined", "yellow", len(report.quarantined), report.rows_quarantined),
        ("skipped", _skipped_style(report.skipped), None, len(report.skipped)),
    ):
        shown = "" if workouts is None else f"{workouts:,}"
        table.add_row(label, shown, f"{rows:,}", style=style if rows else "dim")
    total = f"{report.rows_read:,} rows in, {report.rows_accounted:,} accounted for"
    return Group(_heading(f"{_name_of(report.source)} export"), table, Text(total, style="dim"))


def _name_of(source: str) -> str:
    """Write an app's name as its makers do."""
    return "FitNotes" if source == "fitnotes" else source.capitalize()


def _skipped_style(skipped: Sequence[SkippedRow]) -> str:
    return "" if all(row.reason in ROUTINE_REASONS for row in skipped) else "red"


def _quarantined(workouts: Sequence[QuarantinedWorkout], limit: int | None) -> Group:
    table = _table()
    for name in ("lines", "date", "workout", "rows"):
        table.add_column(name, justify="right" if name in ("lines", "rows") else "left")
    for workout in workouts[:limit]:
        first, last = workout.lines
        table.add_row(f"{first}-{last}", workout.date, _shown(workout.title), str(workout.rows))
    advice = Text.from_markup(
        "Import again with [bold]--accept-doubled once[/] for one copy, or [bold]both[/] for everything as it stands."
    )
    heading = "Quarantined: these stand in the file twice over, and nothing of them was imported"
    return _section(heading, table, len(workouts), limit, advice)


def _skipped(skipped: Sequence[SkippedRow], limit: int | None) -> Group:
    """List real losses first: rest timers are half of some files."""
    table = _table()
    table.add_column("line", justify="right")
    table.add_column("reason")
    table.add_column("row", style="dim", no_wrap=True, overflow="ellipsis", max_width=60)
    ranked = sorted(skipped, key=lambda row: (row.reason in ROUTINE_REASONS, row.line))
    for row in ranked[:limit]:
        table.add_row(str(row.line), _shown(row.reason), _shown(row.text))
    return _section("Skipped rows", table, len(skipped), limit)


def _warnings(warnings: Sequence[ImportWarning], limit: int | None) -> Group:
    table = _table()
    table.add_column("line", justify="right")
    table.add_column("what")
    for warning in warnings[:limit]:
        table.add_row("file" if warning.line is None else str(warning.line), _shown(warning.reason))
    heading = "Imported, but worth a look: values that could not be right were left out"
    return _section(heading, table, len(warnings), limit)


def _shown(text: str) -> Text:
    """Show what a file says as it is, markup and terminal commands without effect."""
    return Text(_CONTROL.sub("\ufffd", text))


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")


def _heading(text: str) -> Text:
    return Text(f"\n{text}\n", style="bold")


def _section(heading: str, table: Table, count: int, limit: int | None, *notes: Text) -> Group:
    hidden = 0 if limit is None else max(count - limit, 0)
    more = [Text(f"and {hidden:,} more; --all shows them", style="dim")] if hidden else []
    return Group(_heading(heading), table, *more, *notes)
