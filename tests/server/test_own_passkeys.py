"""Registering passkeys, naming and removing them, and what only looks like a registration."""

from typing import Any

import httpx
import pytest

from apex_server.db import Database
from tests.server.accounts_app import Clock, accounts_app, bearer, log_in, problem, register, speak_to
from tests.server.mailbox import Mailbox, confirmed
from tests.server.passkey_parts import EMAIL, PUBLIC_URL, REFUSED, add, authenticator, options, sign_in, sign_in_options
from tests.server.software_authenticator import SoftwareAuthenticator


@pytest.fixture
def app_options() -> dict[str, Any]:
    return {"public_url": PUBLIC_URL}


@pytest.mark.anyio
async def test_a_registration_holds_for_its_own_person_once(client: httpx.AsyncClient) -> None:
    anna, ben = await register(client, EMAIL), await register(client, "ben@example.com")
    asked = await options(client, anna)
    body = {"credential": authenticator().create(asked), "name": "Phone"}

    foreign = await client.post("/api/auth/passkeys", json=body, headers=bearer(ben))
    own = await client.post("/api/auth/passkeys", json=body, headers=bearer(anna))
    again = {"credential": authenticator().create(asked), "name": "Phone"}
    replayed = await client.post("/api/auth/passkeys", json=again, headers=bearer(anna))

    assert problem(foreign) == (422, "invalid_fields")
    assert own.status_code == 201
    assert problem(replayed) == (422, "invalid_fields")


@pytest.mark.anyio
async def test_a_credential_belongs_to_one_account(client: httpx.AsyncClient) -> None:
    device = authenticator()
    await add(client, await register(client, EMAIL), device)
    taken = await add(client, await register(client, "ben@example.com"), device)
    assert problem(taken) == (409, "passkey_exists")


@pytest.mark.anyio
async def test_a_registration_that_only_looks_right_is_refused(client: httpx.AsyncClient) -> None:
    session = await register(client, EMAIL)
    for device in (
        SoftwareAuthenticator("https://evil.example", "coach.example"),
        SoftwareAuthenticator(PUBLIC_URL, "evil.example"),
        authenticator(verifies_user=False),
    ):
        assert problem(await add(client, session, device)) == (422, "invalid_fields")
    sign_in_challenge = (await sign_in_options(client))["challenge"]
    asked = {**await options(client, session), "challenge": sign_in_challenge}
    body = {"credential": authenticator().create(asked), "name": "Phone"}
    answer = await client.post("/api/auth/passkeys", json=body, headers=bearer(session))
    assert problem(answer) == (422, "invalid_fields")


@pytest.mark.anyio
async def test_passkeys_are_renamed_and_removed_by_their_owner_alone(client: httpx.AsyncClient) -> None:
    anna, ben, device = await register(client, EMAIL), await register(client, "ben@example.com"), authenticator()
    path = f"/api/auth/passkeys/{(await add(client, anna, device)).json()['id']}"

    for answer in (
        await client.patch(path, json={"name": "Mine"}, headers=bearer(ben)),
        await client.delete(path, headers=bearer(ben)),
    ):
        assert problem(answer) == (404, "not_found")
    renamed = await client.patch(path, json={"name": " Watch "}, headers=bearer(anna))
    assert renamed.json()["name"] == "Watch"
    assert (await client.delete(path, headers=bearer(anna))).status_code == 204
    assert problem(await sign_in(client, device.get(await sign_in_options(client)))) == REFUSED


@pytest.mark.anyio
async def test_removing_the_last_passkey_leaves_the_password(client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    """No account is without a password, so no removal shuts its owner out."""
    session, device = await confirmed(client, mailbox, EMAIL), authenticator()
    added = await add(client, session, device)
    removed = await client.delete(f"/api/auth/passkeys/{added.json()['id']}", headers=bearer(session))
    assert removed.status_code == 204
    await log_in(client, EMAIL)


@pytest.mark.anyio
async def test_changing_passkeys_asks_for_a_recent_sign_in(client: httpx.AsyncClient, clock: Clock) -> None:
    session, device = await register(client, EMAIL), authenticator()
    passkey_id = (await add(client, session, device)).json()["id"]
    clock.advance(minutes=14)
    fresh = (await client.post("/api/auth/refresh", json={"refresh_token": session["refresh_token"]})).json()
    clock.advance(minutes=1, seconds=1)
    body = {"credential": {}, "name": "x"}
    for answer in (
        await client.post("/api/auth/passkeys/options", headers=bearer(fresh)),
        await client.post("/api/auth/passkeys", json=body, headers=bearer(fresh)),
        await client.delete(f"/api/auth/passkeys/{passkey_id}", headers=bearer(fresh)),
    ):
        assert problem(answer) == (401, "sign_in_again")


@pytest.mark.anyio
async def test_a_passkey_proves_its_own_person_once_more_and_nobody_else(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    anna, device = await register(client, EMAIL), authenticator()
    await add(client, anna, device)
    ben, bens = await register(client, "ben@example.com"), authenticator()
    await add(client, ben, bens)
    clock.advance(minutes=14)
    fresh = (await client.post("/api/auth/refresh", json={"refresh_token": anna["refresh_token"]})).json()
    clock.advance(minutes=2)

    async def prove(holder: SoftwareAuthenticator) -> httpx.Response:
        body = {"credential": holder.get(await sign_in_options(client))}
        return await client.post("/api/auth/passkeys/prove", json=body, headers=bearer(fresh))

    assert problem(await prove(bens)) == REFUSED
    assert problem(await client.post("/api/auth/passkeys/options", headers=bearer(fresh))) == (401, "sign_in_again")
    assert (await prove(device)).status_code == 204
    await options(client, fresh)


@pytest.mark.anyio
@pytest.mark.parametrize("public_url", ["http://192.0.2.7:8000", "http://[2001:db8::1]"])
async def test_a_server_without_a_name_has_no_passkeys_and_says_so(db: Database, clock: Clock, public_url: str) -> None:
    async with speak_to(accounts_app(db, clock, public_url=public_url)) as client:
        answer = await client.post("/api/auth/login/passkey/options")
    assert problem(answer) == (409, "passkeys_unavailable")
