"""`apex targets`: what a day of eating should hold; a coach sets it, the athlete reads it."""

from typing import TYPE_CHECKING, Annotated

import typer

from apex_client.cli.days import day_typed, today
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import escaped, said, shown, table
from apex_client.cli.sessions import Whose, records_of

if TYPE_CHECKING:
    from apex_client.blocking.records import Record
    from apex_client.blocking.resources import AthleteResources
    from apex_sync.models import NutritionTargets

LISTED = 20
FIGURES = ("energy_kcal", "protein_g", "carbs_g", "fat_g", "fiber_g")
HEADINGS = ("kcal", "protein", "carbs", "fat", "fiber")

From = Annotated[
    str | None, typer.Option("--from", metavar="DAY", help="From which day on: 2026-03-01, tomorrow; default: today.")
]
Grams = Annotated[float | None, typer.Option(metavar="GRAMS", min=0)]

group = typer.Typer(
    help="What a day of eating should hold; without a command, what was asked for since when.",
    epilog=examples(
        "apex targets",
        "apex targets set --kcal 2600 --protein 180 --athlete Anna",
        "apex targets set --fat 70 --from 2026-03-09 --athlete Anna",
        "apex targets remove 2026-03-09 --athlete Anna",
    ),
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="targets", rich_help_panel="Coaching")


@group.callback(invoke_without_command=True)
def _targets(context: typer.Context, athlete: Whose = None, db: Db = NO_DB) -> None:
    if context.invoked_subcommand is not None:
        use_from_here(db)
        return
    with opened(db) as replica:
        _show(_latest_first(records_of(replica, athlete)))


@group.command(
    "set",
    epilog=examples(
        "apex targets set --kcal 2600 --protein 180 --carbs 300 --fat 75 --athlete Anna",
        "apex targets set --kcal 2400 --from 2026-03-09 --athlete Anna",
    ),
)
def set_(
    kcal: Annotated[float | None, typer.Option("--kcal", metavar="KCAL", min=0, help="Energy.")] = None,
    protein: Grams = None,
    carbs: Grams = None,
    fat: Grams = None,
    fiber: Grams = None,
    note: Annotated[str | None, typer.Option(help="What the numbers do not say.")] = None,
    start: From = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Ask for something from a day on; what is not named stays as it was asked for before that day."""
    given = dict(zip(FIGURES, (kcal, protein, carbs, fat, fiber), strict=True)) | {"notes": note}
    named = {name: value for name, value in given.items() if value is not None}
    if not named:
        raise WrongUsage("say what is asked for: --kcal 2600 --protein 180")
    day = day_typed(start) if start else str(today())
    with opened(db) as replica:
        records = records_of(replica, athlete)
        before = next((each for each in _latest_first(records) if each["start_date"] <= day), None)
        kept = {name: before[name] for name in FIGURES if before is not None and before.get(name) is not None}
        records.nutrition_targets.create({**kept, **named, "start_date": day})
        said(f"from {day} on; apex sync takes it along")
        _show(_latest_first(records)[:LISTED])


@group.command(epilog=examples("apex targets remove 2026-03-09 --athlete Anna"))
def remove(
    start: Annotated[str, typer.Argument(metavar="DAY", help="The day from which they were asked for.")],
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Take targets away; those before them are in force again."""
    day = day_typed(start)
    with opened(db) as replica:
        found = [each for each in _latest_first(records_of(replica, athlete)) if each["start_date"] == day]
        if not found:
            raise CommandFailed(f"nothing is asked for from {day} on; apex targets lists what is")
        for each in found:
            each.delete()
        said(f"taken away: what was asked for from {day} on")


def _latest_first(records: "AthleteResources") -> "list[Record[NutritionTargets]]":
    found = [each for each in records.nutrition_targets.list(limit=1000) if each.get("start_date")]
    return sorted(found, key=lambda each: (str(each["start_date"]), each.id), reverse=True)


def _show(found: "list[Record[NutritionTargets]]") -> None:
    if not found:
        said("nothing is asked for yet; a coach sets targets: apex targets set --kcal 2600 --athlete NAME")
        return
    in_force = next((each.id for each in found if each["start_date"] <= str(today())), None)
    listed = table("from", *HEADINGS, "", right=HEADINGS)
    for each in found[:LISTED]:
        figures = ("" if each.get(name) is None else f"{each[name]:g}" for name in FIGURES)
        words = " ".join(filter(None, ("in force" if each.id == in_force else "", each.get("notes"))))
        listed.add_row(str(each["start_date"]), *figures, escaped(words))
    shown(listed)
