"""The account endpoints that a mail goes with: verifying an address, forgotten and changed passwords."""

from typing import Any

from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from apex_server.auth.accounts import Accounts
from apex_server.auth.cookies import SessionCookies
from apex_server.auth.email_change import ask_for_email_change, confirm_address, undo_email_change
from apex_server.auth.mailed_links import ask_for_verification, forgot_password, reset_password
from apex_server.auth.password_change import change_password
from apex_server.auth.payloads import (
    ChangeEmailRequest,
    ChangePasswordRequest,
    ForgotPasswordRequest,
    LinkRequest,
    ResetPasswordRequest,
)
from apex_server.caller import Caller
from apex_server.client_address import client_address
from apex_server.errors import (
    EmailTaken,
    MailTokenInvalid,
    ServerBusy,
    SignInAgain,
    TooManyAttempts,
    WrongCredentials,
)
from apex_server.grants import announce_grants
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses

__all__ = ["RecoveryController"]

_BODY_BYTES_MAX = 16_384
"""Two passwords of a thousand characters in four bytes each, and everything else twice over."""

_NO_BODY = ResponseSpec(None, description="Done; there is nothing to say.")

_Request = Request[Any, Any, Any]


class RecoveryController(Controller):
    """Verified addresses and new passwords."""

    path = "/api/auth"
    tags = ("auth",)
    request_max_body_size = _BODY_BYTES_MAX

    @post(
        "/verify-email",
        exclude_from_auth=True,
        status_code=204,
        responses={204: _NO_BODY, **problem_responses(*BODY_REFUSALS, MailTokenInvalid, EmailTaken, TooManyAttempts)},
    )
    async def verify_email(
        self, request: _Request, data: JSONBody[LinkRequest], accounts: NamedDependency[Accounts]
    ) -> None:
        """Confirm an address with the token of the mail that went to it. It works once."""
        await confirm_address(accounts, data.token, address=client_address(request))

    @post(
        "/resend-verification",
        status_code=204,
        responses={204: _NO_BODY, **problem_responses(*SIGN_IN_REFUSALS, TooManyAttempts)},
    )
    async def resend_verification(
        self, request: _Request, caller: NamedDependency[Caller], accounts: NamedDependency[Accounts]
    ) -> None:
        """Have the mail that confirms your address sent again; the earlier ones stay good."""
        await ask_for_verification(accounts, caller, address=client_address(request))

    @post(
        "/forgot-password",
        exclude_from_auth=True,
        status_code=204,
        responses={204: _NO_BODY, **problem_responses(*BODY_REFUSALS, TooManyAttempts)},
    )
    async def forgot_password(
        self, request: _Request, data: JSONBody[ForgotPasswordRequest], accounts: NamedDependency[Accounts]
    ) -> None:
        """Have a link mailed to choose a new password with. The answer does not tell whether there is an account."""
        await forgot_password(accounts, data.email, address=client_address(request))

    @post(
        "/reset-password",
        exclude_from_auth=True,
        status_code=204,
        responses={
            204: _NO_BODY,
            **problem_responses(*BODY_REFUSALS, MailTokenInvalid, EmailTaken, TooManyAttempts, ServerBusy),
        },
    )
    async def reset_password(
        self,
        request: _Request,
        data: JSONBody[ResetPasswordRequest],
        accounts: NamedDependency[Accounts],
        session_cookies: NamedDependency[SessionCookies],
    ) -> Response[None]:
        """Choose a new password with the token of a mail. Every session ends; sign in with the new one.

        A browser gets the cookie of a known device with the answer.
        """
        chosen = await reset_password(
            accounts,
            data.token,
            data.password,
            device_token=request.cookies.get(session_cookies.device_name),
            address=client_address(request),
        )
        await announce_grants(request.app.state, *chosen.readers_changed)
        response: Response[None] = Response(None, status_code=204)
        if chosen.device_token is not None:
            session_cookies.write_device(response, chosen.device_token)
        return response

    @post(
        "/change-password",
        status_code=204,
        responses={
            204: _NO_BODY,
            **problem_responses(*SIGN_IN_REFUSALS, *BODY_REFUSALS, WrongCredentials, TooManyAttempts, ServerBusy),
        },
    )
    async def change_password(
        self,
        request: _Request,
        data: JSONBody[ChangePasswordRequest],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
    ) -> None:
        """Take another password. This session goes on, all your others end."""
        address = client_address(request)
        await change_password(accounts, caller, data.current_password, data.new_password, address=address)

    @post(
        "/change-email",
        status_code=204,
        responses={
            204: _NO_BODY,
            **problem_responses(*SIGN_IN_REFUSALS, *BODY_REFUSALS, SignInAgain, TooManyAttempts),
        },
    )
    async def change_email(
        self,
        request: _Request,
        data: JSONBody[ChangeEmailRequest],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
    ) -> None:
        """Ask for another address. A link goes there; once it is used, the old address is told and can object."""
        await ask_for_email_change(accounts, caller, data.email, address=client_address(request))

    @post(
        "/undo-email-change",
        exclude_from_auth=True,
        status_code=204,
        responses={
            204: _NO_BODY,
            **problem_responses(*BODY_REFUSALS, MailTokenInvalid, EmailTaken, TooManyAttempts, ServerBusy),
        },
    )
    async def undo_email_change(
        self, request: _Request, data: JSONBody[LinkRequest], accounts: NamedDependency[Accounts]
    ) -> None:
        """Put the old address back with the token of the mail to it. Every session ends, the password is void."""
        await undo_email_change(accounts, data.token, address=client_address(request))
