"""Links in mails: each does one thing for one person, once; and asking for one tells nobody who has an account."""

import statistics
import time
from typing import Any

import anyio
import asyncpg
import httpx
import pytest

from apex_server.auth.throttle import begin_login, login_attempt
from apex_server.db import Database
from apex_server.mail.sending import LINKS_MAX
from apex_server.opaque_tokens import new_token
from tests.server.accounts_app import (
    PASSWORD,
    Clock,
    accounts_app,
    bearer,
    log_in,
    problem,
    refresh,
    register,
    speak_to,
    status_of,
)
from tests.server.mailbox import Mailbox, confirmed

pytestmark = pytest.mark.anyio

EMAIL = "anna@example.com"
NEW = "another correct horse"
DEAD = (410, "mail_token_invalid")


@pytest.fixture
async def anna(client: httpx.AsyncClient) -> dict[str, Any]:
    return await register(client, EMAIL, name="Anna")


async def verify(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/api/auth/verify-email", json={"token": token})


async def forget(client: httpx.AsyncClient, email: str = EMAIL) -> httpx.Response:
    return await client.post("/api/auth/forgot-password", json={"email": email})


async def reset(client: httpx.AsyncClient, token: str, password: str = NEW) -> httpx.Response:
    return await client.post("/api/auth/reset-password", json={"token": token, "password": password})


async def is_verified(client: httpx.AsyncClient, session: dict[str, Any]) -> bool:
    me = (await client.get("/api/auth/me", headers=bearer(session))).json()
    return bool(me["user"]["email_verified"])


async def reset_link(client: httpx.AsyncClient, mailbox: Mailbox) -> str:
    await mailbox.look()
    assert (await forget(client)).status_code == 204
    return (await mailbox.one()).token


async def at_once(calls: list[Any]) -> list[httpx.Response]:
    answers: list[httpx.Response] = []

    async def call(each: Any) -> None:
        answers.append(await each())

    async with anyio.create_task_group() as group:
        for each in calls:
            group.start_soon(call, each)
    return answers


async def test_who_registers_gets_a_mail_whose_link_verifies_the_address(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    assert not await is_verified(client, anna)
    mail = await mailbox.one()
    assert (mail.to, mail.subject) == (EMAIL, "Confirm your e-mail address")
    assert mail.link.startswith("/verify-email#")
    assert "Anna" not in mail.text + mail.html  # Until it is verified, a name may be a stranger's advertisement.

    assert (await verify(client, mail.token)).status_code == 204

    assert await is_verified(client, anna)
    assert problem(await verify(client, mail.token)) == DEAD


async def test_nobody_has_to_verify_to_work_and_to_sign_in_where_they_registered(
    client: httpx.AsyncClient, anna: dict[str, Any]
) -> None:
    again = await log_in(client, EMAIL, device_token=anna["device_token"])
    assert again["user"]["email_verified"] is False
    assert await status_of(client, anna) == 200


async def test_the_link_may_be_asked_for_again_and_is_not_sent_to_who_needs_none(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    first = await mailbox.one()
    assert (await client.post("/api/auth/resend-verification", headers=bearer(anna))).status_code == 204
    second = await mailbox.one()
    assert (await verify(client, first.token)).status_code == 204
    assert (await verify(client, second.token)).status_code == 204

    assert (await client.post("/api/auth/resend-verification", headers=bearer(anna))).status_code == 204
    assert await mailbox.look() == []


async def test_a_forgotten_password_is_chosen_anew_and_every_session_ends(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    other = await log_in(client, EMAIL, device_token=anna["device_token"])
    token = await reset_link(client, mailbox)

    assert (await reset(client, token)).status_code == 204

    for session in (anna, other):
        assert await status_of(client, session) == 401
        assert problem(await refresh(client, session["refresh_token"])) == (401, "session_ended")
    old = await client.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert problem(old) == (401, "wrong_credentials")
    signed_in = await log_in(client, EMAIL, password=NEW)
    assert signed_in["user"]["email_verified"] is True
    told = await mailbox.one()
    assert told.subject == "Your password was reset"
    assert "#" not in told.link


async def test_a_reset_signs_nobody_in(client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox) -> None:
    answer = await reset(client, await reset_link(client, mailbox))
    assert answer.content == b""
    assert [cookie.partition("=")[0] for cookie in answer.headers.get_list("set-cookie")] == ["apex_device"]
    assert problem(await client.get("/api/auth/me")) == (401, "credentials_missing")


async def test_the_browser_of_a_reset_signs_in_while_others_guess_from_everywhere(
    db: Database, clock: Clock, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    app = accounts_app(db, clock)
    for number in range(100):
        attempt = login_attempt(EMAIL, address=f"203.0.{number}.1", known_device_id=None)
        async with db.request(None) as connection:
            await begin_login(connection, attempt, now=clock())
    async with speak_to(app, address="198.51.100.7") as browser:
        refused = await browser.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})
        assert problem(refused) == (429, "too_many_attempts")
        assert (await reset(browser, await reset_link(browser, mailbox))).status_code == 204
        first = await log_in(browser, EMAIL, password=NEW, token_delivery="cookie")
        assert (await reset(browser, await reset_link(browser, mailbox))).status_code == 204
        again = await log_in(browser, EMAIL, password=NEW)
    assert again["device_id"] == first["device_id"]


async def test_of_two_resets_with_one_link_at_once_one_wins(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    token = await reset_link(client, mailbox)
    passwords = [f"correct horse number {number}" for number in range(6)]

    answers = await at_once([lambda password=password: reset(client, token, password) for password in passwords])

    assert sorted(answer.status_code for answer in answers) == [204, *[410] * 5]
    opened = [
        password
        for password in passwords
        if (await client.post("/api/auth/login", json={"email": EMAIL, "password": password})).status_code == 200
    ]
    assert len(opened) == 1


async def test_a_password_that_will_not_do_leaves_the_link_good(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    token = await reset_link(client, mailbox)
    assert problem(await reset(client, token, "short")) == (422, "invalid_fields")
    assert (await reset(client, token)).status_code == 204


@pytest.mark.parametrize(("purpose", "hours"), [("verify", 72), ("reset", 1)])
async def test_a_link_is_good_for_its_time(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, clock: Clock, purpose: str, hours: int
) -> None:
    in_time = (await mailbox.one()).token if purpose == "verify" else await reset_link(client, mailbox)
    use = verify if purpose == "verify" else reset
    clock.advance(hours=hours, seconds=-1)
    assert (await use(client, in_time)).status_code == 204

    await client.post("/api/auth/login", json={"email": EMAIL, "password": NEW})
    late = await reset_link(client, mailbox)
    clock.advance(hours=1)
    assert problem(await reset(client, late)) == DEAD


async def test_a_link_does_what_it_was_mailed_for_and_nothing_else(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    verification = (await mailbox.one()).token
    assert problem(await reset(client, verification)) == DEAD
    resetting = await reset_link(client, mailbox)
    assert problem(await verify(client, resetting)) == DEAD
    for token in (anna["refresh_token"], anna["device_token"], new_token(), "x"):
        assert problem(await reset(client, token)) == DEAD
        assert problem(await verify(client, token)) == DEAD


@pytest.mark.parametrize("change", ["reset", "change"])
async def test_a_new_password_makes_the_links_that_still_lie_in_a_mailbox_useless(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, change: str
) -> None:
    first = await reset_link(client, mailbox)
    second = await reset_link(client, mailbox)
    if change == "reset":
        assert (await reset(client, second)).status_code == 204
    else:
        body = {"current_password": PASSWORD, "new_password": NEW}
        assert (await client.post("/api/auth/change-password", json=body, headers=bearer(anna))).status_code == 204
    assert problem(await reset(client, first)) == DEAD


async def test_a_changed_password_ends_all_other_sessions_and_is_told_of(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    await mailbox.confirm(client, EMAIL)
    other = await log_in(client, EMAIL)
    wrong = {"current_password": "a wrong guess", "new_password": NEW}
    answer = await client.post("/api/auth/change-password", json=wrong, headers=bearer(anna))
    assert problem(answer) == (401, "wrong_credentials")
    assert await status_of(client, other) == 200

    right = {"current_password": PASSWORD, "new_password": NEW}
    assert (await client.post("/api/auth/change-password", json=right, headers=bearer(anna))).status_code == 204

    assert await status_of(client, anna) == 200
    assert (await refresh(client, anna["refresh_token"], anna["device_token"])).status_code == 200
    assert await status_of(client, other) == 401
    await log_in(client, EMAIL, password=NEW)
    assert (await mailbox.one()).subject == "Your password was changed"


async def test_asking_says_the_same_and_does_the_same_work_whoever_the_address_belongs_to(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, database_url: str
) -> None:
    await mailbox.confirm(client, EMAIL)
    known, unknown = await forget(client), await forget(client, "nobody@example.com")
    assert known.status_code == unknown.status_code == 204
    assert known.content == unknown.content == b""
    assert known.headers == unknown.headers
    owner = await asyncpg.connect(database_url)
    try:
        assert await owner.fetchval("SELECT count(*) FROM mails") == 2
    finally:
        await owner.close()
    assert (await mailbox.one()).to == EMAIL


async def test_asking_takes_the_same_time_whoever_the_address_belongs_to(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, clock: Clock
) -> None:
    """Medians of interleaved requests; a difference that can be measured over a network would be far larger."""
    await mailbox.confirm(client, EMAIL)
    spent: dict[str, list[float]] = {EMAIL: [], "nobody@example.com": []}
    for _ in range(60):
        clock.advance(minutes=16)
        for email, times in spent.items():
            started = time.perf_counter()
            await forget(client, email)
            times.append(time.perf_counter() - started)
    known, unknown = (statistics.median(times) for times in spent.values())
    assert abs(known - unknown) < 0.5 * max(known, unknown)


async def test_signing_in_takes_the_same_time_whether_there_is_an_account(
    db: Database, clock: Clock, mailbox: Mailbox
) -> None:
    """With the real cost of a hash, which is what would tell."""
    from apex_server.auth import Passwords

    async with speak_to(accounts_app(db, clock, passwords=Passwords())) as client:
        await confirmed(client, mailbox, EMAIL)
        spent: dict[str, list[float]] = {EMAIL: [], "nobody@example.com": []}
        for _ in range(15):
            for email, times in spent.items():
                started = time.perf_counter()
                await client.post("/api/auth/login", json={"email": email, "password": "a wrong guess"})
                times.append(time.perf_counter() - started)
    known, unknown = (statistics.median(times) for times in spent.values())
    assert abs(known - unknown) < 0.35 * max(known, unknown)


async def test_nobody_is_flooded_with_mails_however_many_ask(
    db: Database, client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, clock: Clock
) -> None:
    await mailbox.confirm(client, EMAIL)
    got = 0
    for number in range(12):
        async with speak_to(accounts_app(db, clock), address=f"198.51.100.{number}") as elsewhere:
            assert (await forget(elsewhere)).status_code == 204
        got += len(await mailbox.look())
    assert got == LINKS_MAX
    clock.advance(hours=1)
    await forget(client)
    assert len(await mailbox.look()) == 1


async def test_asking_and_trying_in_vain_are_counted_by_where_they_come_from(
    db: Database, client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, clock: Clock
) -> None:
    confirmation = await mailbox.one()
    for _ in range(5):
        assert (await forget(client)).status_code == 204
    assert problem(await forget(client)) == (429, "too_many_attempts")
    for _ in range(60):
        assert problem(await verify(client, new_token())) == DEAD
    assert problem(await reset(client, new_token())) == (429, "too_many_attempts")
    assert (await verify(client, confirmation.token)).status_code == 204, "a good link is nobody's guess"
    async with speak_to(accounts_app(db, clock), address="192.0.2.2") as elsewhere:
        assert (await forget(elsewhere)).status_code == 204
        assert problem(await reset(elsewhere, new_token())) == DEAD


async def test_a_mail_that_waits_is_not_asked_for_twice(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    await mailbox.look()
    for _ in range(3):
        await forget(client)
    assert len(await mailbox.look()) == 1


async def test_what_stands_in_the_database_opens_nothing_and_names_nobody(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, database_url: str
) -> None:
    token = (await mailbox.one()).token
    await forget(client)
    owner = await asyncpg.connect(database_url)
    try:
        rows = await owner.fetch("SELECT row_to_json(mail_tokens)::text AS row FROM mail_tokens")
        rows += await owner.fetch("SELECT row_to_json(mails)::text AS row FROM mails")
    finally:
        await owner.close()
    assert len(rows) == 2
    for row in rows:
        assert token not in row["row"]
        assert "anna" not in row["row"]


async def test_one_person_asks_for_no_mail_to_another_and_reads_no_ones_links(
    db: Database, client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    ben = await register(client, "ben@example.com")
    await mailbox.look()
    sql = "INSERT INTO mails (purpose, user_id, asked_at, due_at) VALUES ('verify_email', $1, now(), now())"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.request(ben["user"]["id"]) as connection:
            await connection.execute(sql, anna["user"]["id"])
    async with db.request(ben["user"]["id"]) as connection:
        seen = await connection.fetch("SELECT user_id FROM mail_tokens")
    assert {str(row["user_id"]) for row in seen} == {ben["user"]["id"]}


async def test_what_was_done_by_mail_stands_in_the_audit_of_the_person(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, database_url: str
) -> None:
    await verify(client, (await mailbox.one()).token)
    await reset(client, await reset_link(client, mailbox))
    again = await log_in(client, EMAIL, password=NEW)
    body = {"current_password": NEW, "new_password": PASSWORD}
    assert (await client.post("/api/auth/change-password", json=body, headers=bearer(again))).status_code == 204
    owner = await asyncpg.connect(database_url)
    try:
        rows = await owner.fetch("SELECT action, actor_id FROM account_events ORDER BY seq")
    finally:
        await owner.close()
    ours = ("email_verified", "password_reset_asked", "password_reset", "password_changed")
    events = [(row["action"], str(row["actor_id"])) for row in rows if row["action"] in ours]
    assert events == [*((action, "None") for action in ours[:3]), ("password_changed", anna["user"]["id"])]
