"""`apex import`: workouts of other apps, every row accounted for."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from apex_client.cli.examples import examples
from apex_client.cli.failures import bound_in_words
from apex_client.cli.naming import in_words
from apex_client.cli.opening import NO_DB, Db, LoadUnit, opened, resolved
from apex_client.cli.screen import counted, escaped, notes, progress, said, shown

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.importers import ImportReport, UnitNeeded

Doubled = Literal["once", "both"]

LEFT_OUT_SHOWN = 20

T = TypeVar("T")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        name="import",
        rich_help_panel="Training",
        epilog=examples(
            "apex import strong.csv",
            "apex import strong.csv --unit lb",
            "apex import hevy.csv --dry-run --all",
            "apex import strong.csv --accept-doubled once",
            "apex import export.zip",
        ),
    )(import_)


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="An export of Strong, Hevy, FitNotes or Fitbod; weights and girths of Apple Health or a CSV.",
        ),
    ],
    unit: Annotated[LoadUnit | None, typer.Option(help="Of loads, where the file does not say it.")] = None,
    accept_doubled: Annotated[
        Doubled | None, typer.Option(help="Sessions that stand in the file twice over: take one copy, or both.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Report what would happen, and save nothing.")
    ] = False,
    all_rows: Annotated[
        bool, typer.Option("--all", metavar="", help="List every skipped row and warning, not the first 20.")
    ] = (False),
    db: Db = NO_DB,
) -> None:
    """Import workouts or body weights from another app; a second time adds nothing twice."""
    from apex_client.importers.body import is_body_file
    from apex_client.importers.report import render_report

    if is_body_file(file):
        _with_unit(unit, lambda known: _import_body(file, known, dry_run, db))
        return
    run = _rehearsed if dry_run else _imported
    report = _with_unit(unit, lambda known: run(file, known, accept_doubled, db))
    shown(render_report(report, show_all=all_rows))
    if dry_run:
        said("\n[bold]dry run:[/] nothing was saved")


def _with_unit(unit: LoadUnit | None, run: Callable[[LoadUnit | None], T]) -> T:
    """Import, and ask a person for the unit where the file leaves it open."""
    from apex_client.importers import UnitNeeded

    try:
        return run(unit)
    except UnitNeeded as question:
        if not (sys.stdin.isatty() and notes().is_terminal):
            raise
        return run(_asked(question))


def _import_body(file: Path, unit: LoadUnit | None, dry_run: bool, db: Path) -> None:
    """Import weights, and tell what became of each."""
    with opened(db, make=True) as replica:
        report = replica.body_metrics.import_file(file, unit=unit, dry_run=dry_run)
    said(f"[green]{counted(report.added, 'measuring')}[/] new, {report.already_there:,} here already")
    if report.skipped:
        said(f"[yellow]{len(report.skipped):,} left out[/]")
        for each in report.skipped[:LEFT_OUT_SHOWN]:
            said(f"  [dim]{escaped(each.where)}:[/] {escaped(_in_words(each.reason))}")
    if dry_run:
        said("\n[bold]dry run:[/] nothing was saved")


def _in_words(reason: str) -> str:
    """Word why a measuring was left out, also where a bound of the model refused it.

    >>> _in_words("weight: Expected `float` <= 1100.0"), _in_words("it holds no figure")
    ('weight must be at most 1100', 'it holds no figure')
    """
    field, _, message = reason.partition(": ")
    return f"{in_words(field)} {bound_in_words(message)}" if message.startswith("Expected ") else reason


def _imported(file: Path, unit: LoadUnit | None, accept_doubled: Doubled | None, db: Path) -> "ImportReport":
    with opened(db, make=True) as replica, progress(f"importing {escaped(file.name)}") as advance:
        return replica.import_file(file, unit=unit, accept_doubled=accept_doubled, progress=advance)


@contextmanager
def _states(db: Path) -> Iterator[Callable[[str], dict[str, Any] | None]]:
    """Give a look-up of workouts that are here already, by record id."""
    if not resolved(db).exists():
        yield lambda record_id: None
        return
    with opened(db) as replica:
        yield lambda record_id: _state_of(replica, record_id)


def _state_of(replica: "Replica", record_id: str) -> dict[str, Any] | None:
    from apex_client.errors import NoSuchRecord

    try:
        return replica.record("workout_logs", record_id).state
    except NoSuchRecord:
        return None


def _asked(question: "UnitNeeded") -> LoadUnit:
    """Ask a person what the file leaves open."""
    said(
        f"The file does not say whether its {question.of} are kg or lb;"
        f" {question.guess} is likely: {question.evidence}."
    )
    while True:
        answer = typer.prompt("kg or lb", default=question.guess, err=True).strip().lower()
        if answer in ("kg", "lb"):
            return "kg" if answer == "kg" else "lb"


def _rehearsed(file: Path, unit: LoadUnit | None, accept_doubled: Doubled | None, db: Path) -> "ImportReport":
    """Do what an import does up to the point of saving; a replica that does not exist is not made."""
    from apex_client.importers import ImportTally, new_leaves, read_export
    from apex_client.importing import ImportProgress

    plan = read_export(file, unit=unit, accept_doubled=accept_doubled)
    tally = ImportTally(plan)
    with progress(f"reading {escaped(file.name)}") as advance, _states(db) as state_of:
        for number, workout in enumerate(plan.workouts, 1):
            state = state_of(workout.record_id)
            tally.count(workout, new_leaves(state or {}, workout.patch), existed=state is not None)
            advance(ImportProgress(number, len(plan.workouts)))
    return tally.report()
