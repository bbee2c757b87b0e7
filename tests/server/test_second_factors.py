"""Second factors: setting them up, signing in with them, and everything a guesser or a thief may try."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import asyncpg
import httpx
import pyotp
import pytest

from apex_server.db import Database
from apex_server.messenger import FolderMessenger, MessageNotTaken, SentText
from tests.server.accounts_app import PASSWORD, Clock, accounts_app, bearer, log_in, problem, register, speak_to
from tests.server.mailbox import Mailbox

pytestmark = pytest.mark.anyio

EMAIL = "anna@example.com"
NUMBER = "+44 7400 123456"
DEVICE = {"name": "Anna's phone", "kind": "phone", "client_id": 7}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return tmp_path / "texts"


@pytest.fixture
async def client(db: Database, clock: Clock, texts: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(accounts_app(db, clock, messenger=FolderMessenger(texts))) as opened:
        yield opened


class App:
    """An authenticator app: it knows the seed, and the test's time."""

    def __init__(self, seed: str, clock: Clock) -> None:
        self._totp, self._clock = pyotp.TOTP(seed), clock

    def code(self, *, steps: int = 0) -> str:
        return self._totp.at(self._clock.time, counter_offset=steps)

    def wrong_code(self) -> str:
        good = {self.code(steps=step) for step in (-1, 0, 1)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in good)


async def set_up_app(client: httpx.AsyncClient, session: dict[str, Any], clock: Clock) -> tuple[App, list[str]]:
    offer = await client.post("/api/auth/mfa/totp", headers=bearer(session))
    assert offer.status_code == 201, offer.text
    app = App(offer.json()["secret"], clock)
    answer = await client.post("/api/auth/mfa/totp/confirm", json={"code": app.code()}, headers=bearer(session))
    assert answer.status_code == 200, answer.text
    clock.advance(seconds=60)
    return app, answer.json()["recovery_codes"]


async def set_up_phone(client: httpx.AsyncClient, session: dict[str, Any], texts: Path) -> list[str]:
    answer = await client.put("/api/auth/mfa/phone", json={"number": NUMBER}, headers=bearer(session))
    assert answer.status_code == 204, answer.text
    body = {"code": newest_code(texts)}
    answer = await client.post("/api/auth/mfa/phone/confirm", json=body, headers=bearer(session))
    assert answer.status_code == 200, answer.text
    codes: list[str] = answer.json()["recovery_codes"]
    return codes


def newest_code(texts: Path) -> str:
    (*_, newest) = sorted(texts.iterdir())
    found = re.match(r"[0-9]{6}", json.loads(newest.read_text())["text"])
    assert found
    return found[0]


async def first_step(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    """Give the right password, and get the demand for the second factor."""
    answer = await client.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORD, **more})
    assert problem(answer) == (401, "mfa_required"), answer.text
    return dict(answer.json())


async def second_step(
    client: httpx.AsyncClient, demand: dict[str, Any], code: str, method: str = "totp", **more: Any
) -> httpx.Response:
    body = {"mfa_token": demand["mfa_token"], "method": method, "code": code, **more}
    return await client.post("/api/auth/login/mfa", json=body)


async def test_an_app_is_set_up_and_asked_for_at_the_next_sign_in(client: httpx.AsyncClient, clock: Clock) -> None:
    session = await register(client, EMAIL)
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
    client: httpx.AsyncClient, clock: Clock
) -> None:
    session = await register(client, EMAIL)
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


async def test_the_mfa_token_opens_nothing_but_the_second_step(client: httpx.AsyncClient, clock: Clock) -> None:
    await set_up_app(client, await register(client, EMAIL), clock)
    demand = await first_step(client)
    token = {"Authorization": f"Bearer {demand['mfa_token']}"}
    assert problem(await client.get("/api/auth/me", headers=token)) == (401, "token_invalid")
    refreshed = await client.post("/api/auth/refresh", json={"refresh_token": demand["mfa_token"]})
    assert problem(refreshed) == (401, "refresh_token_invalid")
    assert "apex_" not in str(client.cookies)


