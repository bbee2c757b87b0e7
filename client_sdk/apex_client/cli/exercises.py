"""`apex exercises`: finding exercises of the library, and importing a coach's own."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from apex_client.cli.examples import examples
from apex_client.cli.library_reports import LISTED, tell_import
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import escaped, said, shown, table

FOUND = 10

group = typer.Typer(
    help="The exercises of the library: everybody's, and those of a coach.",
    epilog=examples(
        "apex exercises search benchpress",
        "apex exercises search row --muscle lats --equipment cable",
        "apex exercises import exercises.json --dry-run",
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="exercises", rich_help_panel="Training")


@group.callback()
def _exercises(db: Db = NO_DB) -> None:
    use_from_here(db)


@group.command(
    epilog=examples(
        "apex exercises search rdl", 'apex exercises search "lat pul down"', "apex exercises search -m neck"
    )
)
def search(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORDS", help="The name or a part of it, typed anyhow.")
    ] = None,
    muscle: Annotated[str | None, typer.Option("--muscle", "-m", help="A muscle it trains.")] = None,
    equipment: Annotated[str | None, typer.Option("--equipment", "-e", help="What it needs.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many.")] = FOUND,
    db: Db = NO_DB,
) -> None:
    """Find exercises by name, muscle and equipment, the best match first."""
    with opened(db, make=True) as replica:
        found = replica.exercises.search(" ".join(words or ()), muscle=muscle, equipment=equipment, limit=limit)
        if not found:
            said("nothing like that is in the library")
            return
        listed = table("exercise", "muscle", "also", "equipment", "pattern", "")
        for exercise in found:
            listed.add_row(
                escaped(exercise.get("name") or "?"),
                _words([exercise.get("muscle_group") or ""]),
                _words(exercise.get("secondary_muscles") or ()),
                _words(exercise.get("equipment") or ()),
                escaped(exercise.get("movement_pattern") or ""),
                "" if exercise.scope == "global" else "[dim]coach's[/]",
            )
        shown(listed)


@group.command(
    name="import",
    epilog=examples("apex exercises import exercises.json --dry-run", "apex exercises import exercises.json"),
)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The JSON of free-exercise-db.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Report what would happen, and save nothing.")
    ] = False,
    every_category: Annotated[
        bool, typer.Option("--every-category", metavar="", help="Take stretches and cardio, too.")
    ] = False,
    all_rows: Annotated[bool, typer.Option("--all", metavar="", help="List every entry left out.")] = False,
    db: Db = NO_DB,
) -> None:
    """Import exercises into a coach's own library; what the library has already is left out."""
    from apex_client.importers.exercise_db import LEFT_OUT_CATEGORIES, left_out_because

    with opened(db) as replica:
        report = replica.exercises.import_file(file, dry_run=dry_run, every_category=every_category)
    tell_import(report, None if all_rows else LISTED)
    reasons = Counter(each.reason for each in report.skipped)
    counts = {name: reasons[left_out_because(name)] for name in sorted(LEFT_OUT_CATEGORIES)}
    if any(counts.values()):
        listed = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        said(f"left out: {listed}; --every-category imports them")


def _words(names: "list[str] | tuple[str, ...]") -> str:
    return escaped(", ".join(name.replace("_", " ") for name in names))
