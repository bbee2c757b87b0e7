"""Invites that a letter brings, and that their coach lists and takes back; whoever tries one that is over is told."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import anyio
import asyncpg
import httpx
import msgspec
import pytest

from apex_server.clients.inviting import LETTERS_MAX, LETTERS_TO_ONE_MAX, LETTERS_TO_ONE_OF_MONTH_MAX
from apex_server.db import Database, load_queries
from apex_server.mail import Mail, Mailer, MailPostponed, MailRefused, MailSender
from apex_server.mail.sending import BATCH_MAILS, INVITED, RETRY_SECONDS
from tests.server.accounts_app import Clock, accounts_app, bearer, problem, register, speak_to
from tests.server.mailbox import Mailbox, Received, confirmed
from tests.server.test_sync_plans import explain

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(db: Database, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(accounts_app(db, clock)) as opened:
        yield opened


@pytest.fixture
async def coach(client: httpx.AsyncClient, mailbox: Mailbox) -> dict[str, Any]:
    return await confirmed(client, mailbox, "carla@example.com", role="coach", name="Buy gold at http://x.example")


@pytest.fixture
def flooded_by(monkeypatch: pytest.MonkeyPatch) -> int:
    """Say how many letters are a flood, here fewer than elsewhere."""
    few = 5
    monkeypatch.setattr("apex_server.mail.sending.INVITED", msgspec.structs.replace(INVITED, letters_max=few))
    return few


async def invite(client: httpx.AsyncClient, coach: dict[str, Any], email: str | None = None) -> dict[str, Any]:
    answer = await client.post("/api/clients", json={"email": email} if email else {}, headers=bearer(coach))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def listed(client: httpx.AsyncClient, coach: dict[str, Any], query: str = "") -> dict[str, Any]:
    answer = await client.get(f"/api/clients/invites{query}", headers=bearer(coach))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def letters(mailbox: Mailbox, clock: Clock) -> list[Received]:
    clock.advance(seconds=10)
    return [mail for mail in await mailbox.look() if mail.subject == "A coach invites you"]


async def test_a_letter_brings_the_link_and_whoever_follows_it_is_the_coachs_athlete(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox, clock: Clock
) -> None:
    made = await invite(client, coach, " Anna@Example.com")
    [waiting] = (await listed(client, coach))["invites"]
    [letter] = await letters(mailbox, clock)
    [sent] = (await listed(client, coach))["invites"]

    assert made["letter"] == "waiting"
    assert (waiting["email"], waiting["letter"], sent["letter"]) == ("anna@example.com", "waiting", "sent")
    assert (sent["id"], sent["expires_at"]) == (made["id"], made["expires_at"])
    assert (letter.to, letter.link) == ("anna@example.com", f"/join/{made['code']}")
    assert "carla@example.com would like to coach you" in letter.text
    for text in (letter.text, letter.html):
        assert made["code"] in text
        assert "gold" not in text
    anna = await confirmed(client, mailbox, "anna@example.com", name="Anna", invite=made["code"])
    assert anna["coach"] is None
    assert (await client.get("/api/auth/me", headers=bearer(anna))).json()["coaches"][0]["coach_id"] == (
        coach["user"]["id"]
    )
    assert (await listed(client, coach)) == {"invites": [], "next": None}


async def test_nobody_learns_from_an_invite_whether_an_address_has_an_account(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox, clock: Clock
) -> None:
    await confirmed(client, mailbox, "ben@example.com", name="Ben")
    made = [await invite(client, coach, email) for email in ("ben@example.com", "nobody@example.com")]
    came = await letters(mailbox, clock)
    shown = (await listed(client, coach))["invites"]

    assert sorted(letter.to for letter in came) == ["ben@example.com", "nobody@example.com"]
    ben, nobody = (
        letter.text.replace(each["code"], "CODE")
        for each, letter in zip(made, sorted(came, key=lambda letter: letter.to), strict=True)
    )
    assert ben == nobody
    assert made[0].keys() == made[1].keys()
    assert {(each["letter"], each["name"]) for each in shown} == {("sent", None)}


async def test_letters_of_a_coach_of_an_unconfirmed_address_go_once_it_is_confirmed(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    coach = await register(client, "dora@example.com", role="coach")
    made = [await invite(client, coach, "anna@example.com") for _ in range(LETTERS_TO_ONE_MAX + 1)]
    await invite(client, coach)
    [confirmation] = await mailbox.look()
    waiting = (await listed(client, coach))["invites"]
    assert {each["letter"] for each in made} == {"unconfirmed"}
    assert [each["letter"] for each in waiting] == ["none", "unconfirmed"]

    await client.post("/api/auth/verify-email", json={"token": confirmation.token})
    assert [each["letter"] for each in (await listed(client, coach))["invites"]] == ["none", "waiting"]
    [letter] = await letters(mailbox, clock)
    assert (letter.to, letter.link) == ("anna@example.com", made[-1]["link"])


async def test_letters_of_invites_go_with_whoever_takes_an_account_over_by_mail(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    stranger = await register(client, "dora@example.com", role="coach")
    await invite(client, stranger, "anna@example.com")
    await client.post("/api/auth/forgot-password", json={"email": "dora@example.com"})
    link = next(mail for mail in await mailbox.look() if mail.link.startswith("/reset-password"))
    body = {"token": link.token, "password": "a much better password"}
    assert (await client.post("/api/auth/reset-password", json=body)).status_code == 204
    assert await letters(mailbox, clock) == []


async def test_a_coach_who_invites_while_they_confirm_leaves_no_letter_behind(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    coach = await register(client, "dora@example.com", role="coach")
    [confirmation] = await mailbox.look()
    made: list[dict[str, Any]] = []

    async def bring(number: int) -> None:
        made.append(await invite(client, coach, f"{number}@example.com"))

    async with anyio.create_task_group() as inviting:
        for number in range(8):
            inviting.start_soon(bring, number)
            if number == 3:
                body = {"token": confirmation.token}
                inviting.start_soon(partial(client.post, "/api/auth/verify-email", json=body))
    assert len(made) == len(await letters(mailbox, clock)) == 8


async def test_a_coach_mails_to_so_many_a_day_and_taking_back_makes_no_room(
    client: httpx.AsyncClient, coach: dict[str, Any]
) -> None:
    rows = [{"email": f"{number}@example.com"} for number in range(LETTERS_MAX + 2)]
    looked = (await client.post("/api/clients/import", json={"rows": rows}, headers=bearer(coach))).json()
    made = await client.post("/api/clients/import?dry_run=false", json={"rows": rows}, headers=bearer(coach))
    report = made.json()

    assert looked["letters"] == report["letters"] == {"waiting": LETTERS_MAX, "too_many": 2}
    letters = [each["invite"]["letter"] for each in report["invited"]]
    assert letters == ["waiting"] * LETTERS_MAX + ["too_many"] * 2
    assert (await client.delete("/api/clients/invites", headers=bearer(coach))).status_code == 204
    assert (await invite(client, coach, "anna@example.com"))["letter"] == "too_many"


async def test_letters_that_waited_for_their_coach_are_letters_of_the_day_on_which_they_go(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apex_server.clients.inviting.LETTERS_MAX", 1)
    coach = await register(client, "dora@example.com", role="coach")
    await invite(client, coach, "anna@example.com")
    [confirmation] = await mailbox.look()
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("UPDATE invites SET created_at = created_at - interval '25 hours'")
        await client.post("/api/auth/verify-email", json={"token": confirmation.token})
        assert len(await letters(mailbox, clock)) == 1
        assert (await invite(client, coach, "ben@example.com"))["letter"] == "too_many"

        await owner.execute("UPDATE invites SET letter_at = letter_at - interval '25 hours'")
        assert (await invite(client, coach, "carl@example.com"))["letter"] == "waiting"
    finally:
        await owner.close()


async def test_imports_at_once_have_the_letters_of_one_day_and_report_what_was_mailed(
    client: httpx.AsyncClient, coach: dict[str, Any]
) -> None:
    reports: list[dict[str, Any]] = []

    async def bring(batch: int) -> None:
        rows = [{"email": f"{batch}-{number}@example.com"} for number in range(LETTERS_MAX // 2)]
        answer = await client.post("/api/clients/import?dry_run=false", json={"rows": rows}, headers=bearer(coach))
        reports.append(answer.json())

    async with anyio.create_task_group() as bringing:
        for batch in range(4):
            bringing.start_soon(bring, batch)

    made = [[each["invite"]["letter"] for each in report["invited"]].count("waiting") for report in reports]
    assert sum(made) == LETTERS_MAX
    assert [report["letters"].get("waiting", 0) for report in reports] == made


async def test_one_coach_writes_to_an_address_so_often_a_day_and_leaves_room_for_the_others(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox, clock: Clock
) -> None:
    came: list[Received] = []
    said: list[str] = []
    for _ in range(LETTERS_TO_ONE_MAX + 4):
        said.append((await invite(client, coach, "anna@example.com"))["letter"])
        came += await letters(mailbox, clock)
    assert len(came) == said.count("waiting") == LETTERS_TO_ONE_MAX
    assert said[LETTERS_TO_ONE_MAX:] == ["too_many"] * 4
    assert [each["letter"] for each in (await listed(client, coach))["invites"]] == ["too_many"]

    other = await confirmed(client, mailbox, "otto@example.com", role="coach")
    await invite(client, other, "anna@example.com")
    assert len(await letters(mailbox, clock)) == 1


async def test_addresses_that_differ_in_their_tag_are_one_mailbox_to_the_bounds_and_two_to_all_else(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox, clock: Clock, flooded_by: int
) -> None:
    rows = [{"email": f"anna+{number}@example.com"} for number in range(LETTERS_TO_ONE_MAX + 2)]
    looked = (await client.post("/api/clients/import", json={"rows": rows}, headers=bearer(coach))).json()
    made = (await client.post("/api/clients/import?dry_run=false", json={"rows": rows}, headers=bearer(coach))).json()
    assert looked["letters"] == made["letters"] == {"waiting": LETTERS_TO_ONE_MAX, "too_many": 2}
    assert (await invite(client, coach, "anna@example.com"))["letter"] == "too_many"
    came = await letters(mailbox, clock)
    assert (await invite(client, coach, "anna@example.com"))["letter"] == "too_many"
    assert len((await listed(client, coach))["invites"]) == len(rows) + 1

    for number in range(flooded_by):
        other = await confirmed(client, mailbox, f"{number}@example.com", role="coach")
        assert (await invite(client, other, f"anna+{number}@example.com"))["letter"] == "waiting"
        came += await letters(mailbox, clock)
    assert len(came) == flooded_by
    assert len({letter.to for letter in came}) > 1


async def test_coaches_who_use_up_their_share_of_a_mailbox_take_nothing_of_anothers(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox, clock: Clock, database_url: str
) -> None:
    others = [await confirmed(client, mailbox, f"{number}@example.com", role="coach") for number in range(4)]
    owner = await asyncpg.connect(database_url)
    try:
        said: list[str] = []
        for _ in range(LETTERS_TO_ONE_OF_MONTH_MAX + 2):
            said += [(await invite(client, other, "anna@example.com"))["letter"] for other in others]
            await letters(mailbox, clock)
            await owner.execute("UPDATE invites SET letter_at = letter_at - interval '25 hours' WHERE letter = 'sent'")
        assert said == ["waiting"] * LETTERS_TO_ONE_OF_MONTH_MAX * len(others) + ["too_many"] * 2 * len(others)

        for other in others[:2]:
            await invite(client, other, "ben@example.com")
        await invite(client, coach, "anna@example.com")
        assert len(await letters(mailbox, clock)) == 3
        assert [each["letter"] for each in (await listed(client, coach))["invites"]] == ["sent"]

        await owner.execute("UPDATE invites SET letter_at = letter_at - interval '30 days' WHERE letter = 'sent'")
        assert (await invite(client, others[0], "anna@example.com"))["letter"] == "waiting"
    finally:
        await owner.close()


async def test_what_waits_for_the_end_of_a_flood_goes_in_turn_and_looks_like_any_other_letter_on_its_way(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox, clock: Clock, flooded_by: int
) -> None:
    await register(client, "anna@example.com")
    others = [
        await confirmed(client, mailbox, f"{number}@example.com", role="coach") for number in range(2 * flooded_by)
    ]
    for other in others[:flooded_by]:
        await invite(client, other, "anna@example.com")
    assert len(await letters(mailbox, clock)) == flooded_by

    clock.advance(minutes=3, seconds=17)
    made = await invite(client, coach, "anna@example.com")
    [queued] = (await listed(client, coach))["invites"]
    assert await letters(mailbox, clock) == []
    [waiting] = (await listed(client, coach))["invites"]
    assert waiting == queued
    assert (waiting["letter"], waiting["letter_at"]) == ("waiting", None)
    for other in others[flooded_by:]:
        await invite(client, other, "anna@example.com")
        assert await letters(mailbox, clock) == []

    clock.advance(days=1)
    came = await letters(mailbox, clock)
    assert len(came) == flooded_by
    assert came[0].link == f"/join/{made['code']}"


async def test_invites_crowd_out_no_letter_that_their_addressee_asks_for(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock, flooded_by: int
) -> None:
    anna = await register(client, "anna@example.com", device={"name": "x", "kind": "watch"})
    await mailbox.look()
    for number in range(flooded_by + 2):
        other = await confirmed(client, mailbox, f"{number}@example.com", role="coach")
        await invite(client, other, "anna@example.com")
    await letters(mailbox, clock)
    await client.post("/api/auth/forgot-password", json={"email": "anna@example.com"})
    await client.post("/api/auth/resend-verification", headers=bearer(anna))
    came = {mail.link.partition("#")[0] for mail in await mailbox.look()}
    assert came == {"/reset-password", "/verify-email"}


async def test_what_people_ask_for_themselves_goes_before_the_letters_of_invites(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox, clock: Clock
) -> None:
    await register(client, "anna@example.com")
    await mailbox.look()
    rows = [{"email": f"{number}@example.com"} for number in range(BATCH_MAILS + 1)]
    await client.post("/api/clients/import?dry_run=false", json={"rows": rows}, headers=bearer(coach))
    clock.advance(seconds=10)
    await client.post("/api/auth/forgot-password", json={"email": "anna@example.com"})
    subjects = [mail.subject for mail in await mailbox.look()]
    assert subjects[0] == "Choose a new password"
    assert len(subjects) == len(rows) + 1


@pytest.mark.parametrize("postponed", [True, False])
async def test_a_letter_that_the_post_does_not_take_says_so(
    client: httpx.AsyncClient, coach: dict[str, Any], db: Database, clock: Clock, *, postponed: bool
) -> None:
    await invite(client, coach, "anna@example.com")
    clock.advance(seconds=10)
    sender = MailSender(db, Refusing(postponed=postponed), public_url="https://coach.example", now=clock)
    await sender.send_due()
    [shown] = (await listed(client, coach))["invites"]
    at = datetime.fromisoformat(shown["letter_at"])
    if postponed:
        assert (shown["letter"], at) == ("waiting", clock() + timedelta(seconds=RETRY_SECONDS))
    else:
        assert (shown["letter"], at) == ("refused", clock())


class Refusing(Mailer):
    """A post that takes nothing."""

    def __init__(self, *, postponed: bool) -> None:
        self._error = MailPostponed("busy") if postponed else MailRefused("550 no such mailbox")

    async def send(self, mail: Mail) -> None:
        raise self._error

    async def forget(self, addresses: Collection[str], *, naming: UUID) -> None: ...


@pytest.mark.parametrize("how", ["revoked", "replaced"])
async def test_a_code_that_was_taken_back_says_so_and_its_letter_stays_where_it_is(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox, clock: Clock, how: str
) -> None:
    made = await invite(client, coach, "anna@example.com")
    if how == "revoked":
        answer = await client.delete(f"/api/clients/invites/{made['id']}", headers=bearer(coach))
        assert answer.status_code == 204
    newer = None if how == "revoked" else await invite(client, coach, "anna@example.com")
    anna = await confirmed(client, mailbox, "anna@example.com")

    for answer in (
        await client.get(f"/api/invites/{made['code']}"),
        await client.post(f"/api/invites/{made['code']}/accept", headers=bearer(anna)),
    ):
        assert problem(answer) == (410, "invite_revoked")
    assert [letter.link for letter in await letters(mailbox, clock)] == ([f"/join/{newer['code']}"] if newer else [])


async def test_a_coach_takes_back_only_what_is_open_and_their_own(
    client: httpx.AsyncClient, coach: dict[str, Any], mailbox: Mailbox
) -> None:
    other = await register(client, "otto@example.com", role="coach")
    anna = await register(client, "anna@example.com")
    used, foreign = await invite(client, coach), await invite(client, other)
    assert (await client.post(f"/api/invites/{used['code']}/accept", headers=bearer(anna))).status_code == 200

    for each in (used, foreign):
        answer = await client.delete(f"/api/clients/invites/{each['id']}", headers=bearer(coach))
        assert problem(answer) == (404, "not_found")
    assert (await client.get(f"/api/invites/{foreign['code']}")).status_code == 200
    assert [each["id"] for each in (await listed(client, other))["invites"]] == [foreign["id"]]


async def test_a_list_comes_in_pages_and_by_index(
    client: httpx.AsyncClient, coach: dict[str, Any], db: Database
) -> None:
    made = [(await invite(client, coach))["id"] for _ in range(3)]
    first = await listed(client, coach, "?limit=2")
    second = await listed(client, coach, f"?limit=2&after={first['next']}")
    assert [each["id"] for each in (*first["invites"], *second["invites"])] == made[::-1]
    assert second["next"] is None
    async with db.request(UUID(coach["user"]["id"])) as connection:
        query = load_queries("apex_server.clients").list_open_invites
        assert await explain(connection, query, UUID(coach["user"]["id"]), None, None, 50) == []


async def test_the_address_is_gone_from_the_database_once_the_invite_is_over(
    client: httpx.AsyncClient, coach: dict[str, Any], db: Database
) -> None:
    made = await invite(client, coach, "anna@example.com")
    await client.delete(f"/api/clients/invites/{made['id']}", headers=bearer(coach))
    async with db.request(UUID(coach["user"]["id"])) as connection:
        row = await connection.fetchrow("SELECT email, draft, revoked_at FROM invites")
    assert (row["email"], row["draft"]) == (None, None)
    assert row["revoked_at"] is not None
