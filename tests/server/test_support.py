"""Support: reads what one consenting person has, through the server alone; every read is recorded, none writes."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import anyio
import pyotp
import pytest
from click.testing import CliRunner

from apex_server.audit import record_event
from apex_server.cli import main
from apex_server.consent_texts import CONSENT_TEXTS
from apex_server.db import Database
from apex_server.operations import add_support
from apex_server.operations.errors import AccountRefused
from apex_server.settings import Settings
from apex_server.support import guard
from tests.server.accounts_app import log_in, open_socket, problem
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
        workouts = [
            (await each("POST", "/api/workouts", {"title": "Legs", "date": "2026-03-01"})).json()["id"]
            for each in (anna, ben)
        ]
        yield World(app, anna, ben, sam, *workouts)


async def consents(person: Signed, *, given: bool = True) -> None:
    more = {"version": CONSENT_TEXTS["support_access"].version, "days": 7} if given else {}
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
    standing = (await world.anna("GET", "/api/consents")).json()["consents"][-1]
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


async def test_a_password_alone_begins_no_look_and_a_second_factor_only_while_it_is_fresh(world: World) -> None:
    await consents(world.anna)
    for shown in (None, "16 minutes"):
        await world.app.owner.execute("UPDATE sessions SET second_factor_at = now() - $1::text::interval", shown)
        assert problem(await world.look_at(world.anna)) == (401, "second_factor_again")
    await world.app.owner.execute("UPDATE sessions SET second_factor_at = now() - interval '14 minutes'")
    assert (await world.look_at(world.anna)).status_code == 201


async def test_the_database_alone_begins_no_look_for_a_session_without_a_second_factor(world: World) -> None:
    await consents(world.anna)
    begin = "SELECT * FROM apex_begin_look($1, 'T-7', interval '1 hour', $2)"
    session_id, foreign_id = [
        await world.app.owner.fetchval("SELECT id FROM sessions WHERE device_id = $1", each.device_id)
        for each in (world.sam, world.anna)
    ]
    async with world.app.app.state.database.request(world.sam.id) as connection:
        assert await connection.fetch(begin, world.anna.id, foreign_id) == []
        assert len(await connection.fetch(begin, world.anna.id, session_id)) == 1
    await world.app.owner.execute("UPDATE sessions SET second_factor_at = NULL")
    async with world.app.app.state.database.request(world.sam.id) as connection:
        assert await connection.fetch(begin, world.anna.id, session_id) == []


async def test_an_authenticator_app_opens_support_and_its_made_up_name_does_not(
    world: World, settings: Settings
) -> None:
    await consents(world.anna)
    async with Database.open(settings) as database:
        password = await add_support(settings, database, "sue@example.com", "Sue")
    body = {"email": "sue@example.com", "password": password}
    sue = world.app.signed((await world.app.client.post("/api/auth/login", json=body)).json())
    look = {"user_id": str(world.anna.id), "ticket": "T-8"}
    proof = {"password": password, "method": "totp", "code": "123456"}
    assert (await sue("POST", "/api/auth/reauthenticate", proof)).status_code == 204
    assert problem(await sue("POST", LOOKS, look)) == (401, "second_factor_again")

    app = pyotp.TOTP((await sue("POST", "/api/auth/mfa/totp")).json()["secret"])
    answer = await sue("POST", "/api/auth/mfa/totp/confirm", {"code": app.now()})
    assert answer.status_code == 200, answer.text
    assert problem(await sue("POST", LOOKS, look)) == (401, "second_factor_again")
    recovery_code = answer.json()["recovery_codes"][0]
    proof = {"password": password, "method": "recovery_code", "code": recovery_code}
    assert (await sue("POST", "/api/auth/reauthenticate", proof)).status_code == 204
    assert (await sue("POST", LOOKS, look)).status_code == 201
    assert (await sue("GET", f"/api/workouts/{world.workout}")).status_code == 200


async def test_a_look_is_of_the_session_that_began_it_alone(world: World) -> None:
    await consents(world.anna)
    signed_in = await log_in(world.app.client, "sam@example.com")
    await world.app.shows_second_factor(UUID(signed_in["session_id"]))
    assert (await world.look_at(world.anna)).status_code == 201
    elsewhere = world.app.signed(signed_in)
    assert problem(await elsewhere("GET", f"/api/workouts/{world.workout}")) == (403, "look_required")


@pytest.mark.parametrize("meanwhile", ["another look", "consent withdrawn", "look ended"])
async def test_what_is_read_is_what_was_recorded_whatever_happens_in_between(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """The recording is let through; then, before the read, the look is another or over."""
    for person in (world.anna, world.ben):
        await consents(person)
    look = (await world.look_at(world.anna)).json()["id"]

    async def recorded(*given: Any, **more: Any) -> None:
        await record_event(*given, **more)
        match meanwhile:
            case "another look":
                assert (await world.look_at(world.ben)).status_code == 201
            case "consent withdrawn":
                await world.app.owner.execute("UPDATE consents SET withdrawn_at = now() WHERE withdrawn_at IS NULL")
            case "look ended":
                await world.app.owner.execute("UPDATE support_looks SET ended_at = now() WHERE id = $1", UUID(look))

    monkeypatch.setattr(guard, "record_event", recorded)
    read = world.workout_of_ben if meanwhile == "another look" else world.workout
    assert (await world.sam("GET", f"/api/workouts/{read}")).status_code == 404


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
            await connection.fetch(
                "SELECT * FROM apex_begin_look($1, 'T-7', interval '1 hour', (SELECT id FROM sessions LIMIT 1))",
                world.anna.id,
            )
            == []
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


async def test_the_command_says_what_to_do_before_the_first_look(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APEX_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("APEX_SECRET", settings.secret)
    monkeypatch.setenv("APEX_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("APEX_PUBLIC_URL", "https://coach.example")
    command = partial(CliRunner().invoke, main, ["add-support", "sue@example.com", "Sue"])
    result = await anyio.to_thread.run_sync(command)
    assert result.exit_code == 0, result.output
    password = result.output.splitlines()[0].rpartition(" ")[2]
    assert "https://coach.example/security" in result.output
    assert "authenticator app" in result.output
    body = {"email": "sue@example.com", "password": password}
    assert (await world.app.client.post("/api/auth/login", json=body)).status_code == 200


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
