"""A coach invites, an athlete accepts, and either ends it; nobody gets in any other way."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import asyncpg
import httpx
import pytest

from apex_server.clients.inviting import OPEN_INVITES_MAX
from apex_server.db import Database
from tests.server.accounts_app import PASSWORD, Clock, accounts_app, bearer, problem, register, speak_to
from tests.server.mailbox import Mailbox

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(db: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(accounts_app(db, Clock())) as opened:
        yield opened


@pytest.fixture
def mailbox(db: Database, tmp_path: Path) -> Mailbox:
    return Mailbox(db, tmp_path / "mails", Clock())


@pytest.fixture
async def coach(client: httpx.AsyncClient) -> dict[str, Any]:
    return await register(client, "coach@example.com", role="coach", name="Coach Carla")


@pytest.fixture
async def anna(client: httpx.AsyncClient) -> dict[str, Any]:
    return await register(client, "anna@example.com", name="Anna")


async def invite(client: httpx.AsyncClient, coach: dict[str, Any], **body: Any) -> str:
    answer = await client.post("/api/invites", json=body, headers=bearer(coach))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


async def accept(client: httpx.AsyncClient, athlete: dict[str, Any], code: str) -> httpx.Response:
    return await client.post(f"/api/invites/{code}/accept", headers=bearer(athlete))


async def athletes(client: httpx.AsyncClient, coach: dict[str, Any]) -> list[str]:
    answer = await client.get("/api/clients", headers=bearer(coach))
    assert answer.status_code == 200, answer.text
    return [athlete["name"] for athlete in answer.json()["clients"]]


async def end_link(
    client: httpx.AsyncClient, session: dict[str, Any], athlete: dict[str, Any], query: str = ""
) -> httpx.Response:
    return await client.delete(f"/api/clients/{athlete['user']['id']}/link{query}", headers=bearer(session))


async def execute(database_url: str, sql: str) -> None:
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute(sql)
    finally:
        await owner.close()


async def test_an_athlete_accepts_and_the_coach_sees_them(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any]
) -> None:
    made = (await client.post("/api/invites", json={}, headers=bearer(coach))).json()
    assert made["link"] == f"/join/{made['code']}"

    offer = (await client.get(f"/api/invites/{made['code']}")).json()
    link = (await accept(client, anna, made["code"])).json()

    assert offer == {
        "coach_id": coach["user"]["id"],
        "coach_name": "Coach Carla",
        "expires_at": made["expires_at"],
    }
    assert (link["coach_id"], link["coach_name"]) == (coach["user"]["id"], "Coach Carla")
    page = (await client.get("/api/clients", headers=bearer(coach))).json()
    [listed] = page["clients"]
    assert {name: listed[name] for name in ("id", "name", "since")} == {
        "id": anna["user"]["id"], "name": "Anna", "since": link["since"],
    }  # fmt: skip
    assert page["next"] is None
    assert (await client.get("/api/auth/me", headers=bearer(anna))).json()["coaches"] == [link]


async def test_a_code_may_be_typed_as_it_is_heard(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any]
) -> None:
    code = await invite(client, coach)
    heard = code.replace("-", " ").lower().replace("0", "o").replace("1", "l")
    assert (await accept(client, anna, heard)).status_code == 200


async def test_registering_with_a_code_links_at_once(client: httpx.AsyncClient, coach: dict[str, Any]) -> None:
    ben = await register(client, "ben@example.com", name="Ben", invite=await invite(client, coach))
    assert ben["coach"]["coach_name"] == "Coach Carla"
    assert await athletes(client, coach) == ["Ben"]


async def test_an_invite_is_used_once(client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any]) -> None:
    ben = await register(client, "ben@example.com")
    code = await invite(client, coach)
    await accept(client, anna, code)

    assert problem(await accept(client, ben, code)) == (410, "invite_used")
    assert problem(await client.get(f"/api/invites/{code}")) == (410, "invite_used")
    assert await athletes(client, coach) == ["Anna"]


async def test_accepting_again_after_a_lost_answer_gives_the_same_answer(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any]
) -> None:
    code = await invite(client, coach)
    first = await accept(client, anna, code)
    again = await accept(client, anna, code)
    assert (again.status_code, again.json()) == (200, first.json())


async def test_a_second_invite_of_ones_own_coach_is_left_for_somebody_else(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any]
) -> None:
    await accept(client, anna, await invite(client, coach))
    second = await invite(client, coach)
    assert (await accept(client, anna, second)).status_code == 200
    assert (await client.get(f"/api/invites/{second}")).status_code == 200


@pytest.mark.parametrize(
    ("how", "answer"),
    [
        ("used", (410, "invite_used")),
        ("revoked", (410, "invite_revoked")),
        ("expired", (410, "invite_expired")),
        ("for_another", (403, "invite_for_another")),
    ],
)
async def test_a_code_of_ones_own_coach_is_judged_as_anybodys(
    client: httpx.AsyncClient,
    coach: dict[str, Any],
    anna: dict[str, Any],
    database_url: str,
    how: str,
    answer: tuple[int, str],
) -> None:
    await accept(client, anna, await invite(client, coach))
    code = await invite(client, coach, **({"email": "ben@example.com"} if how == "for_another" else {}))
    if how == "used":
        await accept(client, await register(client, "ben@example.com"), code)
    elif how == "revoked":
        await client.delete("/api/clients/invites", headers=bearer(coach))
    elif how == "expired":
        await execute(database_url, "UPDATE invites SET expires_at = now() WHERE used_at IS NULL")
    assert problem(await accept(client, anna, code)) == answer


async def test_an_invite_for_the_address_of_an_athlete_of_that_coach_is_closed_when_they_take_it(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any], mailbox: Mailbox
) -> None:
    first = (await accept(client, anna, await invite(client, coach))).json()
    code = await invite(client, coach, email="anna@example.com")
    await verify(client, mailbox, "anna@example.com")
    for _ in range(2):
        answer = await accept(client, anna, code)
        assert (answer.status_code, answer.json()) == (200, first)
    assert (await client.get("/api/clients/invites", headers=bearer(coach))).json()["invites"] == []


async def test_of_many_athletes_accepting_one_invite_at_once_one_is_linked(
    client: httpx.AsyncClient, coach: dict[str, Any]
) -> None:
    code = await invite(client, coach)
    sessions = [await register(client, f"{number}@example.com") for number in range(5)]
    answers: list[httpx.Response] = []

    async def collect(session: dict[str, Any]) -> None:
        answers.append(await accept(client, session, code))

    async with anyio.create_task_group() as accepting:
        for session in sessions:
            accepting.start_soon(collect, session)

    assert sorted(answer.status_code for answer in answers) == [200, 410, 410, 410, 410]
    assert len(await athletes(client, coach)) == 1


async def test_one_athlete_accepting_twice_at_once_is_linked_once(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any]
) -> None:
    codes = [await invite(client, coach), await invite(client, coach)]
    statuses: list[int] = []

    async def collect(code: str) -> None:
        statuses.append((await accept(client, anna, code)).status_code)

    async with anyio.create_task_group() as accepting:
        for code in codes * 2:
            accepting.start_soon(collect, code)

    assert statuses == [200] * 4
    assert await athletes(client, coach) == ["Anna"]


async def test_an_expired_invite_is_refused(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any], database_url: str
) -> None:
    code = await invite(client, coach)
    await execute(database_url, "UPDATE invites SET expires_at = now()")
    assert problem(await accept(client, anna, code)) == (410, "invite_expired")
    assert problem(await client.get(f"/api/invites/{code}")) == (410, "invite_expired")


async def verify(client: httpx.AsyncClient, mailbox: Mailbox, email: str) -> None:
    (token,) = [mail.token for mail in await mailbox.look() if mail.to == email]
    assert (await client.post("/api/auth/verify-email", json={"token": token})).status_code == 204


async def test_an_invite_bound_to_an_address_is_for_that_account_only_once_its_mails_are_read(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any], mailbox: Mailbox
) -> None:
    ben = await register(client, "ben@example.com")
    code = await invite(client, coach, email=" ANNA@example.com")
    assert problem(await accept(client, ben, code)) == (403, "invite_for_another")
    assert problem(await accept(client, anna, code)) == (403, "email_not_verified")
    assert await athletes(client, coach) == []
    await verify(client, mailbox, "anna@example.com")
    assert (await accept(client, anna, code)).status_code == 200


async def test_who_registers_with_an_invite_for_their_address_is_linked_when_they_verify_it(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox
) -> None:
    code = await invite(client, coach, email="eva@example.com")
    eva = await register(client, "eva@example.com", name="Eva", invite=code)
    assert eva["coach"] is None
    assert await athletes(client, coach) == []
    await verify(client, mailbox, "eva@example.com")
    assert await athletes(client, coach) == ["Eva"]


@pytest.mark.parametrize("how", ["revoked", "expired"])
async def test_an_invite_that_ended_while_it_waited_spoils_no_verification_and_the_athlete_is_told(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox, db: Database, database_url: str, how: str
) -> None:
    code = await invite(client, coach, email="eva@example.com")
    eva = await register(client, "eva@example.com", name="Eva", invite=code)
    if how == "revoked":
        await client.delete("/api/clients/invites", headers=bearer(coach))
    else:
        await execute(database_url, "UPDATE invites SET expires_at = now()")
    await verify(client, mailbox, "eva@example.com")
    assert await athletes(client, coach) == []
    told = await mailbox.one()
    assert (told.to, told.subject) == ("eva@example.com", "Your coach's invite no longer stands")
    async with db.request(UUID(eva["user"]["id"])) as connection:
        lapsed = "SELECT count(*) FROM account_events WHERE action = 'invite_lapsed'"
        assert await connection.fetchval(lapsed) == 1


@pytest.mark.parametrize("code", ["00000-00000-00000-00000", "x", "é", "%00", "a" * 64])
async def test_an_unknown_code_is_not_found(client: httpx.AsyncClient, anna: dict[str, Any], code: str) -> None:
    assert problem(await client.get(f"/api/invites/{code}")) == (404, "not_found")
    assert problem(await accept(client, anna, code)) == (404, "not_found")


async def test_a_code_is_stored_as_a_fingerprint(
    client: httpx.AsyncClient, coach: dict[str, Any], database_url: str
) -> None:
    code = await invite(client, coach)
    owner = await asyncpg.connect(database_url)
    try:
        stored = await owner.fetchval("SELECT invites::text FROM invites")
    finally:
        await owner.close()
    assert code not in stored
    assert code.replace("-", "") not in stored


async def test_only_a_coach_invites_and_lists_and_only_an_athlete_accepts(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any]
) -> None:
    code = await invite(client, coach)
    other = await register(client, "other@example.com", role="coach")
    refused = [
        await client.post("/api/invites", json={}, headers=bearer(anna)),
        await client.get("/api/clients", headers=bearer(anna)),
        await accept(client, other, code),
        await accept(client, coach, code),
    ]
    assert [problem(answer) for answer in refused] == [(403, "role_required")] * 4
    assert [answer.json()["role"] for answer in refused] == ["coach", "coach", "athlete", "athlete"]


@pytest.mark.parametrize("body", [{"valid_days": 0}, {"valid_days": 91}, {"email": "nobody"}, {"email": ""}])
async def test_a_bad_invite_is_refused(client: httpx.AsyncClient, coach: dict[str, Any], body: dict[str, Any]) -> None:
    answer = await client.post("/api/invites", json=body, headers=bearer(coach))
    assert problem(answer) == (422, "invalid_fields")
    assert [error["field"] for error in answer.json()["errors"]] == list(body)


async def test_open_invites_are_bounded_and_used_or_expired_ones_do_not_count(
    client: httpx.AsyncClient, coach: dict[str, Any], database_url: str
) -> None:
    fill = f"""
        INSERT INTO invites (code_hash, coach_id, created_at, expires_at)
        SELECT sha256(n::text::bytea), '{coach["user"]["id"]}', now(), now() + interval '1 day'
        FROM generate_series(1, {OPEN_INVITES_MAX}) AS n
    """
    await execute(database_url, fill)
    refused = await client.post("/api/invites", json={}, headers=bearer(coach))
    assert problem(refused) == (409, "too_many_invites")

    await execute(database_url, "UPDATE invites SET expires_at = now()")
    await invite(client, coach)


@pytest.mark.parametrize("who", ["coach", "athlete"])
async def test_either_side_ends_the_relation_and_a_new_invite_begins_another(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any], who: str
) -> None:
    code = await invite(client, coach)
    await accept(client, anna, code)

    ended = await end_link(client, coach if who == "coach" else anna, anna)

    assert ended.status_code == 204
    assert await athletes(client, coach) == []
    assert (await client.get("/api/auth/me", headers=bearer(anna))).json()["coaches"] == []
    assert problem(await end_link(client, coach, anna)) == (404, "not_found")
    assert problem(await accept(client, anna, code)) == (410, "invite_used")
    assert (await accept(client, anna, await invite(client, coach))).status_code == 200
    assert await athletes(client, coach) == ["Anna"]


async def test_nobody_else_can_end_it_and_learns_nothing(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any]
) -> None:
    await accept(client, anna, await invite(client, coach))
    other_coach = await register(client, "other@example.com", role="coach")
    ben = await register(client, "ben@example.com")
    coach_query = f"?coach_id={coach['user']['id']}"

    refused = [
        await end_link(client, other_coach, anna),
        await end_link(client, other_coach, anna, coach_query),
        await end_link(client, ben, anna),
        await end_link(client, ben, anna, coach_query),
        await end_link(client, ben, {"user": {"id": str(uuid4())}}),
    ]

    assert {(answer.status_code, answer.content) for answer in refused} == {(404, refused[0].content)}
    assert await athletes(client, coach) == ["Anna"]


async def test_an_athlete_with_several_coaches_says_which(
    client: httpx.AsyncClient, coach: dict[str, Any], anna: dict[str, Any]
) -> None:
    other = await register(client, "other@example.com", role="coach")
    for each in (coach, other):
        await accept(client, anna, await invite(client, each))

    unclear = await end_link(client, anna, anna)
    assert problem(unclear) == (422, "invalid_fields")
    assert unclear.json()["errors"][0]["field"] == "coach_id"

    assert (await end_link(client, anna, anna, f"?coach_id={other['user']['id']}")).status_code == 204
    assert (await athletes(client, coach), await athletes(client, other)) == (["Anna"], [])


async def test_a_coach_sees_their_own_athletes_only_by_name_and_in_pages(
    client: httpx.AsyncClient, coach: dict[str, Any]
) -> None:
    other = await register(client, "other@example.com", role="coach")
    await register(client, "zoe@example.com", name="Zoe", invite=await invite(client, other))
    for number, name in enumerate(["Cem", "Anna", "Ben", "Anna", "Dora"]):
        await register(client, f"{number}@example.com", name=name, invite=await invite(client, coach))

    seen: list[str] = []
    ids: set[str] = set()
    query = "?limit=2"
    while True:
        page = (await client.get(f"/api/clients{query}", headers=bearer(coach))).json()
        assert len(page["clients"]) <= 2
        seen += [athlete["name"] for athlete in page["clients"]]
        ids |= {athlete["id"] for athlete in page["clients"]}
        if page["next"] is None:
            break
        query = f"?limit=2&after={page['next']}"

    assert seen == ["Anna", "Anna", "Ben", "Cem", "Dora"]
    assert len(ids) == 5


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "after=%00", "after=x", "after=kqNhAGKjeHh4"])
async def test_a_bad_page_is_refused(client: httpx.AsyncClient, coach: dict[str, Any], query: str) -> None:
    answer = await client.get(f"/api/clients?{query}", headers=bearer(coach))
    assert problem(answer) == (422, "invalid_fields")
    assert [error["field"] for error in answer.json()["errors"]] == [query.partition("=")[0]]


async def test_registering_with_a_code_that_does_not_fit_leaves_no_account(
    client: httpx.AsyncClient, coach: dict[str, Any]
) -> None:
    code = await invite(client, coach, email="anna@example.com")
    body = {"email": "ben@example.com", "password": PASSWORD, "name": "Ben", "role": "athlete", "invite": code}
    assert problem(await client.post("/api/auth/register", json=body)) == (403, "invite_for_another")
    await register(client, "ben@example.com")
