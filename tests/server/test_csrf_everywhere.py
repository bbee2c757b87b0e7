"""No change by a browser's cookie without proof that our own page asked for it: every unsafe route there is."""

import re
from uuid import UUID

import pytest

from apex_server.settings import Settings
from tests.server.accounts_app import problem, register
from tests.server.whole_app import WholeApp, whole_app

pytestmark = pytest.mark.anyio

SAFE = {"GET", "HEAD", "OPTIONS"}
AN_ID = str(UUID(int=7))

WITHOUT_A_SESSION = {
    "/api/auth/register": "makes a session; as cookies only at a request of our own page",
    "/api/auth/login": "makes a session; as cookies only at a request of our own page",
    "/api/auth/login/mfa": "makes a session; as cookies only at a request of our own page",
    "/api/auth/login/passkey": "makes a session; as cookies only at a request of our own page",
    "/api/auth/login/passkey/options": "hands out a challenge",
    "/api/auth/login/sms": "takes a token from the body, and no cookie",
    "/api/auth/refresh": "a cookie is taken with proof only, as test_browser_sessions.py shows",
    "/api/auth/forgot-password": "mails the owner of an address, whoever asks",
    "/api/auth/reset-password": "takes a mailed token from the body, and no cookie",
    "/api/auth/verify-email": "takes a mailed token from the body, and no cookie",
    "/api/consents/messages/stop/00000000-0000-0000-0000-000000000007": "takes a mailed token, and no cookie",
    "/api/auth/undo-email-change": "takes a mailed token from the body, and no cookie",
}
"""Unsafe routes that ask nobody who calls, and why another site gains nothing by them."""


def unsafe_routes(app: WholeApp) -> list[tuple[str, str, bool]]:
    """List method and path of every route that may change something, and whether it is for anybody."""
    found = []
    for route in app.app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(set(handler.http_methods) - SAFE):
                path = re.sub(r"\{[^}]*\}", AN_ID, re.sub(r"\{\w+:int\}", "1", route.path))
                found.append((method, path, handler.opt.get("exclude_from_auth") is True))
    return found


async def test_every_change_by_cookie_needs_proof(settings: Settings) -> None:
    async with whole_app(settings) as app:
        signed_in = await register(app.client, "coach@example.com", role="coach", token_delivery="cookie")
        own = {"X-CSRF-Token": signed_in["csrf_token"]}
        routes = unsafe_routes(app)
        assert len(routes) > 40
        for method, path, is_for_anybody in routes:
            if is_for_anybody:
                assert path in WITHOUT_A_SESSION, f"{path} asks nobody who calls: is that meant?"
                continue
            for headers in (
                {},
                {"X-CSRF-Token": "guess"},
                {**own, "Origin": "https://evil.example"},
                {**own, "Origin": "null"},
                {**own, "Sec-Fetch-Site": "cross-site"},
            ):
                answer = await app.client.request(method, path, headers=headers, json={})
                assert problem(answer) == (403, "csrf_refused"), (method, path, headers)


async def test_the_routes_for_anybody_are_those_that_are_listed(settings: Settings) -> None:
    async with whole_app(settings) as app:
        assert {path for _, path, is_for_anybody in unsafe_routes(app) if is_for_anybody} == set(WITHOUT_A_SESSION)


async def test_no_safe_method_changes_anything(settings: Settings) -> None:
    """Whatever reads is not asked for proof, so it must not write: no session, device or record comes of reading."""
    async with whole_app(settings) as app:
        await register(app.client, "coach@example.com", role="coach", token_delivery="cookie")
        tables = ("sessions", "devices", "users", "records", "invites", "consents")
        before = {table: await app.owner.fetch(f"SELECT count(*) FROM {table}") for table in tables}
        for route in app.app.routes:
            if "{" not in route.path and "GET" in getattr(route, "methods", ()) and not route.path.endswith("/events"):
                await app.client.get(route.path)
        assert {table: await app.owner.fetch(f"SELECT count(*) FROM {table}") for table in tables} == before
