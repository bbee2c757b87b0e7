"""Guessing is slowed down, and nobody can use that against the person whose password is guessed."""

from collections.abc import AsyncIterator

import anyio
import asyncpg
import httpx
import pytest
from litestar import Litestar

from apex_server.auth.throttle import begin_login, count_attempt, login_attempt
from apex_server.db import Database
from apex_server.errors import TooManyAttempts
from apex_server.opaque_tokens import new_token
from tests.server.accounts_app import Clock, accounts_app, bearer, log_in, problem, speak_to
from tests.server.mailbox import Mailbox, confirmed

pytestmark = pytest.mark.anyio

EMAIL = "anna@example.com"
LIMIT = 20
EVERYWHERE = 100
"""At one account, from all networks together."""


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
    client: httpx.AsyncClient, clock: Clock, known: bool, mailbox: Mailbox
) -> None:
    if known:
        await confirmed(client, mailbox, EMAIL)
    await exhaust(client)
    clock.advance(minutes=5)

    refused = await guess(client)

    assert problem(refused) == (429, "too_many_attempts")
    assert refused.json()["retry_after"] == 600
    assert refused.headers["retry-after"] == "600"


async def test_the_right_password_does_not_get_past_the_limit_either(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    await confirmed(client, mailbox, EMAIL)
    await exhaust(client)
    refused = await client.post("/api/auth/login", json={"email": EMAIL, "password": "correct horse battery staple"})
    assert problem(refused) == (429, "too_many_attempts")


async def test_the_window_slides(client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox) -> None:
    await confirmed(client, mailbox, EMAIL)
    await exhaust(client)
    clock.advance(minutes=15)
    await log_in(client, EMAIL)


async def test_whoever_is_at_another_address_is_not_affected(
    app: Litestar, client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    await confirmed(client, mailbox, EMAIL)
    await exhaust(client)
    async with speak_to(app, address="192.0.2.2") as elsewhere:
        await log_in(elsewhere, EMAIL)


async def test_a_known_device_signs_in_even_from_the_address_of_the_guesser(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    anna = await confirmed(client, mailbox, EMAIL)
    await exhaust(client)
    await log_in(client, EMAIL, device_token=anna["device_token"])


async def test_a_known_device_has_a_limit_of_its_own(client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    anna = await confirmed(client, mailbox, EMAIL)
    for _ in range(LIMIT):
        assert problem(await guess(client, device_token=anna["device_token"]))[0] == 401
    assert problem(await guess(client, device_token=anna["device_token"])) == (429, "too_many_attempts")
    await log_in(client, EMAIL)


async def test_a_device_token_that_is_made_up_or_anothers_or_removed_opens_no_way_around(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    ben = await confirmed(client, mailbox, "ben@example.com")
    anna = await confirmed(client, mailbox, EMAIL)
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
    origin = login_attempt(EMAIL, address="192.0.2.1", known_device_id=None)
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


async def test_the_right_password_clears_the_count(client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    await confirmed(client, mailbox, EMAIL)
    for _ in range(3):
        for _ in range(LIMIT - 1):
            await guess(client)
        await log_in(client, EMAIL)


async def test_trying_one_password_on_many_accounts_is_refused_too(db: Database, clock: Clock) -> None:
    async def attempt(number: int, address: str = "192.0.2.1") -> None:
        origin = login_attempt(f"{number}@example.com", address=address, known_device_id=None)
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
    accounts = {login_attempt(EMAIL, address=address, known_device_id=None).account for address in (one, other)}
    assert (len(accounts) == 1) is same


async def test_attempts_are_forgotten_when_their_window_is_over_and_name_nobody(
    client: httpx.AsyncClient, clock: Clock, database_url: str
) -> None:
    await exhaust(client)
    clock.advance(minutes=16)
    await guess(client, "ben@example.com")
    owner = await asyncpg.connect(database_url)
    try:
        rows = await owner.fetch("SELECT account, counted_under, attempted_at FROM login_attempts")
    finally:
        await owner.close()
    assert len(rows) == len(login_attempt(EMAIL, address="192.0.2.1", known_device_id=None).bounds)
    assert {len(row["account"]) for row in rows} | {len(row["counted_under"]) for row in rows} == {32}


async def tries_let_through(db: Database, now: Clock, addresses: list[str], *, emails: list[str]) -> int:
    """Count the guesses that reach a password: one from each address, at each e-mail address in turn."""
    through = 0
    for number, address in enumerate(addresses):
        attempt = login_attempt(emails[number % len(emails)], address=address, known_device_id=None)
        try:
            async with db.request(None) as connection:
                await begin_login(connection, attempt, now=now())
        except TooManyAttempts:
            continue
        through += 1
    return through


@pytest.mark.parametrize(
    ("addresses", "emails", "tries"),
    [
        ([f"2001:db8:1:{line:x}::1" for line in range(256)], [EMAIL], 2 * LIMIT),
        ([f"2001:db8:1:{line * 256:x}::1" for line in range(256)], [EMAIL], 4 * LIMIT),
        ([f"2001:db8:1:{line % 256:x}::1" for line in range(500)], [f"{n}@example.com" for n in range(500)], 400),
        ([f"2001:db8:1:{line:x}::1" for line in range(900)], [f"{n}@example.com" for n in range(900)], 800),
    ],
    ids=["one account from a /56", "one account from a /48", "many accounts from a /56", "many accounts from a /48"],
)
async def test_whoever_holds_a_wide_network_gets_no_count_for_each_of_its_lines(
    db: Database, clock: Clock, addresses: list[str], emails: list[str], tries: int
) -> None:
    assert await tries_let_through(db, clock, addresses, emails=emails) == tries


async def test_ten_thousand_networks_get_a_hundred_tries_and_a_known_device_signs_in_meanwhile(
    app: Litestar, client: httpx.AsyncClient, db: Database, clock: Clock, mailbox: Mailbox
) -> None:
    anna = await confirmed(client, mailbox, EMAIL)
    networks = [f"203.{number // 250}.{number % 250}.1" for number in range(10_000)]

    assert await tries_let_through(db, clock, networks, emails=[EMAIL]) == EVERYWHERE

    async with speak_to(app, address="198.51.100.7") as elsewhere:
        assert problem(await guess(elsewhere)) == (429, "too_many_attempts")
        await log_in(elsewhere, EMAIL, device_token=anna["device_token"])
        await confirmed(elsewhere, mailbox, "ben@example.com")
        await log_in(elsewhere, "ben@example.com")
    clock.advance(minutes=15)
    async with speak_to(app, address="198.51.100.7") as elsewhere:
        await log_in(elsewhere, EMAIL)


async def test_guesses_from_everywhere_are_refused_alike_where_nobody_has_the_address(
    app: Litestar, db: Database, clock: Clock
) -> None:
    networks = [f"203.0.{number}.1" for number in range(EVERYWHERE)]
    await tries_let_through(db, clock, networks, emails=[EMAIL])
    async with speak_to(app, address="198.51.100.7") as elsewhere:
        assert problem(await guess(elsewhere)) == (429, "too_many_attempts")


async def test_the_right_password_takes_back_only_the_attempts_of_its_own_network(
    app: Litestar, client: httpx.AsyncClient, db: Database, clock: Clock, mailbox: Mailbox
) -> None:
    await confirmed(client, mailbox, EMAIL)
    await tries_let_through(db, clock, [f"203.0.{n}.1" for n in range(EVERYWHERE - 5)], emails=[EMAIL])
    for _ in range(8):
        await log_in(client, EMAIL)
    async with speak_to(app, address="198.51.100.7") as elsewhere:
        for _ in range(5):
            assert problem(await guess(elsewhere))[0] == 401
        assert problem(await guess(elsewhere)) == (429, "too_many_attempts")


async def test_a_stolen_session_does_not_try_passwords_from_everywhere(db: Database, clock: Clock) -> None:
    refused = 0
    for number in range(EVERYWHERE + 20):
        try:
            async with db.request(None) as connection:
                await count_attempt(connection, "password", "a session", address=f"203.0.{number}.1", now=clock())
        except TooManyAttempts:
            refused += 1
    assert refused == 20