async def test_a_code_is_taken_once_even_if_it_is_still_good(client: httpx.AsyncClient, clock: Clock) -> None:
    app, _ = await set_up_app(client, await register(client, EMAIL), clock)
    code = app.code()
    assert (await second_step(client, await first_step(client), code)).status_code == 200
    again = await second_step(client, await first_step(client), code)
    assert problem(again) == (403, "wrong_code")


async def test_the_code_that_confirmed_the_app_signs_nobody_in(client: httpx.AsyncClient, clock: Clock) -> None:
    app, _ = await set_up_app(client, await register(client, EMAIL), clock)
    clock.advance(seconds=-60)
    assert problem(await second_step(client, await first_step(client), app.code())) == (403, "wrong_code")


@pytest.mark.parametrize(("steps", "status"), [(-2, 403), (-1, 200), (0, 200), (1, 200), (2, 403)])
async def test_a_clock_may_be_off_by_one_step_and_no_more(
    client: httpx.AsyncClient, clock: Clock, steps: int, status: int
) -> None:
    app, _ = await set_up_app(client, await register(client, EMAIL), clock)
    clock.advance(minutes=5)
    assert (await second_step(client, await first_step(client), app.code(steps=steps))).status_code == status


async def test_of_parallel_uses_of_one_code_one_gets_in(client: httpx.AsyncClient, clock: Clock) -> None:
    app, _ = await set_up_app(client, await register(client, EMAIL), clock)
    demands = [await first_step(client) for _ in range(6)]
    code, statuses = app.code(), list[int]()

    async def attempt(demand: dict[str, Any]) -> None:
        statuses.append((await second_step(client, demand, code)).status_code)

    async with anyio.create_task_group() as attempts:
        for demand in demands:
            attempts.start_soon(attempt, demand)
    assert sorted(statuses) == [200, 403, 403, 403, 403, 403]


async def test_of_parallel_uses_of_one_token_one_gets_in(client: httpx.AsyncClient, clock: Clock) -> None:
    _, codes = await set_up_app(client, await register(client, EMAIL), clock)
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


async def test_the_code_of_somebody_else_is_wrong(client: httpx.AsyncClient, clock: Clock) -> None:
    await set_up_app(client, await register(client, EMAIL), clock)
    bens, bens_codes = await set_up_app(client, await register(client, "ben@example.com"), clock)
    demand = await first_step(client)
    assert problem(await second_step(client, demand, bens.code())) == (403, "wrong_code")
    assert problem(await second_step(client, demand, bens_codes[0], "recovery_code")) == (403, "wrong_code")
    assert problem(await second_step(client, demand, "123456", "sms")) == (403, "wrong_code")


@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (300, 401)])
async def test_a_token_is_good_for_five_minutes(
    client: httpx.AsyncClient, clock: Clock, seconds: int, status: int
) -> None:
    app, _ = await set_up_app(client, await register(client, EMAIL), clock)
    demand = await first_step(client)
    clock.advance(seconds=seconds)
    assert (await second_step(client, demand, app.code())).status_code == status


async def test_a_token_takes_five_wrong_codes(client: httpx.AsyncClient, clock: Clock) -> None:
    app, codes = await set_up_app(client, await register(client, EMAIL), clock)
    demand = await first_step(client)
    left = [(await second_step(client, demand, app.wrong_code())).json()["tries_left"] for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    assert problem(await second_step(client, demand, app.code())) == (401, "mfa_token_invalid")
    assert problem(await second_step(client, demand, codes[0], "recovery_code")) == (401, "mfa_token_invalid")


async def test_a_volley_of_guesses_is_counted_like_a_row_of_them(client: httpx.AsyncClient, clock: Clock) -> None:
    app, _ = await set_up_app(client, await register(client, EMAIL), clock)
    demand, statuses = await first_step(client), list[int]()

    async def attempt() -> None:
        statuses.append((await second_step(client, demand, app.wrong_code())).status_code)

    async with anyio.create_task_group() as attempts:
        for _ in range(12):
            attempts.start_soon(attempt)
    assert statuses.count(403) == 5
    assert statuses.count(401) == 7


async def test_who_has_the_password_guesses_twenty_times_a_day_and_keeps_nobody_out(
    db: Database, client: httpx.AsyncClient, clock: Clock
) -> None:
    session = await register(client, EMAIL, device=DEVICE)
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


async def test_the_first_step_does_not_reset_the_count_of_passwords(client: httpx.AsyncClient, clock: Clock) -> None:
    """Otherwise whoever has the password could ask for tokens, and so for codes, without end."""
    await set_up_app(client, await register(client, EMAIL), clock)
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
    client: httpx.AsyncClient, clock: Clock, moved: dict[str, Any]
) -> None:
    app, _ = await set_up_app(client, await register(client, EMAIL), clock)
    demand = await first_step(client, device=DEVICE)
    assert problem(await second_step(client, demand, app.code(), **moved)) == (401, "mfa_token_invalid")
    assert problem(await second_step(client, demand, app.code(), device=DEVICE)) == (401, "mfa_token_invalid")


@pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 128])
async def test_an_unknown_token_is_as_void_as_an_old_one(client: httpx.AsyncClient, token: str) -> None:
    answer = await second_step(client, {"mfa_token": token}, "123456")
    assert problem(answer) == (401, "mfa_token_invalid")


async def test_nothing_of_a_second_factor_shows_without_the_password(client: httpx.AsyncClient, clock: Clock) -> None:
    await set_up_app(client, await register(client, EMAIL), clock)
    await register(client, "ben@example.com")
    answers = [
        await client.post("/api/auth/login", json={"email": email, "password": "not the password"})
        for email in (EMAIL, "ben@example.com", "nobody@example.com")
    ]
    assert len({answer.text for answer in answers}) == 1
    assert {problem(answer) for answer in answers} == {(401, "wrong_credentials")}


async def test_a_recovery_code_is_good_once_however_it_is_typed(client: httpx.AsyncClient, clock: Clock) -> None:
    _, codes = await set_up_app(client, await register(client, EMAIL), clock)
    typed = codes[3].lower().replace("-", " ")
    first = await second_step(client, await first_step(client), typed, "recovery_code")
    again = await second_step(client, await first_step(client), codes[3], "recovery_code")
    assert first.status_code == 200
    assert problem(again) == (403, "wrong_code")
    held = (await client.get("/api/auth/mfa", headers=bearer(first.json()))).json()
    assert held["recovery_codes_left"] == 9


async def test_of_parallel_uses_of_one_recovery_code_one_gets_in(client: httpx.AsyncClient, clock: Clock) -> None:
    _, codes = await set_up_app(client, await register(client, EMAIL), clock)
    demands, statuses = [await first_step(client) for _ in range(4)], list[int]()

    async def attempt(demand: dict[str, Any]) -> None:
        statuses.append((await second_step(client, demand, codes[0], "recovery_code")).status_code)

    async with anyio.create_task_group() as attempts:
        for demand in demands:
            attempts.start_soon(attempt, demand)
    assert sorted(statuses) == [200, 403, 403, 403]


async def test_new_recovery_codes_make_the_old_ones_void(client: httpx.AsyncClient, clock: Clock) -> None:
    session = await register(client, EMAIL)
    none = await client.post("/api/auth/mfa/recovery_codes", headers=bearer(session))
    assert problem(none) == (404, "not_found")
    _, old = await set_up_app(client, session, clock)
    new = (await client.post("/api/auth/mfa/recovery_codes", headers=bearer(session))).json()["recovery_codes"]
    assert len(new) == 10
    assert not set(new) & set(old)
    assert problem(await second_step(client, await first_step(client), old[0], "recovery_code")) == (403, "wrong_code")
    assert (await second_step(client, await first_step(client), new[0], "recovery_code")).status_code == 200


async def test_without_a_second_factor_no_recovery_code_is_left(client: httpx.AsyncClient, clock: Clock) -> None:
    session = await register(client, EMAIL)
    await set_up_app(client, session, clock)
    assert (await client.delete("/api/auth/mfa/totp", headers=bearer(session))).status_code == 204
    held = (await client.get("/api/auth/mfa", headers=bearer(session))).json()
    assert held == {"totp": False, "phone_hint": None, "recovery_codes_left": 0, "passkeys": 0}
    await log_in(client, EMAIL)
    assert problem(await client.delete("/api/auth/mfa/totp", headers=bearer(session))) == (404, "not_found")


