"""Guessing is slowed down, and nobody can use that against the person whose password is guessed."""

from collections.abc import AsyncIterator

import anyio
import asyncpg
import httpx
import pytest
from litestar import Litestar

from apex_server.auth.throttle import begin_login, login_origin
from apex_server.db import Database
from apex_server.errors import TooManyAttempts
from apex_server.opaque_tokens import new_token
from tests.server.accounts_app import Clock, accounts_app, bearer, log_in, problem, register, speak_to

pytestmark = pytest.mark.anyio

EMAIL = "anna@example.com"
LIMIT = 20


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(db: Database, clock: Clock) -> Litestar:
    return accounts_app(db, clock)


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(app) as opened:
        yield opened


async def guess(client: httpx.AsyncClient, email: str = EMAIL, device_token: str | None = None) -> httpx.Response:
    body = {"email": email, "password": "a wrong guess", "device_token": device_token}
    return await client.post("/api/auth/login", json=body)


async def exhaust(client: httpx.AsyncClient, email: str = EMAIL) -> None:
    for _ in range(LIMIT):
        assert problem(await guess(client, email)) == (401, "wrong_credentials")


@pytest.mark.parametrize("known", [True, False])
async def test_guesses_are_refused_beyond_the_limit_whether_or_not_the_account_exists(
    client: httpx.AsyncClient, clock: Clock, known: bool
) -> None:
    if known:
        await register(client, EMAIL)
    await exhaust(client)
    clock.advance(minutes=5)

    refused = await guess(client)

    assert problem(refused) == (429, "too_many_attempts")
    assert refused.json()["retry_after"] == 600
    assert refused.headers["retry-after"] == "600"


async def test_the_right_password_does_not_get_past_the_limit_either(client: httpx.AsyncClient) -> None:
    await register(client, EMAIL)
    await exhaust(client)
    refused = await client.post("/api/auth/login", json={"email": EMAIL, "password": "correct horse battery staple"})
    assert problem(refused) == (429, "too_many_attempts")


async def test_the_window_slides(client: httpx.AsyncClient, clock: Clock) -> None:
    await register(client, EMAIL)
    await exhaust(client)
    clock.advance(minutes=15)
    await log_in(client, EMAIL)


async def test_whoever_is_at_another_address_is_not_affected(app: Litestar, client: httpx.AsyncClient) -> None:
    await register(client, EMAIL)
    await exhaust(client)
    async with speak_to(app, address="192.0.2.2") as elsewhere:
        await log_in(elsewhere, EMAIL)


async def test_a_known_device_signs_in_even_from_the_address_of_the_guesser(client: httpx.AsyncClient) -> None:
    anna = await register(client, EMAIL)
    await exhaust(client)
    await log_in(client, EMAIL, device_token=anna["device_token"])


async def test_a_known_device_has_a_limit_of_its_own(client: httpx.AsyncClient) -> None:
    anna = await register(client, EMAIL)
    for _ in range(LIMIT):
        assert problem(await guess(client, device_token=anna["device_token"]))[0] == 401
    assert problem(await guess(client, device_token=anna["device_token"])) == (429, "too_many_attempts")
    await log_in(client, EMAIL)


async def test_a_device_token_that_is_made_up_or_anothers_or_removed_opens_no_way_around(
    client: httpx.AsyncClient,
) -> None:
    ben = await register(client, "ben@example.com")
    anna = await register(client, EMAIL)
    removed = await log_in(client, EMAIL)
    await client.delete(f"/api/devices/{removed['device_id']}", headers=bearer(anna))
    await exhaust(client)

    for device_token in (new_token(), ben["device_token"], removed["device_token"]):
        assert problem(await guess(client, device_token=device_token)) == (429, "too_many_attempts")


async def test_a_volley_of_guesses_at_once_gets_no_more_tries_than_one_after_another(
    client: httpx.AsyncClient,
) -> None:
    statuses: list[int] = []

    async def one_guess() -> None:
        statuses.append((await guess(client)).status_code)

    async with anyio.create_task_group() as guesses:
        for _ in range(LIMIT + 20):
            guesses.start_soon(one_guess)

    assert sorted(statuses) == [401] * LIMIT + [429] * 20


async def test_an_attempt_waits_for_the_one_before_it_to_be_counted(db: Database, clock: Clock) -> None:
    origin = login_origin(EMAIL, address="192.0.2.1", known_device_id=None)
    outcomes: list[str] = []

    async def attempt() -> None:
        try:
            async with db.request(None) as connection:
                await begin_login(connection, origin, now=clock())
            outcomes.append("counted")
        except TooManyAttempts:
            outcomes.append("refused")

    for _ in range(LIMIT - 1):
        await attempt()
    async with anyio.create_task_group() as attempts, db.request(None) as slow:
        await begin_login(slow, origin, now=clock())
        attempts.start_soon(attempt)
        await anyio.sleep(0.2)
    assert outcomes == ["counted"] * (LIMIT - 1) + ["refused"]


async def test_the_right_password_clears_the_count(client: httpx.AsyncClient) -> None:
    await register(client, EMAIL)
    for _ in range(3):
        for _ in range(LIMIT - 1):
            await guess(client)
        await log_in(client, EMAIL)


async def test_trying_one_password_on_many_accounts_is_refused_too(db: Database, clock: Clock) -> None:
    async def attempt(number: int, address: str = "192.0.2.1") -> None:
        origin = login_origin(f"{number}@example.com", address=address, known_device_id=None)
        async with db.request(None) as connection:
            await begin_login(connection, origin, now=clock())

    for number in range(200):
        await attempt(number)
    with pytest.raises(TooManyAttempts):
        await attempt(200)
    await attempt(201, address="192.0.2.2")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "unix:", False),
    ],
)
def test_the_addresses_of_one_line_count_as_one(one: str, other: str, same: bool) -> None:
    origins = {login_origin(EMAIL, address=address, known_device_id=None) for address in (one, other)}
    assert (len(origins) == 1) is same


async def test_attempts_are_forgotten_when_their_window_is_over_and_name_nobody(
    client: httpx.AsyncClient, clock: Clock, database_url: str
) -> None:
    await exhaust(client)
    clock.advance(minutes=16)
    await guess(client, "ben@example.com")
    owner = await asyncpg.connect(database_url)
    try:
        rows = await owner.fetch("SELECT account, origin, attempted_at FROM login_attempts")
    finally:
        await owner.close()
    assert len(rows) == 1
    assert {len(rows[0]["account"]), len(rows[0]["origin"])} == {32}
