"""The endpoints of second factors: `/api/auth/mfa/…`, and the second step of a sign-in."""

from typing import Any

from litestar import Controller, Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from apex_server.auth.accounts import Accounts
from apex_server.auth.authenticator import WITHOUT_SECOND_FACTOR
from apex_server.auth.cookies import SessionCookies
from apex_server.auth.errors import (
    MfaTokenInvalid,
    PhoneAlreadyOn,
    SmsUnavailable,
    TotpAlreadyOn,
    WrongCode,
)
from apex_server.auth.payloads import (
    CodeRequest,
    FactorsView,
    LoginMfaRequest,
    LoginSmsRequest,
    PhoneRequest,
    QrView,
    RecoveryCodesView,
    SignedIn,
    TotpOfferView,
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
from apex_server.auth.totp import qr_code
from apex_server.caller import Caller
from apex_server.client_address import client_address
from apex_server.db import Database
from apex_server.errors import ApiError, ClientIdTaken, CsrfRefused, NotFound, SignInAgain, TooManyAttempts
from apex_server.problems import BODY_REFUSALS, SIGN_IN_REFUSALS, problem_responses
from apex_server.second_factor_errors import SecondFactorAgain

__all__ = ["MfaController", "SecondStepController"]

_CHANGE_REFUSALS: tuple[type[ApiError], ...] = (*SIGN_IN_REFUSALS, SignInAgain, SecondFactorAgain)


class MfaController(Controller):
    """What proves the caller beside their password. Changing it asks for a recent sign-in."""

    path = "/api/auth/mfa"
    tags = ("auth",)
    request_max_body_size = BODY_BYTES_MAX
    opt = WITHOUT_SECOND_FACTOR

    @get(responses=problem_responses(*SIGN_IN_REFUSALS))
    async def second_factors(
        self, caller: NamedDependency[Caller], accounts: NamedDependency[Accounts], database: NamedDependency[Database]
    ) -> FactorsView:
        """Tell what you have set up."""
        async with database.request(caller.user_id) as connection:
            held = await accounts.factors.held(connection, caller.user_id)
        return FactorsView(held.totp, held.phone_hint, held.recovery_codes_left, held.passkeys)

    @post("/totp", responses=problem_responses(*_CHANGE_REFUSALS, TotpAlreadyOn))
    async def offer_totp(
        self, caller: NamedDependency[Caller], accounts: NamedDependency[Accounts], database: NamedDependency[Database]
    ) -> Response[TotpOfferView]:
        """Get a secret for an authenticator app. It does nothing until its first code confirms it."""
        async with database.request(caller.user_id) as connection:
            await accounts.require_proven(connection, caller)
            user = await accounts.view(connection, caller.user_id)
            offer = await accounts.factors.offer_totp(connection, caller.user_id, user.email)
        drawn = QrView(*qr_code(offer.uri))
        return Response(TotpOfferView(offer.seed, offer.uri, drawn, offer.expires_at), headers=SECRET_ANSWER)

    @post(
        "/totp/confirm",
        status_code=200,
        responses=problem_responses(*_CHANGE_REFUSALS, *BODY_REFUSALS, TotpAlreadyOn, NotFound, WrongCode),
    )
    async def confirm_totp(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[CodeRequest],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
        database: NamedDependency[Database],
    ) -> Response[RecoveryCodesView]:
        """Turn the app on with its first code; it is asked for from the next sign-in on."""
        async with database.request(caller.user_id) as connection:
            await accounts.require_proven(connection, caller)
            codes = await accounts.factors.confirm_totp(connection, caller.user_id, data.code)
            await accounts.note_second_factor(connection, caller)
            await note_protection_changed(request, connection, accounts, caller, "mfa_enabled", method="totp")
        return Response(RecoveryCodesView(codes), headers=SECRET_ANSWER)

    @delete("/totp", responses=problem_responses(*_CHANGE_REFUSALS, NotFound))
    async def remove_totp(
        self,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
        database: NamedDependency[Database],
    ) -> None:
        """Turn the app off. Without another second factor, the recovery codes go with it."""
        async with database.request(caller.user_id) as connection:
            await accounts.require_proven(connection, caller)
            await accounts.factors.remove_totp(connection, caller.user_id)
            await accounts.forget_second_factor(connection, caller)
            await note_protection_changed(request, connection, accounts, caller, "mfa_disabled", method="totp")

    @put(
        "/phone",
        status_code=204,
        responses={
            204: NO_BODY,
            **problem_responses(*_CHANGE_REFUSALS, *BODY_REFUSALS, PhoneAlreadyOn, TooManyAttempts, SmsUnavailable),
        },
    )
    async def offer_phone(
        self,
        data: JSONBody[PhoneRequest],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
        database: NamedDependency[Database],
    ) -> None:
        """Have a code sent to a phone, to confirm that it is yours."""
        async with database.request(caller.user_id) as connection:
            await accounts.require_proven(connection, caller)
            message = await accounts.factors.offer_phone(connection, caller.user_id, data.number)
        await accounts.factors.send(message)

    @post(
        "/phone/confirm",
        status_code=200,
        responses=problem_responses(*_CHANGE_REFUSALS, *BODY_REFUSALS, NotFound, WrongCode),
    )
    async def confirm_phone(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[CodeRequest],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
        database: NamedDependency[Database],
    ) -> Response[RecoveryCodesView]:
        """Turn codes by SMS on with the code that was sent."""
        async with database.request(caller.user_id) as connection:
            await accounts.require_proven(connection, caller)
            outcome = await accounts.factors.confirm_phone(connection, caller.user_id, data.code)
            if not isinstance(outcome, WrongCode):
                await note_protection_changed(request, connection, accounts, caller, "phone_added")
        if isinstance(outcome, WrongCode):
            raise outcome
        return Response(RecoveryCodesView(outcome), headers=SECRET_ANSWER)

    @delete("/phone", responses=problem_responses(*_CHANGE_REFUSALS, NotFound))
    async def remove_phone(
        self,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
        database: NamedDependency[Database],
    ) -> None:
        """Forget the phone. Without another second factor, the recovery codes go with it."""
        async with database.request(caller.user_id) as connection:
            await accounts.require_proven(connection, caller)
            await accounts.factors.remove_phone(connection, caller.user_id)
            await note_protection_changed(request, connection, accounts, caller, "phone_removed")

    @post("/recovery_codes", status_code=200, responses=problem_responses(*_CHANGE_REFUSALS, NotFound))
    async def renew_recovery_codes(
        self,
        request: Request[Any, Any, Any],
        caller: NamedDependency[Caller],
        accounts: NamedDependency[Accounts],
        database: NamedDependency[Database],
    ) -> Response[RecoveryCodesView]:
        """Get new recovery codes; the old ones are void."""
        async with database.request(caller.user_id) as connection:
            await accounts.require_proven(connection, caller)
            codes = await accounts.factors.renew_recovery_codes(connection, caller.user_id)
            await note_protection_changed(request, connection, accounts, caller, "recovery_codes_renewed")
        return Response(RecoveryCodesView(codes), headers=SECRET_ANSWER)


class SecondStepController(Controller):
    """The second step of a sign-in."""

    path = "/api/auth/login"
    tags = ("auth",)
    request_max_body_size = BODY_BYTES_MAX
    opt = {"exclude_from_auth": True}  # noqa: RUF012 - the framework reads it from the class.

    @post(
        "/sms",
        status_code=204,
        responses={
            204: NO_BODY,
            **problem_responses(*BODY_REFUSALS, MfaTokenInvalid, NotFound, TooManyAttempts, SmsUnavailable),
        },
    )
    async def send_code(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[LoginSmsRequest],
        accounts: NamedDependency[Accounts],
        session_cookies: NamedDependency[SessionCookies],
    ) -> None:
        """Have a code sent to your confirmed phone, after the right password; the newest one counts."""
        bring_device_token(request, data, session_cookies)
        await accounts.second_step.send_code(data)

    @post(
        "/mfa",
        status_code=200,
        responses=problem_responses(
            *BODY_REFUSALS, MfaTokenInvalid, WrongCode, ClientIdTaken, TooManyAttempts, CsrfRefused
        ),
    )
    async def finish_log_in(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[LoginMfaRequest],
        accounts: NamedDependency[Accounts],
        session_cookies: NamedDependency[SessionCookies],
    ) -> Response[SignedIn]:
        """Finish signing in with a code: of the app, by SMS, or a recovery code. A token takes five wrong ones."""
        check_delivery(request, data.token_delivery, session_cookies)
        bring_device_token(request, data, session_cookies)
        begun = await accounts.finish_log_in(data, address=client_address(request))
        return signed_in_answer(begun, data.token_delivery, accounts, session_cookies, status_code=200)
