"""Support: reads what one consenting person has, through the server alone; every read is recorded, none writes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from apex_server.db import Database
from apex_server.operations import add_support
from apex_server.operations.errors import AccountRefused
from apex_server.settings import Settings
from tests.server.accounts_app import open_socket, problem
from tests.server.whole_app import Signed, WholeApp, whole_app

pytestmark = pytest.mark.anyio

LOOKS = "/api/support/looks"


@dataclass
class World:
    """Anna asks support for help, Ben does not; Sam is support."""

    app: WholeApp
    anna: Signed
    ben: Signed
    sam: Signed
    workout: str
    workout_of_ben: str

    async def look_at(self, person: Signed | UUID) -> Any:
        user_id = person.id if isinstance(person, Signed) else person
        return await self.sam("POST", LOOKS, {"user_id": str(user_id), "ticket": "T-7"})


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with whole_app(settings) as app:
        anna, ben = await app.person("anna", "athlete"), await app.person("ben", "athlete")
        sam = await app.person("sam", "support")
        workouts = [(await each("POST", "/api/workouts", {"title": "Legs"})).json()["id"] for each in (anna, ben)]
        yield World(app, anna, ben, sam, *workouts)


async def consents(person: Signed, *, given: bool = True) -> None:
    more = {"version": "1", "days": 7} if given else {}
    answer = await person("PUT", "/api/consents", {"kind": "support_access", "given": given, **more})
    assert answer.status_code == 200, answer.text


async def test_support_reads_nothing_before_it_looks_at_somebody(world: World) -> None:
    await consents(world.anna)
    for path in ("/api/workouts", f"/api/workouts/{world.workout}", f"/api/workouts/{uuid4()}"):
        assert problem(await world.sam("GET", path)) == (403, "look_required")


async def test_somebody_without_consent_and_nobody_at_all_look_the_same(world: World) -> None:
    answers = [await world.look_at(world.ben), await world.look_at(uuid4()), await world.look_at(world.sam)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}


async def test_support_reads_what_the_person_it_looks_at_has_and_nothing_else(world: World) -> None:
    await consents(world.anna)
    assert (await world.look_at(world.anna)).status_code == 201
    assert (await world.sam("GET", f"/api/workouts/{world.workout}")).status_code == 200
    foreign, absent = [await world.sam("GET", f"/api/workouts/{each}") for each in (world.workout_of_ben, uuid4())]
    assert (foreign.status_code, foreign.text) == (absent.status_code, absent.text) == (404, absent.text)
    listed = (await world.sam("GET", "/api/workouts")).json()["workouts"]
    assert [each["id"] for each in listed] == [world.workout]


async def test_one_look_ends_the_one_before(world: World) -> None:
    for person in (world.anna, world.ben):
        await consents(person)
        assert (await world.look_at(person)).status_code == 201
    assert (await world.sam("GET", f"/api/workouts/{world.workout}")).status_code == 404
    assert (await world.sam("GET", f"/api/workouts/{world.workout_of_ben}")).status_code == 200


@pytest.mark.parametrize("how", ["withdrawn", "ended by the person", "ended by support", "consent over", "look over"])
async def test_a_look_ends_at_once(world: World, how: str) -> None:
    await consents(world.anna)
    look = (await world.look_at(world.anna)).json()["id"]
    match how:
        case "withdrawn":
            await consents(world.anna, given=False)
        case "ended by the person":
            assert (await world.anna("DELETE", f"{LOOKS}/{look}")).status_code == 204
        case "ended by support":
            assert (await world.sam("DELETE", f"{LOOKS}/{look}")).status_code == 204
        case "consent over":
            await world.app.owner.execute(
                "UPDATE consents SET given_at = given_at - interval '2 hours', expires_at = now() - interval '1 second'"
            )
        case "look over":
            await world.app.owner.execute("UPDATE support_looks SET expires_at = now()")
    assert problem(await world.sam("GET", f"/api/workouts/{world.workout}")) == (403, "look_required")


async def test_a_look_never_outlasts_the_consent(world: World) -> None:
    await consents(world.anna)
    await world.app.owner.execute(
        "UPDATE consents SET given_at = given_at - interval '2 hours', expires_at = now() + interval '1 minute'"
    )
    look = (await world.look_at(world.anna)).json()
    standing = (await world.anna("GET", "/api/consents")).json()["consents"][2]
    assert look["expires_at"] == standing["expires_at"]


async def test_nobody_else_ends_or_sees_a_look(world: World) -> None:
    await consents(world.anna)
    look = (await world.look_at(world.anna)).json()["id"]
    foreign, absent = [await world.ben("DELETE", f"{LOOKS}/{each}") for each in (look, uuid4())]
    assert (foreign.status_code, foreign.text) == (absent.status_code, absent.text) == (404, absent.text)
    assert (await world.ben("GET", LOOKS)).json() == {"looks": []}
    assert [each["ticket"] for each in (await world.anna("GET", LOOKS)).json()["looks"]] == ["T-7"]


async def test_support_writes_nothing_and_holds_no_replica(world: World) -> None:
    await consents(world.anna)
    await world.look_at(world.anna)
    path = f"/api/workouts/{world.workout}"
    for method, address in [
        ("PATCH", path), ("PUT", path), ("DELETE", path), ("POST", "/api/workouts"), ("POST", "/api/invites"),
        ("POST", "/api/sync"), ("GET", "/api/sync/events"), ("DELETE", f"/api/clients/{world.anna.id}/link"),
    ]:  # fmt: skip
        assert problem(await world.sam(method, address, {})) == (403, "support_reads_only"), address
    sent = await open_socket(world.app.app, {"Authorization": f"Bearer {world.sam.token}"}, path="/api/sync/live")
    assert [(each["type"], each.get("code")) for each in sent] == [("websocket.close", 4403)]


async def test_every_read_is_in_the_audit_of_the_person_before_it_happens(world: World) -> None:
    await consents(world.anna)
    await world.look_at(world.anna)
    for path in (f"/api/workouts/{world.workout}", f"/api/workouts/{uuid4()}", "/api/checkins"):
        await world.sam("GET", path)
    rows = await world.app.owner.fetch(
        "SELECT action FROM account_events WHERE subject_id = $1 AND actor_id = $2 ORDER BY seq",
        world.anna.id,
        world.sam.id,
    )
    assert [row["action"] for row in rows] == ["support_look_begun", *["support_read"] * 3]


@pytest.mark.parametrize("role", ["athlete", "coach", "owner"])
async def test_nobody_but_support_looks_at_anybody(world: World, role: Any) -> None:
    await consents(world.anna)
    other = await world.app.person("other", role)
    body = {"user_id": str(world.anna.id), "ticket": "T-7"}
    assert problem(await other("POST", LOOKS, body)) == (403, "role_required")
    async with world.app.app.state.database.request(other.id) as connection:
        assert (
            await connection.fetch("SELECT * FROM apex_begin_look($1, 'T-7', interval '1 hour')", world.anna.id) == []
        )


async def test_an_operator_makes_a_support_account_that_can_sign_in(world: World, settings: Settings) -> None:
    async with Database.open(settings) as database:
        password = await add_support(settings, database, " Sue@Example.com ", "Sue")
        for email, name in (("sue@example.com", "Sue"), ("nonsense", "Sue"), ("s@example.com", " ")):
            with pytest.raises(AccountRefused):
                await add_support(settings, database, email, name)
    body = {"email": "sue@example.com", "password": password}
    answer = await world.app.client.post("/api/auth/login", json=body)
    assert (answer.status_code, answer.json()["user"]["role"]) == (200, "support")
    assert answer.json()["user"]["email"] == "Sue@Example.com"


async def test_nobody_registers_as_support(world: World) -> None:
    body = {"email": "eve@example.com", "password": "a long enough password", "name": "Eve", "role": "support"}
    assert problem(await world.app.client.post("/api/auth/register", json=body)) == (422, "invalid_fields")
    with pytest.raises(Exception, match="row-level security"):
        await insert_support(world)


async def insert_support(world: World) -> None:
    """Do as a registration would that had let the role pass."""
    user_id = uuid4()
    async with world.app.app.state.database.request(user_id) as connection:
        await connection.execute(
            "INSERT INTO users (id, email_index, email, password_hash, name, role, created_at) "
            "VALUES ($1, sha256('x'), 'x', 'x', 'x', 'support', now())",
            user_id,
        )
