"""What was eaten is logged by name and serving, and meals are planned on the device, online or not."""

import pytest

from apex_client import Replica
from apex_sync.coaching.food_library import builtin_foods
from apex_sync.coaching.meal_planning import MealWishes, TargetsUnmet, builtin_plan_foods, meal_plan_patch, plan_days
from apex_sync.coaching.nutrition import Macros
from apex_sync.errors import OutOfBounds
from tests.client.built_in import give_library
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"
TARGETS = {"energy_kcal": 2600, "protein_g": 180, "carbs_g": 290, "fat_g": 80}
DAY = "2026-03-01"


@pytest.fixture
async def athlete(open_replica: OpenReplica, server: LoopbackServer) -> Replica:
    replica: Replica = await open_replica("athlete", ANNA)
    give_library(server, ANNA, "foods")
    await replica.sync()
    server.version = 0
    return replica


async def test_foods_go_into_the_meals_of_one_day(athlete: Replica) -> None:
    [oats] = await athlete.foods.named("oats")
    [banana] = await athlete.foods.named("banana")
    await athlete.nutrition_logs.log_food(oats, 80, meal="Breakfast", day=DAY)
    await athlete.nutrition_logs.log_food(banana, 1, "medium banana", meal="breakfast", day=DAY)
    log = await athlete.nutrition_logs.log_food(oats, 2, "portions", day=DAY)
    [meal] = log["meals"]
    assert {food["name"]: food.get("meal") for food in log["foods"].values() if food["grams"] < 100} == {
        "Rolled oats, dry": meal
    }
    rows = await athlete.query("SELECT name, grams, unit, energy_kcal, source FROM logged_foods ORDER BY grams")
    assert [(row["name"], row["grams"], row["unit"], row["source"]) for row in rows] == [
        ("Rolled oats, dry", 80, "g", "database"),
        ("Rolled oats, dry", 100, "portions", "database"),
        ("Banana", 118, "medium banana", "database"),
    ]
    assert rows[0]["energy_kcal"] == pytest.approx(303.2)


@pytest.mark.parametrize(("quantity", "unit"), [(0, "g"), (-1, "g"), (1, "bucket"), (float("inf"), "g"), (9e9, "g")])
async def test_what_nobody_eats_is_refused_and_leaves_nothing(athlete: Replica, quantity: float, unit: str) -> None:
    [oats] = await athlete.foods.named("oats")
    with pytest.raises(OutOfBounds):
        await athlete.nutrition_logs.log_food(oats, quantity, unit, day=DAY)
    assert await athlete.nutrition_logs.list() == []


async def test_a_device_plans_what_everybody_plans(athlete: Replica) -> None:
    plan = await athlete.meal_plans.plan(TARGETS, diet="vegan", seed=3, days=2, name="Cut")
    here = plan_days(builtin_plan_foods(), Macros(**TARGETS), MealWishes(diet="vegan", seed=3, days=2))
    assert plan["foods"] == meal_plan_patch(here, name="Cut")["foods"]
    [row] = await athlete.query("SELECT name, status, day_count, meal_count FROM meal_plans")
    assert row == {"name": "Cut", "status": "draft", "day_count": 2, "meal_count": 8}


async def test_a_coach_plans_for_an_athlete_with_the_targets_in_force(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    coach: Replica = await open_replica("coach", COACH, role="coach")
    anna = server.add_user(ANNA)
    server.grants[server.accounts[COACH].id][f"athlete:{anna.id}"] = "coach"
    await coach.sync()
    hers = coach.athlete(anna.id)
    with pytest.raises(OutOfBounds, match="nobody has set any"):
        await hers.meal_plans.plan()
    await hers.nutrition_targets.create({"start_date": "2020-01-01", **TARGETS})
    plan = await hers.meal_plans.plan()
    assert plan.scope == f"athlete:{anna.id}" and abs(energy(plan["foods"]) / 2600 - 1) <= 0.05
    with pytest.raises(TargetsUnmet, match="g of protein where 300 were asked for"):
        await hers.meal_plans.plan({"energy_kcal": 1200, "protein_g": 300})
    for wrong in ({"diet": "carnivore"}, {"meals_per_day": 10_000}, {"days": 0}, {"excluded": ["x"] * 51}):
        with pytest.raises(OutOfBounds):
            await hers.meal_plans.plan(TARGETS, **wrong)


def energy(foods: dict[str, dict[str, float]]) -> float:
    return sum(food["energy_kcal"] for food in foods.values())


def test_every_built_in_food_has_a_usual_serving() -> None:
    assert all(food.servings for food in builtin_foods())
