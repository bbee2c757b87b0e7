"""A plan of meals meets its targets or says which it cannot, has only what is eaten, and is the same everywhere."""

from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apex_sync.coaching.food_library import builtin_foods
from apex_sync.coaching.meal_planning import (
    NOT_EATEN,
    Diet,
    MealWishes,
    PlanFood,
    TargetsUnmet,
    builtin_plan_foods,
    day_misses,
    meal_plan_patch,
    plan_days,
    plan_food,
)
from apex_sync.coaching.names import name_key
from apex_sync.coaching.nutrition import Macros, day_score, day_totals
from apex_sync.coaching.plates import AMOUNTS
from apex_sync.models import FOODS, MEAL_PLANS, NUTRITION_LOGS, Food
from apex_sync.models.nutrition import Nutrients

USUAL = Macros(energy_kcal=2600, protein_g=180, carbs_g=290, fat_g=80)


def split(energy_kcal: float, protein: float, fat: float, **more: float) -> Macros:
    """Give targets by the shares of energy from protein and fat; carbohydrate has the rest."""
    return Macros(
        energy_kcal=energy_kcal,
        protein_g=energy_kcal * protein / 4,
        carbs_g=energy_kcal * (1 - protein - fat) / 4,
        fat_g=energy_kcal * fat / 9,
        **more,
    )


def planned(targets: Macros = USUAL, **wishes: Any) -> list[Any]:
    return plan_days(builtin_plan_foods(), targets, MealWishes(**wishes))


def test_every_food_that_is_offered_can_be_planned() -> None:
    assert len(builtin_plan_foods()) == sum(food.planned for food in builtin_foods()) > 100


@pytest.mark.parametrize("diet", get_args(Diet))
@pytest.mark.parametrize("meals_per_day", [4, 5, 6])
def test_usual_targets_are_met_by_every_diet(diet: Diet, meals_per_day: int) -> None:
    for seed, targets in enumerate((split(1600, 0.3, 0.28), split(2300, 0.25, 0.3), split(3400, 0.22, 0.25))):
        [day] = planned(targets, diet=diet, meals_per_day=meals_per_day, seed=seed)
        assert day_misses(day.totals, targets) == ()
        assert len(day.meals) == meals_per_day and all(meal.portions for meal in day.meals)


@settings(max_examples=25, deadline=None)
@given(
    st.builds(split, st.floats(800, 6000), st.floats(0.05, 0.6), st.floats(0.05, 0.4)),
    st.sampled_from(get_args(Diet)),
    st.integers(2, 6),
    st.integers(0, 2**31 - 1),
)
def test_any_targets_are_met_or_named(targets: Macros, diet: Diet, meals_per_day: int, seed: int) -> None:
    wishes = MealWishes(diet=diet, meals_per_day=meals_per_day, seed=seed)
    try:
        [day] = plan_days(builtin_plan_foods(), targets, wishes)
    except TargetsUnmet as unmet:
        assert unmet.misses
        for miss in unmet.misses:
            assert miss.asked == getattr(targets, miss.nutrient) and abs(miss.reached / miss.asked - 1) > 0.05
        return
    assert day_misses(day.totals, targets) == ()
    for meal in day.meals:
        for portion in meal.portions:
            least, most, step = AMOUNTS[portion.food.category]
            assert least <= portion.grams <= most and (portion.grams - least) % step == 0
            assert not (portion.food.contains or set()) & NOT_EATEN[diet]


def test_the_same_seed_gives_the_same_plan_in_whatever_order_the_foods_come() -> None:
    foods = list(builtin_plan_foods())
    for seed in range(3):
        wishes = MealWishes(seed=seed, days=2)
        assert plan_days(foods, USUAL, wishes) == plan_days(foods[::-1], USUAL, wishes)
    assert planned(seed=1) != planned(seed=2)


def test_days_differ_from_each_other() -> None:
    days = [{portion.food.id for meal in day.meals for portion in meal.portions} for day in planned(days=3)]
    assert all(one & next_day == set() for one, next_day in pairwise(days))


@pytest.mark.parametrize("word", ["Mushrooms", "gluten", "fish", "nuts", "Haferflocken", "fruit", "chicken breast"])
def test_what_is_left_out_is_in_no_meal(word: str) -> None:
    for seed in range(5):
        [day] = planned(excluded=[word], seed=seed)
        for food in (portion.food for meal in day.meals for portion in meal.portions):
            said = {name_key(each) for each in (*food.contains, food.category)}
            assert name_key(word) not in said
            assert not any(set(name_key(word).split()) <= set(name_key(name).split()) for name in food.names)


def test_targets_that_contradict_each_other_are_named() -> None:
    with pytest.raises(TargetsUnmet, match="g of fat where") as unmet:
        planned(Macros(energy_kcal=1500, protein_g=150, carbs_g=200, fat_g=150))
    assert {miss.nutrient for miss in unmet.value.misses} <= {"energy_kcal", "protein_g", "carbs_g", "fat_g"}
    with pytest.raises(TargetsUnmet, match="g of fiber where"):
        planned(split(1500, 0.3, 0.3, fiber_g=300))


def test_nothing_to_eat_is_said_too() -> None:
    with pytest.raises(TargetsUnmet):
        plan_days([], USUAL, MealWishes())


def test_a_plan_eaten_as_it_is_scores_a_hundred() -> None:
    patch = meal_plan_patch(planned(days=2), name="Bulk")
    MEAL_PLANS.check_bounds(patch)
    first = {key: food for key, food in patch["foods"].items() if key.startswith("d1")}
    meals = {key: {"name": meal["name"]} for key, meal in patch["meals"].items() if meal["day"] == "d1"}
    log, problems = NUTRITION_LOGS.read({"date": "2026-03-01", "meals": meals, "foods": first})
    assert problems == [] and day_score(day_totals(log), USUAL).percent == 100


def custom(**fields: Any) -> PlanFood | None:
    figures = Nutrients(energy_kcal=165, protein_g=31, carbs_g=0, fat_g=3.6)
    return plan_food(
        "own", Food(**{"name": "Own", "category": "poultry", "contains": ["meat"], "per_100g": figures, **fields})
    )


def test_a_coachs_own_food_is_planned_where_its_category_goes() -> None:
    own = custom()
    assert own is not None
    others = [
        food
        for food in builtin_plan_foods()
        if food.category not in ("poultry", "meat", "fish", "legume", "plant_protein")
    ]
    [day] = plan_days([own, *others], USUAL, MealWishes())
    assert "own" in {portion.food.id for portion in day.meals[1].portions}


@pytest.mark.parametrize(
    "fields", [{"category": "sauce"}, {"category": None}, {"name": None}, {"per_100g": Nutrients(energy_kcal=100)}]
)
def test_a_food_of_which_too_little_is_known_is_not_planned(fields: dict[str, Any]) -> None:
    assert custom(**fields) is None


def test_a_food_whose_contents_nobody_named_is_in_no_plan_that_leaves_something_out() -> None:
    unknown = custom(contains=None)
    assert unknown is not None and FOODS.read({"name": "x"})[1] == []
    assert all(
        portion.food.id != "own"
        for wishes in (MealWishes(diet="pescetarian"), MealWishes(excluded=["milk"]))
        for day in plan_days([unknown, *builtin_plan_foods()], USUAL, wishes)
        for meal in day.meals
        for portion in meal.portions
    )
