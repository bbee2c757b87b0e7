"""`apex food`: finding foods, logging what was eaten, and planning meals that meet targets."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli import meal_plans
from apex_client.cli.days import DayDone, DayShown, day_done, day_typed
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.food_screen import FIGURES, HEADINGS, SUMS, figure, summed
from apex_client.cli.library_reports import LISTED, tell_import
from apex_client.cli.naming_foods import meant_food
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import counting, escaped, said, shown, table
from apex_client.cli.sessions import Whose, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from apex_client.blocking import Replica
    from apex_client.blocking.records import Record

FOUND = 10

SERVINGS_MAX = 20.0
"""Of one food at once: 80 of them are grams whose unit was forgotten."""

NOTHING_FOUND = "nothing like that is in the library"

EATEN = (
    "SELECT meal_name, name, quantity, unit, energy_kcal, protein_g, carbs_g, fat_g FROM logged_foods"
    " WHERE nutrition_log_id = ? ORDER BY position LIMIT 1000"
)

_AMOUNT = re.compile(r"(\d+(?:[.,]\d+)?)\s*(.*)")

group = typer.Typer(
    help="Foods, what was eaten, and meals that meet targets.",
    epilog=examples(
        "apex food search haferflocken",
        'apex food log "rolled oats" 80g --meal Breakfast',
        "apex food plan --kcal 2600 --protein 180 --diet vegetarian",
        "apex food log --planned Lunch",
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="food", rich_help_panel="Training")


@group.callback()
def _food(db: Db = NO_DB) -> None:
    use_from_here(db)


@group.command(epilog=examples("apex food search brocoli", "apex food search --category fruit"))
def search(
    words: Annotated[list[str] | None, typer.Argument(metavar="WORDS", help="The name, typed anyhow.")] = None,
    category: Annotated[str | None, typer.Option("--category", "-c", help="fruit, meat, grain …")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many.")] = FOUND,
    db: Db = NO_DB,
) -> None:
    """Find foods, the best match first; figures are for 100 g."""
    with opened(db, make=True) as replica:
        found = replica.foods.search(" ".join(words or ()), category=category, limit=limit)  # type: ignore[arg-type]
        if not found:
            said(NOTHING_FOUND)
            return
        listed = table("food", *HEADINGS, "servings", "", right=HEADINGS)
        for food in found:
            listed.add_row(
                escaped(food.get("name") or "?"),
                *(figure((food.get("per_100g") or {}).get(name)) for name in FIGURES),
                escaped(_servings(food)),
                "" if food.scope == "global" else "[dim]coach's[/]",
            )
        shown(listed)


@group.command(
    epilog=examples(
        'apex food log "rolled oats" 80g --meal Breakfast',
        "apex food log banana 1",
        'apex food log "whole milk" "1 glass"',
        "apex food log --planned Lunch",
        'apex food log --planned "Rest day/Lunch" --plan Cut',
    )
)
def log(
    food: Annotated[str | None, typer.Argument(help="The food, by name.")] = None,
    amount: Annotated[str | None, typer.Argument(help="80g, 3oz, 250ml, or servings of it: 2, '1 glass'.")] = None,
    meal: Annotated[str | None, typer.Option("--meal", "-m", help="The meal it belongs to.")] = None,
    planned: Annotated[
        str | None, typer.Option("--planned", metavar="MEAL", help="Instead of a food: all that is planned for a meal.")
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="NAME", help="The plan of that meal; default: the one that is followed."),
    ] = None,
    date: DayDone = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Log what was eaten: a food, or a meal as it was planned."""
    if planned is not None:
        if food is not None or meal is not None:
            raise WrongUsage("--planned logs the meal whole: name no food and no --meal beside it")
        with opened(db) as replica:
            day = meal_plans.log_planned(records_of(replica, athlete), planned, plan, day_done(date))
            _tell_day(replica, day.id)
        return
    if food is None or amount is None or plan is not None:
        raise WrongUsage("say what and how much: apex food log oats 80g, or apex food log --planned Lunch")
    typed = _AMOUNT.fullmatch(amount.strip())
    if typed is None:
        raise WrongUsage(f"{amount!r} is no amount; try 80g, 3oz, 250ml, 2 or '1 glass'")
    with opened(db, make=True) as replica:
        meant = meant_food(replica, food)
        quantity, unit = float(typed[1].replace(",", ".")), typed[2] or _usual_unit(meant)
        if not typed[2] and quantity > SERVINGS_MAX:
            raise WrongUsage(f"{amount} servings ({escaped(unit)})? say {amount}g for grams, or '{amount} {unit}'")
        eaten = records_of(replica, athlete).nutrition_logs
        day = eaten.log_food(meant, quantity, unit, meal=meal, day=day_done(date))
        said(f"{escaped(meant['name'])}: {quantity:g} {escaped(unit)}")
        _tell_day(replica, day.id)


