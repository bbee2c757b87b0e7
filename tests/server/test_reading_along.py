"""Whoever reads along reads what the coach reads, by one statement: owners all of it, support one person's own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from apex_server import standing
from apex_server.analytics import exporting, figures
from apex_server.settings import Settings
from tests.server.accounts_app import problem
from tests.server.whole_app import Signed, WholeApp, whole_app

pytestmark = pytest.mark.anyio

OF_ONE = (
    "/api/clients/{athlete}",
    "/api/clients/{athlete}/dashboard",
    "/api/clients/{athlete}/timeline",
    "/api/analytics/client/{athlete}",
)
OF_ALL = ("/api/clients", "/api/analytics/adherence", "/api/analytics/dashboard")


@dataclass
class World:
    """Carla coaches Anna, in Olga's organisation; Sam is support; Otto has an organisation of his own."""

    app: WholeApp
    anna: Signed
    carla: Signed
    olga: Signed
    otto: Signed
    sam: Signed

    def paths(self) -> list[str]:
        return [path.format(athlete=self.anna.id) for path in OF_ONE]


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with whole_app(settings) as app:
        anna, carla = await app.person("anna", "athlete"), await app.person("carla", "coach")
        olga, otto = await app.person("olga", "owner"), await app.person("otto", "owner")
        cora = await app.person("cora", "coach")
        await app.coaches(carla, anna)
        await app.joins(carla, olga)
        await app.joins(cora, otto)
        legs = {"title": "Legs", "date": "2026-03-01", "exercises": [{"name": "Squat", "sets": [{"reps": 5}]}]}
        await anna("POST", "/api/workouts", legs)
        answer = await carla("PATCH", f"/api/clients/{anna.id}", {"file": {"tags": ["Prep"], "notes": "is shy"}})
        assert answer.status_code == 200, answer.text
        yield World(app, anna, carla, olga, otto, await app.person("sam", "support"))


