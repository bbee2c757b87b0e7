"""What cannot be taken back asks for more than a session: that its person was there minutes ago."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import post
from litestar.di import NamedDependency

from apex_server.caller import Caller
from apex_server.db import Database
from apex_server.step_up import require_recent_sign_in, require_verified_email
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
)
from tests.server.mailbox import Mailbox, confirmed

pytestmark = pytest.mark.anyio

WRONG = (401, "wrong_credentials")


@pytest.fixture
async def client(db: Database, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    @post("/api/dangerous", status_code=204)
    async def dangerous(caller: NamedDependency[Caller], database: NamedDependency[Database]) -> None:
        async with database.request(caller.user_id) as connection:
            await require_recent_sign_in(connection, caller, now=clock())

    @post("/api/mailbox", status_code=204)
    async def mailbox(caller: NamedDependency[Caller], database: NamedDependency[Database]) -> None:
        async with database.request(caller.user_id) as connection:
            await require_verified_email(connection, caller.user_id)

    async with speak_to(accounts_app(db, clock, more_routes=[dangerous, mailbox])) as opened:
        yield opened


async def reauthenticate(client: httpx.AsyncClient, session: dict[str, Any], password: str) -> httpx.Response:
    return await client.post("/api/auth/reauthenticate", json={"password": password}, headers=bearer(session))


async def test_a_fresh_sign_in_may_a_refreshed_one_may_not_and_the_password_again_opens_it(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    anna = await register(client, "anna@example.com")
    assert (await client.post("/api/dangerous", headers=bearer(anna))).status_code == 204

    clock.advance(minutes=14)
    anna |= (await refresh(client, anna["refresh_token"], anna["device_token"])).json()
    clock.advance(minutes=2)
    assert problem(await client.post("/api/dangerous", headers=bearer(anna))) == (401, "sign_in_again")

    assert problem(await reauthenticate(client, anna, "a wrong guess")) == WRONG
    assert problem(await client.post("/api/dangerous", headers=bearer(anna))) == (401, "sign_in_again")

    assert (await reauthenticate(client, anna, PASSWORD)).status_code == 204
    assert (await client.post("/api/dangerous", headers=bearer(anna))).status_code == 204


async def test_the_proof_of_one_session_is_none_for_another(
    client: httpx.AsyncClient, clock: Clock, mailbox: Mailbox
) -> None:
    lost = await confirmed(client, mailbox, "anna@example.com")
    clock.advance(minutes=10)
    at_home = await log_in(client, "anna@example.com")
    lost |= (await refresh(client, lost["refresh_token"], lost["device_token"])).json()
    clock.advance(minutes=6)

    assert problem(await client.post("/api/dangerous", headers=bearer(lost))) == (401, "sign_in_again")
    assert (await client.post("/api/dangerous", headers=bearer(at_home))).status_code == 204


async def test_whoever_holds_a_session_guesses_the_password_twenty_times_and_locks_nobody_else_out(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    stolen = await confirmed(client, mailbox, "anna@example.com")
    at_home = await log_in(client, "anna@example.com")
    for _ in range(20):
        assert problem(await reauthenticate(client, stolen, "a wrong guess")) == WRONG

    assert problem(await reauthenticate(client, stolen, PASSWORD)) == (429, "too_many_attempts")
    assert (await reauthenticate(client, at_home, PASSWORD)).status_code == 204
    await log_in(client, "anna@example.com")


async def test_what_counts_on_a_mailbox_asks_for_a_verified_address(client: httpx.AsyncClient) -> None:
    anna = await register(client, "anna@example.com")
    assert problem(await client.post("/api/mailbox", headers=bearer(anna))) == (403, "email_not_verified")
