"""What the demo shows: chapters, progress bars and tables, readable in a terminal and in a log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from apex_client import Credentials
from apex_client.importers.report import render_report
from apex_client.status import SyncProgress, SyncReport

ROWS_MAX = 12

PRIORITIES = ("critical", "high", "medium", "low")
"""The most urgent first."""

SEALED_BYTES_SHOWN = 5
"""Of a name as it stands in Postgres; enough to see that it is no text."""


class Screen:
    """Prints the story, and remembers the figures for its end."""

    QUERIES: ClassVar[dict[str, str]] = {
        "The newest workouts, reconciled": """
            SELECT workout.date, count(*) AS sets, sum(logged.reps) AS reps,
                round(sum(logged.reps * logged.load_kg)::numeric) AS volume_kg,
                round(avg(logged.rpe)::numeric, 1) AS rpe, record.has_conflicts AS conflict
            FROM workout_logs AS workout
            JOIN logged_sets AS logged USING (scope_id, record_id)
            JOIN records AS record USING (scope_id, record_id)
            GROUP BY workout.scope_id, workout.record_id, record.has_conflicts
            ORDER BY workout.date DESC, workout.start_time DESC
            LIMIT 5
        """,
        "The sets of the workout that both devices edited": """
            SELECT exercise.name AS exercise, logged.reps,
                coalesce(logged.load, logged.load_kg) AS load, coalesce(logged.load_unit, 'kg') AS unit,
                round(logged.load_kg::numeric, 2) AS load_kg, logged.rpe
            FROM logged_sets AS logged
            JOIN logged_exercises AS exercise USING (scope_id, record_id, exercise_key)
            JOIN workout_logs AS workout USING (scope_id, record_id)
            WHERE workout.date = (SELECT max(date) FROM workout_logs)
            ORDER BY logged.position
        """,
        "Check-ins": """
            SELECT date, round(weight_kg::numeric, 1) AS weight_kg, energy, sleep, stress, soreness
            FROM check_ins
            ORDER BY date DESC
            LIMIT 5
        """,
    }

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self.figure_rows: list[tuple[str, SyncReport]] = []

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self.console.print()
        self.console.print(Rule(f"[bold]{title}", align="left", style="dim"))

    def said(self, sentence: str) -> None:
        """Say one thing that happened."""
        self.console.print(Padding(Text(sentence), (0, 0, 0, 2)))

    @contextmanager
    def progress(self, title: str) -> Iterator[Callable[[Any], None]]:
        """Show how far an import or a sync has come; the result is handed to it as its `progress`."""
        columns = (TextColumn("  {task.description}"), BarColumn(24), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bars:
            task = bars.add_task(title, total=None)

            def advance(state: Any) -> None:
                if isinstance(state, SyncProgress):
                    done, total = state.pushed + state.pulled, state.push_total + state.pull_total
                else:
                    done, total = state.done, state.total
                bars.update(task, completed=done, total=total or None)

            yield advance

    def imported(self, report: Any) -> None:
        """Show the end report of an import."""
        self.console.print(render_report(report))

    def synced(self, name: str, report: SyncReport) -> None:
        """Say what one sync did."""
        self.figure_rows.append((name, report))
        trips = "1 round trip" if report.round_trips == 1 else f"{report.round_trips} round trips"
        self.console.print(
            f"  [bold]{name:5}[/] synced {report.acknowledged:3} up ({report.bytes_up:,} B), "
            f"{report.pulled:3} down ({report.bytes_down:,} B), {trips}, {report.seconds * 1000:.0f} ms",
            soft_wrap=True,
        )

    def merged(self, phone: Any, watch: Any) -> None:
        """Show the workout as both devices hold it now."""
        table = Table(
            "exercise", "set", "reps", "load", "RPE", title="One workout, both devices' edits", title_justify="left"
        )
        for exercise in phone.exercises:
            for number, logged in enumerate(exercise.sets, 1):
                load = f"{logged.load:g} {logged.load_unit}" if logged.load is not None else f"{logged.load_kg:g} kg"
                rpe = f"{logged.rpe:g}" if logged.rpe is not None else ""
                table.add_row(exercise.name if number == 1 else "", str(number), str(logged.reps), load, rpe)
        self.console.print(table)
        same = phone.snapshot.state == watch.snapshot.state
        self.console.print(f"  phone and watch hold the same: [bold]{'yes' if same else 'NO'}[/]")

    def conflicts(self, found: Sequence[Any]) -> None:
        """Show where both wrote one field: what was kept, and what can be restored."""
        table = Table("field", "kept", "discarded (restorable)", title="Conflicts", title_justify="left")
        for conflict in found:
            kept = "" if conflict.kept is None else str(conflict.kept.value)
            table.add_row(conflict.path, kept, ", ".join(str(claim.value) for claim in conflict.discarded))
        self.console.print(table)

    def rows(self, title: str, rows: Sequence[Mapping[str, Any]], *, opened: Callable[[bytes], str | None]) -> None:
        """Show the rows of a query; a sealed name both as Postgres holds it and as the coach reads it."""
        if not rows:
            self.said(f"{title}: no rows")
            return
        shown = [_shown(row, opened) for row in rows[:ROWS_MAX]]
        table = Table(*shown[0], title=title, title_justify="left")
        for row in shown:
            table.add_row(*row.values())
        self.console.print(table)
        if "in Postgres" in shown[0]:
            self.said("Postgres holds the names sealed; the coach reads them by the key of the athlete")

    def insights(self, drafts: Sequence[Any]) -> None:
        """Show what the analysis drafted for the coach."""
        table = Table("priority", "finding", "what it says", title="Draft insights for the coach", title_justify="left")
        for draft in sorted(drafts, key=lambda draft: PRIORITIES.index(draft.state.get("priority", "low"))):
            state = draft.state
            table.add_row(state.get("priority", ""), state.get("title", ""), state.get("summary", ""))
        self.console.print(table)

    def figures(self, first_push: SyncReport) -> None:
        """End with the measured figures."""
        self.chapter("Measured")
        if first_push.acknowledged:
            rate = first_push.acknowledged / first_push.seconds
            durable = f"{first_push.acknowledged} records durable and projected in {first_push.seconds:.2f} s"
            self.said(f"first push: {durable} ({rate:,.0f}/s)")
        up, down = (sum(getattr(report, name) for _, report in self.figure_rows) for name in ("bytes_up", "bytes_down"))
        self.said(f"all {len(self.figure_rows)} syncs together: {up:,} B up, {down:,} B down")

    def served(self, address: str, coach: Credentials, athlete: Credentials) -> None:
        """Say where to look."""
        self.console.print()
        self.console.print(f"  Open [bold]{address}[/] and sign in as the coach: {coach.email} / {coach.password}")
        self.console.print(f"  The athlete is {athlete.email} with the same password. Ctrl+C stops the server.")


def _shown(row: Mapping[str, Any], opened: Callable[[bytes], str | None]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, value in row.items():
        if isinstance(value, bytes):
            cells["in Postgres"] = f"{value[:SEALED_BYTES_SHOWN].hex()}…"
            cells[name] = opened(value) or ""
        else:
            cells[name] = _cell(value)
    return cells


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
