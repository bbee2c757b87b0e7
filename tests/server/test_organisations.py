"""Organisations: an owner reads along with the coaches who have joined, and writes nothing; all see who reads."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import asyncpg
import pytest

from apex_server.mail import MailSender
from apex_server.mail.mailer import MailPostponed
from apex_server.mail.message import Mail
from apex_server.organisations.routes import COACHES_MAX, OPEN_INVITES_MAX
from apex_server.settings import Settings
from tests.server.accounts_app import Clock, problem
from tests.server.mailbox import PUBLIC_URL, Mailbox
from tests.server.whole_app import Signed, WholeApp, whole_app

pytestmark = pytest.mark.anyio

ORGANISATION = "/api/organisation"


@dataclass
class World:
    """Olga owns Iron House; Carla coaches Anna and has not joined yet."""

    app: WholeApp
    olga: Signed
    carla: Signed
    anna: Signed
    workout: str

    async def code(self, **more: Any) -> str:
        answer = await self.olga("POST", f"{ORGANISATION}/invites", more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["code"])

    async def joins(self, coach: Signed, code: str | None = None) -> Any:
        return await coach("POST", f"{ORGANISATION}/invites/{code or await self.code()}/accept")

    async def olga_reads(self) -> bool:
        return (await self.olga("GET", f"/api/workouts/{self.workout}")).status_code == 200


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with whole_app(settings) as app:
        olga, carla = await app.person("olga", "owner"), await app.person("carla", "coach")
        anna = await app.person("anna", "athlete")
        await app.coaches(carla, anna)
        await app.verified(carla)
        await app.verified(anna)
        await app.verified(olga)
        await olga("PUT", ORGANISATION, {"name": "Iron House"})
        workout = (await anna("POST", "/api/workouts", {"title": "Legs", "date": "2026-03-01"})).json()["id"]
        yield World(app, olga, carla, anna, workout)


async def test_an_owner_reads_with_a_coach_from_joining_to_leaving_and_not_before_or_after(world: World) -> None:
    assert not await world.olga_reads()
    assert (await world.joins(world.carla)).status_code == 200
    assert await world.olga_reads()
    assert (await world.carla("DELETE", f"{ORGANISATION}/membership")).status_code == 204
    assert not await world.olga_reads()


async def readers_told_of(world: World, person: Signed) -> list[str | None]:
    events = (await person("GET", "/api/audit")).json()["events"]
    return [event["detail"]["owner_id"] for event in events if event["action"] == "reader_began"]


async def test_an_athlete_is_told_by_mail_and_in_their_events_when_an_owner_begins_to_read(
    world: World, tmp_path: Path
) -> None:
    mailbox = Mailbox(world.app.app.state.database, tmp_path / "mails", soon())
    await mailbox.look()
    assert (await world.joins(world.carla)).status_code == 200
    assert (await world.joins(world.carla, await world.code())).status_code == 200

    mail = await mailbox.one()

    assert (mail.to, mail.subject) == ("anna@example.com", "Somebody else can read your training now")
    assert await readers_told_of(world, world.anna) == [str(world.olga.id)]

    ben, coach = await world.app.person("ben", "athlete"), await world.app.person("coach", "coach")
    await world.app.verified(ben)
    await world.app.coaches(coach, ben)
    await world.app.coaches(coach, world.anna)
    await world.app.verified(coach)
    await mailbox.look()
    await world.joins(coach)
    assert [mail.to for mail in await mailbox.look()] == ["ben@example.com"]  # Olga reads Anna already.

    cleo = await world.app.person("cleo", "athlete")
    await mailbox.look()
    await world.app.coaches(world.carla, cleo)
    assert await mailbox.look() == []  # Nobody has shown yet whose the address is; the events tell her.
    assert await readers_told_of(world, cleo) == [str(world.olga.id)]


async def test_a_post_that_is_closed_keeps_the_news_and_writes_it_down_once(world: World, tmp_path: Path) -> None:
    clock = soon()
    mailbox, shut = Mailbox(world.app.app.state.database, tmp_path / "mails", clock), Shut()
    await mailbox.look()
    await world.joins(world.carla)
    await MailSender(world.app.app.state.database, shut, public_url=PUBLIC_URL, now=clock).send_due()
    assert shut.asked == 1
    clock.advance(hours=1)
    assert (await mailbox.one()).to == "anna@example.com"
    assert await readers_told_of(world, world.anna) == [str(world.olga.id)]


def soon() -> Clock:
    """Give the worker's clock a few minutes hence: Postgres says by its own when a mail is due."""
    clock = Clock()
    clock.advance(minutes=5)
    return clock


class Shut:
    """A post that takes nothing today."""

    asked = 0

    async def send(self, mail: Mail) -> None:
        self.asked += 1
        raise MailPostponed("the post is shut")

    async def forget(self, addresses: Any, *, naming: UUID) -> None:
        """Nothing was kept."""


