"""The page on which somebody looks after how they sign in (devices, second factors, passkeys) and after their data.

It is read like any other page. What it changes goes through the API, which asks for a recent sign-in; the page then
asks for the password and repeats the request.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.di import NamedDependency
from msgspec import Struct

from apex_server.caller import Caller
from apex_server.consent_texts import CONSENT_TEXTS
from apex_server.db import Connection, Database, load_queries
from apex_server.people import DEVICE_NAME, USER_EMAIL, USER_NAME
from apex_server.policy import SUPPORT_CONSENT_DAYS_MAX, has_pages
from apex_server.web.rendering import render
from apex_server.web.visitor import NotSignedIn, find_visitor

__all__ = ["passkeys_at", "security_page"]

DEVICES_MAX = 50
"""On the page, the most recently seen; nobody uses more."""

_queries = load_queries(__package__)


class OwnDevice(Struct, frozen=True):
    """One of the visitor's devices."""

    id: UUID
    name: str
    kind: str
    last_seen_at: datetime
    signed_in: bool
    current: bool


@get("/security")
async def security_page(request: Request[Any, Any, Any], database: NamedDependency[Database]) -> Response[Any]:
    """Show what opens the visitor's account, and where it is open."""
    visitor = await find_visitor(request)
    if visitor is None:
        raise NotSignedIn
    accounts = request.app.state.accounts
    async with database.request(visitor.user_id) as connection:
        user = await connection.fetchrow(_queries.get_own_account, visitor.user_id)
        [email] = await database.vault.texts(connection, USER_EMAIL, [(visitor.user_id, user["email"])])
        [me] = await database.vault.texts(connection, USER_NAME, [(visitor.user_id, user["name"])])
        factors = await accounts.factors.held(connection, visitor.user_id)
        passkeys = await accounts.passkeys.list(connection, visitor.user_id)
        devices = await _own_devices(connection, database, visitor)
    return render(
        request,
        "security.html",
        me=me,
        email=email,
        verified=user["verified"],
        is_coach=has_pages(visitor.role),
        second_factor_first=visitor.lacks_second_factor,
        factors=factors,
        passkeys=passkeys,
        passkeys_at=passkeys_at(request),
        devices=devices,
        consents=CONSENT_TEXTS,
        support_days=SUPPORT_CONSENT_DAYS_MAX,
    )


def passkeys_at(request: Request[Any, Any, Any]) -> str:
    """Give the origin that passkeys are bound to; empty where this server has no name."""
    party = request.app.state.accounts.passkeys.relying_party
    return party.origin if party else ""


async def _own_devices(connection: Connection, database: Database, visitor: Caller) -> list[OwnDevice]:
    rows = await connection.fetch(_queries.list_own_devices, visitor.user_id, visitor.device_id, DEVICES_MAX)
    names = await database.vault.texts(connection, DEVICE_NAME, [(visitor.user_id, row["name"]) for row in rows])
    return [OwnDevice(**{**dict(row), "name": name}) for row, name in zip(rows, names, strict=True)]
