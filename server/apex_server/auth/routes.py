"""The account endpoints: `/api/auth/…` and `/api/devices`."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from apex_server.audit import record_event
from apex_server.auth.access_tokens import ACCESS_TOKEN_LIFETIME
from apex_server.auth.accounts import Accounts, NewSession, account_view
from apex_server.auth.authenticator import WITHOUT_SECOND_FACTOR
from apex_server.auth.cookies import BrowserSession, SessionCookies
from apex_server.auth.errors import MfaRequired, SecondFactorNeeded, WrongCode
from apex_server.auth.payloads import (
    DeviceView,
    LoginMfaRequest,
    LoginPasskeyRequest,
    LoginRequest,
    LoginSmsRequest,
    MeView,
    ReauthenticateRequest,
    RefreshRequest,
    RegisterRequest,
    SignedIn,
    TokenDelivery,
    Tokens,
)
from apex_server.auth.refresh import Renewed
from apex_server.caller import Caller
from apex_server.client_address import client_address
from apex_server.db import Database, load_queries
from apex_server.errors import (
    AccountErased,
    ClientIdTaken,
    CsrfRefused,
    NotFound,
    RefreshTokenInvalid,
    RefreshTokenReused,
    ServerBusy,
    SessionEnded,
    TooManyAttempts,
    WrongCredentials,
)
from apex_server.grants import announce_grants
from apex_server.invite_errors import InviteExpired, InviteForAnother, InviteRevoked, InviteUsed
from apex_server.invites import CoachLink
from apex_server.people import DEVICE_NAME, USER_NAME
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses
from apex_server.vault import UserKey

__all__ = [
    "BODY_BYTES_MAX",
    "NO_BODY",
    "SECRET_ANSWER",
    "AuthController",
    "DevicesController",
    "bring_device_token",
    "check_delivery",
    "signed_in_answer",
]

BODY_BYTES_MAX = 16_384
"""A thousand characters of password in four bytes each, escaped, and everything else twice over."""

NO_BODY = ResponseSpec(None, description="Done; there is nothing to say.")
"""What the framework does not see of a `Response[None]`: that it has no body, and so no media type."""

SECRET_ANSWER = {"Cache-Control": "no-store"}

_queries = load_queries(__package__)


class AuthController(Controller):
    """Registering, signing in, staying signed in, signing out."""

    path = "/api/auth"
    tags = ("auth",)
    request_max_body_size = BODY_BYTES_MAX
    opt = WITHOUT_SECOND_FACTOR

    @post(
        "/register",
        exclude_from_auth=True,
        responses=problem_responses(
            *BODY_REFUSALS, ClientIdTaken, NotFound, InviteUsed, InviteRevoked, InviteExpired,
            InviteForAnother, TooManyAttempts, CsrfRefused, ServerBusy,
        ),
    )  # fmt: skip
    async def register(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[RegisterRequest],
        accounts: NamedDependency[Accounts],
        session_cookies: NamedDependency[SessionCookies],
    ) -> Response[SignedIn]:
        """Make an account and sign in; with an invite code, the athlete is linked to the coach at once.

        The answer is the same whether the address has an account. A mail tells whoever reads it, and its link gives the
        account the address; until then the password opens the account on this device alone.
        """
        check_delivery(request, data.token_delivery, session_cookies)
        begun = await accounts.register(data, address=client_address(request))
        if begun.coach is not None:
            await announce_grants(request.app.state, begun.coach.coach_id)
        return signed_in_answer(begun, data.token_delivery, accounts, session_cookies, status_code=201)

    @post(
        "/login",
        exclude_from_auth=True,
        status_code=200,
        responses=problem_responses(
            *BODY_REFUSALS, WrongCredentials, MfaRequired, ClientIdTaken, TooManyAttempts, CsrfRefused, ServerBusy
        ),
    )
    async def log_in(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[LoginRequest],
        accounts: NamedDependency[Accounts],
        session_cookies: NamedDependency[SessionCookies],
    ) -> Response[SignedIn]:
        """Sign in. An unknown address and a wrong password get one and the same answer, after the same time.

        So does the right password of an account whose address was not confirmed yet, on any device but the one it was
        made on, which shows its `device_token`.
        """
        check_delivery(request, data.token_delivery, session_cookies)
        bring_device_token(request, data, session_cookies)
        begun = await accounts.log_in(data, address=client_address(request))
        return signed_in_answer(begun, data.token_delivery, accounts, session_cookies, status_code=200)

    @post(
        "/refresh",
        exclude_from_auth=True,
        status_code=200,
        responses=problem_responses(
            *BODY_REFUSALS, RefreshTokenInvalid, RefreshTokenReused, SessionEnded, AccountErased, CsrfRefused
        ),
    )
    async def refresh(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[RefreshRequest],
        accounts: NamedDependency[Accounts],
        session_cookies: NamedDependency[SessionCookies],
    ) -> Response[Tokens]:
        """Exchange a refresh token, once.

        If the answer is lost, the same device may repeat the exchange, with its `device_token`, until an answer to it
        was used. A token that comes again in any other way ends its session.
        """
        if data.refresh_token is not None:
            session = await accounts.refresh(
                data.refresh_token, device_token=data.device_token, check_session=lambda _session_id: None
            )
            return Response(_tokens(session, "body", accounts, session_cookies), headers=SECRET_ANSWER)
        token = request.cookies.get(session_cookies.refresh_name)
        if not token:
            raise RefreshTokenInvalid
        session = await accounts.refresh(
            token,
            device_token=request.cookies.get(session_cookies.device_name),
            check_session=lambda session_id: session_cookies.require_own_page(request, session_id),
        )
        response = Response(_tokens(session, "cookie", accounts, session_cookies), headers=SECRET_ANSWER)
        _write_cookies(response, session, None, accounts, session_cookies)
        return response

    @post(
        "/reauthenticate",
        status_code=204,
        responses={
            204: NO_BODY,
            **problem_responses(
                *SIGN_IN_REFUSALS,
                *BODY_REFUSALS,
                WrongCredentials,
                SecondFactorNeeded,
                WrongCode,
                TooManyAttempts,
                ServerBusy,
            ),
        },
    )
    async def reauthenticate(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[ReauthenticateRequest],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
    ) -> None:
        """Give your password again: for a quarter of an hour this session may do what cannot be taken back."""
        await accounts.reauthenticate(caller, data, address=client_address(request))

    @post("/logout", status_code=204, responses={204: NO_BODY, **problem_responses(*SIGN_IN_REFUSALS)})
    async def log_out(
        self,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
        session_cookies: NamedDependency[SessionCookies],
        everywhere: Annotated[bool, QueryParameter(description="End the sessions of all devices.")] = False,
    ) -> Response[None]:
        """End this session at once, or all of them."""
        await accounts.log_out(caller, everywhere=everywhere, address=client_address(request))
        response: Response[None] = Response(None, status_code=204)
        session_cookies.clear(response)
        return response

    @get("/me", responses=problem_responses(*SIGN_IN_REFUSALS))
    async def me(self, caller: NamedDependency[Caller], database: NamedDependency[Database]) -> MeView:
        """Tell who is signed in, on which device, and who coaches them."""
        async with database.request(caller.user_id) as connection:
            user = await connection.fetchrow(_queries.get_account, caller.user_id)
            device = await connection.fetchrow(
                _queries.list_devices, caller.user_id, caller.device_id, caller.device_id
            )
            coaches = await connection.fetch(_queries.list_coaches, caller.user_id)
            key = await database.vault.user_key(connection, caller.user_id)
            names = await database.vault.texts(
                connection, USER_NAME, [(row["coach_id"], row["coach_name"]) for row in coaches]
            )
        return MeView(
            user=account_view(user, key),
            device=_device_view(device, key),
            session_id=caller.session_id,
            coaches=[CoachLink(row["coach_id"], name, row["since"]) for row, name in zip(coaches, names, strict=True)],
        )


class DevicesController(Controller):
    """The caller's devices."""

    path = "/api/devices"
    tags = ("devices",)

    @get(responses=problem_responses(*SIGN_IN_REFUSALS))
    async def list_devices(
        self, caller: NamedDependency[Caller], database: NamedDependency[Database]
    ) -> list[DeviceView]:
        """List the devices you are or were signed in on, the most recently seen first."""
        async with database.request(caller.user_id) as connection:
            rows = await connection.fetch(_queries.list_devices, caller.user_id, caller.device_id, None)
            key = await database.vault.user_key(connection, caller.user_id)
        return [_device_view(row, key) for row in rows]

    @delete("/{device_id:uuid}", responses=problem_responses(*SIGN_IN_REFUSALS, NotFound))
    async def remove_device(
        self,
        request: Request[Any, Any, Any],
        device_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        database: NamedDependency[Database],
    ) -> None:
        """Remove a device; it is signed out at once. Signing in on it again brings it back."""
        async with database.request(caller.user_id) as connection:
            await connection.execute(_queries.end_sessions_of_device, caller.user_id, device_id)
            removed = await connection.fetchval(_queries.remove_device, caller.user_id, device_id)
            if removed is None:
                raise NotFound("device")
            await record_event(
                connection,
                caller.user_id,
                "device_removed",
                vault=database.vault,
                actor_id=caller.user_id,
                device_id=device_id,
                address=client_address(request),
            )


