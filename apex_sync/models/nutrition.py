"""Nutrition: foods, what was eaten on a day, what a coach asks for, and plans.

Meals and foods are two flat maps; a food names its meal, so moving it is one leaf. What was eaten carries its own
nutrients, so that a food corrected later does not rewrite a day. Totals, the targets in force and the score of a day
are derived (`apex_sync.coaching.nutrition`), never stored.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_sync.collection import Collection, Entry, Leaf, Record, Role
from apex_sync.errors import FieldProblem
from apex_sync.ids import derived_id
from apex_sync.models.fields import (
    Date,
    Key,
    LocalTime,
    Name,
    Note,
    Ref,
    calendar_problems,
    order_problems,
    orphan_problems,
)

Energy = Annotated[float, Meta(ge=0, le=50_000)]
Grams = Annotated[float, Meta(ge=0, le=10_000)]
Milligrams = Annotated[float, Meta(ge=0, le=1_000_000)]
Quantity = Annotated[float, Meta(ge=0, le=100_000)]
Unit = Annotated[str, Meta(max_length=40)]
"""`g`, `oz`, `cup`, or the name of a serving of the food."""

Barcode = Annotated[str, Meta(min_length=6, max_length=32)]


class Nutrients(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """Energy, macros and the micros that coaches look at."""

    energy_kcal: Leaf[Energy] = UNSET
    protein_g: Leaf[Grams] = UNSET
    carbs_g: Leaf[Grams] = UNSET
    fat_g: Leaf[Grams] = UNSET
    fiber_g: Leaf[Grams] = UNSET
    sugar_g: Leaf[Grams] = UNSET
    sodium_mg: Leaf[Milligrams] = UNSET


class Serving(Entry):
    """A usual portion of a food: one slice, 30 g."""

    name: Leaf[Name] = UNSET
    grams: Leaf[Grams] = UNSET


FoodCategory = Literal[
    "beverage", "bread", "cereal", "cheese", "dairy", "dish", "egg", "fish", "fruit", "grain", "ingredient", "legume",
    "meat", "nut", "oil", "plant_protein", "potato", "poultry", "sauce", "snack", "supplement", "sweet", "vegetable",
]  # fmt: skip
"""What a food is on a plate. `ingredient` is what nobody eats as it is: flour, raw meat, uncooked rice."""

FoodContent = Literal[
    "alcohol", "egg", "fish", "gluten", "honey", "meat", "milk", "nuts", "peanuts", "pork", "sesame", "shellfish",
    "soy",
]  # fmt: skip
"""What some people do not eat, whatever the reason; pork is meat, too, and both are named."""


class Food(Record):
    """One food of a library, for 100 g of it; `contains` is absent where nobody said, and empty where it is nothing."""

    name: Leaf[Name] = UNSET
    aliases: Leaf[list[Name]] = UNSET
    category: Leaf[FoodCategory] = UNSET
    contains: Leaf[list[FoodContent]] = UNSET
    brand: Leaf[Name] = UNSET
    per_100g: Nutrients | UnsetType = UNSET
    servings: dict[Key, Serving] | UnsetType = UNSET
    barcode: Leaf[Barcode] = UNSET
    source: Leaf[Literal["usda", "open_food_facts", "custom"]] = UNSET
    source_id: Leaf[Ref] = UNSET
    """The food's id where it comes from."""


class Portion(Entry):
    """So much of a food in a meal, with the nutrients of that much; `grams` is canonical, where it is known."""

    meal: Leaf[Key] = UNSET
    food_id: Leaf[Ref] = UNSET
    name: Leaf[Name] = UNSET
    quantity: Leaf[Quantity] = UNSET
    unit: Leaf[Unit] = UNSET
    grams: Leaf[Quantity] = UNSET
    energy_kcal: Leaf[Energy] = UNSET
    protein_g: Leaf[Grams] = UNSET
    carbs_g: Leaf[Grams] = UNSET
    fat_g: Leaf[Grams] = UNSET
    fiber_g: Leaf[Grams] = UNSET
    sugar_g: Leaf[Grams] = UNSET
    sodium_mg: Leaf[Milligrams] = UNSET


class LoggedFood(Portion):
    """One food that was eaten."""

    source: Leaf[Literal["database", "custom", "barcode"]] = UNSET
    barcode: Leaf[Barcode] = UNSET


class Meal(Entry):
    """One meal of a day."""

    name: Leaf[Name] = UNSET
    time: Leaf[LocalTime] = UNSET
    notes: Leaf[Note] = UNSET
    meal_plan_id: Leaf[Ref] = UNSET
    """The plan whose meal was eaten, whatever was changed in it since."""


class NutritionLog(Record):
    """What an athlete ate on one day; a day has one log, whichever device began it (`nutrition_log_id`)."""

    date: Leaf[Date] = UNSET
    meals: dict[Key, Meal] | UnsetType = UNSET
    foods: dict[Key, LoggedFood] | UnsetType = UNSET
    notes: Leaf[Note] = UNSET


