"""A planned meal is logged in one call, once, whoever logs it and however often."""

from typing import Any

import pytest

from apex_client import Replica
from apex_client.records import Record
from apex_sync.errors import OutOfBounds
from tests.client.built_in import give_library
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"
TARGETS = {"energy_kcal": 2600, "protein_g": 180, "carbs_g": 290, "fat_g": 80}
DAY = "2026-03-02"
NOT_COPIED = {"order", "meal", "source", "deleted"}


@pytest.fixture
async def athlete(open_replica: OpenReplica, server: LoopbackServer) -> Replica:
    replica: Replica = await open_replica("athlete", ANNA)
    give_library(server, ANNA, "foods")
    await replica.sync()
    return replica


def lunch_of(plan: Record[Any]) -> list[dict[str, Any]]:
    return [without_place(food) for food in plan["foods"].values() if food["meal"] == "d1m2"]


def eaten(day: Record[Any]) -> list[dict[str, Any]]:
    foods = sorted((food for food in day["foods"].values() if not food.get("deleted")), key=lambda food: food["order"])
    return [without_place(food) for food in foods]


def without_place(food: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in food.items() if name not in NOT_COPIED and value is not None}


async def test_a_meal_is_logged_with_its_foods_and_names_its_plan(athlete: Replica) -> None:
    plan = await athlete.meal_plans.plan(TARGETS)
    day = await athlete.nutrition_logs.log_planned("lunch", plan=plan, day=DAY)
    assert eaten(day) == lunch_of(plan) and day["date"] == DAY
    [(key, meal)] = day["meals"].items()
    assert (meal["name"], meal["meal_plan_id"]) == ("Lunch", plan.id)
    assert {(food["meal"], food["source"]) for food in day["foods"].values()} == {(key, "database")}
    rows = await athlete.query("SELECT meal_name, name, energy_kcal FROM logged_foods ORDER BY position")
    assert [(row["meal_name"], row["name"], row["energy_kcal"]) for row in rows] == [
        ("Lunch", food["name"], food["energy_kcal"]) for food in lunch_of(plan)
    ]


async def test_by_itself_it_is_of_the_plan_that_is_followed_that_day(athlete: Replica) -> None:
    before = await athlete.meal_plans.plan(TARGETS, seed=1)
    await before.edit(status="active", start_date="2026-02-02")
    now = await athlete.meal_plans.plan(TARGETS, seed=2)
    await now.edit(status="active", start_date="2026-03-02")
    await athlete.meal_plans.plan(TARGETS, seed=3)
    for day, plan in (("2026-03-01", before), ("2026-03-02", now)):
        assert (followed := await athlete.meal_plans.followed(day)) is not None and followed.id == plan.id
        assert eaten(await athlete.nutrition_logs.log_planned("Lunch", day=day)) == lunch_of(plan)
    assert await athlete.meal_plans.followed("2026-02-01") is None
    with pytest.raises(OutOfBounds, match="none is followed on 2026-02-01"):
        await athlete.nutrition_logs.log_planned("Lunch", day="2026-02-01")


async def test_a_meal_that_is_logged_again_stays_as_it_was_eaten(athlete: Replica) -> None:
    plan = await athlete.meal_plans.plan(TARGETS)
    day = await athlete.nutrition_logs.log_planned("Lunch", plan=plan, day=DAY)
    first, *others = day["foods"]
    await day.edit(foods={first: {"grams": 1.0}, others[0]: {"deleted": True}})
    assert (await athlete.nutrition_logs.log_planned("Lunch", plan=plan, day=DAY)).state == day.state
    await day.edit(foods={key: {"deleted": True} for key in day["foods"]})
    again = await athlete.nutrition_logs.log_planned("Lunch", plan=plan, day=DAY)
    assert eaten(again) == lunch_of(plan)


async def test_two_devices_that_log_one_meal_offline_log_it_once(
    athlete: Replica, open_replica: OpenReplica, server: LoopbackServer
) -> None:
    plan = await athlete.meal_plans.plan(TARGETS)
    await athlete.sync()
    watch = await open_replica("watch", ANNA)
    await watch.sync()
    for device in (athlete, watch):
        await device.nutrition_logs.log_planned("Lunch", plan=plan, day=DAY)
    for device in (athlete, watch, athlete):
        await device.sync()
    for device in (athlete, watch):
        [day] = await device.nutrition_logs.on(DAY)
        assert eaten(day) == lunch_of(plan) and len(day["meals"]) == 1


async def test_it_goes_into_the_meal_of_that_name(athlete: Replica) -> None:
    plan = await athlete.meal_plans.plan(TARGETS)
    [banana] = await athlete.foods.named("banana")
    await athlete.nutrition_logs.log_food(banana, 118, meal="lunch", day=DAY)
    day = await athlete.nutrition_logs.log_planned("Lunch", plan=plan, day=DAY)
    [(key, meal)] = day["meals"].items()
    assert (meal["name"], meal["meal_plan_id"]) == ("lunch", plan.id)
    assert len(eaten(day)) == 1 + len(lunch_of(plan)) and {food["meal"] for food in day["foods"].values()} == {key}


async def test_a_name_that_several_meals_have_is_asked_back_with_their_days(athlete: Replica) -> None:
    plan = await athlete.meal_plans.plan(TARGETS, days=2)
    with pytest.raises(OutOfBounds, match="Expected one of Day 1/Lunch, Day 2/Lunch"):
        await athlete.nutrition_logs.log_planned("Lunch", plan=plan, day=DAY)
    with pytest.raises(OutOfBounds, match="Expected one of Day 1/Breakfast, Day 1/"):
        await athlete.nutrition_logs.log_planned("Feast", plan=plan, day=DAY)
    assert await athlete.nutrition_logs.list() == []
    day = await athlete.nutrition_logs.log_planned("day 2/lunch", plan=plan, day=DAY)
    second = [without_place(food) for food in plan["foods"].values() if food["meal"] == "d2m2"]
    assert eaten(day) == second
    await plan.edit(days={"d2": {"deleted": True}})
    assert eaten(await athlete.nutrition_logs.log_planned("Lunch", plan=plan, day="2026-03-03")) == lunch_of(plan)


async def test_a_food_that_only_the_plan_knows_is_a_custom_one(athlete: Replica) -> None:
    plan = await athlete.meal_plans.create(
        name="Own", meals={"m": {"name": "Supper"}}, foods={"f": {"meal": "m", "name": "Stew", "energy_kcal": 400}}
    )
    day = await athlete.nutrition_logs.log_planned("m", plan=plan, day=DAY)
    [food] = day["foods"].values()
    assert (food["name"], food["energy_kcal"], food["source"]) == ("Stew", 400, "custom")
    await plan.edit(foods={"f": {"deleted": True}})
    with pytest.raises(OutOfBounds, match="with food in it"):
        await athlete.nutrition_logs.log_planned("Supper", plan=plan, day="2026-03-03")


async def test_a_coach_logs_for_an_athlete_by_name(open_replica: OpenReplica, server: LoopbackServer) -> None:
    coach: Replica = await open_replica("coach", COACH, role="coach")
    anna = server.add_user(ANNA)
    server.grants[server.accounts[COACH].id][f"athlete:{anna.id}"] = "coach"
    await coach.sync()
    template = await coach.meal_plans.plan(TARGETS)
    day = await coach.athlete(anna.id).nutrition_logs.log_planned("Lunch", plan=template, day=DAY)
    assert day.scope == f"athlete:{anna.id}" and eaten(day) == lunch_of(template)
