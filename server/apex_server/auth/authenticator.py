"""Finds out who calls, before any handler runs: a guard over the whole app, which only `exclude_from_auth` escapes.

A caller shows an access token, in the Authorization header or in a browser's cookie. The token says who they are; the
database says whether their session still stands, so a sign-out or a removed device takes effect at once and not when
the token runs out.

Of whoever reads other people, the operator or the owner of their organisation may demand a second factor. A session
that has shown none then opens the routes declared with `opt=WITHOUT_SECOND_FACTOR`, by which one is set up, and no
other.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from apex_server.auth.access_tokens import AccessTokens
from apex_server.auth.cookies import SessionCookies
from apex_server.caller import Caller
from apex_server.db import Database, load_queries
from apex_server.errors import AccessTokenInvalid, ApiError, CredentialsMissing, SessionEnded
from apex_server.problems import websocket_refusal
from apex_server.second_factor_errors import SecondFactorDemanded

__all__ = ["WITHOUT_SECOND_FACTOR", "Authenticator", "provide_caller"]

WITHOUT_SECOND_FACTOR = {"open_without_second_factor": True}
"""The `opt` of routes by which a second factor is set up, or the session ended."""

_Connection = ASGIConnection[Any, Any, Any, Any]

_queries = load_queries(__package__)


class Authenticator:
    """Tells who calls; `guard` belongs into the app's guards."""

    def __init__(
        self,
        database: Database,
        access_tokens: AccessTokens,
        cookies: SessionCookies,
        *,
        second_factor_demanded: bool,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._access_tokens = access_tokens
        self._cookies = cookies
        self._second_factor_demanded = second_factor_demanded
        self._now = now

    async def guard(self, connection: _Connection, handler: BaseRouteHandler) -> None:
        """Let a request or a WebSocket pass, with its caller known, or refuse it.

        A route declared with `exclude_from_auth=True` passes anyway, and without a caller.
        """
        if handler.opt.get("exclude_from_auth") is True:
            return
        try:
            caller = connection.scope["user"] = await self.caller_of(connection)
            if caller.lacks_second_factor and "open_without_second_factor" not in handler.opt:
                raise SecondFactorDemanded
        except ApiError as error:
            if connection.scope["type"] == ScopeType.WEBSOCKET:
                raise websocket_refusal(error) from error
            raise

    async def caller_of(self, connection: _Connection) -> Caller:
        """Give who calls.

        Raises CredentialsMissing, AccessTokenInvalid, AccessTokenExpired, SessionEnded, or CsrfRefused. A public page
        that looks different for somebody signed in calls this itself.
        """
        if "authorization" in connection.headers:
            caller = self._access_tokens.read(_bearer_token(connection), now=self._now())
        elif token := connection.cookies.get(self._cookies.access_name):
            caller = self._access_tokens.read(token, now=self._now())
            self._cookies.require_own_page(connection, caller.session_id)
        else:
            raise CredentialsMissing
        lacks_second_factor = await self._lacks_second_factor(caller)
        if lacks_second_factor is None:
            raise SessionEnded
        return replace(caller, lacks_second_factor=True) if lacks_second_factor else caller

    async def is_session_open(self, caller: Caller) -> bool:
        """Tell whether the caller's session still stands, and opens what it did; a live channel asks now and then."""
        return await self._lacks_second_factor(caller) is False

    async def _lacks_second_factor(self, caller: Caller) -> bool | None:
        """Tell whether the session has to show a second factor first; None where it has ended."""
        reads_others = caller.role != "athlete"
        asked_of = (caller.user_id, caller.session_id, reads_others, self._second_factor_demanded)
        async with self._database.request(caller.user_id) as connection:
            lacks: bool | None = await connection.fetchval(_queries.lacks_second_factor, *asked_of)
        return lacks


async def provide_caller(scope: Scope) -> Caller:
    """Give a handler its `caller`.

    Raises CredentialsMissing in a public route, where nobody looked.
    """
    caller = scope.get("user")
    if not isinstance(caller, Caller):
        raise CredentialsMissing
    return caller


def _bearer_token(connection: _Connection) -> str:
    scheme, _, token = connection.headers["authorization"].partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise AccessTokenInvalid
    return token.strip()