async def test_an_owner_lets_a_coach_go(world: World) -> None:
    await world.joins(world.carla)
    organisation = (await world.olga("GET", ORGANISATION)).json()
    assert [each["name"] for each in organisation["coaches"]] == ["carla"]
    assert (await world.olga("DELETE", f"{ORGANISATION}/coaches/{world.carla.id}")).status_code == 204
    assert not await world.olga_reads()
    assert (await world.carla("GET", f"/api/workouts/{world.workout}")).status_code == 200
    assert problem(await world.olga("DELETE", f"{ORGANISATION}/coaches/{world.carla.id}")) == (404, "not_found")


async def test_an_owner_writes_nothing_of_what_they_read(world: World) -> None:
    await world.joins(world.carla)
    answer = await world.olga("PATCH", f"/api/workouts/{world.workout}", {"title": "Arms"})
    assert problem(answer) == (403, "field_forbidden")


async def test_an_owner_lists_the_athletes_of_their_coaches_and_of_nobody_else(world: World) -> None:
    path = f"{ORGANISATION}/coaches/{world.carla.id}/athletes"
    foreign = await world.olga("GET", path)
    absent = await world.olga("GET", f"{ORGANISATION}/coaches/{uuid4()}/athletes")
    assert (foreign.status_code, foreign.text) == (absent.status_code, absent.text) == (404, absent.text)
    await world.joins(world.carla)
    assert [each["name"] for each in (await world.olga("GET", path)).json()["athletes"]] == ["anna"]


async def test_the_athlete_and_the_coach_see_who_reads_along(world: World) -> None:
    await world.joins(world.carla)
    for person in (world.anna, world.carla):
        [reader] = (await person("GET", f"{ORGANISATION}/readers")).json()["readers"]
        assert (reader["coach_id"], reader["owner_id"]) == (str(world.carla.id), str(world.olga.id))
        assert (reader["owner_name"], reader["organisation_name"]) == ("olga", "Iron House")
    await world.carla("DELETE", f"{ORGANISATION}/membership")
    assert (await world.anna("GET", f"{ORGANISATION}/readers")).json() == {"readers": []}


async def test_a_code_tells_who_invites_before_anybody_signs_in(world: World) -> None:
    code = await world.code()
    offer = (await world.app.client.get(f"{ORGANISATION}/invites/{code.lower()}")).json()
    assert (offer["owner_name"], offer["organisation_name"]) == ("olga", "Iron House")
    await world.joins(world.carla, code)
    assert problem(await world.app.client.get(f"{ORGANISATION}/invites/{code}")) == (410, "invite_used")
    assert problem(await world.app.client.get(f"{ORGANISATION}/invites/{uuid4()}")) == (404, "not_found")


async def test_a_code_of_ones_own_organisation_is_judged_as_anybodys(world: World) -> None:
    assert (await world.joins(world.carla)).status_code == 200
    eve = await world.app.person("eve", "coach")
    await world.app.verified(eve)
    used, for_another, spare = await world.code(), await world.code(email="dora@example.com"), await world.code()
    assert (await world.joins(eve, used)).status_code == 200

    assert problem(await world.joins(world.carla, used)) == (410, "invite_used")
    assert problem(await world.joins(world.carla, for_another)) == (403, "invite_for_another")
    assert (await world.joins(world.carla, spare)).status_code == 200
    left = await world.app.owner.fetchval("SELECT count(*) FROM organisation_invites WHERE used_at IS NULL")
    assert left == 2, "hers is the first alone"
    await world.app.owner.execute("UPDATE organisation_invites SET expires_at = now() WHERE used_at IS NULL")
    assert problem(await world.joins(world.carla, spare)) == (410, "invite_expired")


async def test_joining_again_after_a_lost_answer_changes_nothing(world: World) -> None:
    code = await world.code()
    first, again = await world.joins(world.carla, code), await world.joins(world.carla, code)
    assert (first.status_code, first.json()) == (again.status_code, again.json())


async def test_one_code_lets_one_coach_in_even_in_a_race(world: World) -> None:
    code = await world.code()
    coaches = [await world.app.person(f"coach{number}", "coach") for number in range(3)]
    for coach in coaches:
        await world.app.verified(coach)
    statuses: list[int] = []

    async def join(coach: Signed) -> None:
        statuses.append((await world.joins(coach, code)).status_code)

    async with anyio.create_task_group() as tasks:
        for coach in coaches:
            tasks.start_soon(join, coach)
    assert sorted(statuses) == [200, 410, 410]


async def test_a_coach_joins_one_organisation_at_a_time_even_in_a_race(world: World) -> None:
    other = await world.app.person("oleg", "owner")
    await world.app.verified(other)
    await other("PUT", ORGANISATION, {"name": "Elsewhere"})
    codes = [await world.code(), (await other("POST", f"{ORGANISATION}/invites", {})).json()["code"]]
    codes_of_refusals: list[str] = []

    async def join(code: str) -> None:
        codes_of_refusals.append((await world.joins(world.carla, code)).json().get("code", "joined"))

    async with anyio.create_task_group() as tasks:
        for code in codes:
            tasks.start_soon(join, code)
    assert sorted(codes_of_refusals) == ["in_organisation", "joined"]