@group.command("list", epilog=examples("apex food list", "apex food list --date 2026-03-01"))
def list_eaten(
    date: DayShown = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """List what was eaten on a day."""
    with opened(db) as replica:
        day = _day_of(replica, athlete, date)
        rows = replica.query(EATEN, [day.id])
        if not rows:
            said(f"nothing is left of {day['date']}")
            return
        listed = table(str(day["date"]), "", "amount", *HEADINGS, right=("amount", *HEADINGS))
        for row in rows:
            amount = "" if row["quantity"] is None else f"{row['quantity']:g} {row['unit'] or ''}"
            figures = map(figure, (row[name] for name in FIGURES))
            listed.add_row(escaped(row["meal_name"] or ""), escaped(row["name"] or "?"), escaped(amount), *figures)
        shown(listed)
        [sums] = replica.query(SUMS, [day.id])
        said(summed(sums))


@group.command(epilog=examples("apex food undo", "apex food undo --date 2026-03-01"))
def undo(
    date: DayShown = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Take back the food that was logged last on a day."""
    from apex_client.views import live_entries

    with opened(db) as replica:
        day = _day_of(replica, athlete, date)
        foods = live_entries(day.get("foods"))
        if not foods:
            raise CommandFailed(f"nothing is left of {day['date']}")
        key, last = foods[-1]
        day.edit(foods={key: {"deleted": True}})
        said(f"took back {escaped(last.get('name') or '?')} of {day['date']}")


meal_plans.add_to(group)


def _day_of(replica: "Replica", athlete: str | None, date: str | None) -> "Record[Any]":
    """Find the log of a day, or the latest. Raises CommandFailed."""
    logs = records_of(replica, athlete).nutrition_logs
    on = day_typed(date) if date else None
    found = logs.on(on) if on else logs.list(limit=1)
    if not found:
        raise CommandFailed(f"nothing is logged on {on}" if on else "nothing is logged yet: apex food log")
    return found[0]


@group.command(
    epilog=examples(
        "apex food add Skyr --kcal 63 --protein 11 --carbs 4 --fat 0.2 --serving cup=150",
        'apex food add "Grandma\'s bread" --kcal 240 --category bread',
    )
)
def add(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    kcal: Annotated[float | None, typer.Option(help="Energy of 100 g.")] = None,
    protein: Annotated[float | None, typer.Option(metavar="GRAMS", help="Protein in 100 g.")] = None,
    carbs: Annotated[float | None, typer.Option(metavar="GRAMS", help="Carbohydrates in 100 g.")] = None,
    fat: Annotated[float | None, typer.Option(metavar="GRAMS", help="Fat in 100 g.")] = None,
    brand: Annotated[str | None, typer.Option(help="Whose it is.")] = None,
    barcode: Annotated[str | None, typer.Option(metavar="DIGITS", help="What is printed on it.")] = None,
    category: Annotated[str | None, typer.Option(help="What it is on a plate; meals are planned with it then.")] = None,
    serving: Annotated[list[str] | None, typer.Option(metavar="NAME=GRAMS", help="As in cup=150; repeat it.")] = None,
    db: Db = NO_DB,
) -> None:
    """Add a food of your own: a coach's is for their athletes, too, an athlete's for that athlete and the coach."""
    figures = {"energy_kcal": kcal, "protein_g": protein, "carbs_g": carbs, "fat_g": fat}
    per_100g = {figure: value for figure, value in figures.items() if value is not None}
    told = {
        "name": name, "brand": brand, "barcode": barcode, "category": category, "per_100g": per_100g,
        "servings": _servings_typed(serving or ()), "source": "custom",
    }  # fmt: skip
    with opened(db, make=True) as replica:
        made = replica.foods.create({field: value for field, value in told.items() if value not in (None, {})})
    said(f"added {escaped(made['name'])}; to log it: apex food log {escaped(shlex.quote(name))} 80g")


@group.command(epilog=examples("apex food remove Skyr"))
def remove(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    db: Db = NO_DB,
) -> None:
    """Remove a food of your own; what was logged with it stays as it was eaten."""
    with opened(db) as replica:
        own = replica.user.id if replica.user else "self"
        found = [one for one in replica.foods.named(name) if one.athlete_id == own]
        if len(found) != 1:
            ids = ", ".join(one.id for one in found)
            raise CommandFailed(f"{name!r} is {f'more than one food: {ids}' if found else 'no food of your own'}")
        found[0].delete()
    said(f"removed {escaped(name)}")


@group.command(
    name="import",
    epilog=examples(
        "apex food import openfoodfacts.tsv --match skyr --dry-run", "apex food import sr28.csv --match tofu"
    ),
)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="USDA SR28 (CSV) or Open Food Facts (TSV).")],
    match: Annotated[str, typer.Option(help="Words that the name or the brand has; 2,000 foods at most.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Report what would happen, and save nothing.")
    ] = False,
    all_rows: Annotated[bool, typer.Option("--all", metavar="", help="List every row left out.")] = False,
    db: Db = NO_DB,
) -> None:
    """Import foods into a coach's own library; what a barcode or a name means already is left out."""
    with opened(db) as replica, counting(f"reading {escaped(file.name)}") as on_row:
        report = replica.foods.import_file(file, match=match, dry_run=dry_run, on_row=on_row)
    tell_import(report, None if all_rows else LISTED)


def _servings_typed(typed: "Sequence[str]") -> dict[str, Any]:
    """Read `cup=150`. Raises WrongUsage."""
    servings = {}
    for number, each in enumerate(typed, 1):
        name, _, grams = each.rpartition("=")
        try:
            weight = float(grams.replace(",", "."))
        except ValueError as error:
            raise WrongUsage(f"{each!r} is no serving; write cup=150, its name and its grams") from error
        servings[str(number)] = {"name": f"1 {name}", "grams": weight, "order": str(number)}
    return servings


def _tell_day(replica: "Replica", log_id: str) -> None:
    [row] = replica.query(SUMS, [log_id])
    said(f"[dim]{row['date']}:[/] {summed(row)}")


def _servings(food: "Record[Any]") -> str:
    servings = sorted((food.get("servings") or {}).values(), key=lambda serving: serving.get("order") or "")
    return ", ".join(f"{serving['name']} {serving['grams']:g} g" for serving in servings[:2] if serving.get("grams"))


def _usual_unit(food: "Record[Any]") -> str:
    servings = sorted((food.get("servings") or {}).values(), key=lambda serving: serving.get("order") or "")
    if not servings:
        raise WrongUsage("say how much: 80g, 3oz")
    return re.sub(r"^1\s+", "", servings[0]["name"])
