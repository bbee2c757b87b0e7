"""A model may combine the dishes of a plan, with consent and within budgets; whatever it does, the rules decide."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
import asyncpg
import pytest
from litestar import Router
from litestar.di import Provide

from apex_server.ai.asking import BoundedModel
from apex_server.ai.ledger import Ledger
from apex_server.consent_texts import CONSENT_TEXTS
from apex_server.consents import consent_routes
from apex_server.db import Database
from apex_sync.coaching.dish_planning import offered_meals
from apex_sync.coaching.meal_planning import MealWishes, builtin_plan_foods
from apex_sync.coaching.nutrition import Macros
from tests.engine.coaching.test_dish_planning import dishes_that_hold
from tests.server.model_server import ModelServer, model_server
from tests.server.rest_app import Person, RestServer, rest_server
from tests.server.test_meal_plans_rest import TARGETS, planned

pytestmark = pytest.mark.anyio

WISHES: dict[str, Any] = {"diet": "pescetarian", "excluded": ["peanut", "shellfish"], "days": 2}
ASKED: dict[str, Any] = {"targets": TARGETS, **WISHES, "assisted": True}


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with model_server() as served:
        served.dishes = good_dishes
        yield served


@pytest.fixture
async def rest(db: Database, model: ModelServer) -> AsyncIterator[RestServer]:
    ledger = Ledger(db, now=lambda: datetime.now(UTC))
    asking = BoundedModel(model.client(), ledger=ledger, total_seconds=3.0, tokens_per_day=40_000)
    async with rest_server(db, [consents(db)], asking) as server:
        yield server


def consents(db: Database) -> Router:
    return Router(
        "/", route_handlers=[*consent_routes], dependencies={"vault": Provide(lambda: db.vault, sync_to_thread=False)}
    )


def good_dishes(asked: Any) -> Any:
    """Answer as a model that combines well: dishes that meet the targets, by the labels of the question."""
    wishes = MealWishes(diet="pescetarian", excluded=["peanut", "shellfish"], days=2)
    offered = offered_meals(builtin_plan_foods(), wishes)
    labels = {
        food.id: shown["id"]
        for meal, told in zip(offered, asked["meals"], strict=True)
        for place, foods in meal.places.items()
        for food, shown in zip(foods, told["places"][place], strict=True)
    }
    days = dishes_that_hold(offered, Macros(**TARGETS), wishes)
    return [[{"dish": each.dish, "foods": [labels[food] for food in each.foods]} for each in day] for day in days]


async def consenting_pair(rest: RestServer) -> tuple[Person, Person]:
    coach, athlete = await rest.coach_and_athlete()
    body = {"kind": "ai_analysis", "given": True, "version": CONSENT_TEXTS["ai_analysis"].version}
    assert (await athlete("PUT", "/api/consents", body)).status_code == 200
    return coach, athlete


async def test_dishes_of_the_model_meet_the_targets_and_the_same_request_gives_the_same_plan(
    rest: RestServer, model: ModelServer
) -> None:
    coach, athlete = await consenting_pair(rest)
    answer = await planned(coach, athlete_id=athlete.id, **ASKED)
    assert (answer["planned_by"], answer["assistance"]) == ("model", "given"), answer["assistance"]
    assert {meal["name"] for meal in answer["plan"]["meals"].values()} == {
        f"{name}: Warm bowl" for name in ("Breakfast", "Lunch", "Snack", "Dinner")
    }
    for totals in answer["totals"]:
        assert abs(totals["energy_kcal"] / TARGETS["energy_kcal"] - 1) <= 0.05
    assert await planned(coach, athlete_id=athlete.id, **ASKED) == answer
    saved = await planned(coach, status=201, athlete_id=athlete.id, save=True, **ASKED)
    assert saved["plan"] == answer["plan"]
    assert len(model.requests) == 1, "what was answered once is kept"


async def test_nothing_of_a_person_is_sent(rest: RestServer, model: ModelServer) -> None:
    coach, athlete = await consenting_pair(rest)
    own = {
        "name": "Granny's secret stew", "category": "meat", "contains": [],
        "per_100g": {"energy_kcal": 150, "protein_g": 20, "carbs_g": 1, "fat_g": 7},
    }  # fmt: skip
    assert (await coach("POST", "/api/nutrition/foods", own)).status_code == 201
    await planned(coach, athlete_id=athlete.id, **ASKED)
    [request] = model.requests
    document = json.loads(request["messages"][1]["content"])
    assert document.keys() == {"kind", "days", "meals"}
    sent = json.dumps(request)
    for secret in (athlete.id, coach.id, "2600", "180", "pescetarian", "peanut", "secret stew"):
        assert secret not in sent, secret


async def test_whoever_consented_to_the_analysis_before_meals_were_named_is_planned_for_by_the_rules(
    rest: RestServer, db: Database, model: ModelServer, database_url: str
) -> None:
    coach, athlete = await consenting_pair(rest)
    owner = await asyncpg.connect(database_url)
    await owner.execute("UPDATE consents SET version = '2026-11'")
    await owner.close()
    assert (await planned(coach, athlete_id=athlete.id, **ASKED))["assistance"] == "no_consent"
    assert model.requests == []
    async with db.commit_connection() as connection:
        assert await connection.fetchval("SELECT apex_consented($1, 'ai_analysis')", UUID(athlete.id))


async def test_without_consent_nothing_is_asked_and_no_athlete_spends_a_coachs_budget(
    rest: RestServer, model: ModelServer
) -> None:
    coach, athlete = await rest.coach_and_athlete()
    _, other = await consenting_pair(rest)
    by_rules = await planned(athlete, targets=TARGETS, **WISHES)
    assert (by_rules["planned_by"], by_rules["assistance"]) == ("rules", "not_asked")
    for person, whose, why in ((coach, athlete.id, "no_consent"), (other, other.id, "coaches_only")):
        answer = await planned(person, athlete_id=whose, **ASKED)
        assert answer == by_rules | {"assistance": why}
    assert model.requests == []


async def test_without_a_model_the_rules_plan(db: Database) -> None:
    async with rest_server(db, [consents(db)]) as server:
        coach, athlete = await consenting_pair(server)
        assert (await planned(coach, athlete_id=athlete.id, **ASKED))["assistance"] == "no_model"


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("garbage", "unverifiable"), ("refusal", "refused"), ("truncated", "truncated"),
        ("rate_limit", "rate_limited"), ("broken", "unavailable"), ("hanging", "timed_out"), ("odd", "unusable"),
    ],
)  # fmt: skip
async def test_whatever_a_model_does_there_is_a_plan(rest: RestServer, model: ModelServer, mode: str, why: str) -> None:
    coach, athlete = await consenting_pair(rest)
    by_rules = await planned(athlete, targets=TARGETS, **WISHES)
    model.mode = mode
    assert await planned(coach, athlete_id=athlete.id, **ASKED) == by_rules | {"assistance": why}


@pytest.mark.parametrize("dish", ["Cures diabetes", "See evil.example", "Beef bowl"])
async def test_a_dish_that_says_more_than_what_is_in_it_is_complained_of_and_left(
    rest: RestServer, model: ModelServer, dish: str
) -> None:
    coach, athlete = await consenting_pair(rest)
    model.dishes = lambda asked: [[{**each, "dish": dish} for each in day] for day in good_dishes(asked)]
    answer = await planned(coach, athlete_id=athlete.id, **ASKED)
    assert (answer["planned_by"], answer["assistance"]) == ("rules", "unverifiable")
    assert len(model.requests) == 2 and dish not in json.dumps(answer)


async def test_a_spent_budget_leaves_the_rules(rest: RestServer, model: ModelServer) -> None:
    coach, athlete = await consenting_pair(rest)
    model.tokens = 40_000
    assert (await planned(coach, athlete_id=athlete.id, **ASKED))["assistance"] == "given"
    assert (await planned(coach, athlete_id=athlete.id, **ASKED | {"seed": 1}))["assistance"] == "server_budget_spent"


async def test_questions_at_once_spend_no_more_than_the_day_has(db: Database, model: ModelServer) -> None:
    """What each may cost is reserved before it is asked."""
    model.tokens = 4_500
    ledger = Ledger(db, now=lambda: datetime.now(UTC))
    bounded = BoundedModel(model.client(), ledger=ledger, total_seconds=10.0, tokens_per_day=30_000)
    said: list[str] = []
    async with rest_server(db, [consents(db)], bounded) as server:
        coach, athlete = await consenting_pair(server)

        async def ask(seed: int) -> None:
            said.append((await planned(coach, athlete_id=athlete.id, **ASKED | {"seed": seed}))["assistance"])

        async with anyio.create_task_group() as asking:
            for seed in range(6):
                asking.start_soon(ask, seed)
        spent = await ledger.spent(UUID(coach.id))
    assert "server_budget_spent" in said
    assert spent.everybody_today <= 30_000