async def test_an_invite_for_one_address_is_for_nobody_else(world: World) -> None:
    code = await world.code(email="carla@example.com")
    eve = await world.app.person("eve", "coach")
    await world.app.verified(eve)
    assert problem(await world.joins(eve, code)) == (403, "invite_for_another")
    assert (await world.joins(world.carla, code)).status_code == 200


async def test_a_coach_joins_with_a_verified_address_only(world: World) -> None:
    eve = await world.app.person("eve", "coach")
    assert problem(await world.joins(eve)) == (403, "email_not_verified")


@pytest.mark.parametrize("role", ["athlete", "owner"])
async def test_nobody_but_a_coach_joins(world: World, role: Any) -> None:
    other = await world.app.person("other", role)
    await world.app.verified(other)
    assert problem(await world.joins(other)) == (403, "role_required")
    async with world.app.app.state.database.request(other.id) as connection:
        outcome = await connection.fetchval("SELECT outcome FROM apex_join_organisation(sha256('x'), NULL, 9)")
    assert outcome == "not_a_coach"


async def test_an_organisation_and_its_open_invites_are_bounded(world: World) -> None:
    await world.app.owner.execute(
        "INSERT INTO organisation_invites (code_hash, owner_id, created_at, expires_at) "
        "SELECT sha256(n::text::bytea), $1, now(), now() + interval '1 day' FROM generate_series(1, $2) AS n",
        world.olga.id,
        OPEN_INVITES_MAX - 1,
    )
    code = await world.code()
    assert problem(await world.olga("POST", f"{ORGANISATION}/invites", {})) == (409, "too_many_invites")
    await world.app.owner.execute("SET session_replication_role = replica")
    await world.app.owner.execute(
        "INSERT INTO organisation_coaches (owner_id, coach_id, since) "
        "SELECT $1, gen_random_uuid(), now() FROM generate_series(1, $2)",
        world.olga.id,
        COACHES_MAX,
    )
    assert problem(await world.joins(world.carla, code)) == (409, "organisation_full")


async def test_an_expired_invite_lets_nobody_in(world: World) -> None:
    code = await world.code()
    await world.app.owner.execute("UPDATE organisation_invites SET expires_at = now() - interval '1 second'")
    assert problem(await world.joins(world.carla, code)) == (410, "invite_expired")


async def test_an_owner_without_an_organisation_invites_nobody(world: World) -> None:
    other = await world.app.person("oleg", "owner")
    assert problem(await other("GET", ORGANISATION)) == (404, "not_found")
    assert problem(await other("POST", f"{ORGANISATION}/invites", {})) == (404, "not_found")


async def test_no_organisation_begins_in_an_account_whose_address_nobody_confirmed(world: World) -> None:
    """Else it would pass, coaches and all, to who chooses a password by mail in an account that another has made."""
    other = await world.app.person("oleg", "owner")

    assert problem(await other("PUT", ORGANISATION, {"name": "Mine"})) == (403, "email_not_verified")

    add = "INSERT INTO organisations (owner_id, name, created_at) VALUES ($1, $2, now())"
    app_login = world.app.app.state.database.request(other.id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with app_login as connection:
            await connection.execute(add, other.id, b"sealed")
    await world.app.verified(other)
    assert (await other("PUT", ORGANISATION, {"name": "Mine"})).status_code == 200


async def test_the_name_of_an_organisation_stands_nowhere_in_plaintext(world: World) -> None:
    stored = await world.app.owner.fetchval("SELECT name FROM organisations")
    assert b"Iron" not in stored
    assert (await world.olga("GET", ORGANISATION)).json()["name"] == "Iron House"


async def test_joining_and_leaving_are_in_the_audit_of_the_coach(world: World) -> None:
    await world.joins(world.carla)
    await world.olga("DELETE", f"{ORGANISATION}/coaches/{world.carla.id}")
    rows = await world.app.owner.fetch(
        "SELECT action, actor_id FROM account_events WHERE subject_id = $1 AND action ~ '^organ' ORDER BY seq",
        world.carla.id,
    )
    assert [(row["action"], row["actor_id"]) for row in rows] == [
        ("organisation_joined", world.carla.id),
        ("organisation_left", world.olga.id),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO organisation_coaches (owner_id, coach_id, since) VALUES ($1, $2, now())",
        "UPDATE organisation_coaches SET owner_id = $1 WHERE coach_id = $2",
        "DELETE FROM organisation_coaches WHERE owner_id = $1 OR coach_id = $2",
        "DELETE FROM organisations WHERE owner_id IN ($1, $2)",
        "UPDATE organisation_invites SET owner_id = $1 WHERE owner_id = $2",
    ],
)
async def test_no_request_makes_or_forges_a_membership(world: World, sql: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        async with world.app.app.state.database.request(world.olga.id) as connection:
            await connection.execute(sql, world.olga.id, world.carla.id)
