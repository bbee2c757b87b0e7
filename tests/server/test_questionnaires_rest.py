"""Questionnaires over REST: a coach writes them, their athletes read them, and nobody else does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apex_server.db import Database
from tests.server.accounts_app import problem
from tests.server.rest_app import Person, RestServer, rest_server

pytestmark = pytest.mark.anyio

WEEKLY: dict[str, Any] = {
    "name": "Weekly",
    "active": True,
    "questions": {
        "cravings": {"text": "How strong were cravings?", "type": "scale", "minimum": 1, "maximum": 5, "order": "a"},
        "steps": {"text": "Steps a day?", "type": "number", "unit": "steps", "order": "b"},
    },
}


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def listed(person: Person, query: str = "") -> list[str]:
    answer = await person("GET", f"/api/questionnaires?{query}")
    return [each["name"] for each in answer.json()["questionnaires"]]


async def test_an_athlete_reads_what_the_coach_asks_and_answers_by_its_keys(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    stranger = await rest.person("coach")
    made = (await coach("POST", "/api/questionnaires", WEEKLY)).json()
    path = f"/api/questionnaires/{made['id']}"
    assert (await athlete("GET", path)).json()["questions"] == WEEKLY["questions"]
    assert problem(await stranger("GET", path)) == (404, "not_found")
    body = {"date": "2026-03-01", "questionnaire_id": made["id"], "questionnaire": {"cravings": 4, "steps": 9000}}
    check_in = (await athlete("POST", "/api/checkins", body)).json()
    assert check_in["questionnaire"] == {"cravings": 4, "steps": 9000}


async def test_only_a_coach_writes_them(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    assert problem(await athlete("POST", "/api/questionnaires", WEEKLY)) == (403, "role_required")
    made = (await coach("POST", "/api/questionnaires", WEEKLY)).json()
    path = f"/api/questionnaires/{made['id']}"
    assert (await athlete("PATCH", path, {"name": "Mine"})).status_code == 403
    edited = await coach("PATCH", path, {"active": False, "questions": {"steps": {"deleted": True}}})
    assert edited.json()["questions"]["steps"]["deleted"] is True
    assert (await coach("DELETE", path)).status_code == 204
    assert await listed(athlete) == [] and problem(await athlete("GET", path)) == (404, "not_found")
    assert (await coach("POST", f"{path}/restore")).status_code == 200
    assert await listed(athlete, "active=false") == ["Weekly"] and await listed(athlete, "active=true") == []


async def test_they_are_listed_page_by_page_from_either_end(rest: RestServer) -> None:
    coach = await rest.person("coach")
    for number in range(3):
        await coach("POST", "/api/questionnaires", {"name": str(number)})
    newest = await listed(coach)
    assert sorted(newest) == ["0", "1", "2"] and await listed(coach, "sort=id") == newest[::-1]
    page = (await coach("GET", "/api/questionnaires?limit=2")).json()
    rest_of_them = (await coach("GET", f"/api/questionnaires?limit=2&after={page['next']}")).json()
    assert [each["name"] for each in (*page["questionnaires"], *rest_of_them["questionnaires"])] == newest


@pytest.mark.parametrize(
    "question",
    [
        {"text": "x" * 1001}, {"type": "riddle"}, {"minimum": 1e9}, {"choices": "yes"},
        {"unheard": 1},
    ],
)  # fmt: skip
async def test_a_question_out_of_bounds_is_refused(rest: RestServer, question: dict[str, Any]) -> None:
    coach = await rest.person("coach")
    answer = await coach("POST", "/api/questionnaires", {"questions": {"q": question}})
    assert problem(answer)[0] == 422, answer.text
