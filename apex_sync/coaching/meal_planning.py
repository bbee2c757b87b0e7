"""Plans of meals that meet targets: which foods by rules and a seed, how much of each by `portion_fitting`.

The same foods, targets, wishes and seed give the same plan, byte for byte, on the server and on every device. A plan is
held to what a day is held to (`nutrition.macro_misses`): within 5 % of the energy and 10 % of each macro it scores 100.
Where no choice of foods gets there, nothing is planned and the miss is named.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from math import fsum
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from apex_sync.coaching.food_library import builtin_foods
from apex_sync.coaching.leaves import number, text, texts
from apex_sync.coaching.names import name_key
from apex_sync.coaching.nutrition import MACRO_TOLERANCE, Macros, macro_misses
from apex_sync.coaching.plates import AMOUNTS, DAYS, PLACES, SHARES, MealKind, Place
from apex_sync.coaching.portion_fitting import Ingredient, fitted_grams
from apex_sync.coaching.portions import nutrients_in
from apex_sync.collection import Record
from apex_sync.errors import ApexError
from apex_sync.models import FOODS
from apex_sync.op import Patch
from apex_sync.order import order_keys

Diet = Literal["any", "pescetarian", "vegetarian", "vegan"]

NOT_EATEN: Mapping[Diet, frozenset[str]] = {
    "any": frozenset(),
    "pescetarian": frozenset({"meat", "pork"}),
    "vegetarian": frozenset({"meat", "pork", "fish", "shellfish"}),
    "vegan": frozenset({"meat", "pork", "fish", "shellfish", "egg", "milk", "honey"}),
}

ATTEMPTS = 10
"""Choices of foods tried for a day, about 20 ms each; targets that food can meet are met by the first or second."""

LEAN_ATTEMPTS = 5
"""So many of them with the leanest sources of protein alone, which the highest targets need."""

LEAN_SHARE = 0.4

EXCLUDED_MAX, DAYS_MAX = 50, 7

ENERGY_KCAL_MIN, ENERGY_KCAL_MAX = 800.0, 10_000.0
"""What a day's plan may be asked for; under 800 kcal nobody should plan by rules alone [D]."""


class DayTargets(Struct, forbid_unknown_fields=True, kw_only=True):
    """What each day of a plan shall hold; fibre at least."""

    energy_kcal: Annotated[float, Meta(ge=ENERGY_KCAL_MIN, le=ENERGY_KCAL_MAX)]
    protein_g: Annotated[float, Meta(ge=0, le=1000)] | None = None
    carbs_g: Annotated[float, Meta(ge=0, le=2000)] | None = None
    fat_g: Annotated[float, Meta(ge=0, le=1000)] | None = None
    fiber_g: Annotated[float, Meta(ge=0, le=200)] | None = None


LeftOut = Annotated[str, Meta(min_length=1, max_length=100)]