async def read(person: Signed, path: str, **params: Any) -> Any:
    answer = await person("GET", path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_owner_reads_of_an_athlete_what_the_coach_reads_but_of_messages_not_even_how_many(
    world: World,
) -> None:
    for path in world.paths():
        hers = await read(world.carla, path)
        if path.endswith("/dashboard"):
            assert hers.pop("messages") is not None
            hers["messages"] = None
        assert await read(world.olga, path) == hers
        assert await read(world.olga, path, coach_id=str(world.carla.id)) == hers
    assert (await read(world.olga, world.paths()[0]))["file"]["notes"] == "is shy"


async def test_an_owner_reads_of_all_what_the_coach_reads(world: World) -> None:
    for path in OF_ALL:
        hers = await read(world.carla, path)
        assert await read(world.olga, path) == hers
        assert await read(world.olga, path, coach_id=str(world.carla.id)) == hers


async def test_an_owner_lists_the_athletes_of_every_coach_once_and_of_one_who_is_named(world: World) -> None:
    dora, dan = await world.app.person("dora", "coach"), await world.app.person("dan", "athlete")
    await world.app.joins(dora, world.olga)
    await world.app.coaches(dora, dan)
    await world.app.coaches(dora, world.anna)
    listed = (await read(world.olga, "/api/clients"))["clients"]
    assert {each["id"]: each["coach_id"] for each in listed} == {
        str(world.anna.id): str(world.carla.id), str(dan.id): str(dora.id),
    }, "an athlete of two coaches is shown with the one who has worked with them longest"  # fmt: skip
    assert len(listed) == (await read(world.olga, "/api/analytics/dashboard"))["clients"] == 2
    of_dora = await read(world.olga, "/api/clients", coach_id=str(dora.id))
    assert {each["id"]: each["coach_id"] for each in of_dora["clients"]} == {
        str(world.anna.id): str(dora.id), str(dan.id): str(dora.id),
    }  # fmt: skip
    assert (await read(world.otto, "/api/clients"))["clients"] == []


async def test_an_athlete_whom_one_coach_archived_is_shown_with_the_one_who_has_not(world: World) -> None:
    dora = await world.app.person("dora", "coach")
    await world.app.joins(dora, world.olga)
    await world.app.coaches(dora, world.anna)
    assert (await world.carla("DELETE", f"/api/clients/{world.anna.id}")).status_code == 204
    adherence = (await read(world.olga, "/api/analytics/adherence"))["clients"]
    assert [each["id"] for each in adherence] == [str(world.anna.id)]
    assert (await read(world.olga, "/api/analytics/dashboard"))["clients"] == 1
    for path in ("/api/clients", *world.paths()):
        assert await read(world.olga, path) == await read(world.olga, path, coach_id=str(dora.id)), path
    assert (await read(world.olga, "/api/clients"))["clients"][0]["coach_id"] == str(dora.id)

    assert (await dora("DELETE", f"/api/clients/{world.anna.id}")).status_code == 204
    assert (await read(world.olga, "/api/clients"))["clients"] == []
    [archived] = (await read(world.olga, "/api/clients", archived=True))["clients"]
    assert archived["coach_id"] == str(world.carla.id)


async def test_an_owner_of_more_athletes_than_are_read_at_once_names_a_coach(world: World) -> None:
    dora = await world.app.person("dora", "coach")
    await world.app.joins(dora, world.olga)
    await world.app.coaches(dora, await world.app.person("dan", "athlete"))
    await fill(world, world.carla, standing.CLIENTS_OF_SEVERAL_MAX - 2)
    for path in OF_ALL:
        await read(world.olga, path)
    await fill(world, world.carla, 1)
    for path in OF_ALL:
        assert problem(await world.olga("GET", path)) == (409, "too_many_clients")
        await read(world.olga, path, coach_id=str(world.carla.id))
    for path in world.paths():
        await read(world.olga, path)


async def fill(world: World, coach: Signed, athletes: int) -> None:
    """Give a coach athletes who are rows of the database and nothing else."""
    copied = await world.app.owner.fetchval(
        "SELECT string_agg(column_name, ', ') FROM information_schema.columns "
        "WHERE table_name = 'users' AND is_generated = 'NEVER' AND column_name NOT IN ('id', 'email_index')"
    )
    await world.app.owner.execute(
        f"WITH made AS (INSERT INTO users (id, email_index, {copied}) "
        f"SELECT gen_random_uuid(), sha256(gen_random_uuid()::text::bytea), {copied} "
        "FROM users, generate_series(1, $3) WHERE id = $1 RETURNING id) "
        "INSERT INTO coach_athletes (coach_id, athlete_id, since) SELECT $2, id, now() FROM made",
        world.anna.id,
        coach.id,
        athletes,
    )


async def test_others_get_their_turn_between_two_athletes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dan", "dina", "dirk"):
        await world.app.coaches(world.carla, await world.app.person(name, "athlete"))
    turns, seen = 0, dict[str, list[int]]()

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def watch(module: Any, name: str) -> None:
        judged = getattr(module, name)

        def judge(*args: Any, **kwargs: Any) -> Any:
            seen.setdefault(name, []).append(turns)
            return judged(*args, **kwargs)

        monkeypatch.setattr(module, name, judge)

    watch(standing, "client_standing")
    watch(figures, "adherence_weeks")
    waiting = asyncio.create_task(others())
    await read(world.olga, "/api/analytics/adherence")
    waiting.cancel()
    for name, at in seen.items():
        assert len(at) == 4 and all(former < later for former, later in pairwise(at)), name
    assert len(seen) == 2


async def test_an_owner_takes_training_along_as_the_coach_does_and_the_athlete_sees_it(world: World) -> None:
    path = "/api/analytics/export"
    hers = (await world.carla("GET", path)).text
    assert hers.count("\n") == 2
    for query in ({}, {"coach_id": str(world.carla.id)}, {"athlete_id": str(world.anna.id)}):
        assert (await world.olga("GET", path, params=query)).text == hers
    for query in ({}, {"coach_id": str(world.carla.id)}):
        assert (await world.otto("GET", path, params=query)).text.count("\n") == 1
    assert problem(await world.otto("GET", path, params={"athlete_id": str(world.anna.id)})) == (404, "not_found")
    recorded = (await read(world.anna, "/api/audit"))["events"]
    taken = [each["actor_id"] for each in recorded if each["action"] == "training_exported"]
    assert (taken.count(str(world.olga.id)), taken.count(str(world.otto.id))) == (3, 0)


async def test_more_athletes_than_are_taken_along_at_once_are_refused_and_none_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    dora = await world.app.person("dora", "coach")
    await world.app.joins(dora, world.olga)
    await world.app.coaches(dora, await world.app.person("dan", "athlete"))
    path = "/api/analytics/export"
    monkeypatch.setattr(exporting, "CLIENTS_MAX", 1)
    assert problem(await world.olga("GET", path)) == (409, "too_many_clients")
    for query in ({"coach_id": str(world.carla.id)}, {"athlete_id": str(world.anna.id)}):
        assert (await world.olga("GET", path, params=query)).status_code == 200
    monkeypatch.setattr(exporting, "CLIENTS_MAX", 2)
    assert (await world.olga("GET", path)).status_code == 200


async def test_another_owner_finds_nobody_even_by_the_coachs_id(world: World) -> None:
    for query in ({}, {"coach_id": str(world.carla.id)}):
        for path in world.paths():
            assert problem(await world.otto("GET", path, params=query)) == (404, "not_found")
    assert (await read(world.otto, "/api/clients", coach_id=str(world.carla.id)))["clients"] == []


async def test_an_owner_of_several_coaches_reads_the_file_of_the_one_they_name(world: World) -> None:
    dora = await world.app.person("dora", "coach")
    await world.app.coaches(dora, world.anna)
    await world.app.joins(dora, world.olga)
    path = world.paths()[0]
    assert (await read(world.olga, path))["tags"] == ["Prep"]
    assert (await read(world.olga, path, coach_id=str(dora.id)))["tags"] == []


async def test_an_owner_changes_nothing_of_it(world: World) -> None:
    for method, path, body in (
        ("PATCH", "", {"file": {"tags": []}}),
        ("PUT", "/status", {"status": "active"}),
        ("DELETE", "", None),
    ):
        answer = await world.olga(method, f"/api/clients/{world.anna.id}{path}", body)
        assert problem(answer) == (403, "role_required")


async def test_support_reads_what_is_the_athletes_own_and_each_look_is_in_their_events(world: World) -> None:
    assert problem(await world.sam("GET", world.paths()[0])) == (403, "look_required")
    await world.app.lets_support(world.anna, world.sam)

    detail, dashboard, timeline, analytics = [await read(world.sam, path) for path in world.paths()]
    hers = await read(world.carla, world.paths()[0])
    assert (detail["id"], detail["profile"], detail["last_workout"]) == (hers["id"], hers["profile"], "2026-03-01")
    assert (detail["file"], detail["tags"]) == ({}, [])
    assert dashboard["client"]["id"] == analytics["athlete_id"] == str(world.anna.id)
    assert [entry["kind"] for entry in timeline["entries"]] == ["workout"]
    assert [each["id"] for each in (await read(world.sam, "/api/clients"))["clients"]] == [str(world.anna.id)]
    assert problem(await world.sam("GET", "/api/analytics/dashboard")) == (403, "role_required")

    recorded = (await read(world.anna, "/api/audit"))["events"]
    routes = [each["detail"].get("route", "") for each in recorded if each["action"] == "support_read"]
    assert sum("/api/clients" in route for route in routes) == 4


async def test_support_that_looks_at_a_coach_reads_none_of_their_athletes(world: World) -> None:
    await world.app.lets_support(world.carla, world.sam)
    for path in world.paths():
        assert problem(await world.sam("GET", path)) == (404, "not_found")
    listed = await read(world.sam, "/api/clients", coach_id=str(world.carla.id))
    assert listed["clients"] == []
