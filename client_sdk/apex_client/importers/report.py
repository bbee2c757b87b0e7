"""The end report of an import, for a terminal. Needs rich; nothing else of the importers does."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apex_client.importers.plan import ROUTINE_REASONS, ImportWarning, QuarantinedWorkout, SkippedRow
from apex_client.importers.run import ImportReport

LISTED_ROWS_MAX = 20


def render_report(report: ImportReport, *, show_all: bool = False) -> RenderableType:
    """Give a summary of every row's fate, then the lists behind it; `show_all` lifts the bound of 20 entries a list."""
    limit = None if show_all else LISTED_ROWS_MAX
    parts: list[RenderableType] = [_summary(report)]
    if report.quarantined:
        parts += [Text(), _quarantined(report.quarantined, limit)]
    if report.skipped:
        parts += [Text(), _skipped(report.skipped, limit)]
    if report.warnings:
        parts += [Text(), _warnings(report.warnings, limit)]
    return Group(*parts)


def _summary(report: ImportReport) -> Table:
    table = _table(f"{report.source.capitalize()} export")
    table.add_column("")
    table.add_column("workouts", justify="right")
    table.add_column("rows", justify="right")
    table.add_row("read", f"{report.workouts_read:,}", f"{report.rows_read:,}")
    table.add_section()
    for label, style, workouts, rows in (
        ("imported", "green", report.workouts_imported + report.workouts_extended, report.rows_imported),
        ("already there", "", report.workouts_already_there, report.rows_already_there),
        ("quarantined", "yellow", len(report.quarantined), report.rows_quarantined),
        ("skipped", _skipped_style(report.skipped), None, len(report.skipped)),
    ):
        shown = "" if workouts is None else f"{workouts:,}"
        table.add_row(label, shown, f"{rows:,}", style=style if rows else "dim")
    return table


def _skipped_style(skipped: Sequence[SkippedRow]) -> str:
    return "" if all(row.reason in ROUTINE_REASONS for row in skipped) else "red"


def _quarantined(workouts: Sequence[QuarantinedWorkout], limit: int | None) -> Group:
    table = _table("Quarantined: these stand in the file twice over, so nothing of them was imported")
    for name in ("lines", "date", "workout", "rows"):
        table.add_column(name, justify="right" if name in ("lines", "rows") else "left")
    for workout in workouts[:limit]:
        first, last = workout.lines
        table.add_row(f"{first}-{last}", workout.date, Text(workout.title), str(workout.rows))
    advice = Text.from_markup(
        "Import again with [bold]--accept-doubled once[/] for one copy, or [bold]both[/] for everything as it stands."
    )
    return _bounded(table, len(workouts), limit, advice)


def _skipped(skipped: Sequence[SkippedRow], limit: int | None) -> Group:
    """List real losses first: rest timers are half of some files."""
    table = _table("Skipped rows")
    table.add_column("line", justify="right")
    table.add_column("reason")
    table.add_column("row", style="dim", no_wrap=True, overflow="ellipsis", max_width=60)
    ranked = sorted(skipped, key=lambda row: (row.reason in ROUTINE_REASONS, row.line))
    for row in ranked[:limit]:
        table.add_row(str(row.line), Text(row.reason), Text(row.text))
    return _bounded(table, len(skipped), limit)


def _warnings(warnings: Sequence[ImportWarning], limit: int | None) -> Group:
    table = _table("Imported, but worth a look")
    table.add_column("line", justify="right")
    table.add_column("what")
    for warning in warnings[:limit]:
        table.add_row("file" if warning.line is None else str(warning.line), Text(warning.reason))
    return _bounded(table, len(warnings), limit)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)


def _bounded(table: Table, count: int, limit: int | None, *notes: Text) -> Group:
    hidden = 0 if limit is None else max(count - limit, 0)
    more = [Text(f"and {hidden:,} more; --all shows them", style="dim")] if hidden else []
    return Group(table, *more, *notes)
