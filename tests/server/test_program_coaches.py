"""A program names its coach: whose template or draft it is, and who made the one that an athlete follows."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apex_server.db import Database
from tests.server.rest_app import Device, Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def coach_id(person: Person, program_id: str, then: str = "") -> Any:
    answer = await person("GET", f"/api/programs/{program_id}{then}")
    assert answer.status_code == 200, answer.text
    return answer.json()["coach_id"]


async def test_a_template_a_draft_and_what_is_followed_name_their_coach(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    other = await rest.person("coach")
    await rest.link(other, athlete)
    template = (await coach("POST", "/api/programs", {"name": "Base", "duration_weeks": 4})).json()
    body = {"name": "Draft", "status": "draft", "athlete_id": athlete.id}
    draft = (await coach("POST", "/api/programs", body)).json()
    given = {"athlete_id": athlete.id, "start_date": "2026-03-02"}
    assigned = (await coach("POST", f"/api/programs/{template['id']}/assign", given)).json()
    assert [each["coach_id"] for each in (template, draft, assigned)] == [coach.id] * 3
    await other("PATCH", f"/api/programs/{assigned['id']}", {"notes": "Mine now?"})
    for reader in (coach, other, athlete):
        assert await coach_id(reader, assigned["id"]) == coach.id
        [listed] = (await reader("GET", f"/api/programs/client/{athlete.id}?status=active")).json()["programs"]
        assert listed["coach_id"] == coach.id
    [newest, *_] = (await athlete("GET", f"/api/programs/{assigned['id']}/versions")).json()["versions"]
    assert await coach_id(athlete, assigned["id"], f"/versions/{newest['stamp']}") == coach.id


async def test_what_was_assigned_on_a_device_names_the_coach_whose_device_it_is(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    other = await rest.person("coach")
    await rest.link(other, athlete)
    program, scope = new_id(), f"athlete:{athlete.id}"
    written = {"name": "Base", "status": "active", "created_at": "2026-03-01T09:00:00+00:00"}
    await Device(rest, coach, "phone", "phone").push(program, written, collection="programs", scope=scope)
    for reader in (coach, other, athlete):
        assert await coach_id(reader, program) == coach.id


async def test_what_no_coach_wrote_names_none(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    program = new_id()
    await Device(rest, athlete, "phone", "phone").push(program, {"athlete_feedback": "Hard."}, collection="programs")
    assert await coach_id(athlete, program) is None and await coach_id(coach, program) is None


async def test_only_coaches_are_told_by_their_client_ids(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    devices = [Device(rest, person, "phone", "phone") for person in (coach, athlete)]
    for device in devices:
        await device.push(
            new_id(),
            {"name": "Base"} if device.person is coach else {"athlete_feedback": "Hard."},
            collection="programs",
            scope=f"athlete:{athlete.id}",
        )
    async with rest.database.request(None) as connection:
        rows = await connection.fetch(
            "SELECT client_id, coach_id FROM apex_coaches_behind($1)", [device.client_id for device in devices]
        )
    assert [(row["client_id"], str(row["coach_id"])) for row in rows] == [(devices[0].client_id, coach.id)]
