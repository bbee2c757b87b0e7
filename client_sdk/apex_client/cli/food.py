"""`apex food`: finding foods, logging what was eaten, and planning meals that meet targets."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.days import DAY, DayDone, DayShown, day_done, day_typed
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.library_reports import LISTED, tell_import
from apex_client.cli.naming_foods import meant_food
from apex_client.cli.opening import NO_DB, Db, opened, use_from_here
from apex_client.cli.screen import counting, escaped, said, shown, table
from apex_client.cli.sessions import Whose, records_of

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.records import Record

FOUND = 10

PLANS_LISTED = 50

SERVINGS_MAX = 20.0
"""Of one food at once: 80 of them are grams whose unit was forgotten."""

NOTHING_FOUND = "nothing like that is in the library"

FIGURES = ("energy_kcal", "protein_g", "carbs_g", "fat_g")
HEADINGS = ("kcal", "protein", "carbs", "fat")

SUMS = "SELECT date, energy_kcal, protein_g, carbs_g, fat_g FROM nutrition_logs WHERE id = ?"
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
                *(_figure((food.get("per_100g") or {}).get(name)) for name in FIGURES),
                escaped(_servings(food)),
                "" if food.scope == "global" else "[dim]coach's[/]",
            )
        shown(listed)


@group.command(
    epilog=examples(
        'apex food log "rolled oats" 80g --meal Breakfast',
        "apex food log banana 1",
        'apex food log "whole milk" "1 glass"',
    )
)
def log(
    food: Annotated[str, typer.Argument(help="The food, by name.")],
    amount: Annotated[str, typer.Argument(help="80g, 3oz, 250ml, or servings of it: 2, '1 glass'.")],
    meal: Annotated[str | None, typer.Option("--meal", "-m", help="The meal it belongs to.")] = None,
    date: DayDone = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Log what was eaten."""
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
        [row] = replica.query(SUMS, [day.id])
        said(f"{escaped(meant['name'])}: {quantity:g} {escaped(unit)}")
        said(f"[dim]{row['date']}:[/] " + _sum(row))


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
            figures = map(_figure, (row[figure] for figure in FIGURES))
            listed.add_row(escaped(row["meal_name"] or ""), escaped(row["name"] or "?"), escaped(amount), *figures)
        shown(listed)
        [sums] = replica.query(SUMS, [day.id])
        said(_sum(sums))


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


def _day_of(replica: "Replica", athlete: str | None, date: str | None) -> "Record[Any]":
    """Find the log of a day, or the latest. Raises CommandFailed."""
    logs = records_of(replica, athlete).nutrition_logs
    on = day_typed(date) if date else None
    found = logs.on(on) if on else logs.list(limit=1)
    if not found:
        raise CommandFailed(f"nothing is logged on {on}" if on else "nothing is logged yet: apex food log")
    return found[0]


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


