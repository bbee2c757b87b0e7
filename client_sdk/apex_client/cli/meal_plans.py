"""`apex food plan | plans | assign`: meals that meet targets, the plans that are kept, and who follows which."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from apex_client.cli.days import DAY, day_typed
from apex_client.cli.examples import examples
from apex_client.cli.failures import CommandFailed, WrongUsage
from apex_client.cli.food_screen import FIGURES, HEADINGS, figure, summed
from apex_client.cli.opening import NO_DB, Db, opened
from apex_client.cli.screen import escaped, said, shown, table
from apex_client.cli.sessions import Whose, athlete_names, is_coach, records_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from apex_client.blocking import Replica
    from apex_client.blocking.records import Record
    from apex_client.blocking.resources import AthleteResources
    from apex_sync.models import MealPlan, NutritionLog

PLANS_LISTED = 50

PLANS_MAX = 1000
"""Looked through for a name: the templates of a coach, and what all their athletes ever had."""

ENDED = ("completed", "archived")
"""What a plan is that nobody eats by."""


def add_to(group: typer.Typer) -> None:
    """Add the commands."""
    group.command(
        epilog=examples(
            "apex food plan",
            "apex food plan --kcal 2600 --protein 180 --carbs 290 --fat 80 --diet vegan --without nuts",
            "apex food plan --kcal 2000 --protein 170 --name Cut",
        )
    )(plan)
    group.command(
        epilog=examples("apex food assign Cut --athlete Anna --start 2026-03-02", 'apex food assign "Meal plan"')
    )(assign)
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
    """Plan meals that meet targets, and keep the plan as a draft; a coach who names no athlete makes a template."""
    named = dict(zip(FIGURES, (kcal, protein, carbs, fat), strict=True))
    targets = {field: value for field, value in named.items() if value is not None} or None
    if targets and kcal is None:
        raise WrongUsage("name a day's energy, too: --kcal 2600; without any target, those in force are taken")
    with opened(db, make=True) as replica:
        is_template = athlete is None and is_coach(replica)
        if is_template and targets is None:
            raise WrongUsage("say whose targets they are to meet, --athlete NAME, or for a template which: --kcal 2600")
        records = replica if is_template else records_of(replica, athlete)
        if targets is None and not records.nutrition_targets.list(limit=1):
            raise CommandFailed("nobody has set targets yet; name them: apex food plan --kcal 2600 --protein 180")
        made = records.meal_plans.plan(
            targets, diet=diet, excluded=without or (), meals_per_day=meals, days=days, seed=seed, name=name  # type: ignore[arg-type]
        )  # fmt: skip
        for day_key, day in made["days"].items():
            _show_day(made, day_key, day["name"])
        kept = "a template" if is_template else "a draft"
        said(f"kept as {kept}, {escaped(made['name'])}; to have it followed: apex food assign")


def assign(
    plan: Annotated[str, typer.Argument(help="A template, or a plan of theirs, by name or id.")],
    athlete: Whose = None,
    start: Annotated[str | None, typer.Option(metavar="DAY", help=f"As in {DAY}, or tomorrow; default: today.")] = None,
    end: Annotated[str | None, typer.Option(metavar="DAY", help="The last day; default: none.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", metavar="", help="Leave what is followed in these days as it is.")
    ] = False,
    db: Db = NO_DB,
) -> None:
    """Let an athlete follow a meal plan: a copy of a template, or a draft of theirs, which begins itself.

    Assigned again it stays as the athlete adapted it. What they follow in the same days ends, and is named.
    """
    first, last = (day_typed(day) if day else None for day in (start, end))
    with opened(db) as replica:
        records = records_of(replica, athlete)
        meant = _to_assign(replica, records, plan)
        followed, ended = records.meal_plans.assign(meant, start_date=first, end_date=last, keep=keep)
        name, since, until = escaped(followed.get("name") or "?"), followed["start_date"], followed.get("end_date")
        days = f"from {since}{f' to {until}' if until else ''}"
        if followed.get("status") != "active":
            raise CommandFailed(
                f"{followed.get('name')!r} was followed already, {days}, and is {followed.get('status')}; "
                "to begin it anew, name another first day: --start"
            )
        whose = athlete_names(replica).get(followed.athlete_id)
        said(f"{f'{escaped(whose)} follows' if whose else 'you follow'} {name} {days}")
        for one in ended:
            how = "never begins" if one.get("status") == "archived" else f"ends on {one.get('end_date')}"
            said(f"{escaped(one.get('name') or '?')} {how}")


def plans(
    plan: Annotated[str | None, typer.Argument(help="The one to show, by name or id; without, all are listed.")] = None,
    athlete: Whose = None,
    db: Db = NO_DB,
) -> None:
    """List the meal plans, the latest first, or show one; a coach who names no athlete sees templates, too."""
    from apex_client.views import live_entries

    with opened(db) as replica:
        source = replica if athlete is None else records_of(replica, athlete)
        kept = source.meal_plans.list(limit=PLANS_LISTED if plan is None else PLANS_MAX)
        found = kept if plan is None else _called(kept, plan)
        if not found:
            raise CommandFailed(_none_called(kept, plan or ""))
        if plan is None:
            shown(_listed(found, athlete_names(replica)))
            return
        shown_one = min(found, key=lambda one: not _is_template(one))
        for day_key, day in live_entries(shown_one.get("days")):
            _show_day(shown_one, day_key, day.get("name") or "")


def _listed(found: "Sequence[Record[MealPlan]]", names: "dict[str, str]") -> "Table":
    whose = ("whose",) if names else ()
    listed = table("plan", *whose, "status", "days", "from", "to", "id", right=("days",))
    for one in found:
        of = "template" if _is_template(one) else names.get(one.athlete_id, one.athlete_id)
        listed.add_row(
            escaped(one.get("name") or "?"),
            *((escaped(of),) if names else ()),
            escaped(one.get("status") or ""),
            str(len(one.get("days") or {})),
            one.get("start_date") or "",
            one.get("end_date") or "",
            one.id,
        )
    return listed


def _to_assign(replica: "Replica", records: "AthleteResources", named: str) -> "Record[MealPlan]":
    """Find the plan that is meant: a template before a plan of the athlete's, and of these an open one before others.

    Raises CommandFailed.
    """
    templates = [one for one in replica.meal_plans.list(limit=PLANS_MAX) if _is_template(one)]
    theirs = records.meal_plans.list(limit=PLANS_MAX)
    open_ones = [one for one in theirs if one.get("status") not in ENDED]
    meant = next((found for kept in (templates, open_ones, theirs) if (found := _called(kept, named))), [])
    if not meant:
        raise CommandFailed(_none_called([*templates, *theirs], named))
    if len(meant) > 1:
        listed = ", ".join(f"{one.id} ({one.get('status') or 'no status'})" for one in meant[:10])
        raise CommandFailed(f"{named!r} is more than one plan: name it by its id, of {listed}")
    return meant[0]


def _is_template(plan: "Record[MealPlan]") -> bool:
    return plan.scope.startswith("coach:")


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
    from apex_client.views import live_entries

    listed = table(name, "", "grams", *HEADINGS, right=("grams", *HEADINGS))
    totals = dict.fromkeys(FIGURES, 0.0)
    entries = live_entries(plan.get("foods"))
    for meal_key, meal in live_entries(plan.get("meals")):
        foods = [food for _, food in entries if food.get("meal") == meal_key and meal.get("day") == day_key]
        for place, food in enumerate(foods):
            figures = [food.get(figure) or 0.0 for figure in FIGURES]
            totals = {key: totals[key] + value for key, value in zip(FIGURES, figures, strict=True)}
            grams = food.get("grams")
            listed.add_row(
                escaped(meal.get("name") or "?") if place == 0 else "",
                escaped(food.get("name") or "?"), "" if grams is None else f"{grams:g}", *map(figure, figures),
            )  # fmt: skip
    shown(listed)
    said(summed(totals))
