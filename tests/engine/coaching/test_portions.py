"""What somebody typed of a food becomes grams and nutrients, or says which units there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.food_library import BuiltinFood, builtin_foods
from apex_sync.coaching.portions import grams_by_unit, portion_of
from apex_sync.errors import OutOfBounds
from apex_sync.models import FOODS, NUTRITION_LOGS, Food
from apex_sync.models.nutrition import Nutrients, Serving

MILK = Food(
    name="Milk",
    category="dairy",
    per_100g=Nutrients(energy_kcal=61, protein_g=3.2, fiber_g=None),
    servings={"1": Serving(name="1 glass", grams=250), "2": Serving(name="5 Löffel", grams=75)},
)


@pytest.mark.parametrize(
    ("quantity", "unit", "grams"),
    [(250, "g", 250), (0.25, "kg", 250), (1, "Glass", 250), (2, "glasses", 500), (1, "löffel", 15), (200, "ml", 200),
     (1, "oz", 28.35), (1, "lb", 453.592)],
)  # fmt: skip
def test_units_become_grams(quantity: float, unit: str, grams: float) -> None:
    portion = portion_of("id", MILK, quantity, unit)
    assert portion["grams"] == pytest.approx(grams, abs=0.01)
    assert portion["energy_kcal"] == round(61 * portion["grams"] / 100, 1) and "fiber_g" not in portion
    assert (portion["quantity"], portion["unit"], portion["food_id"]) == (quantity, unit, "id")


@pytest.mark.parametrize(
    ("quantity", "unit", "names"),
    [(1, "bucket", "g, kg, oz, lb, ml, l, glass, Löffel"), (0, "g", "quantity"), (-5, "g", "quantity"),
     (float("nan"), "g", "quantity"), (5_001, "g", "5 kg"), (1e9, "g", "quantity"), (1, "", "unit")],
)  # fmt: skip
def test_what_nobody_eats_is_refused(quantity: float, unit: str, names: str) -> None:
    with pytest.raises(OutOfBounds, match=names):
        portion_of("id", MILK, quantity, unit)


def test_only_what_is_drunk_is_measured_by_the_litre() -> None:
    assert "ml" not in grams_by_unit(Food(name="Oats", category="cereal"))


@given(st.sampled_from(builtin_foods()), st.floats(0.1, 50))
def test_every_serving_of_the_library_makes_a_food_that_may_be_logged(food: BuiltinFood, quantity: float) -> None:
    record, _ = FOODS.read(food.patch)
    units = grams_by_unit(record)
    assert len(units) >= 5
    for unit in units:
        if quantity * units[unit] <= 5_000:
            NUTRITION_LOGS.check_bounds({"foods": {"1": portion_of(food.id, record, quantity, unit)}})
