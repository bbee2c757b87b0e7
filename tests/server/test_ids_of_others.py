"""Ids are made on devices, so one athlete can write a record under the id of another's, by accident or on purpose.

Whoever reads several athletes must never meet one person's record in the place of another's.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apex_server.db import Database
from tests.server.rest_app import Device, Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio

PAIRS = 6
"""What comes first among equals follows from random ids: so many pairs of people show either order."""


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def coach_of_two(rest: RestServer) -> tuple[Person, Person, Person]:
    coach, first = await rest.coach_and_athlete()
    second = await rest.person("athlete")
    await rest.link(coach, second)
    return coach, first, second


async def test_a_coach_who_names_no_athlete_is_asked_and_changes_nobodys_record(rest: RestServer) -> None:
    coach, anna, ben = await coach_of_two(rest)
    record_id = new_id()
    for person, title in ((anna, "Anna's"), (ben, "Ben's")):
        made = await person("POST", "/api/workouts", {"id": record_id, "date": "2026-03-01", "title": title})
        assert made.status_code == 201
    path = f"/api/workouts/{record_id}"
    for answer in (
        await coach("GET", path),
        await coach("PATCH", path, {"notes": "for one of you"}),
        await coach("DELETE", path),
    ):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["athlete_id"]
    for person, title in ((anna, "Anna's"), (ben, "Ben's")):
        at = f"{path}?athlete_id={person.id}"
        assert (await coach("GET", at)).json()["title"] == title
        assert (await coach("PATCH", at, {"notes": f"to {title}"})).json()["notes"] == f"to {title}"
        own: dict[str, Any] = (await person("GET", path)).json()
        assert (own["title"], own["notes"]) == (title, f"to {title}")
    assert (await coach("DELETE", f"{path}?athlete_id={ben.id}")).status_code == 204
    assert (await anna("GET", path)).status_code == 200
    assert (await ben("GET", path)).status_code == 404


async def test_a_coach_can_make_what_another_athlete_has_under_the_same_id(rest: RestServer) -> None:
    coach, anna, ben = await coach_of_two(rest)
    record_id = new_id()
    await Device(rest, anna, "phone", "phone").push(record_id, {"title": "Squatted"})
    whole = {"id": record_id, "athlete_id": ben.id, "date": "2026-03-01", "title": "Ben's"}
    made = await coach("POST", "/api/workouts", whole)
    assert (made.status_code, made.json()["title"], made.json()["athlete_id"]) == (201, "Ben's", ben.id)
    bulk = [{**whole, "title": "Ben's, changed", "etag": made.headers["ETag"]}]
    [report] = (await coach("POST", "/api/workouts/bulk-sync", bulk)).json()["results"]
    assert report["status"] == "updated"
    assert (await anna("GET", f"/api/workouts/{record_id}")).json()["title"] == "Squatted"
    assert (await ben("GET", f"/api/workouts/{record_id}")).json()["title"] == "Ben's, changed"


async def test_no_athlete_can_stand_in_the_place_of_a_coachs_template(rest: RestServer) -> None:
    for _ in range(PAIRS):
        coach, mallory, victim = await coach_of_two(rest)
        template = (await coach("POST", "/api/programs", {"name": "Template", "duration_weeks": 4})).json()["id"]
        await Device(rest, mallory, "phone", "phone").push(
            template, {"athlete_feedback": "mine"}, collection="programs"
        )
        read = (await coach("GET", f"/api/programs/{template}")).json()
        assert (read["name"], read["athlete_id"]) == ("Template", None)
        assert (await coach("PATCH", f"/api/programs/{template}", {"name": "Secret"})).json()["name"] == "Secret"
        given = {"athlete_id": victim.id, "start_date": "2026-03-02"}
        assigned = (await coach("POST", f"/api/programs/{template}/assign", given)).json()
        assert (assigned["name"], assigned["duration_weeks"]) == ("Secret", 4)
        assert "name" not in (await mallory("GET", f"/api/programs/{template}")).json()
