"""The server as it is composed for production, in this process, and people of every role who are signed in on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from litestar import Litestar
from msgspec.structs import replace

import apex_server.auth
from apex_server.app import create_app
from apex_server.consent_texts import CONSENT_TEXTS
from apex_server.logs import configure_logs
from apex_server.policy import Role
from apex_server.settings import Settings
from tests.server.accounts_app import CHEAP_PASSWORDS, bearer, log_in, register, speak_to
from tests.server.app_copies import copy_of

__all__ = ["Signed", "WholeApp", "whole_app"]


@dataclass(frozen=True)
class Signed:
    """Somebody signed in, or nobody (no id): call it to send a request."""

    client: httpx.AsyncClient
    id: UUID | None = None
    device_id: UUID | None = None
    token: str | None = None

    async def __call__(self, method: str, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """Send a request as this person."""
        headers = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **more.pop("headers", {})}
        body = {} if json is None else {"json": json}
        return await self.client.request(method, path, headers=headers, **body, **more)


class WholeApp:
    """A server that is up, with the owner's connection to its database beside it."""

    def __init__(self, app: Litestar, client: httpx.AsyncClient, owner: asyncpg.Connection) -> None:
        self.app = app
        self.client = client
        self.owner = owner
        self.nobody = Signed(client)

    async def person(self, name: str, role: Role) -> Signed:
        """Let somebody register; support is made by the operator, and signs in anew to be it."""
        email = f"{name}@example.com"
        signed_in = await register(self.client, email, role="athlete" if role == "support" else role)
        if role == "support":
            await self.owner.execute("UPDATE users SET role = 'support' WHERE id = $1", UUID(signed_in["user"]["id"]))
            await self.verified(self.signed(signed_in))
            signed_in = await log_in(self.client, email)
            await self.shows_second_factor(UUID(signed_in["session_id"]))
        return self.signed(signed_in)

    async def shows_second_factor(self, session_id: UUID) -> None:
        """Let a session be as one that was signed in with a second factor just now."""
        await self.owner.execute("UPDATE sessions SET second_factor_at = now() WHERE id = $1", session_id)

    def signed(self, signed_in: dict[str, Any]) -> Signed:
        """Give the person of a session."""
        token = bearer(signed_in)["Authorization"].removeprefix("Bearer ")
        return Signed(self.client, UUID(signed_in["user"]["id"]), UUID(signed_in["device_id"]), token)

    async def coaches(self, coach: Signed, athlete: Signed) -> None:
        """Let an athlete accept a coach's invite."""
        code = (await coach("POST", "/api/invites", {})).json()["code"]
        answer = await athlete("POST", f"/api/invites/{code}/accept")
        assert answer.status_code == 200, answer.text

    async def joins(self, coach: Signed, owner: Signed) -> None:
        """Let a coach join the organisation of an owner; the addresses of both are verified."""
        await self.verified(coach)
        await self.verified(owner)
        named = await owner("PUT", "/api/organisation", {"name": "Iron House"})
        assert named.status_code == 200, named.text
        code = (await owner("POST", "/api/organisation/invites", {})).json()["code"]
        answer = await coach("POST", f"/api/organisation/invites/{code}/accept")
        assert answer.status_code == 200, answer.text

    async def verified(self, person: Signed) -> None:
        """Let the address of a person be verified."""
        await self.owner.execute(
            "UPDATE users SET email_verified_at = now(), first_answered_at = now() WHERE id = $1", person.id
        )

    async def lets_support(self, person: Signed, support: Signed) -> UUID:
        """Let a person give support access, and support look at them; gives the look."""
        change = {
            "kind": "support_access",
            "given": True,
            "version": CONSENT_TEXTS["support_access"].version,
            "days": 1,
        }
        answer = await person("PUT", "/api/consents", change)
        assert answer.status_code == 200, answer.text
        look = await support("POST", "/api/support/looks", {"user_id": str(person.id), "ticket": "T-1"})
        assert look.status_code == 201, look.text
        return UUID(look.json()["id"])


@asynccontextmanager
async def whole_app(settings: Settings) -> AsyncIterator[WholeApp]:
    """Serve a migrated database. Passwords are hashed cheaply, which is all that differs from production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apex_server.auth, "Passwords", lambda: CHEAP_PASSWORDS)
        app = app_of(settings)
        owner = await asyncpg.connect(str(settings.database_url))
        try:
            async with app.lifespan(), speak_to(app, address=f"test-{uuid4()}") as client:
                yield WholeApp(app, client, owner)
        finally:
            await owner.close()


def app_of(settings: Settings) -> Litestar:
    """Give the app of these settings; it is composed once wherever its data is, which only its lifespan asks."""
    configure_logs(settings.log_level)
    return copy_of(composed(replace(settings, data_dir=Path(), database_url=None)), settings=settings)


@lru_cache(maxsize=8)
def composed(settings: Settings) -> Litestar:
    return create_app(settings)
