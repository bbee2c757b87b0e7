"""What tests of passkeys share: the address that passkeys are bound to, and both ceremonies as a browser does them."""

from typing import Any

import httpx

from tests.server.accounts_app import bearer
from tests.server.software_authenticator import SoftwareAuthenticator

EMAIL = "anna@example.com"
PUBLIC_URL = "https://coach.example"
REFUSED = (401, "passkey_refused")


def authenticator(**more: Any) -> SoftwareAuthenticator:
    return SoftwareAuthenticator(PUBLIC_URL, "coach.example", **more)


async def options(client: httpx.AsyncClient, session: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/api/auth/passkeys/options", headers=bearer(session))
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["public_key"])


async def add(
    client: httpx.AsyncClient, session: dict[str, Any], device: SoftwareAuthenticator, name: str = "Anna's phone"
) -> httpx.Response:
    credential = device.create(await options(client, session))
    body = {"credential": credential, "name": name}
    return await client.post("/api/auth/passkeys", json=body, headers=bearer(session))


async def sign_in_options(client: httpx.AsyncClient) -> dict[str, Any]:
    return dict((await client.post("/api/auth/login/passkey/options")).json()["public_key"])


async def sign_in(client: httpx.AsyncClient, credential: dict[str, Any], **more: Any) -> httpx.Response:
    return await client.post("/api/auth/login/passkey", json={"credential": credential, **more})
