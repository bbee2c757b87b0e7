"""Who looks at a page: a signed-in coach, or somebody who is sent to sign in.

Pages find out by themselves instead of by the guard, because a person who opens an address wants a page and no problem
document. Whatever changes something goes through the guarded endpoints, with their proof against foreign pages.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import Request, Response
from litestar.response import Redirect
from msgspec import Struct

from apex_server.caller import Caller
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import NotFound, Unauthenticated
from apex_server.limits import admit_visitor
from apex_server.people import USER_NAME
from apex_server.policy import has_pages
from apex_server.vault import Vault
from apex_server.web.rendering import FRAGMENT_HEADER, PAGE_HEADERS

__all__ = [
    "Athlete",
    "NotACoach",
    "NotSignedIn",
    "SecondFactorFirst",
    "athlete_of",
    "coach_of",
    "find_visitor",
    "sent_to_sign_in",
]

_queries = load_queries(__package__)


class NotSignedIn(Exception):
    """Nobody is signed in, or the access token has run out: the sign-in page renews it, or asks."""


class NotACoach(Exception):
    """An athlete looks; their training lives in their app."""


class SecondFactorFirst(Exception):
    """It is demanded of whoever looks, who has shown none: one page sets it up."""


async def find_visitor(request: Request[Any, Any, Any]) -> Caller | None:
    """Give who looks, if somebody is signed in. Raises TooManyRequests: they pay for the page, not their address."""
    try:
        caller: Caller = await request.app.state.authenticator.caller_of(request)
    except Unauthenticated:
        return None
    await admit_visitor(request, caller)
    return caller


async def coach_of(request: Request[Any, Any, Any]) -> Caller:
    """Give the coach who looks. Raises NotSignedIn, NotACoach, SecondFactorFirst."""
    caller = await find_visitor(request)
    if caller is None:
        raise NotSignedIn
    if not has_pages(caller.role):
        raise NotACoach
    if caller.lacks_second_factor:
        raise SecondFactorFirst
    return caller


class Athlete(Struct, frozen=True):
    """One of a coach's athletes."""

    id: UUID
    name: str
    since: datetime


async def athlete_of(connection: Connection, vault: Vault, coach: Caller, athlete_id: UUID) -> Athlete:
    """Give one of a coach's athletes. Raises NotFound."""
    row = await connection.fetchrow(_queries.get_athlete, coach.user_id, athlete_id)
    if row is None:
        raise NotFound("athlete")
    [name] = await vault.texts(connection, USER_NAME, [(athlete_id, row["name"])])
    return Athlete(athlete_id, name, row["since"])


async def name_of(database: Database, caller: Caller) -> str:
    """Give the visitor's own name."""
    async with database.request(caller.user_id) as connection:
        user = await connection.fetchrow(_queries.get_user, caller.user_id)
        names = await database.vault.texts(connection, USER_NAME, [(user["id"], user["name"])] if user else [])
    return names[0] if names else ""


def sent_to_sign_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """Send a person to sign in and back again; a page that updates itself is told so and renews its token."""
    if FRAGMENT_HEADER in request.headers:
        return Response("", status_code=401, headers=PAGE_HEADERS)
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Redirect(f"/?next={quote(target, safe='/')}", status_code=303, headers=PAGE_HEADERS)
