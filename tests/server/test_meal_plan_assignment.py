"""A meal plan is assigned over REST: a copy the athlete follows, once, and what it replaces ends and is named."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apex_server.db import Database
from apex_server.nutrition.examples import MEAL_PLAN
from tests.server.accounts_app import problem
from tests.server.rest_app import Person, RestServer, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def assigned(person: Person, plan_id: str, status: int, **asked: Any) -> dict[str, Any]:
    answer = await person("POST", f"/api/nutrition/plans/{plan_id}/assign", asked)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def template_of(coach: Person, name: str) -> str:
    return str((await coach("POST", "/api/nutrition/plans", {**MEAL_PLAN, "name": name})).json()["id"])


async def test_a_template_is_followed_as_a_copy_and_assigned_once(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    template = await template_of(coach, "Cut")
    asked = {"athlete_id": athlete.id, "start_date": "2026-03-02"}
    first = await assigned(coach, template, 201, **asked)
    plan = first["meal_plan"]
    assert (plan["athlete_id"], plan["status"], plan["source_id"]) == (athlete.id, "active", template)
    assert plan["foods"] == MEAL_PLAN["foods"] and plan["created_at"] and first["ended"] == []
    adapted = await athlete("PATCH", f"/api/nutrition/plans/{plan['id']}", {"foods": {"f1": {"grams": 40}}})
    assert adapted.status_code == 200
    again = await assigned(coach, template, 200, **asked)
    assert again["meal_plan"]["id"] == plan["id"] and again["meal_plan"]["foods"]["f1"]["grams"] == 40
    later = await assigned(coach, template, 200, athlete_id=athlete.id)
    assert later["meal_plan"]["id"] == plan["id"]


async def test_the_plan_that_is_replaced_ends_and_is_named(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    old, new, beside = [await template_of(coach, name) for name in ("Cut", "Bulk", "Holiday")]
    before = (await assigned(coach, old, 201, athlete_id=athlete.id, start_date="2026-03-02"))["meal_plan"]["id"]
    answer = await assigned(coach, new, 201, athlete_id=athlete.id, start_date="2026-04-06")
    assert answer["ended"] == [{"id": before, "name": "Cut", "status": "active", "end_date": "2026-04-05"}]
    assert (await athlete("GET", f"/api/nutrition/plans/{before}")).json()["end_date"] == "2026-04-05"
    kept = await assigned(coach, beside, 201, athlete_id=athlete.id, start_date="2026-04-13", keep=True)
    assert kept["ended"] == []


async def test_a_draft_of_the_athletes_own_begins_itself(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    draft = (await athlete("POST", "/api/nutrition/plans", {**MEAL_PLAN, "status": "draft"})).json()["id"]
    begun = await assigned(athlete, draft, 200, start_date="2026-03-02", end_date="2026-03-29")
    plan = begun["meal_plan"]
    assert (plan["id"], plan["status"], plan["end_date"]) == (draft, "active", "2026-03-29")


async def test_a_copy_that_was_deleted_comes_back_as_the_template_is(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    template = await template_of(coach, "Cut")
    asked = {"athlete_id": athlete.id, "start_date": "2026-03-02"}
    copy = (await assigned(coach, template, 201, **asked))["meal_plan"]["id"]
    await athlete("DELETE", f"/api/nutrition/plans/{copy}")
    await coach("PATCH", f"/api/nutrition/plans/{template}", {"foods": {"f1": {"grams": 60}}})
    back = (await assigned(coach, template, 200, **asked))["meal_plan"]
    assert (back["id"], back["foods"]["f1"]["grams"]) == (copy, 60)


async def test_days_that_are_none_and_athletes_of_others_are_refused(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    stranger = await rest.person("athlete")
    template = await template_of(coach, "Cut")
    path = f"/api/nutrition/plans/{template}/assign"
    turned = {"athlete_id": athlete.id, "start_date": "2026-03-02", "end_date": "2026-03-01"}
    assert problem(await coach("POST", path, turned)) == (422, "invalid_fields")
    assert problem(await coach("POST", path, {})) == (422, "invalid_fields")
    assert problem(await coach("POST", path, {"athlete_id": stranger.id})) == (404, "not_found")
    assert problem(await athlete("POST", path, {})) == (404, "not_found")


async def test_the_plan_of_one_athlete_goes_to_no_other_and_a_completed_one_stays_so(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    other = await rest.person("athlete")
    await rest.link(coach, other)
    template = await template_of(coach, "Cut")
    asked = {"athlete_id": athlete.id, "start_date": "2026-03-02"}
    plan = (await assigned(coach, template, 201, **asked))["meal_plan"]["id"]
    to_other = await coach("POST", f"/api/nutrition/plans/{plan}/assign", {"athlete_id": other.id})
    assert problem(to_other) == (422, "invalid_fields") and "only a template goes to others" in to_other.text
    assert (await other("GET", "/api/nutrition/plans")).json()["meal_plans"] == []
    assert (await athlete("PATCH", f"/api/nutrition/plans/{plan}", {"status": "completed"})).status_code == 200
    assert (await assigned(coach, template, 200, **asked))["meal_plan"]["status"] == "completed"