def _device_view(row: Any, key: UserKey) -> DeviceView:
    return DeviceView(**{**dict(row), "name": key.open_text(row["name"], what=DEVICE_NAME)})


def check_delivery(request: Request[Any, Any, Any], delivery: TokenDelivery, session_cookies: SessionCookies) -> None:
    """Refuse to sign a browser in at another site's request: it would work in somebody else's account unawares."""
    if delivery == "cookie":
        session_cookies.require_own_origin(request)


def bring_device_token(
    request: Request[Any, Any, Any],
    data: LoginRequest | LoginMfaRequest | LoginSmsRequest | LoginPasskeyRequest,
    session_cookies: SessionCookies,
) -> None:
    """Let a browser prove which device it is: its scripts cannot read the token, so its cookie brings it."""
    if data.device_token is None:
        data.device_token = request.cookies.get(session_cookies.device_name)


def signed_in_answer(
    begun: NewSession, delivery: TokenDelivery, accounts: Accounts, session_cookies: SessionCookies, *, status_code: int
) -> Response[SignedIn]:
    """Answer with a new session: its tokens in the body, or in cookies."""
    body = SignedIn(
        user=begun.user,
        device_id=begun.session.device_id,
        session_id=begun.session.session_id,
        device_token=begun.device_token if delivery == "body" else None,
        coach=begun.coach,
        **msgspec.structs.asdict(_tokens(begun.session, delivery, accounts, session_cookies)),
    )
    response = Response(body, status_code=status_code, headers=SECRET_ANSWER)
    if delivery == "cookie":
        _write_cookies(response, begun.session, begun.device_token, accounts, session_cookies)
    return response


def _tokens(session: Renewed, delivery: TokenDelivery, accounts: Accounts, session_cookies: SessionCookies) -> Tokens:
    expires_in = int(ACCESS_TOKEN_LIFETIME.total_seconds())
    if delivery == "cookie":
        return Tokens(expires_in=expires_in, csrf_token=session_cookies.csrf_token(session.session_id))
    return Tokens(
        expires_in=expires_in, access_token=accounts.access_token(session), refresh_token=session.refresh_token
    )


def _write_cookies(
    response: Response[Any],
    session: Renewed,
    device_token: str | None,
    accounts: Accounts,
    session_cookies: SessionCookies,
) -> None:
    browser = BrowserSession(
        session_id=session.session_id,
        access_token=accounts.access_token(session),
        refresh_token=session.refresh_token,
        refresh_expires_at=session.expires_at,
        device_token=device_token,
    )
    session_cookies.write(response, browser, now=accounts.now())
