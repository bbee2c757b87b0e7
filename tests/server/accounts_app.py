"""The account slices alone as an app, spoken to over HTTP: what the tests of accounts, devices and invites share."""

import ipaddress
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar, Router, WebSocket, get, websocket
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig

from apex_server.auth import Passwords, account_parts, auth_routes, provide_caller
from apex_server.caller import Caller
from apex_server.client_address import TRUSTED_PROXIES
from apex_server.clients import clients_routes
from apex_server.db import Database, Hint
from apex_server.messenger import Messenger
from apex_server.problems import exception_handlers
from apex_server.sync.commit import Committer
from apex_server.sync.identity import load_identity
from apex_server.sync.postgres_commits import PostgresCommitStore
from tests.server.app_copies import copy_of

SECRET = "a secret for tests, long enough to be taken"
PASSWORD = "correct horse battery staple"

CHEAP_PASSWORDS = Passwords(memory_kib=64, passes=1)
"""Real argon2id, only quick: most tests are not about what it costs."""


class Clock:
    """A wall clock that the test moves."""

    def __init__(self, time: datetime | None = None) -> None:
        self.time = time or datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **span: float) -> None:
        self.time += timedelta(**span)


@get("/api/whoami")
async def whoami(caller: NamedDependency[Caller]) -> UUID:
    return caller.user_id


@websocket("/api/live")
async def live(socket: WebSocket[Any, Any, Any], caller: NamedDependency[Caller]) -> None:
    await socket.accept()
    await socket.send_text(str(caller.user_id))
    await socket.close()


def accounts_app(
    database: Database,
    clock: Clock,
    *,
    secret: str = SECRET,
    former_secrets: tuple[str, ...] = (),
    public_url: str | None = None,
    passwords: Passwords = CHEAP_PASSWORDS,
    more_routes: Sequence[Any] = (),
    trusted_proxies: Sequence[str] = (),
    messenger: Messenger | None = None,
    **handed: Any,
) -> Litestar:
    """Compose the slices as the server does; what else is `handed` over, handlers get by its name."""

    parts = account_parts(
        database,
        secret=secret,
        former_secrets=former_secrets,
        public_url=public_url,
        passwords=passwords,
        messenger=messenger,
        now=clock,
    )
    return copy_of(
        composed(tuple(more_routes), tuple(sorted(handed))),
        accounts=parts.accounts,
        authenticator=parts.authenticator,
        database=database,
        secret=secret,
        session_cookies=parts.session_cookies,
        **{TRUSTED_PROXIES: tuple(ipaddress.ip_network(each) for each in trusted_proxies)},
        **handed,
    )


@lru_cache(maxsize=8)
def composed(more_routes: tuple[Any, ...], handed: tuple[str, ...]) -> Litestar:
    return Litestar(
        route_handlers=[*auth_routes, *clients_routes, whoami, live, *more_routes],
        guards=[guard],
        dependencies={
            "caller": Provide(provide_caller),
            "committer": Provide(provide_committer),
            **{name: Provide(handing(name)) for name in ("accounts", "database", "session_cookies", *handed)},
        },
        exception_handlers=exception_handlers,
        openapi_config=OpenAPIConfig(
            title="accounts",
            version="0",
            use_handler_docstrings=True,
            openapi_router=Router("/schema", route_handlers=[], opt={"exclude_from_auth": True}),
        ),
        logging_config=None,
    )


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    await connection.app.state.authenticator.guard(connection, handler)


async def provide_committer(state: State) -> Committer:
    return await committer_of(state.database, state.secret)


def handing(name: str) -> Callable[[State], Awaitable[Any]]:
    async def provide(state: State) -> Any:
        return state[name]

    return provide


async def committer_of(database: Database, secret: str = SECRET) -> Committer:
    """Give a committer that nobody hears of."""

    async def no_hints(_hints: list[Hint]) -> None:
        return

    return Committer(
        PostgresCommitStore(database),
        identity=await load_identity(database, secret),
        now_us=lambda: time.time_ns() // 1000,
        hints=no_hints,
    )


@asynccontextmanager
async def speak_to(
    app: Litestar, *, address: str = "192.0.2.1", scheme: str = "http"
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a browser-like client with a cookie jar of its own, seen by the server under this address."""
    transport = httpx.ASGITransport(app, client=(address, 40_000))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://coach.example") as client:
        yield client


async def register(client: httpx.AsyncClient, email: str, *, role: str = "athlete", **more: Any) -> dict[str, Any]:
    """Make an account that must succeed."""
    body = {"email": email, "password": PASSWORD, "name": email.partition("@")[0], "role": role, **more}
    answer = await client.post("/api/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def log_in(client: httpx.AsyncClient, email: str, **more: Any) -> dict[str, Any]:
    """Sign in with the right password."""
    answer = await client.post("/api/auth/login", json={"email": email, "password": PASSWORD, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def bearer(signed_in: dict[str, Any]) -> dict[str, str]:
    """Give the header that speaks for a session."""
    return {"Authorization": f"Bearer {signed_in['access_token']}"}


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Give status and code of a refusal, which must be a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def refresh(client: httpx.AsyncClient, refresh_token: str, device_token: str | None = None) -> httpx.Response:
    """Exchange a refresh token, with or without the proof of a device."""
    body = {"refresh_token": refresh_token, "device_token": device_token}
    return await client.post("/api/auth/refresh", json=body)


async def status_of(client: httpx.AsyncClient, session: dict[str, Any]) -> int:
    """Tell what an access token is still good for: 200, or 401."""
    return (await client.get("/api/whoami", headers=bearer(session))).status_code


async def open_socket(app: Litestar, headers: dict[str, str], path: str = "/api/live") -> list[dict[str, Any]]:
    """Open a WebSocket as a server would and hang up again; gives all that the app sends."""
    sent: list[dict[str, Any]] = []
    received = iter(["websocket.connect"])

    async def receive() -> dict[str, Any]:
        return {"type": next(received, "websocket.disconnect"), "code": 1000}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"coach.example"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
        "subprotocols": [],
        "client": ("192.0.2.1", 40_000),
        "server": ("coach.example", 80),
        "state": {},
        "extensions": {},
    }
    await app(scope, receive, send)  # type: ignore[arg-type]
    return sent