class NutritionTargets(Record):
    """What a day should hold, from `start_date` until the next targets begin (`nutrition_targets_id`)."""

    start_date: Leaf[Date] = UNSET
    energy_kcal: Leaf[Energy] = UNSET
    protein_g: Leaf[Grams] = UNSET
    carbs_g: Leaf[Grams] = UNSET
    fat_g: Leaf[Grams] = UNSET
    fiber_g: Leaf[Grams] = UNSET
    notes: Leaf[Note] = UNSET


class PlannedDay(Entry):
    """One day of a meal plan, as often as the coach likes: a training day, a rest day."""

    name: Leaf[Name] = UNSET
    notes: Leaf[Note] = UNSET


class PlannedMeal(Entry):
    """One meal of a planned day; `time_of_day` as `07:30`."""

    day: Leaf[Key] = UNSET
    name: Leaf[Name] = UNSET
    time_of_day: Leaf[Annotated[str, Meta(max_length=5, examples=["07:30"])]] = UNSET
    notes: Leaf[Note] = UNSET


class MealPlan(Record):
    """A plan of days, meals and portions; athletes adapt what they eat, and every change shows whose it is."""

    name: Leaf[Name] = UNSET
    status: Leaf[Literal["draft", "active", "completed", "archived"]] = UNSET
    start_date: Leaf[Date] = UNSET
    end_date: Leaf[Date] = UNSET
    notes: Leaf[Note] = UNSET
    source_id: Leaf[Ref] = UNSET
    days: dict[Key, PlannedDay] | UnsetType = UNSET
    meals: dict[Key, PlannedMeal] | UnsetType = UNSET
    foods: dict[Key, Portion] | UnsetType = UNSET


def nutrition_log_id(athlete_id: str, date: str) -> str:
    """Give the id of an athlete's log of a day, the same on every device."""
    return derived_id("nutrition_log", athlete_id, date)


def nutrition_targets_id(athlete_id: str, start_date: str) -> str:
    """Give the id of the targets that begin on a day, so that setting them twice is an edit."""
    return derived_id("nutrition_targets", athlete_id, start_date)


def dated_id(collection: str, athlete_id: str, fields: Mapping[str, Any]) -> str | None:
    """Give the id that a new record has by its athlete and day; None where it may have any."""
    if collection not in _BY_DAY:
        return None
    field, id_on = _BY_DAY[collection]
    day = fields.get(field)
    return id_on(athlete_id, day) if isinstance(day, str) else None


def day_problem(collection: str, athlete_id: str, record_id: str, patch: Mapping[str, Any]) -> FieldProblem | None:
    """Say what is wrong with a patch that moves a record to another day, which has a record of its own; or None."""
    if collection not in _BY_DAY:
        return None
    field, _ = _BY_DAY[collection]
    if field not in patch or dated_id(collection, athlete_id, patch) == record_id:
        return None
    return FieldProblem(field, "Expected the day that this record was made for; another day has a record of its own")


_BY_DAY: Mapping[str, tuple[str, Callable[[str, str], str]]] = {
    "nutrition_logs": ("date", nutrition_log_id),
    "nutrition_targets": ("start_date", nutrition_targets_id),
}
"""The day of a record of which there is one a day, and the id that it gives."""


def _check_log(log: NutritionLog) -> list[FieldProblem]:
    return [
        *calendar_problems(log, "date"),
        *orphan_problems(log, "foods", "meal", "meals"),
    ]


def _check_targets(targets: NutritionTargets) -> list[FieldProblem]:
    return calendar_problems(targets, "start_date")


def _check_plan(plan: MealPlan) -> list[FieldProblem]:
    return [
        *calendar_problems(plan, "start_date", "end_date"),
        *order_problems(plan, "start_date", "end_date"),
        *orphan_problems(plan, "meals", "day", "days"),
        *orphan_problems(plan, "foods", "meal", "meals"),
    ]


_COACH: frozenset[Role] = frozenset({"coach"})

FOODS = Collection(
    name="foods",
    version=3,
    model=Food,
    scope_kinds=frozenset({"athlete", "library", "global"}),
    default_writers=frozenset({"athlete", "coach", "system"}),
)

NUTRITION_LOGS = Collection(
    name="nutrition_logs",
    version=2,
    model=NutritionLog,
    scope_kinds=frozenset({"athlete"}),
    default_writers=frozenset({"athlete", "coach"}),
    check=_check_log,
)

NUTRITION_TARGETS = Collection(
    name="nutrition_targets",
    model=NutritionTargets,
    scope_kinds=frozenset({"athlete"}),
    default_writers=_COACH,
    check=_check_targets,
)

MEAL_PLANS = Collection(
    name="meal_plans",
    version=2,
    model=MealPlan,
    scope_kinds=frozenset({"athlete", "private", "coach"}),
    default_writers=frozenset({"athlete", "coach"}),
    check=_check_plan,
)
