"""`apex food plan | plans`: planning meals that meet targets, and the plans that are kept."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.days import DAY
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.food_screen import FIGURES, HEADINGS, figure, summed
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import escaped, said, shown, table
from apex_client.cli.sessions import Whose, records_of

if TYPE_CHECKING:
    from apex_client.blocking.records import Record
    from apex_client.blocking.resources import AthleteResources
    from apex_sync.models import MealPlan, NutritionLog

PLANS_LISTED = 50

ENDED = ("completed", "archived")
"""What a plan is that nobody eats by."""


def add_to(group: typer.Typer) -> None:
    """Add the commands."""
    group.command(
        epilog=examples(
            "apex food plan",
            "apex food plan --kcal 2600 --protein 180 --carbs 290 --fat 80 --diet vegan --without nuts",
        )
    )(plan)
    group.command(epilog=examples("apex food plans", 'apex food plans "Meal plan"'))(plans)


def log_planned(records: "AthleteResources", meal: str, named: str | None, day: str) -> "Record[NutritionLog]":
    """Log a meal of the plan that is named, else of the one that is followed that day, else of the one made last."""
    chosen = _to_eat(records, named, day)
    before = [log.state for log in records.nutrition_logs.on(day)]
    log = records.nutrition_logs.log_planned(meal, plan=chosen, day=day)
    done = "was logged already; it stays as it was eaten" if log.state in before else "logged"
    status = "" if chosen.get("status") == "active" else f", {chosen.get('status')}"
    said(f"{escaped(meal)} of {escaped(chosen.get('name') or '?')}{status}: {done}")
    return log


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


def plans(
    plan: Annotated[str | None, typer.Argument(help="The one to show, by name or id; without, all are listed.")] = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """List the meal plans, the latest first, or show one."""
    from apex_client.views import live_entries

    with opened(db) as replica:
        kept = records_of(replica, athlete).meal_plans.list(limit=PLANS_LISTED)
        found = kept if plan is None else _called(kept, plan)
        if not found:
            raise CommandFailed(_none_called(kept, plan or ""))
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


def _to_eat(records: "AthleteResources", named: str | None, day: str) -> "Record[MealPlan]":
    """Find the plan that a meal is of. Raises CommandFailed."""
    followed = records.meal_plans.followed(day)
    if followed is not None and named is None:
        return followed
    kept = records.meal_plans.list(limit=PLANS_LISTED)
    open_ones = [one for one in kept if one.get("status") not in ENDED]
    found = open_ones if named is None else _called(kept, named)
    if not found:
        raise CommandFailed(
            "there is no meal plan to eat by; apex food plan makes one" if named is None else _none_called(kept, named)
        )
    return next((one for one in found if followed is not None and one.id == followed.id), found[0])


def _called(kept: "list[Record[MealPlan]]", named: str) -> "list[Record[MealPlan]]":
    wanted = named.casefold()
    return [one for one in kept if wanted in (one.id, str(one.get("name") or "").casefold())]


def _none_called(kept: "list[Record[MealPlan]]", named: str) -> str:
    names = ", ".join(dict.fromkeys(str(one.get("name") or one.id) for one in kept))
    return (
        f"there is no meal plan {named!r}; there is {names}" if kept else "there are no meal plans yet: apex food plan"
    )


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
                escaped(food["name"]), f"{food['grams']:g}", *map(figure, figures),
            )  # fmt: skip
    shown(listed)
    said(summed(totals))
