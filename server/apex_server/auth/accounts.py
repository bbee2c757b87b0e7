"""Registering, signing in, staying signed in and signing out: each a few steps in an order that matters.

Registering and signing in cost and answer the same whether an address has an account or not. Anybody may make an
account that names an address; the first to answer a mail to it has it, and until then a password opens an account on
its own devices alone (docs/decisions/registration_answers.md). Everything that belongs to a new session, the device,
its client id, the invite, is one transaction: a refused part refuses the whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import structlog

from apex_server.audit import Action, record_event
from apex_server.auth.access_tokens import AccessTokens
from apex_server.auth.devices import recognise_device
from apex_server.auth.errors import PasskeyRefused
from apex_server.auth.passkeys import Passkeys
from apex_server.auth.passwords import Passwords
from apex_server.auth.payloads import (
    AccountView,
    DeviceClaim,
    LoginMfaRequest,
    LoginPasskeyRequest,
    LoginRequest,
    ReauthenticateRequest,
    RegisterRequest,
)
from apex_server.auth.refresh import Renewed, exchange_refresh_token, store_refresh_token
from apex_server.auth.second_factors import SecondFactors
from apex_server.auth.second_step import Passed, SecondStep
from apex_server.auth.throttle import (
    begin_login,
    count_attempt,
    forget_attempt,
    forget_attempts,
    login_attempt,
)
from apex_server.caller import Caller
from apex_server.clock import wall_clock
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import ApiError, InvalidFields, WrongCredentials
from apex_server.invites import CoachLink, accept_or_await_invite
from apex_server.mail import ask_for_mail
from apex_server.opaque_tokens import fingerprint
from apex_server.people import USER_EMAIL, USER_NAME, clean_name, normalise_email
from apex_server.refused_sign_ins import note_refused_sign_in
from apex_server.second_factor_errors import SecondFactorAgain
from apex_server.step_up import require_recent_sign_in
from apex_server.vault import UserKey
from apex_sync.addresses import email_key

__all__ = ["Accounts", "NewSession", "account_view"]

SECOND_FACTORS = frozenset({"passkey", "totp", "recovery_code"})
"""Ways to sign in that show more than a password and a telephone number."""

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class NewSession(NamedTuple):
    """A session that has just begun, with everything its device is to be told once."""

    user: AccountView
    session: Renewed
    device_token: str | None
    coach: CoachLink | None


@dataclass(frozen=True)
class Accounts:
    """The way in and out."""

    database: Database
    passwords: Passwords
    access_tokens: AccessTokens
    factors: SecondFactors
    passkeys: Passkeys
    now: Callable[[], datetime] = wall_clock

    @property
    def second_step(self) -> SecondStep:
        """What comes after the password, for whoever has a second factor."""
        return SecondStep(self.factors)

    async def register(self, request: RegisterRequest, *, address: str) -> NewSession:
        """Make an account and sign it in, from a network address.

        Whether the address has an account plays no part here; only the mail tells. Raises InvalidFields,
        TooManyAttempts, ClientIdTaken, what `accept_or_await_invite` raises, or ServerBusy.
        """
        email, name = normalise_email(request.email), clean_name(request.name, field="name")
        if request.invite is not None and request.role != "athlete":
            raise InvalidFields.one("invite", "Only an athlete can accept an invite")
        user_id, now = uuid4(), self.now()
        async with self.database.request(None) as connection:
            await count_attempt(connection, "register", email, address=address, now=now)
        password_hash = await self.passwords.hash(request.password, known=(name, email))
        async with self.database.request(user_id) as connection:
            key = await self.database.vault.add_user_key(connection, user_id)
            await connection.execute(
                _queries.add_user,
                user_id,
                self.database.vault.email_index(email),
                key.seal_text(request.email.strip(), what=USER_EMAIL),
                password_hash,
                key.seal_text(name, what=USER_NAME),
                request.role,
                now,
            )
            coach = (
                await accept_or_await_invite(connection, self.database.vault, request.invite, now=now)
                if request.invite is not None
                else None
            )
            await ask_for_mail(connection, user_id, "verify_email", now=now)
            begun = await self._begin_session(
                connection, user_id, request.device, proven_id=None, address=address, action="account_created"
            )
        _log.info("user_registered", user_id=str(user_id), role=request.role)
        return begun._replace(coach=coach)

    async def log_in(self, request: LoginRequest, *, address: str) -> NewSession:
        """Sign in from a network address.

        Raises WrongCredentials, MfaRequired, TooManyAttempts, ClientIdTaken, InvalidFields for the device, or
        ServerBusy.
        """
        account, attempts_key = await self._opened(request, address=address)
        user_id: UUID = account["user_id"]
        new_hash = await self._renewed_hash(request.password, account["password_hash"])
        async with self.database.request(user_id) as connection:
            if not await connection.fetchval(_queries.still_has_password, account["password_hash"]):
                raise WrongCredentials
            if new_hash is not None:
                await connection.execute(_queries.change_password_hash, user_id, new_hash)
            demand = await self.second_step.demand(
                connection,
                user_id,
                request.device,
                request.device_token,
                known_device_id=account["device_id"],
                attempts_key=attempts_key,
            )
            passed = Passed(user_id, account["device_id"], attempts_key)
            outcome = demand or await self._pass(connection, passed, request.device, address)
        return _given(outcome)

    async def finish_log_in(self, request: LoginMfaRequest, *, address: str) -> NewSession:
        """Finish a sign-in that wanted a second factor.

        Raises MfaTokenInvalid, WrongCode, TooManyAttempts, ClientIdTaken, or InvalidFields for the device.
        """
        async with self.database.request(None) as connection:
            user_id = await self.second_step.owner(connection, request.mfa_token)
        async with self.database.request(user_id) as connection:
            judged = await self.second_step.judge(connection, user_id, request, address=address)
            outcome = (
                judged
                if isinstance(judged, ApiError)
                else await self._pass(connection, judged, request.device, address, method=request.method)
            )
        return _given(outcome)

    async def log_in_by_passkey(self, request: LoginPasskeyRequest, *, address: str) -> NewSession:
        """Sign in with a passkey and nothing else.

        Raises PasskeyRefused, PasskeysUnavailable, ClientIdTaken, or InvalidFields for the device.
        """
        user_id, answer = await self.passkeys.claimed(request.credential)
        device_hash = fingerprint(request.device_token) if request.device_token else None
        async with self.database.request(user_id) as connection:
            refusal = await self.passkeys.prove(connection, user_id, answer, address=address)
            proven_id = await connection.fetchval(_queries.find_proven_device, user_id, device_hash)
            outcome = refusal or await self._begin_session(
                connection, user_id, request.device, proven_id=proven_id, address=address, method="passkey"
            )
        begun = _given(outcome)
        _log.info("logged_in", user_id=str(user_id), device_id=str(begun.session.device_id), by="passkey")
        return begun

    async def reauthenticate(self, caller: Caller, request: ReauthenticateRequest, *, address: str) -> None:
        """Take the password of somebody signed in as proof that they are there; dangerous acts ask for it.

        Whoever has a second factor gives a code as well: a session and a password alone do not switch it off. Raises
        WrongCredentials, SecondFactorNeeded, WrongCode, TooManyAttempts, or ServerBusy.
        """
        await self.check_password(caller, request.password, address=address)
        async with self.database.request(caller.user_id) as connection:
            refusal = await self.second_step.judge_again(
                connection, caller, request.method, request.code, address=address
            )
            if refusal is None:
                held = await self.factors.held(connection, caller.user_id)
                await self._note_authenticated(connection, caller, second_factor=bool(held.methods))
        if refusal is not None:
            raise refusal

    async def reauthenticate_by_passkey(self, caller: Caller, credential: dict[str, Any], *, address: str) -> None:
        """Take a passkey of somebody signed in as proof that they are there.

        Raises PasskeyRefused, for somebody else's too, or PasskeysUnavailable.
        """
        owner_id, answer = await self.passkeys.claimed(credential)
        if owner_id != caller.user_id:
            raise PasskeyRefused
        async with self.database.request(caller.user_id) as connection:
            refusal = await self.passkeys.prove(connection, caller.user_id, answer, address=address)
            if refusal is None:
                await self._note_authenticated(connection, caller, second_factor=True)
        if refusal is not None:
            raise refusal

    async def require_proven(self, connection: Connection, caller: Caller) -> None:
        """Return when the caller may change what proves them: signed in lately, and with the factor that is demanded.

        The first one is set up without showing any. Raises SignInAgain, SecondFactorAgain.
        """
        await require_recent_sign_in(connection, caller, now=self.now())
        if caller.lacks_second_factor and (await self.factors.held(connection, caller.user_id)).is_strong:
            raise SecondFactorAgain

    async def note_second_factor(self, connection: Connection, caller: Caller) -> None:
        """Count what was just set up as shown by whoever has to have one: they go on in the session that they have."""
        if caller.lacks_second_factor:
            await self._note_authenticated(connection, caller, second_factor=True)

    async def forget_second_factor(self, connection: Connection, caller: Caller) -> None:
        """Count no session as having shown a second factor, once the last one is taken away."""
        if not (await self.factors.held(connection, caller.user_id)).is_strong:
            await connection.execute(_queries.forget_second_factor, caller.user_id)

    async def check_password(self, caller: Caller, password: str, *, address: str) -> None:
        """Return when this is the caller's password.

        Wrong ones count for the session from this address alone, so a thief of one device locks nobody out of another.
        Raises WrongCredentials, TooManyAttempts, or ServerBusy.
        """
        subject = str(caller.session_id)
        async with self.database.request(caller.user_id) as connection:
            await count_attempt(connection, "password", subject, address=address, now=self.now())
            password_hash = await connection.fetchval(_queries.get_own_password_hash)
        if not await self.passwords.matches(password, password_hash):
            raise WrongCredentials
        async with self.database.request(caller.user_id) as connection:
            await forget_attempt(connection, "password", subject, address=address)

    async def refresh(self, token: str, *, device_token: str | None, check_session: Callable[[UUID], None]) -> Renewed:
        """Exchange a refresh token; raises as `exchange_refresh_token` does."""
        return await exchange_refresh_token(
            self.database, token, device_token=device_token, check_session=check_session, now=self.now()
        )

    async def log_out(self, caller: Caller, *, everywhere: bool, address: str) -> None:
        """End the caller's session, or all they have."""
        async with self.database.request(caller.user_id) as connection:
            if everywhere:
                await connection.execute(_queries.end_all_sessions, caller.user_id, self.now())
            else:
                await connection.execute(_queries.end_session, caller.user_id, caller.session_id, "logout")
            action: Action = "signed_out_everywhere" if everywhere else "signed_out"
            await self._record(connection, caller.user_id, action, caller.device_id, address)
        _log.info("logged_out", user_id=str(caller.user_id), everywhere=everywhere)

    def access_token(self, session: Renewed) -> str:
        """Sign an access token for a session."""
        return self.access_tokens.issue(
            user_id=session.user_id,
            role=session.role,
            device_id=session.device_id,
            session_id=session.session_id,
            now=self.now(),
        )

    async def known_of(self, user_id: UUID) -> tuple[str, ...]:
        """Give what anybody knows of a person, and a good password is therefore not made of."""
        async with self.database.request(user_id) as connection:
            user = await self.view(connection, user_id)
        return (user.name, user.email)

    async def view(self, connection: Connection, user_id: UUID) -> AccountView:
        """Give an account as its owner sees it; `connection` acts for them."""
        key = await self.database.vault.user_key(connection, user_id)
        return account_view(await connection.fetchrow(_queries.get_account, user_id), key)

    async def _opened(self, request: LoginRequest, *, address: str) -> tuple[Any, bytes]:
        """Find the account that the password opens, and where attempts at it are counted.

        A device that made an account which has not answered for the address yet tries that one first, as a device it
        knows. Then comes the account that has the address; or none, which takes as long. So what is tried depends on
        the device's token alone. Raises WrongCredentials, TooManyAttempts, or ServerBusy.
        """
        email = email_key(request.email)
        email_index = self.database.vault.email_index(email)
        device_hash = fingerprint(request.device_token) if request.device_token else None
        async with self.database.request(None) as connection:
            rows = await connection.fetch(_queries.find_login_accounts, email_index, device_hash)
        own = [row for row in rows if not row["has_address"]]
        everybodys = next((row for row in rows if row["has_address"]), None)
        for account in (*own, everybodys):
            attempt = login_attempt(email, address=address, known_device_id=account and account["device_id"])
            async with self.database.request(None) as connection:
                await begin_login(connection, attempt, now=self.now())
            if await self.passwords.matches(request.password, account and account["password_hash"]):
                return account, attempt.account
        _log.info("login_refused")
        await note_refused_sign_in(self.database, email_index, address=address, now=self.now())
        raise WrongCredentials

    async def _pass(
        self,
        connection: Connection,
        passed: Passed,
        claim: DeviceClaim | None,
        address: str,
        *,
        method: str = "password",
    ) -> NewSession:
        await forget_attempts(connection, passed.attempts_key)
        begun = await self._begin_session(
            connection, passed.user_id, claim, proven_id=passed.known_device_id, address=address, method=method
        )
        _log.info("logged_in", user_id=str(passed.user_id), device_id=str(begun.session.device_id))
        return begun

    async def _begin_session(
        self,
        connection: Connection,
        user_id: UUID,
        claim: DeviceClaim | None,
        *,
        proven_id: UUID | None,
        address: str,
        action: Action = "signed_in",
        method: str = "password",
    ) -> NewSession:
        now = self.now()
        key = await self.database.vault.user_key(connection, user_id)
        user = account_view(await connection.fetchrow(_queries.get_account, user_id), key)
        device = await recognise_device(connection, user_id, key, claim, proven_id=proven_id, now=now)
        session_id = uuid4()
        await connection.execute(_queries.add_session, user_id, session_id, device.id, now, method in SECOND_FACTORS)
        token, expires_at = await store_refresh_token(
            connection, user_id, session_id, session_created_at=now, parent=None, now=now
        )
        session = Renewed(user_id, user.role, device.id, session_id, token, expires_at)
        if device.is_new:
            await self._record(connection, user_id, "device_added", device.id, address)
        await self._record(connection, user_id, action, device.id, address, method=method)
        return NewSession(user, session, device.new_token, coach=None)

    async def _note_authenticated(self, connection: Connection, caller: Caller, *, second_factor: bool) -> None:
        await connection.execute(
            _queries.note_authenticated, caller.user_id, caller.session_id, self.now(), second_factor
        )

    async def _record(
        self, connection: Connection, user_id: UUID, action: Action, device_id: UUID, address: str, **detail: str
    ) -> None:
        await record_event(
            connection,
            user_id,
            action,
            vault=self.database.vault,
            actor_id=user_id,
            device_id=device_id,
            address=address,
            detail=detail,
        )

    async def _renewed_hash(self, password: str, password_hash: str) -> str | None:
        return await self.passwords.hash_again(password) if self.passwords.is_outdated(password_hash) else None


def account_view(row: Any, key: UserKey) -> AccountView:
    """Open what a user sees of themselves."""
    return AccountView(
        id=row["id"],
        email=key.open_text(row["email"], what=USER_EMAIL),
        name=key.open_text(row["name"], what=USER_NAME),
        role=row["role"],
        created_at=row["created_at"],
        email_verified=row["email_verified"],
    )


def _given(outcome: NewSession | ApiError) -> NewSession:
    """Raise a refusal whose transaction stands by now: what was found wrong stays counted."""
    if isinstance(outcome, ApiError):
        raise outcome
    return outcome
