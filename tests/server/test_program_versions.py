"""What a program was, who changed it and when: told over REST from the ops that it is made of."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from apex_server.db import Database
from apex_sync.versions import SITTING_US
from tests.server.accounts_app import problem
from tests.server.program_bodies import PLAN, make
from tests.server.rest_app import Person, RestServer, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def listed(person: Person, program_id: str, query: str = "") -> dict[str, Any]:
    answer = await person("GET", f"/api/programs/{program_id}/versions{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def followed(rest: RestServer) -> tuple[Person, Person, str]:
    """Let an athlete follow a program, which the coach changes, then the athlete, and then the coach again."""
    coach, athlete = await rest.coach_and_athlete()
    program, _ = await make(coach, athlete_id=athlete.id, start_date="2026-03-02", status="active")
    path = f"/api/programs/{program['id']}"
    for person, change in (
        (athlete, {"athlete_feedback": "hard"}),
        (coach, {"sets": {"s1": {"reps_max": 12, "rpe": 9}}}),
    ):
        assert (await person("PATCH", path, change)).status_code == 200
    return coach, athlete, str(program["id"])


async def test_versions_say_who_changed_what_the_latest_first(rest: RestServer) -> None:
    coach, athlete, program_id = await followed(rest)
    page = await listed(athlete, program_id)
    assert page == await listed(coach, program_id)
    told = [(each["number"], each["by"]["user_id"], [c["words"] for c in each["changes"]]) for each in page["versions"]]
    bench = "week 1, Push, Bench Press, set 1"
    assert told == [
        (3, coach.id, [f"{bench}: reps max 10 → 12", f"{bench}: rpe 8 → 9"]),
        (2, athlete.id, ["athlete feedback nothing → hard"]),
        (1, coach.id, ["made, with 1 week, 1 day, 1 exercise, 1 set"]),
    ]
    first = await listed(coach, program_id, "?limit=2")
    second = await listed(coach, program_id, f"?limit=2&after={first['next']}")
    assert [each["number"] for page in (first, second) for each in page["versions"]] == [3, 2, 1]
    assert second["next"] is None


async def test_a_version_is_the_program_as_it_was_and_can_be_put_back(rest: RestServer) -> None:
    coach, _, program_id = await followed(rest)
    path = f"/api/programs/{program_id}"
    oldest = (await listed(coach, program_id))["versions"][-1]

    was = (await coach("GET", f"{path}/versions/{oldest['stamp']}")).json()

    assert was["sets"] == PLAN["sets"] and "athlete_feedback" not in was
    assert (await coach("PUT", path, was, if_match="*")).json()["sets"] == PLAN["sets"]
    assert problem(await coach("GET", f"{path}/versions/{oldest['stamp'] + 1}")) == (404, "not_found")


async def test_nobody_reads_versions_of_what_is_not_theirs(rest: RestServer) -> None:
    coach, _, program_id = await followed(rest)
    stamp = (await listed(coach, program_id))["versions"][0]["stamp"]
    stranger = await rest.person("coach")
    for path in ("versions", f"versions/{stamp}"):
        assert problem(await stranger("GET", f"/api/programs/{program_id}/{path}")) == (404, "not_found")


async def test_a_deleted_program_keeps_its_versions_for_whoever_could_read_it(rest: RestServer) -> None:
    coach, athlete, program_id = await followed(rest)
    stamp = (await listed(coach, program_id))["versions"][0]["stamp"]
    await coach("DELETE", f"/api/programs/{program_id}")
    assert problem(await athlete("GET", f"/api/programs/{program_id}")) == (404, "not_found")
    for person in (coach, athlete):
        assert (await listed(person, program_id))["versions"][0]["changes"][0]["words"] == "deleted"
        assert (await person("GET", f"/api/programs/{program_id}/versions/{stamp}")).json()["name"] == PLAN["name"]
    stranger = await rest.person("coach")
    for path in ("versions", f"versions/{stamp}"):
        assert problem(await stranger("GET", f"/api/programs/{program_id}/{path}")) == (404, "not_found")


async def test_what_a_compaction_folded_is_said_to_be_gone(rest: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    coach, athlete, program_id = await followed(rest)
    path = f"/api/programs/{program_id}"
    gone, _, kept = (each["stamp"] for each in reversed((await listed(coach, program_id))["versions"]))
    monkeypatch.setattr("apex_server.sync.judging.needs_compaction", lambda document: True)
    assert await rest.committer.compact(f"athlete:{athlete.id}", UUID(program_id).bytes)
    await athlete("PATCH", path, {"athlete_feedback": "better"})

    latest, folded = (await listed(coach, program_id))["versions"]

    assert [change["words"] for change in latest["changes"]] == ["athlete feedback hard → better"]
    assert (folded["folded"], folded["stamp"], folded["changes"]) == (True, kept, [])
    assert latest["stamp"] - kept < SITTING_US, "a sitting does not reach into what was folded"
    assert problem(await coach("GET", f"{path}/versions/{gone}")) == (410, "version_gone")
    assert (await coach("GET", f"{path}/versions/{kept}")).json()["sets"]["s1"]["reps_max"] == 12
