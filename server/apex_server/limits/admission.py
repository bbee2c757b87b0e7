"""Where requests meet the limits: admitted before anything of theirs is done, charged when they have been answered.

Who is signed in pays from their own account, wherever they are; only who is not, or fails to be, pays from that of
their network address, so nobody can use up what belongs to somebody else.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from apex_server.caller import Caller
from apex_server.client_address import client_address, networks_of
from apex_server.errors import BodyTooSlow, TooManyRequests, Unauthenticated
from apex_server.limits.cpu import Metered
from apex_server.limits.limits import Account, Limits
from apex_server.limits.tiers import Budget
from apex_server.problems import websocket_refusal

__all__ = ["admit", "admit_visitor", "charge_requests"]

_Connection = ASGIConnection[Any, Any, Any, Any]

SYNC_PATH = "/api/sync"
UNLIMITED_PATHS = frozenset({"/health", "/ready", "/metrics"})
"""Asked by machines of the operator, who must not lose sight of a busy server."""

BODY_SILENCE_SECONDS = 20.0
"""How long the next piece of a body may take: a phone in a lift is silent for less."""
BODY_SECONDS_MAX = 300.0
"""For a whole body: 4 MB at 14 kB/s."""

SYNC_BUDGETS: tuple[Budget, ...] = ("cpu_ms", "sync_bytes")
OTHER_BUDGETS: tuple[Budget, ...] = ("cpu_ms",)
BODY_BUDGETS: tuple[Budget, ...] = ("cpu_ms", "upload_bytes")
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


async def admit(limits: Limits, connection: _Connection, authenticate: Callable[[], Awaitable[None]]) -> None:
    """Find out who calls, and let them pass or not: their account is kept in the scope, to be charged later.

    Raises what `authenticate` raises, or TooManyRequests; as a WebSocketException for a WebSocket.
    """
    scope = connection.scope
    if scope["path"] in UNLIMITED_PATHS:
        await authenticate()
        return
    budgets = budgets_of(scope)
    token = connection.headers.get("authorization", "").encode()
    try:
        # Who is over their budget and does not wait is sent away before the database is asked about their session.
        limits.check_token(token, *budgets)
        try:
            await authenticate()
        except Exception as error:
            if is_unauthenticated(error):
                await limits.admit(account_in(scope, limits, connection), *budgets)
            raise
        account = account_in(scope, limits, connection)
        limits.remember_token(token, account)
        await limits.admit(account, *budgets)
        limits.enter(account)
        scope["apex_counted"] = account  # type: ignore[typeddict-unknown-key]
    except TooManyRequests as error:
        if scope["type"] == ScopeType.WEBSOCKET:
            raise websocket_refusal(error) from error
        raise


async def admit_visitor(connection: _Connection, caller: Caller) -> None:
    """Let whoever a public route found out about pay for it themselves. Raises TooManyRequests."""
    limits: Limits | None = connection.app.state.get("limits")
    if limits is not None:
        account = limits.user(caller.user_id, caller.role)
        connection.scope["apex_account"] = account  # type: ignore[typeddict-unknown-key]
        await limits.admit(account, *OTHER_BUDGETS)


def account_in(scope: Scope, limits: Limits, connection: _Connection) -> Account:
    """Give the account that pays for a request, and keep it in the scope for whoever charges it."""
    caller = scope.get("user")
    account = (
        limits.user(caller.user_id, caller.role)
        if isinstance(caller, Caller)
        else limits.network(networks_of(client_address(connection))[0])
    )
    scope["apex_account"] = account  # type: ignore[typeddict-unknown-key]
    return account


def budgets_of(scope: Mapping[str, Any]) -> tuple[Budget, ...]:
    """Name the budgets that must not be used up for a request, beside the one of requests."""
    if scope["path"].startswith(SYNC_PATH):
        return SYNC_BUDGETS
    return BODY_BUDGETS if scope.get("method") in BODY_METHODS else OTHER_BUDGETS


def is_unauthenticated(error: Exception) -> bool:
    """Tell whether it is not known who called; over a WebSocket the error comes in another's clothes."""
    return isinstance(error, Unauthenticated) or isinstance(error.__cause__, Unauthenticated)


def charge_requests(app: ASGIApp) -> ASGIApp:
    """Charge each HTTP request for the bytes it moved and, outside of sync, the CPU time it took.

    What a sync takes is measured where it is answered, the same over HTTP and live. A body that hardly moves is given
    up, so nobody holds a place in the server for nothing.
    """

    async def charged(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == ScopeType.HTTP:
                await charged_request(scope, receive, send)
            else:
                await app(scope, receive, send)
        finally:
            account: Account | None = scope.get("apex_counted")  # type: ignore[assignment]
            if account is not None:
                account.in_flight -= 1

    async def charged_request(scope: Scope, receive: Receive, send: Send) -> None:
        received = sent = 0
        body_ends_by: float | None = time.monotonic() + BODY_SECONDS_MAX

        async def counted_receive() -> Any:
            nonlocal received, body_ends_by
            if body_ends_by is None:
                return await receive()
            try:
                # A tenth of what anyio's costs, which counts on the way of every push.
                async with asyncio.timeout(max(0.0, min(BODY_SILENCE_SECONDS, body_ends_by - time.monotonic()))):
                    message: Any = await receive()
            except TimeoutError:
                raise BodyTooSlow from None
            if message["type"] != "http.request" or not message.get("more_body", False):
                body_ends_by = None
            received += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal sent
            if message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        is_sync = scope["path"].startswith(SYNC_PATH)
        answering = app(scope, counted_receive, counted_send)
        answered: Metered[None] | None = None if is_sync else Metered(answering)  # type: ignore[arg-type]
        try:
            await (answered or answering)
        finally:
            account: Account | None = scope.get("apex_account")  # type: ignore[assignment]
            if account is not None:
                limits: Limits = scope["litestar_app"].state.limits
                if answered is None:
                    limits.charge(account, "sync_bytes", received + sent)
                else:
                    limits.charge(account, "upload_bytes", received)
                    limits.charge(account, "cpu_ms", answered.cpu_ms)

    return charged
