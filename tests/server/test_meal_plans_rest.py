"""Meals are planned to targets over REST, for whom one may, and plans are records like any other."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apex_server.db import Database
from apex_sync.coaching.food_library import builtin_foods
from apex_sync.coaching.meal_planning import MealWishes, builtin_plan_foods, meal_plan_patch, plan_days
from apex_sync.coaching.nutrition import Macros
from tests.server.accounts_app import problem
from tests.server.rest_app import Person, RestServer, rest_server

pytestmark = pytest.mark.anyio

TARGETS = {"energy_kcal": 2600, "protein_g": 180, "carbs_g": 290, "fat_g": 80}
BUILT_IN = {food.id for food in builtin_foods()}


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def planned(person: Person, *, status: int = 200, **asked: Any) -> dict[str, Any]:
    answer = await person("POST", "/api/nutrition/meals/plan", asked)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def test_a_plan_meets_its_targets_and_is_only_shown(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    answer = await planned(athlete, targets=TARGETS, days=2, diet="vegetarian")
    assert answer["id"] is None and len(answer["totals"]) == 2
    for totals in answer["totals"]:
        assert all(abs(totals[name] / target - 1) <= 0.1 for name, target in TARGETS.items() if name != "protein_g")
        assert totals["protein_g"] >= 0.9 * TARGETS["protein_g"]
    assert {food["food_id"] for food in answer["plan"]["foods"].values()} <= BUILT_IN
    assert (await athlete("GET", "/api/nutrition/plans")).json()["meal_plans"] == []
    assert await planned(athlete, targets=TARGETS, days=2, diet="vegetarian") == answer
    assert await planned(athlete, targets=TARGETS, days=2, diet="vegetarian", seed=1) != answer


async def test_a_coach_saves_one_for_an_athlete_who_adapts_it(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    saved = await planned(coach, status=201, athlete_id=athlete.id, targets=TARGETS, save=True, name="Bulk")
    path = f"/api/nutrition/plans/{saved['id']}"
    plan = (await athlete("GET", path)).json()
    assert (plan["name"], plan["status"], plan["athlete_id"]) == ("Bulk", "draft", athlete.id)
    assert plan["foods"] == saved["plan"]["foods"]
    assert (await athlete("PATCH", path, {"foods": {"d1m1f1": {"deleted": True}}})).status_code == 200
    assert (await coach("PATCH", path, {"status": "active"})).status_code == 200
    listed = (await coach("GET", f"/api/nutrition/plans?athlete_id={athlete.id}&status=active")).json()["meal_plans"]
    assert [each["id"] for each in listed] == [saved["id"]]
    assert listed[0]["foods"]["d1m1f1"]["deleted"] is True


async def test_the_targets_in_force_are_planned_for(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    assert problem(await athlete("POST", "/api/nutrition/meals/plan", {})) == (422, "no_targets")
    for start, energy in (("2026-03-01", 2600), ("2026-06-01", 3000)):
        fields = {**TARGETS, "energy_kcal": energy, "carbs_g": 290 + (energy - 2600) / 4, "start_date": start}
        await coach("PUT", f"/api/nutrition/targets/{athlete.id}", fields)
    for day, energy in (("2026-03-15", 2600), ("2026-06-01", 3000)):
        answer = await planned(athlete, on=day)
        assert (
            answer["targets"]["energy_kcal"] == energy and abs(answer["totals"][0]["energy_kcal"] / energy - 1) <= 0.05
        )


async def test_targets_that_no_food_meets_are_named(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    body = {"targets": {"energy_kcal": 1200, "protein_g": 300, "carbs_g": 20, "fat_g": 20}}
    answer = await athlete("POST", "/api/nutrition/meals/plan", body)
    assert problem(answer) == (422, "targets_not_met")
    assert {"nutrient", "asked", "reached"} == set(answer.json()["misses"][0])


async def test_a_coachs_own_food_is_planned_with_and_nobody_elses(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    stranger = await rest.person("athlete")
    own = {
        "name": "House Skyr", "category": "dairy", "contains": ["milk"],
        "per_100g": {"energy_kcal": 63, "protein_g": 11, "carbs_g": 4, "fat_g": 0.2},
    }  # fmt: skip
    made = (await coach("POST", "/api/nutrition/foods", own)).json()["id"]
    leaves_out = [food.names[0] for food in builtin_plan_foods() if food.category == "dairy"]
    asked: dict[str, Any] = {
        "targets": TARGETS,
        "excluded": [*leaves_out, "cheese", "egg", "whey", "plant protein", "soy protein"],
    }
    for person, there in ((athlete, True), (stranger, False)):
        foods = (await planned(person, **asked))["plan"]["foods"].values()
        assert (made in {food["food_id"] for food in foods}) == there


@pytest.mark.parametrize(
    "body",
    [
        {"targets": {"energy_kcal": 10}}, {"targets": {"energy_kcal": -2000}}, {"targets": {}},
        {"targets": {"energy_kcal": 2000, "protein_g": 10_000}}, {"targets": TARGETS, "meals_per_day": 1},
        {"targets": TARGETS, "meals_per_day": 10_000}, {"targets": TARGETS, "days": 8},
        {"targets": TARGETS, "seed": -1},
        {"targets": TARGETS, "diet": "carnivore"}, {"targets": TARGETS, "excluded": ["x"] * 51},
        {"targets": TARGETS, "excluded": ["x" * 101]}, {"targets": TARGETS, "name": "x" * 201},
        {"targets": TARGETS, "athlete_id": "nobody"}, {"targets": TARGETS, "what": 1},
    ],
)  # fmt: skip
async def test_what_no_plan_can_be_is_refused(rest: RestServer, body: dict[str, Any]) -> None:
    athlete = await rest.person("athlete")
    assert problem(await athlete("POST", "/api/nutrition/meals/plan", body)) == (422, "invalid_fields")


async def test_nobody_plans_for_somebody_elses_athlete(rest: RestServer) -> None:
    coach, athlete = await rest.person("coach"), await rest.person("athlete")
    body = {"targets": TARGETS, "athlete_id": athlete.id, "save": True}
    assert problem(await coach("POST", "/api/nutrition/meals/plan", body)) == (404, "not_found")


async def test_the_server_plans_what_a_device_plans(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    here = plan_days(builtin_plan_foods(), Macros(**TARGETS), MealWishes(seed=7))
    there = await planned(athlete, targets=TARGETS, seed=7)
    assert there["plan"]["foods"] == meal_plan_patch(here, name="x")["foods"]
