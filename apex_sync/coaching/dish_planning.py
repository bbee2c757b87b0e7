"""Dishes that somebody else thinks of, held to the rules that a plan of rules is held to.

The rules give the frame: which meals a day has, and for each place of a meal the foods that are eaten at all. Whoever
proposes (a language model) chooses among these and gives a dish its name; how much of each food, and whether the day
meets its targets, is found as it always is. So a proposal can be dull or be refused, and never be wrong.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from apex_sync.coaching.meal_planning import (
    MealWishes,
    PlanFood,
    PlannedDay,
    PlannedMeal,
    day_misses,
    fitted_day,
    is_eaten,
)
from apex_sync.coaching.nutrition import Macros
from apex_sync.coaching.plates import DAYS, PLACES, Place

OFFERED_PER_PLACE = 12
"""Foods to choose from for one place of a meal: enough for a week, and a question stays under 2,000 tokens."""

DISH_LENGTH_MAX = 60

DISH_WORDS = """
    a and baked bowl chopped cold creamy crispy fresh fried grilled hot in mashed mix mixed of on over pan plate roasted
    salad seared skillet soup steamed stew stir-fry the toasted warm with
"""
"""What a name may say beside the names of the foods in the dish: how it is cooked and served, and nothing else [D]."""

_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


_NO_NAME = re.compile(r"[^A-Za-z ,'&-]")
_SERVED = frozenset(word.removesuffix("s") for word in DISH_WORDS.split())


class OfferedMeal(Struct, frozen=True):
    """A meal of every day, with the foods that may go to each of its places."""

    name: str
    places: Mapping[Place, tuple[PlanFood, ...]]


class ProposedDish(Struct, frozen=True, forbid_unknown_fields=True):
    """A meal: what the dish is called, and the ids of its foods."""

    dish: Annotated[str, Meta(min_length=1, max_length=DISH_LENGTH_MAX)]
    foods: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=6)]


class RefusedDishes(Exception):
    """A proposal that does not hold; `problems` say why, in words that name no target and nobody's wishes."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


def offered_meals(foods: Iterable[PlanFood], wishes: MealWishes) -> tuple[OfferedMeal, ...]:
    """Give what a day may be made of; the seed of the wishes chooses where there is more than a place offers."""
    eaten = [food for food in foods if is_eaten(food, wishes)]

    def offered(meal: int, place: Place, categories: frozenset[str]) -> tuple[PlanFood, ...]:
        fitting = [food for food in eaten if food.category in categories]
        return tuple(
            sorted(fitting, key=lambda food: _rank(f"{wishes.seed}/{meal}/{place}/{food.id}"))[:OFFERED_PER_PLACE]
        )

    return tuple(
        OfferedMeal(name, {place: found for place, of in PLACES[kind].items() if (found := offered(meal, place, of))})
        for meal, (name, kind, _) in enumerate(DAYS[wishes.meals_per_day])
    )


def plan_of_dishes(
    proposed: Sequence[Sequence[ProposedDish]], offered: Sequence[OfferedMeal], targets: Macros, wishes: MealWishes
) -> list[PlannedDay]:
    """Plan days of proposed dishes. Raises RefusedDishes."""
    if len(proposed) != wishes.days or any(len(day) != len(offered) for day in proposed):
        raise RefusedDishes([f"expected {wishes.days} days of {len(offered)} meals each"])
    problems: list[str] = []
    days: list[PlannedDay] = []
    for number, dishes in enumerate(proposed, 1):
        chosen = [_chosen(dish, meal, problems, f"day {number}") for dish, meal in zip(dishes, offered, strict=True)]
        if not problems:
            day = fitted_day(chosen, targets, wishes.meals_per_day)
            for miss in day_misses(day.totals, targets):
                direction = "more" if miss.reached < miss.asked else "less"
                problems.append(f"day {number} needs foods with {direction} {miss.nutrient.rpartition('_')[0]}")
            problems += [
                f"day {number}, {meal.name}: {problem}"
                for meal, dish in zip(day.meals, dishes, strict=True)
                if (problem := _name_problem(dish.dish, meal))
            ]
            days.append(_named(day, dishes))
    if problems:
        raise RefusedDishes(problems)
    return days


def _chosen(dish: ProposedDish, meal: OfferedMeal, problems: list[str], day: str) -> list[PlanFood]:
    """Find the foods of a dish, one for a place at most."""
    where = f"{day}, {meal.name}"
    left = dict(meal.places)
    chosen = []
    for food_id in dish.foods:
        found = next(((place, food) for place, foods in left.items() for food in foods if food.id == food_id), None)
        if found is None:
            problems.append(f"{where}: a food that is not offered for a place that is still free")
            continue
        del left[found[0]]
        chosen.append(found[1])
    return chosen


def _name_problem(name: str, meal: PlannedMeal) -> str | None:
    """Hold the name of a dish to what is in it once portions are found."""
    if not _WORD.search(name.lower()) or _NO_NAME.search(name):
        return "the name of a dish is words alone"
    said = {word for portion in meal.portions for each in portion.food.names for word in _words(each)}
    unknown = next((word for word in _words(name) if word not in said and word not in _SERVED), None)
    return None if unknown is None else f"a dish is named by its foods and how they are served alone, not {unknown!r}"


def _words(text: str) -> list[str]:
    """List the words of a name, without the `s` of a plural.

    >>> _words("Eggs on toast")
    ['egg', 'on', 'toast']
    """
    return [word.removesuffix("s") for word in _WORD.findall(text.lower())]


def _named(day: PlannedDay, dishes: Sequence[ProposedDish]) -> PlannedDay:
    named = (
        replace(meal, name=f"{meal.name}: {' '.join(dish.dish.split())}")
        for meal, dish in zip(day.meals, dishes, strict=True)
    )
    return replace(day, meals=tuple(named))


def _rank(place: str) -> bytes:
    return blake2b(place.encode(), digest_size=8).digest()
