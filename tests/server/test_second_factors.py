"""Second factors: setting them up, signing in with an app, and everything a guesser or a thief may try."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import asyncpg
import httpx
import pytest

from apex_server.db import Database
from apex_server.messenger import FolderMessenger
from tests.server.accounts_app import PASSWORD, Clock, accounts_app, bearer, log_in, problem, register, speak_to
from tests.server.mailbox import Mailbox, confirmed
from tests.server.second_factor_parts import (
    DEVICE,
    EMAIL,
    NUMBER,
    App,
    first_step,
    newest_code,
    second_step,
    set_up_app,
    set_up_phone,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def app_options(texts: Path) -> dict[str, Any]:
    return {"messenger": FolderMessenger(texts)}


async def test_an_app_is_set_up_and_asked_for_at_the_next_sign_in(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    session = await confirmed(client, mailbox, EMAIL)
    offer = (await client.post("/api/auth/mfa/totp", headers=bearer(session))).json()
    asked = parse_qs(urlsplit(offer["uri"]).query)
    assert (asked["secret"], asked["issuer"]) == ([offer["secret"]], ["Apex"])
    await log_in(client, EMAIL)

    app, codes = await set_up_app(client, session, clock)
    demand = await first_step(client, device=DEVICE)
    answer = await second_step(client, demand, app.code(), device=DEVICE)

    assert len(set(codes)) == 10
    assert demand["methods"] == ["totp", "recovery_code"]
    assert (demand["expires_in"], demand["phone_hint"]) == (300, None)
    assert answer.status_code == 200
    me = await client.get("/api/auth/me", headers=bearer(answer.json()))
    assert (me.json()["user"]["email"], me.json()["device"]["name"]) == (EMAIL, "Anna's phone")
    held = (await client.get("/api/auth/mfa", headers=bearer(answer.json()))).json()
    assert held == {"totp": True, "phone_hint": None, "recovery_codes_left": 10, "passkeys": 0}


async def test_an_offer_that_was_never_confirmed_asks_for_nothing_and_is_soon_over(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    session = await confirmed(client, mailbox, EMAIL)
    offer = (await client.post("/api/auth/mfa/totp", headers=bearer(session))).json()
    session = await log_in(client, EMAIL)
    clock.advance(minutes=14, seconds=59)
    app = App(offer["secret"], clock)
    wrong = await client.post("/api/auth/mfa/totp/confirm", json={"code": app.wrong_code()}, headers=bearer(session))
    assert problem(wrong) == (403, "wrong_code")
    clock.advance(seconds=1)
    session = await log_in(client, EMAIL)
    late = await client.post("/api/auth/mfa/totp/confirm", json={"code": app.code()}, headers=bearer(session))
    assert problem(late) == (404, "not_found")


async def test_the_mfa_token_opens_nothing_but_the_second_step(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    demand = await first_step(client)
    token = {"Authorization": f"Bearer {demand['mfa_token']}"}
    assert problem(await client.get("/api/auth/me", headers=token)) == (401, "token_invalid")
    refreshed = await client.post("/api/auth/refresh", json={"refresh_token": demand["mfa_token"]})
    assert problem(refreshed) == (401, "refresh_token_invalid")
    assert "apex_" not in str(client.cookies)


async def test_a_code_is_taken_once_even_if_it_is_still_good(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    app, _ = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    code = app.code()
    assert (await second_step(client, await first_step(client), code)).status_code == 200
    again = await second_step(client, await first_step(client), code)
    assert problem(again) == (403, "wrong_code")


async def test_the_code_that_confirmed_the_app_signs_nobody_in(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    app, _ = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    clock.advance(seconds=-60)
    assert problem(await second_step(client, await first_step(client), app.code())) == (403, "wrong_code")


@pytest.mark.parametrize(("steps", "status"), [(-2, 403), (-1, 200), (0, 200), (1, 200), (2, 403)])
async def test_a_clock_may_be_off_by_one_step_and_no_more(
    client: httpx.AsyncClient, clock: Clock, steps: int, status: int, mailbox: Mailbox
) -> None:
    app, _ = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    clock.advance(minutes=5)
    assert (await second_step(client, await first_step(client), app.code(steps=steps))).status_code == status


async def test_of_parallel_uses_of_one_code_one_gets_in(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    app, _ = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    demands = [await first_step(client) for _ in range(6)]
    code, statuses = app.code(), list[int]()

    async def attempt(demand: dict[str, Any]) -> None:
        statuses.append((await second_step(client, demand, code)).status_code)

    async with anyio.create_task_group() as attempts:
        for demand in demands:
            attempts.start_soon(attempt, demand)
    assert sorted(statuses) == [200, 403, 403, 403, 403, 403]


async def test_of_parallel_uses_of_one_token_one_gets_in(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    _, codes = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    demand, statuses = await first_step(client), list[int]()

    async def attempt(code: str) -> None:
        statuses.append((await second_step(client, demand, code, "recovery_code")).status_code)

    async with anyio.create_task_group() as attempts:
        for code in codes[:6]:
            attempts.start_soon(attempt, code)
    assert sorted(statuses) == [200, 401, 401, 401, 401, 401]


async def test_of_parallel_confirmations_one_sets_the_app_up(client: httpx.AsyncClient, clock: Clock) -> None:
    session = await register(client, EMAIL)
    app = App((await client.post("/api/auth/mfa/totp", headers=bearer(session))).json()["secret"], clock)
    answers: list[httpx.Response] = []

    async def attempt() -> None:
        body = {"code": app.code()}
        answers.append(await client.post("/api/auth/mfa/totp/confirm", json=body, headers=bearer(session)))

    async with anyio.create_task_group() as attempts:
        for _ in range(4):
            attempts.start_soon(attempt)
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert sum(len(answer.json().get("recovery_codes", [])) for answer in answers) == 10
    again = await client.post("/api/auth/mfa/totp", headers=bearer(session))
    assert problem(again) == (409, "totp_on")


async def test_the_code_of_somebody_else_is_wrong(client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox) -> None:
    await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    bens, bens_codes = await set_up_app(client, await confirmed(client, mailbox, "ben@example.com"), clock)
    demand = await first_step(client)
    assert problem(await second_step(client, demand, bens.code())) == (403, "wrong_code")
    assert problem(await second_step(client, demand, bens_codes[0], "recovery_code")) == (403, "wrong_code")
    assert problem(await second_step(client, demand, "123456", "sms")) == (403, "wrong_code")


@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (300, 401)])
async def test_a_token_is_good_for_five_minutes(
    client: httpx.AsyncClient, clock: Clock, seconds: int, status: int, mailbox: Mailbox
) -> None:
    app, _ = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    demand = await first_step(client)
    clock.advance(seconds=seconds)
    assert (await second_step(client, demand, app.code())).status_code == status


async def test_a_token_takes_five_wrong_codes(client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox) -> None:
    app, codes = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    demand = await first_step(client)
    left = [(await second_step(client, demand, app.wrong_code())).json()["tries_left"] for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    assert problem(await second_step(client, demand, app.code())) == (401, "mfa_token_invalid")
    assert problem(await second_step(client, demand, codes[0], "recovery_code")) == (401, "mfa_token_invalid")


async def test_a_volley_of_guesses_is_counted_like_a_row_of_them(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    app, _ = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    demand, statuses = await first_step(client), list[int]()

    async def attempt() -> None:
        statuses.append((await second_step(client, demand, app.wrong_code())).status_code)

    async with anyio.create_task_group() as attempts:
        for _ in range(12):
            attempts.start_soon(attempt)
    assert statuses.count(403) == 5
    assert statuses.count(401) == 7


async def test_who_has_the_password_guesses_twenty_times_a_day_and_keeps_nobody_out(
    db: Database, client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    session = await confirmed(client, mailbox, EMAIL, device=DEVICE)
    app, codes = await set_up_app(client, session, clock)
    known = {"device": DEVICE, "device_token": session["device_token"]}
    for number in range(4):
        async with speak_to(accounts_app(db, clock), address=f"198.51.100.{number}") as thief:
            demand = await first_step(thief)
            for _ in range(5):
                assert problem(await second_step(thief, demand, app.wrong_code())) == (403, "wrong_code")

    async with speak_to(accounts_app(db, clock), address="198.51.100.77") as thief:
        refused = await second_step(thief, await first_step(thief), app.code())
    assert problem(refused) == (429, "too_many_attempts")
    assert refused.json()["retry_after"] > 80_000

    mine = await second_step(client, await first_step(client, **known), app.code(), **known)
    assert mine.status_code == 200
    recovered = await second_step(client, await first_step(client), codes[0], "recovery_code")
    assert recovered.status_code == 200
    clock.advance(days=1)
    assert (await second_step(client, await first_step(client), app.code())).status_code == 200


async def test_the_first_step_does_not_reset_the_count_of_passwords(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    """Otherwise whoever has the password could ask for tokens, and so for codes, without end."""
    await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    for _ in range(20):
        await first_step(client)
    answer = await client.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD})
    assert problem(answer) == (429, "too_many_attempts")


@pytest.mark.parametrize(
    "moved",
    [
        {"device": {"name": "A thief's phone", "kind": "phone", "client_id": 9}},
        {"device": {**DEVICE, "kind": "watch"}},
        {"device": DEVICE, "device_token": "of another device"},
        {},
    ],
)
async def test_a_token_that_turns_up_on_another_device_is_void(
    client: httpx.AsyncClient, clock: Clock, moved: dict[str, Any], mailbox: Mailbox
) -> None:
    app, _ = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    demand = await first_step(client, device=DEVICE)
    assert problem(await second_step(client, demand, app.code(), **moved)) == (401, "mfa_token_invalid")
    assert problem(await second_step(client, demand, app.code(), device=DEVICE)) == (401, "mfa_token_invalid")


@pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 128])
async def test_an_unknown_token_is_as_void_as_an_old_one(client: httpx.AsyncClient, token: str) -> None:
    answer = await second_step(client, {"mfa_token": token}, "123456")
    assert problem(answer) == (401, "mfa_token_invalid")


async def test_nothing_of_a_second_factor_shows_without_the_password(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    await confirmed(client, mailbox, "ben@example.com")
    answers = [
        await client.post("/api/auth/login", json={"email": email, "password": "not the password"})
        for email in (EMAIL, "ben@example.com", "nobody@example.com")
    ]
    assert len({answer.text for answer in answers}) == 1
    assert {problem(answer) for answer in answers} == {(401, "wrong_credentials")}


async def test_changing_what_proves_a_person_asks_for_a_recent_sign_in(client: httpx.AsyncClient, clock: Clock) -> None:
    session = await register(client, EMAIL)
    await set_up_app(client, session, clock)
    clock.advance(minutes=14)
    fresh = await client.post("/api/auth/refresh", json={"refresh_token": session["refresh_token"]})
    clock.advance(minutes=1, seconds=1)
    for method, path, body in (
        ("POST", "/api/auth/mfa/totp", None),
        ("POST", "/api/auth/mfa/totp/confirm", {"code": "1"}),
        ("DELETE", "/api/auth/mfa/totp", None),
        ("PUT", "/api/auth/mfa/phone", {"number": NUMBER}),
        ("POST", "/api/auth/mfa/phone/confirm", {"code": "1"}),
        ("DELETE", "/api/auth/mfa/phone", None),
        ("POST", "/api/auth/mfa/recovery_codes", None),
    ):
        answer = await client.request(method, path, json=body, headers=bearer(fresh.json()))
        assert problem(answer) == (401, "sign_in_again"), path


async def test_another_password_ends_a_sign_in_that_the_old_one_began(
    client: httpx.AsyncClient, clock: Clock, database_url: str, mailbox: Mailbox
) -> None:
    app, _ = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    demand = await first_step(client)
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("UPDATE users SET password_hash = 'another'")
    finally:
        await owner.close()
    assert problem(await second_step(client, demand, app.code())) == (401, "mfa_token_invalid")


async def test_a_taken_client_id_costs_neither_the_token_nor_the_code(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    """A device finds out in the second step that its id is taken, and goes on under another."""
    app, _ = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    await confirmed(client, mailbox, "ben@example.com", device=DEVICE)
    demand = await first_step(client, device=DEVICE)
    assert problem(await second_step(client, demand, app.code(), device=DEVICE)) == (409, "client_id_taken")
    answer = await second_step(client, demand, app.code(), device={**DEVICE, "client_id": 8})
    assert answer.status_code == 200


async def test_no_secret_of_a_second_factor_stands_readable_in_the_database(
    client: httpx.AsyncClient, clock: Clock, texts: Path, database_url: str, mailbox: Mailbox
) -> None:
    session = await confirmed(client, mailbox, EMAIL)
    seed = (await client.post("/api/auth/mfa/totp", headers=bearer(session))).json()["secret"]
    body = {"code": App(seed, clock).code()}
    codes = (await client.post("/api/auth/mfa/totp/confirm", json=body, headers=bearer(session))).json()
    await set_up_phone(client, session, texts)
    clock.advance(minutes=1)
    demand = await first_step(client)
    await client.post("/api/auth/login/sms", json={"mfa_token": demand["mfa_token"]})
    owner = await asyncpg.connect(database_url)
    try:
        rows = ""
        for table in ("totp_seeds", "phones", "recovery_codes", "mfa_challenges", "sms_sends", "code_attempts"):
            rows += "".join(str(list(row.values())) for row in await owner.fetch(f"SELECT * FROM {table}"))
    finally:
        await owner.close()
    assert len(rows) > 1000
    for secret in (seed, "447400123456", newest_code(texts), demand["mfa_token"], *codes["recovery_codes"]):
        assert secret not in rows


async def test_the_password_again_is_not_enough_for_who_has_a_second_factor(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    """Otherwise a stolen session and a password would switch the second factor off."""
    session = await register(client, EMAIL)
    app, codes = await set_up_app(client, session, clock)
    clock.advance(minutes=14)
    session = (await client.post("/api/auth/refresh", json={"refresh_token": session["refresh_token"]})).json()
    clock.advance(minutes=1, seconds=1)

    async def prove(**more: Any) -> httpx.Response:
        body = {"password": PASSWORD, **more}
        return await client.post("/api/auth/reauthenticate", json=body, headers=bearer(session))

    needed = await prove()
    assert (problem(needed), needed.json()["methods"]) == ((403, "second_factor_needed"), ["totp", "recovery_code"])
    assert problem(await prove(method="totp", code=app.wrong_code())) == (403, "wrong_code")
    refused = await client.delete("/api/auth/mfa/totp", headers=bearer(session))
    assert problem(refused) == (401, "sign_in_again")
    code = app.code()
    assert (await prove(method="totp", code=code)).status_code == 204
    assert problem(await prove(method="totp", code=code)) == (403, "wrong_code")
    assert (await prove(method="recovery_code", code=codes[0])).status_code == 204
    assert (await client.delete("/api/auth/mfa/totp", headers=bearer(session))).status_code == 204


async def test_changing_the_password_is_no_way_around_the_second_factor(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    session = await register(client, EMAIL)
    await set_up_app(client, session, clock)
    clock.advance(minutes=14)
    session = (await client.post("/api/auth/refresh", json={"refresh_token": session["refresh_token"]})).json()
    clock.advance(minutes=1, seconds=1)
    body = {"current_password": PASSWORD, "new_password": "another correct horse"}
    changed = await client.post("/api/auth/change-password", json=body, headers=bearer(session))
    assert changed.status_code == 204
    refused = await client.delete("/api/auth/mfa/totp", headers=bearer(session))
    assert problem(refused) == (401, "sign_in_again")


async def test_guesses_with_many_tokens_at_once_are_counted_together(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    app, _ = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    demands, codes = [await first_step(client) for _ in range(8)], list[str]()

    async def attempt(demand: dict[str, Any]) -> None:
        for _ in range(5):
            codes.append(problem(await second_step(client, demand, app.wrong_code()))[1])

    async with anyio.create_task_group() as attempts:
        for demand in demands:
            attempts.start_soon(attempt, demand)
    assert (codes.count("wrong_code"), codes.count("too_many_attempts")) == (20, 20)
