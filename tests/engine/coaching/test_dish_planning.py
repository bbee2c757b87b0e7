"""Whatever somebody proposes to eat is held to the rules of a plan of rules: foods, places, names and targets."""

import random

import pytest

from apex_sync.coaching.dish_planning import (
    DISH_LENGTH_MAX,
    OFFERED_PER_PLACE,
    OfferedMeal,
    ProposedDish,
    RefusedDishes,
    offered_meals,
    plan_of_dishes,
)
from apex_sync.coaching.meal_planning import MealWishes, builtin_plan_foods, day_misses, is_eaten
from apex_sync.coaching.nutrition import Macros

TARGETS = Macros(energy_kcal=2600, protein_g=180, carbs_g=290, fat_g=80)
WISHES = MealWishes(diet="vegetarian", excluded=["nuts"], days=2)
OFFERED = offered_meals(builtin_plan_foods(), WISHES)


def dishes_of(offered: tuple[OfferedMeal, ...], draw: random.Random) -> list[ProposedDish]:
    """Choose a food for every place, and name the dish by the first of them."""
    chosen = [[draw.choice(foods) for foods in meal.places.values()] for meal in offered]
    return [ProposedDish(dish="Warm bowl", foods=[food.id for food in foods]) for foods in chosen]


def dishes_that_hold(offered: tuple[OfferedMeal, ...], targets: Macros, wishes: MealWishes) -> list[list[ProposedDish]]:
    """Find dishes that meet the targets, as a model that knows its trade would."""
    draw = random.Random(7)
    days: list[list[ProposedDish]] = []
    for _ in range(500):
        dishes = dishes_of(offered, draw)
        try:
            plan_of_dishes([dishes], offered, targets, MealWishes(meals_per_day=wishes.meals_per_day))
        except RefusedDishes:
            continue
        days.append(dishes)
        if len(days) == wishes.days:
            return days
    raise AssertionError("no dishes were found that meet the targets")


def test_only_what_is_eaten_is_offered_and_not_too_much_of_it() -> None:
    for meal in OFFERED:
        for foods in meal.places.values():
            assert 0 < len(foods) <= OFFERED_PER_PLACE
            assert all(is_eaten(food, WISHES) for food in foods)
    assert offered_meals(builtin_plan_foods(), WISHES) == OFFERED


def test_dishes_that_hold_become_days_that_meet_the_targets() -> None:
    proposed = dishes_that_hold(OFFERED, TARGETS, WISHES)
    days = plan_of_dishes(proposed, OFFERED, TARGETS, WISHES)
    assert len(days) == 2
    for day, dishes in zip(days, proposed, strict=True):
        assert not day_misses(day.totals, TARGETS)
        assert [meal.name for meal in day.meals] == [f"{meal.name}: Warm bowl" for meal in OFFERED]
        for meal, dish in zip(day.meals, dishes, strict=True):
            assert {portion.food.id for portion in meal.portions} <= set(dish.foods)


@pytest.mark.parametrize(
    ("dish", "problem"),
    [
        ("Bowl that heals shoulders", "named by its foods"),
        ("Visit evil.example now", "words alone"),
        ("Bowl of 500 kcal", "words alone"),
        ("Warm beef bowl", "not 'beef'"),
        ("   ", "words alone"),
    ],
)
def test_a_dish_says_nothing_but_what_is_in_it(dish: str, problem: str) -> None:
    assert len(dish) <= DISH_LENGTH_MAX
    [first, *others] = dishes_that_hold(OFFERED, TARGETS, WISHES)
    proposed = [[ProposedDish(dish=dish, foods=first[0].foods), *first[1:]], *others]
    with pytest.raises(RefusedDishes, match=problem):
        plan_of_dishes(proposed, OFFERED, TARGETS, WISHES)


def test_foods_that_were_not_offered_or_have_no_place_left_are_refused() -> None:
    [first, *others] = dishes_that_hold(OFFERED, TARGETS, WISHES)
    breakfast = first[0]
    for foods in ([*breakfast.foods, "elsewhere"], [*breakfast.foods, breakfast.foods[0]]):
        proposed = [[ProposedDish(dish="Warm bowl", foods=foods), *first[1:]], *others]
        with pytest.raises(RefusedDishes, match="not offered for a place that is still free"):
            plan_of_dishes(proposed, OFFERED, TARGETS, WISHES)
    for proposed in ([first], [first, first[1:]]):
        with pytest.raises(RefusedDishes, match="expected 2 days of 4 meals"):
            plan_of_dishes(proposed, OFFERED, TARGETS, WISHES)


def test_a_day_that_misses_its_targets_is_refused_without_naming_them() -> None:
    lean = Macros(energy_kcal=1500, protein_g=250, carbs_g=50, fat_g=20)
    with pytest.raises(RefusedDishes) as refused:
        plan_of_dishes([dishes_of(OFFERED, random.Random(1))], OFFERED, lean, MealWishes())
    assert any(problem.startswith("day 1 needs foods with ") for problem in refused.value.problems)
    assert not any(figure in str(refused.value) for figure in ("1500", "250", "kcal"))