@group.command(
    epilog=examples(
        "apex food plan", "apex food plan --kcal 2600 --protein 180 --carbs 290 --fat 80 --diet vegan --without nuts"
    )
)
def plan(
    kcal: Annotated[float | None, typer.Option(help="A day's energy; without any target, those in force.")] = None,
    protein: Annotated[float | None, typer.Option(metavar="GRAMS", help="Protein a day.")] = None,
    carbs: Annotated[float | None, typer.Option(metavar="GRAMS", help="Carbohydrates a day.")] = None,
    fat: Annotated[float | None, typer.Option(metavar="GRAMS", help="Fat a day.")] = None,
    diet: Annotated[str, typer.Option(help="any, pescetarian, vegetarian, vegan.")] = "any",
    without: Annotated[
        list[str] | None, typer.Option(help="A food, category or content to leave out; repeat it.")
    ] = None,
    meals: Annotated[int, typer.Option(metavar="N", min=2, max=6, help="Meals a day.")] = 4,
    days: Annotated[int, typer.Option(metavar="N", min=1, max=7, help="How many days.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another one gives another plan.")] = 0,
    name: Annotated[str, typer.Option(help="What the plan is called.")] = "Meal plan",
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """Plan meals that meet targets, and keep the plan as a draft."""
    named = dict(zip(FIGURES, (kcal, protein, carbs, fat), strict=True))
    targets = {field: value for field, value in named.items() if value is not None} or None
    if targets and kcal is None:
        raise WrongUsage("name a day's energy, too: --kcal 2600; without any target, those in force are taken")
    with opened(db, make=True) as replica:
        records = records_of(replica, athlete)
        if targets is None and not records.nutrition_targets.list(limit=1):
            raise CommandFailed("nobody has set targets yet; name them: apex food plan --kcal 2600 --protein 180")
        made = records.meal_plans.plan(
            targets, diet=diet, excluded=without or (), meals_per_day=meals, days=days, seed=seed, name=name  # type: ignore[arg-type]
        )  # fmt: skip
        for day_key, day in made["days"].items():
            _show_day(made, day_key, day["name"])
        said(f"kept as a draft, {escaped(made['name'])}: apex food plans lists what is kept, and shows it again")


@group.command(epilog=examples("apex food plans", 'apex food plans "Meal plan"'))
def plans(
    plan: Annotated[str | None, typer.Argument(help="The one to show, by name or id; without, all are listed.")] = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """List the meal plans, the latest first, or show one."""
    from apex_client.views import live_entries

    with opened(db) as replica:
        kept = records_of(replica, athlete).meal_plans.list(limit=PLANS_LISTED)
        wanted = (plan or "").casefold()
        found = [one for one in kept if plan is None or wanted in (one.id, str(one.get("name") or "").casefold())]
        if not found:
            raise CommandFailed(
                f"there is no meal plan {plan!r}" if kept else "there are no meal plans yet: apex food plan"
            )
        if plan is None:
            listed = table("plan", "status", "days", "made", "id", right=("days",))
            for one in found:
                made = str(one.get("created_at") or "")[: len(DAY)]
                days = str(len(one.get("days") or {}))
                listed.add_row(escaped(one.get("name") or "?"), escaped(one.get("status") or ""), days, made, one.id)
            shown(listed)
            return
        for day_key, day in live_entries(found[0].get("days")):
            _show_day(found[0], day_key, day.get("name") or "")


def _show_day(plan: "Record[Any]", day_key: str, name: str) -> None:
    listed = table(name, "", "grams", *HEADINGS, right=("grams", *HEADINGS))
    totals = dict.fromkeys(FIGURES, 0.0)
    for meal_key, meal in plan["meals"].items():
        foods = [food for food in plan["foods"].values() if food["meal"] == meal_key and meal["day"] == day_key]
        for place, food in enumerate(foods):
            figures = [food.get(figure) or 0.0 for figure in FIGURES]
            totals = {key: totals[key] + value for key, value in zip(FIGURES, figures, strict=True)}
            listed.add_row(
                escaped(meal["name"]) if place == 0 else "",
                escaped(food["name"]), f"{food['grams']:g}", *map(_figure, figures),
            )  # fmt: skip
    shown(listed)
    said(_sum(totals))


def _sum(figures: Any) -> str:
    grams = (f"{_figure(figures[name])} g {word}" for name, word in zip(FIGURES[1:], HEADINGS[1:], strict=True))
    return ", ".join((f"{_figure(figures['energy_kcal'])} kcal", *grams))


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:,.0f}"


def _servings(food: "Record[Any]") -> str:
    servings = sorted((food.get("servings") or {}).values(), key=lambda serving: serving.get("order") or "")
    return ", ".join(f"{serving['name']} {serving['grams']:g} g" for serving in servings[:2] if serving.get("grams"))


def _usual_unit(food: "Record[Any]") -> str:
    servings = sorted((food.get("servings") or {}).values(), key=lambda serving: serving.get("order") or "")
    if not servings:
        raise WrongUsage("say how much: 80g, 3oz")
    return re.sub(r"^1\s+", "", servings[0]["name"])