class MealWishes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody likes; `excluded` names foods, categories, or what is contained (`nuts`)."""

    diet: Diet = "any"
    excluded: Annotated[list[LeftOut], Meta(max_length=EXCLUDED_MAX)] = []
    meals_per_day: Annotated[int, Meta(ge=min(DAYS), le=max(DAYS))] = 4
    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)] = 1
    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 0
    """Another one gives another plan."""


class PlannedPortion(Struct, frozen=True):
    """So many grams of a food."""

    food: "PlanFood"
    grams: int

    @property
    def nutrients(self) -> dict[str, float]:
        """What they hold."""
        return nutrients_in(self.food.record, self.grams)


class PlannedMeal(Struct, frozen=True):
    """A meal with its foods."""

    name: str
    time_of_day: str
    portions: tuple[PlannedPortion, ...]


class PlannedDay(Struct, frozen=True):
    """The meals of a day, and what they add up to."""

    meals: tuple[PlannedMeal, ...]
    totals: Macros


class Miss(Struct, frozen=True):
    """A target that no choice of foods met, and what the best of them reached."""

    nutrient: str
    asked: float
    reached: float


class TargetsUnmet(ApexError):
    """No day can be planned: these targets are missed by every choice that was tried."""

    def __init__(self, misses: tuple[Miss, ...]) -> None:
        listed = ", ".join(_words_of(miss) for miss in misses)
        super().__init__(f"no meals were found that meet the targets: {listed}")
        self.misses = misses


def _words_of(miss: Miss) -> str:
    name, _, unit = miss.nutrient.rpartition("_")
    return f"{miss.reached:.0f} {unit} of {name} where {miss.asked:.0f} were asked for"


class PlanFood(Struct, frozen=True):
    """A food that meals may be made of."""

    id: str
    names: tuple[str, ...]
    category: str
    contains: frozenset[str] | None
    """None where nobody said: such a food is in no plan that leaves something out."""
    record: Record
    per_gram: Macros


def plan_food(food_id: str, record: Record) -> PlanFood | None:
    """Read a food; None where it is of no category that is planned, or its figures are not known."""
    name, category = text(getattr(record, "name", None)), text(getattr(record, "category", None)) or ""
    per_100g, contains = getattr(record, "per_100g", None), getattr(record, "contains", None)
    held = {each: number(getattr(per_100g, each, None), 0.0, 900.0) for each in Macros.__struct_fields__}
    if name is None or category not in AMOUNTS or None in [held[each] for each in _NEEDED]:
        return None
    return PlanFood(
        id=food_id,
        names=(name, *texts(getattr(record, "aliases", None))),
        category=category,
        contains=frozenset(texts(contains)) if isinstance(contains, list) else None,
        record=record,
        per_gram=Macros(**{each: None if value is None else value / 100 for each, value in held.items()}),
    )


@cache
def builtin_plan_foods() -> tuple[PlanFood, ...]:
    """Give the built-in foods that plans are made of."""
    read = (plan_food(food.id, FOODS.read(food.patch)[0]) for food in builtin_foods() if food.planned)
    return tuple(food for food in read if food is not None)


def plan_days(foods: Iterable[PlanFood], targets: Macros, wishes: MealWishes) -> list[PlannedDay]:
    """Plan days of meals. Raises TargetsUnmet."""
    fitting = sorted((food for food in foods if is_eaten(food, wishes)), key=lambda food: food.id)
    days: list[PlannedDay] = []
    for number_of_day in range(wishes.days):
        yesterday = {portion.food.id for day in days[-1:] for meal in day.meals for portion in meal.portions}
        days.append(_planned_day(fitting, targets, wishes, number_of_day, yesterday))
    return days


def is_eaten(food: PlanFood, wishes: MealWishes) -> bool:
    """Say whether somebody eats a food, by diet and by what they leave out."""
    avoided, left_out = NOT_EATEN[wishes.diet], {name_key(word) for word in wishes.excluded} - {""}
    if food.contains is None:
        return not avoided and not left_out
    if food.contains & avoided or left_out & {name_key(each) for each in (*food.contains, food.category)}:
        return False
    names = [set(name_key(name).split()) for name in food.names]
    return not any(set(words.split()) <= name for words in left_out for name in names)


def meal_plan_patch(days: Sequence[PlannedDay], *, name: str) -> Patch:
    """Write planned days as a record of `meal_plans` holds them."""
    patch: dict[str, Any] = {"name": name, "status": "draft", "days": {}, "meals": {}, "foods": {}}
    for day_key, day_order, day in _keyed("d", days):
        patch["days"][day_key] = {"name": f"Day {int(day_key[1:])}", "order": day_order}
        for meal_key, order, meal in _keyed(f"{day_key}m", day.meals):
            patch["meals"][meal_key] = {
                "day": day_key, "name": meal.name, "time_of_day": meal.time_of_day, "order": order
            }  # fmt: skip
            for key, food_order, portion in _keyed(f"{meal_key}f", meal.portions):
                patch["foods"][key] = {
                    "meal": meal_key, "food_id": portion.food.id, "name": portion.food.names[0],
                    "quantity": portion.grams, "unit": "g", "grams": portion.grams, "order": food_order,
                    **portion.nutrients,
                }  # fmt: skip
    return patch


_NEEDED = ("energy_kcal", "protein_g", "carbs_g", "fat_g")


def _keyed(prefix: str, things: Sequence[Any]) -> list[tuple[str, str, Any]]:
    orders = order_keys(len(things))
    return [(f"{prefix}{place}", order, thing) for place, (order, thing) in enumerate(zip(orders, things), 1)]  # noqa: B905


def _planned_day(
    foods: Sequence[PlanFood], targets: Macros, wishes: MealWishes, number_of_day: int, yesterday: set[str]
) -> PlannedDay:
    """Plan one day with the first choice of foods that meets the targets; raises TargetsUnmet with the nearest one."""
    nearest: tuple[float, tuple[Miss, ...]] = (float("inf"), ())
    for attempt in range(ATTEMPTS):
        chooser = _Chooser(foods, f"{wishes.seed}/{number_of_day}/{attempt}", yesterday, lean=attempt >= LEAN_ATTEMPTS)
        day = fitted_day(chooser.chosen(wishes.meals_per_day), targets, wishes.meals_per_day)
        misses = day_misses(day.totals, targets)
        if not misses:
            return day
        off = fsum(abs(miss.reached - miss.asked) / miss.asked for miss in misses)
        nearest = min(nearest, (off, misses), key=lambda each: each[0])
    raise TargetsUnmet(nearest[1])


def day_misses(totals: Macros, targets: Macros) -> tuple[Miss, ...]:
    """Name the targets that a day misses; fibre only where it is too little."""
    missed = [name for name, miss in macro_misses(totals, targets).items() if miss > 0]
    if targets.fiber_g and (totals.fiber_g or 0.0) < targets.fiber_g * (1 - MACRO_TOLERANCE):
        missed.append("fiber_g")
    return tuple(Miss(name, getattr(targets, name), getattr(totals, name) or 0.0) for name in missed)


class _Chooser:
    """Chooses the foods of a day in an order that follows from the seed, and none twice while there are others."""

    def __init__(self, foods: Sequence[PlanFood], seed: str, yesterday: set[str], *, lean: bool) -> None:
        self._foods = foods
        self._seed = seed
        self._used = set(yesterday)
        self._lean = lean

    def chosen(self, meals_per_day: int) -> list[list[PlanFood]]:
        """Choose the foods of every meal."""
        return [
            [
                food
                for place, categories in PLACES[kind].items()
                if (food := self._one_of(categories, place, meal)) is not None
            ]
            for meal, (_, kind, _) in enumerate(DAYS[meals_per_day])
        ]

    def _one_of(self, categories: frozenset[str], place: Place, meal: int) -> PlanFood | None:
        fitting = [food for food in self._foods if food.category in categories]
        if self._lean and place == "protein":
            fitting = sorted(fitting, key=_leanness)[: max(1, int(len(fitting) * LEAN_SHARE))]
        if not fitting:
            return None
        best = min(fitting, key=lambda food: (food.id in self._used, self._rank(f"{meal}/{place}/{food.id}")))
        self._used.add(best.id)
        return best

    def _rank(self, place: str) -> bytes:
        return blake2b(f"{self._seed}/{place}".encode(), digest_size=8).digest()


def _leanness(food: PlanFood) -> tuple[float, str]:
    energy, protein = food.per_gram.energy_kcal or 0.0, food.per_gram.protein_g or 0.0
    return energy / protein if protein else float("inf"), food.id


def fitted_day(chosen: Sequence[Sequence[PlanFood]], targets: Macros, meals_per_day: int) -> PlannedDay:
    """Find how much of each food."""
    kinds: list[MealKind] = [kind for _, kind, _ in DAYS[meals_per_day]]
    shares = [SHARES[kind] / fsum(SHARES[each] for each in kinds) for kind in kinds]
    placed = [(meal, food) for meal, foods in enumerate(chosen) for food in foods]
    asked = {name: target for name in _NEEDED if (target := getattr(targets, name))}
    ingredients = [
        Ingredient(
            tuple((getattr(food.per_gram, name) or 0.0) / target for name, target in asked.items()),
            AMOUNTS[food.category],
            meal,
        )
        for meal, food in placed
    ]
    grams = fitted_grams(ingredients, shares)
    meals = tuple(
        PlannedMeal(
            name,
            time_of_day,
            tuple(
                PlannedPortion(food, weight)
                for (of_meal, food), weight in zip(placed, grams, strict=True)
                if of_meal == meal and weight
            ),
        )
        for meal, (name, _, time_of_day) in enumerate(DAYS[meals_per_day])
    )
    eaten = [portion.nutrients for meal in meals for portion in meal.portions]
    totals = {name: round(fsum(each.get(name, 0.0) for each in eaten), 1) for name in Macros.__struct_fields__}
    return PlannedDay(meals, Macros(**totals))