async def test_a_phone_is_confirmed_and_gets_the_codes(client: httpx.AsyncClient, clock: Clock, texts: Path) -> None:
    codes = await set_up_phone(client, await register(client, EMAIL), texts)
    assert len(codes) == 10
    clock.advance(minutes=1)
    demand = await first_step(client, device=DEVICE)
    assert (demand["methods"], demand["phone_hint"]) == (["sms", "recovery_code"], "…56")
    asked = await client.post("/api/auth/login/sms", json={"mfa_token": demand["mfa_token"], "device": DEVICE})
    assert asked.status_code == 204
    answer = await second_step(client, demand, newest_code(texts), "sms", device=DEVICE)
    assert answer.status_code == 200


async def test_a_phone_that_was_never_confirmed_gets_no_codes(client: httpx.AsyncClient, texts: Path) -> None:
    session = await register(client, EMAIL)
    await client.put("/api/auth/mfa/phone", json={"number": NUMBER}, headers=bearer(session))
    await log_in(client, EMAIL)
    held = (await client.get("/api/auth/mfa", headers=bearer(session))).json()
    assert held["phone_hint"] is None


async def test_a_sms_code_is_of_one_sign_in(client: httpx.AsyncClient, clock: Clock, texts: Path) -> None:
    await set_up_phone(client, await register(client, EMAIL), texts)
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


async def test_a_person_is_not_flooded_with_codes(client: httpx.AsyncClient, clock: Clock, texts: Path) -> None:
    await set_up_phone(client, await register(client, EMAIL), texts)
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
    client: httpx.AsyncClient, clock: Clock, texts: Path
) -> None:
    owner = await register(client, EMAIL)
    await set_up_phone(client, owner, texts)
    statuses = []
    for number in range(4):
        stranger = await register(client, f"stranger{number}@example.com")
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
    client: httpx.AsyncClient, clock: Clock, database_url: str
) -> None:
    app, _ = await set_up_app(client, await register(client, EMAIL), clock)
    demand = await first_step(client)
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("UPDATE users SET password_hash = 'another'")
    finally:
        await owner.close()
    assert problem(await second_step(client, demand, app.code())) == (401, "mfa_token_invalid")


async def test_a_taken_client_id_costs_neither_the_token_nor_the_code(client: httpx.AsyncClient, clock: Clock) -> None:
    """A device finds out in the second step that its id is taken, and goes on under another."""
    app, _ = await set_up_app(client, await register(client, EMAIL), clock)
    await register(client, "ben@example.com", device=DEVICE)
    demand = await first_step(client, device=DEVICE)
    assert problem(await second_step(client, demand, app.code(), device=DEVICE)) == (409, "client_id_taken")
    answer = await second_step(client, demand, app.code(), device={**DEVICE, "client_id": 8})
    assert answer.status_code == 200


async def test_no_secret_of_a_second_factor_stands_readable_in_the_database(
    client: httpx.AsyncClient, clock: Clock, texts: Path, database_url: str
) -> None:
    session = await register(client, EMAIL)
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


async def test_guesses_with_many_tokens_at_once_are_counted_together(client: httpx.AsyncClient, clock: Clock) -> None:
    app, _ = await set_up_app(client, await register(client, EMAIL), clock)
    demands, codes = [await first_step(client) for _ in range(8)], list[str]()

    async def attempt(demand: dict[str, Any]) -> None:
        for _ in range(5):
            codes.append(problem(await second_step(client, demand, app.wrong_code()))[1])

    async with anyio.create_task_group() as attempts:
        for demand in demands:
            attempts.start_soon(attempt, demand)
    assert (codes.count("wrong_code"), codes.count("too_many_attempts")) == (20, 20)


async def test_what_happens_to_second_factors_is_recorded_and_told_by_mail(
    client: httpx.AsyncClient, clock: Clock, texts: Path, database_url: str
) -> None:
    session = await register(client, EMAIL)
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


async def test_a_new_password_by_mail_never_switches_the_second_factor_off(
    db: Database, client: httpx.AsyncClient, clock: Clock, tmp_path: Path
) -> None:
    """Who reads somebody's mail has one factor, not two."""
    mailbox = Mailbox(db, tmp_path / "mails", clock)
    session = await register(client, EMAIL)
    verification = {"token": (await mailbox.one()).token}
    assert (await client.post("/api/auth/verify-email", json=verification)).status_code == 204
    app, _ = await set_up_app(client, session, clock)
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
