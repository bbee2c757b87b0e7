"""Codes that come from no app: recovery codes on paper, and those sent to a phone."""

from pathlib import Path
from typing import Any

import anyio
import asyncpg
import httpx
import pytest

from apex_server.db import Database
from apex_server.messenger import FolderMessenger, MessageNotTaken, SentText
from tests.server.accounts_app import Clock, accounts_app, bearer, log_in, problem, register, speak_to
from tests.server.mailbox import Mailbox, confirmed
from tests.server.second_factor_parts import (
    DEVICE,
    EMAIL,
    NUMBER,
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


async def test_a_recovery_code_is_good_once_however_it_is_typed(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    _, codes = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    typed = codes[3].lower().replace("-", " ")
    first = await second_step(client, await first_step(client), typed, "recovery_code")
    again = await second_step(client, await first_step(client), codes[3], "recovery_code")
    assert first.status_code == 200
    assert problem(again) == (403, "wrong_code")
    held = (await client.get("/api/auth/mfa", headers=bearer(first.json()))).json()
    assert held["recovery_codes_left"] == 9


async def test_of_parallel_uses_of_one_recovery_code_one_gets_in(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    _, codes = await set_up_app(client, await confirmed(client, mailbox, EMAIL), clock)
    demands, statuses = [await first_step(client) for _ in range(4)], list[int]()

    async def attempt(demand: dict[str, Any]) -> None:
        statuses.append((await second_step(client, demand, codes[0], "recovery_code")).status_code)

    async with anyio.create_task_group() as attempts:
        for demand in demands:
            attempts.start_soon(attempt, demand)
    assert sorted(statuses) == [200, 403, 403, 403]


async def test_new_recovery_codes_make_the_old_ones_void(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    session = await confirmed(client, mailbox, EMAIL)
    none = await client.post("/api/auth/mfa/recovery_codes", headers=bearer(session))
    assert problem(none) == (404, "not_found")
    _, old = await set_up_app(client, session, clock)
    new = (await client.post("/api/auth/mfa/recovery_codes", headers=bearer(session))).json()["recovery_codes"]
    assert len(new) == 10
    assert not set(new) & set(old)
    assert problem(await second_step(client, await first_step(client), old[0], "recovery_code")) == (403, "wrong_code")
    assert (await second_step(client, await first_step(client), new[0], "recovery_code")).status_code == 200


async def test_without_a_second_factor_no_recovery_code_is_left(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    session = await confirmed(client, mailbox, EMAIL)
    await set_up_app(client, session, clock)
    assert (await client.delete("/api/auth/mfa/totp", headers=bearer(session))).status_code == 204
    held = (await client.get("/api/auth/mfa", headers=bearer(session))).json()
    assert held == {"totp": False, "phone_hint": None, "recovery_codes_left": 0, "passkeys": 0}
    await log_in(client, EMAIL)
    assert problem(await client.delete("/api/auth/mfa/totp", headers=bearer(session))) == (404, "not_found")


async def test_a_phone_is_confirmed_and_gets_the_codes(
    client: httpx.AsyncClient, clock: Clock, texts: Path, mailbox: Mailbox
) -> None:
    codes = await set_up_phone(client, await confirmed(client, mailbox, EMAIL), texts)
    assert len(codes) == 10
    clock.advance(minutes=1)
    demand = await first_step(client, device=DEVICE)
    assert (demand["methods"], demand["phone_hint"]) == (["sms", "recovery_code"], "…56")
    asked = await client.post("/api/auth/login/sms", json={"mfa_token": demand["mfa_token"], "device": DEVICE})
    assert asked.status_code == 204
    answer = await second_step(client, demand, newest_code(texts), "sms", device=DEVICE)
    assert answer.status_code == 200


async def test_a_phone_that_was_never_confirmed_gets_no_codes(
    client: httpx.AsyncClient, texts: Path, mailbox: Mailbox
) -> None:
    session = await confirmed(client, mailbox, EMAIL)
    asked = await client.put("/api/auth/mfa/phone", json={"number": NUMBER}, headers=bearer(session))
    assert asked.status_code == 204
    await log_in(client, EMAIL)
    held = (await client.get("/api/auth/mfa", headers=bearer(session))).json()
    assert held["phone_hint"] is None


async def test_a_sms_code_is_of_one_sign_in(
    client: httpx.AsyncClient, clock: Clock, texts: Path, mailbox: Mailbox
) -> None:
    await set_up_phone(client, await confirmed(client, mailbox, EMAIL), texts)
    clock.advance(minutes=1)
    mine, other = await first_step(client), await first_step(client)
    await client.post("/api/auth/login/sms", json={"mfa_token": mine["mfa_token"]})
    code = newest_code(texts)
    assert problem(await second_step(client, other, code, "sms")) == (403, "wrong_code")
    assert (await second_step(client, mine, code, "sms")).status_code == 200
    assert problem(await second_step(client, mine, code, "sms")) == (401, "mfa_token_invalid")


async def test_a_phone_is_confirmed_with_five_tries_in_five_minutes(
    client: httpx.AsyncClient, clock: Clock, texts: Path
) -> None:
    session = await register(client, EMAIL)
    await client.put("/api/auth/mfa/phone", json={"number": NUMBER}, headers=bearer(session))
    right = newest_code(texts)
    wrong = "000000" if right != "000000" else "111111"

    async def confirm(code: str) -> httpx.Response:
        return await client.post("/api/auth/mfa/phone/confirm", json={"code": code}, headers=bearer(session))

    left = [(await confirm(wrong)).json()["tries_left"] for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    assert problem(await confirm(right)) == (403, "wrong_code")
    clock.advance(minutes=1)
    await client.put("/api/auth/mfa/phone", json={"number": NUMBER}, headers=bearer(session))
    right = newest_code(texts)
    clock.advance(minutes=5)
    assert problem(await confirm(right)) == (403, "wrong_code")


@pytest.mark.parametrize(
    "number", ["07400 123456", "+44", "+447400", "+1 900 555 0100", "+44 871 234 5678", "x", "", "+447400123456;1"]
)
async def test_a_number_that_is_none_or_costs_extra_is_refused(client: httpx.AsyncClient, number: str) -> None:
    session = await register(client, EMAIL)
    answer = await client.put("/api/auth/mfa/phone", json={"number": number}, headers=bearer(session))
    assert problem(answer) == (422, "invalid_fields")


async def test_a_person_is_not_flooded_with_codes(
    client: httpx.AsyncClient, clock: Clock, texts: Path, mailbox: Mailbox
) -> None:
    await set_up_phone(client, await confirmed(client, mailbox, EMAIL), texts)
    demand = await first_step(client)

    async def ask() -> httpx.Response:
        return await client.post("/api/auth/login/sms", json={"mfa_token": demand["mfa_token"]})

    hasty = await ask()
    assert (problem(hasty), hasty.json()["retry_after"]) == ((429, "too_many_attempts"), 30)
    for _ in range(4):
        clock.advance(seconds=30)
        assert (await ask()).status_code == 204
    clock.advance(seconds=30)
    refused = await ask()
    assert problem(refused) == (429, "too_many_attempts")
    assert len(list(texts.iterdir())) == 5
    assert 3000 < refused.json()["retry_after"] <= 3600


async def test_a_strangers_phone_rings_three_times_an_hour_and_its_owner_still_gets_codes(
    client: httpx.AsyncClient, clock: Clock, texts: Path, mailbox: Mailbox
) -> None:
    owner = await confirmed(client, mailbox, EMAIL)
    await set_up_phone(client, owner, texts)
    statuses = []
    for number in range(4):
        stranger = await confirmed(client, mailbox, f"stranger{number}@example.com")
        answer = await client.put("/api/auth/mfa/phone", json={"number": NUMBER}, headers=bearer(stranger))
        statuses.append(answer.status_code)
    assert statuses == [204, 204, 429, 429]
    clock.advance(seconds=30)
    demand = await first_step(client)
    asked = await client.post("/api/auth/login/sms", json={"mfa_token": demand["mfa_token"]})
    assert asked.status_code == 204


async def test_a_gateway_that_does_not_take_the_message_is_said(db: Database, clock: Clock) -> None:
    class Down:
        async def send(self, message: SentText) -> None:
            raise MessageNotTaken("status 500")

    for messenger in (Down(), None):
        async with speak_to(accounts_app(db, clock, messenger=messenger)) as client:
            session = await register(client, f"{type(messenger).__name__}@example.com")
            number = "+447400123457" if messenger else "+447400123458"
            answer = await client.put("/api/auth/mfa/phone", json={"number": number}, headers=bearer(session))
            assert problem(answer) == (503, "sms_unavailable")


async def test_a_new_password_by_mail_never_switches_the_second_factor_off(
    db: Database, client: httpx.AsyncClient, clock: Clock, tmp_path: Path
) -> None:
    """Who reads somebody's mail has one factor, not two."""
    mailbox = Mailbox(db, tmp_path / "mails", clock)
    session = await register(client, EMAIL)
    verification = {"token": (await mailbox.one()).token}
    assert (await client.post("/api/auth/verify-email", json=verification)).status_code == 204
    app, _ = await set_up_app(client, session, clock)
    clock.advance(days=2)  # A day after its first mail was answered, an account is its person's beyond doubt.
    demand = await first_step(client)
    await mailbox.look()
    await client.post("/api/auth/forgot-password", json={"email": EMAIL})
    body = {"token": (await mailbox.one()).token, "password": "another correct horse"}
    assert (await client.post("/api/auth/reset-password", json=body)).status_code in (200, 204)

    assert problem(await second_step(client, demand, app.code())) == (401, "mfa_token_invalid")
    login = {"email": EMAIL, "password": "another correct horse"}
    answer = await client.post("/api/auth/login", json=login)
    assert problem(answer) == (401, "mfa_required")
    assert (await second_step(client, answer.json(), app.code())).status_code == 200


async def test_what_happens_to_second_factors_is_recorded_and_told_by_mail(
    client: httpx.AsyncClient, clock: Clock, texts: Path, database_url: str, mailbox: Mailbox
) -> None:
    session = await confirmed(client, mailbox, EMAIL)
    app, codes = await set_up_app(client, session, clock)
    await set_up_phone(client, session, texts)
    demand = await first_step(client)
    await second_step(client, demand, app.wrong_code())
    await second_step(client, demand, codes[0], "recovery_code")
    await client.post("/api/auth/mfa/recovery_codes", headers=bearer(session))
    await client.delete("/api/auth/mfa/phone", headers=bearer(session))
    await client.delete("/api/auth/mfa/totp", headers=bearer(session))
    owner = await asyncpg.connect(database_url)
    try:
        events = [row["action"] for row in await owner.fetch("SELECT action FROM account_events ORDER BY seq")]
        mails = [row["purpose"] for row in await owner.fetch("SELECT purpose FROM mails")]
    finally:
        await owner.close()
    ours = {"mfa_enabled", "phone_added", "mfa_refused", "recovery_code_used", "recovery_codes_renewed"}
    assert [action for action in events if action in ours | {"phone_removed", "mfa_disabled"}] == [
        "mfa_enabled",
        "phone_added",
        "mfa_refused",
        "recovery_code_used",
        "recovery_codes_renewed",
        "phone_removed",
        "mfa_disabled",
    ]
    assert "sign_in_protection_changed" in mails
