"""The endpoints of passkeys: `/api/auth/passkeys/…`, and signing in with one."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from apex_server.auth.accounts import Accounts
from apex_server.auth.authenticator import WITHOUT_SECOND_FACTOR
from apex_server.auth.cookies import SessionCookies
from apex_server.auth.errors import PasskeyExists, PasskeyRefused, PasskeysUnavailable, TooManyPasskeys
from apex_server.auth.payloads import (
    CeremonyView,
    LoginPasskeyRequest,
    NewPasskeyRequest,
    PasskeyRename,
    PasskeyView,
    ProvePasskeyRequest,
    SignedIn,
)
from apex_server.auth.recording import note_protection_changed
from apex_server.auth.routes import (
    BODY_BYTES_MAX,
    NO_BODY,
    SECRET_ANSWER,
    bring_device_token,
    check_delivery,
    signed_in_answer,
)
from apex_server.caller import Caller
from apex_server.client_address import client_address
from apex_server.db import Database
from apex_server.errors import ClientIdTaken, CsrfRefused, NotFound, SignInAgain
from apex_server.own_events import record_own_event
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses
from apex_server.second_factor_errors import SecondFactorAgain

__all__ = ["PasskeyLoginController", "PasskeysController"]


class PasskeysController(Controller):
    """The caller's passkeys. Adding and removing one asks for a recent sign-in."""

    path = "/api/auth/passkeys"
    tags = ("auth",)
    request_max_body_size = BODY_BYTES_MAX
    opt = WITHOUT_SECOND_FACTOR

    @get(responses=problem_responses(*SIGN_IN_REFUSALS))
    async def list_passkeys(
        self, caller: NamedDependency[Caller], accounts: NamedDependency[Accounts], database: NamedDependency[Database]
    ) -> list[PasskeyView]:
        """List your passkeys, the oldest first."""
        async with database.request(caller.user_id) as connection:
            return await accounts.passkeys.list(connection, caller.user_id)

    @post(
        "/options",
        status_code=200,
        responses=problem_responses(
            *SIGN_IN_REFUSALS, SignInAgain, SecondFactorAgain, TooManyPasskeys, PasskeysUnavailable
        ),
    )
    async def registration_options(
        self, caller: NamedDependency[Caller], accounts: NamedDependency[Accounts], database: NamedDependency[Database]
    ) -> Response[CeremonyView]:
        """Get what `navigator.credentials.create` needs to make a passkey for you."""
        async with database.request(caller.user_id) as connection:
            await accounts.require_proven(connection, caller)
            user = await accounts.view(connection, caller.user_id)
            options = await accounts.passkeys.registration_options(
                connection, caller.user_id, account=user.email, name=user.name
            )
        return Response(CeremonyView(options), headers=SECRET_ANSWER)

    @post(
        responses=problem_responses(
            *SIGN_IN_REFUSALS,
            *BODY_REFUSALS,
            SignInAgain,
            SecondFactorAgain,
            PasskeyExists,
            TooManyPasskeys,
            PasskeysUnavailable,
        )
    )
    async def add_passkey(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[NewPasskeyRequest],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
        database: NamedDependency[Database],
    ) -> PasskeyView:
        """Keep the passkey that the browser made of your options."""
        async with database.request(caller.user_id) as connection:
            await accounts.require_proven(connection, caller)
            added = await accounts.passkeys.add(connection, caller.user_id, data.credential, data.name)
            await accounts.note_second_factor(connection, caller)
            await note_protection_changed(
                request, connection, accounts, caller, "passkey_added", passkey_id=str(added.id)
            )
        return added

    @post(
        "/prove",
        status_code=204,
        responses={
            204: NO_BODY,
            **problem_responses(*SIGN_IN_REFUSALS, *BODY_REFUSALS, PasskeyRefused, PasskeysUnavailable),
        },
    )
    async def prove_with_passkey(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[ProvePasskeyRequest],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
    ) -> None:
        """Show a passkey instead of password and code: for a quarter of an hour this session may do what asks for it.

        The options are those of signing in.
        """
        await accounts.reauthenticate_by_passkey(caller, data.credential, address=client_address(request))

    @patch("/{passkey_id:uuid}", responses=problem_responses(*SIGN_IN_REFUSALS, *BODY_REFUSALS, NotFound))
    async def rename_passkey(
        self,
        request: Request[Any, Any, Any],
        passkey_id: FromPath[UUID],
        data: JSONBody[PasskeyRename],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
        database: NamedDependency[Database],
    ) -> PasskeyView:
        """Give a passkey another name."""
        async with database.request(caller.user_id) as connection:
            renamed = await accounts.passkeys.rename(connection, caller.user_id, passkey_id, data.name)
            await record_own_event(
                request, connection, database.vault, caller, "passkey_renamed", passkey_id=str(passkey_id)
            )
        return renamed

    @delete(
        "/{passkey_id:uuid}", responses=problem_responses(*SIGN_IN_REFUSALS, SignInAgain, SecondFactorAgain, NotFound)
    )
    async def remove_passkey(
        self,
        request: Request[Any, Any, Any],
        passkey_id: FromPath[UUID],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
        database: NamedDependency[Database],
    ) -> None:
        """Remove a passkey: it opens nothing from now on. Your password still does."""
        async with database.request(caller.user_id) as connection:
            await accounts.require_proven(connection, caller)
            await accounts.passkeys.remove(connection, caller.user_id, passkey_id)
            await accounts.forget_second_factor(connection, caller)
            await note_protection_changed(
                request, connection, accounts, caller, "passkey_removed", passkey_id=str(passkey_id)
            )


class PasskeyLoginController(Controller):
    """Signing in with a passkey."""

    path = "/api/auth/login/passkey"
    tags = ("auth",)
    request_max_body_size = BODY_BYTES_MAX
    opt = {"exclude_from_auth": True}  # noqa: RUF012 - the framework reads it from the class.

    @post("/options", status_code=200, responses=problem_responses(PasskeysUnavailable))
    async def sign_in_options(self, accounts: NamedDependency[Accounts]) -> Response[CeremonyView]:
        """Get what `navigator.credentials.get` needs; no address is asked for, and none is told."""
        return Response(CeremonyView(accounts.passkeys.sign_in_options()), headers=SECRET_ANSWER)

    @post(
        status_code=200,
        responses=problem_responses(*BODY_REFUSALS, PasskeyRefused, PasskeysUnavailable, ClientIdTaken, CsrfRefused),
    )
    async def log_in_with_passkey(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[LoginPasskeyRequest],
        accounts: NamedDependency[Accounts],
        session_cookies: NamedDependency[SessionCookies],
    ) -> Response[SignedIn]:
        """Sign in with what the browser made of the options. A passkey is two factors at once; no code is asked for."""
        check_delivery(request, data.token_delivery, session_cookies)
        bring_device_token(request, data, session_cookies)
        begun = await accounts.log_in_by_passkey(data, address=client_address(request))
        return signed_in_answer(begun, data.token_delivery, accounts, session_cookies, status_code=200)
