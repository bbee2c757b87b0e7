"""Signing in, the second step: a token that the right password gave, and a code.

The token is a secret of its own, good for five minutes, for one session, on the device that gave the password, and for
five codes. It dies with the password it came from, and it opens nothing but this step. A session that exists therefore
has always passed both steps; no device is let off the second one, because a device that is used stays signed in and is
not asked again.

What is found wrong has to be counted, so refusals are given back out of the transaction and raised when it stands.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec
import structlog

from apex_server.audit import Action, record_event
from apex_server.auth.errors import MfaRequired, MfaTokenInvalid, SecondFactorNeeded, WrongCode
from apex_server.auth.payloads import DeviceClaim, LoginMfaRequest, LoginSmsRequest, MfaMethod
from apex_server.auth.second_factors import CODE_TRIES_MAX, SecondFactors, TextToSend
from apex_server.caller import Caller
from apex_server.db import Connection, load_queries
from apex_server.errors import ApiError, TooManyAttempts
from apex_server.opaque_tokens import fingerprint, new_token

__all__ = ["Passed", "SecondStep"]

_TOKEN_LIFETIME = timedelta(minutes=5)
"""Time to fetch the other phone from the locker."""

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Passed:
    """Whose sign-in is complete, and on which known device, if it is one."""

    user_id: UUID
    known_device_id: UUID | None
    attempts_key: bytes
    """The count of attempts that can be forgotten now."""


@dataclass(frozen=True)
class SecondStep:
    """Asks for the second factor, and judges what comes; each call is a part of its caller's transaction."""

    factors: SecondFactors

    async def demand(
        self,
        connection: Connection,
        user_id: UUID,
        claim: DeviceClaim | None,
        device_token: str | None,
        *,
        known_device_id: UUID | None,
        attempts_key: bytes,
    ) -> MfaRequired | None:
        """Begin the second step after the right password; None when the person has no second factor.

        Raise what it gives once the transaction stands.
        """
        held = await self.factors.held(connection, user_id)
        if not held.methods:
            return None
        token, now = new_token(), self.factors.now()
        await connection.execute(_queries.drop_expired_mfa_challenges, user_id, now)
        await connection.execute(
            _queries.add_mfa_challenge,
            user_id,
            fingerprint(token),
            _device_print(claim, device_token),
            known_device_id,
            attempts_key,
            now,
            now + _TOKEN_LIFETIME,
        )
        return MfaRequired(
            mfa_token=token,
            methods=list(held.methods),
            expires_in=int(_TOKEN_LIFETIME.total_seconds()),
            phone_hint=held.phone_hint,
        )

    async def owner(self, connection: Connection, token: str) -> UUID:
        """Give whose token this is, before anybody is signed in. Raises MfaTokenInvalid."""
        user_id: UUID | None = await connection.fetchval(_queries.find_mfa_challenge_owner, fingerprint(token))
        if user_id is None:
            raise MfaTokenInvalid
        return user_id

    async def judge(
        self, connection: Connection, user_id: UUID, request: LoginMfaRequest, *, address: str
    ) -> Passed | ApiError:
        """Judge a code; a token that passes is used up, and so is the code.

        Gives MfaTokenInvalid, TooManyAttempts or WrongCode, to be raised once the transaction stands.
        """
        row = await self._open_challenge(connection, user_id, request.mfa_token, request.device, request.device_token)
        if isinstance(row, ApiError):
            return row
        token_hash, known_device_id = fingerprint(request.mfa_token), row["known_device_id"]
        full = await self._no_room(connection, user_id, known_device_id, request.method)
        if full is not None:
            return full
        await connection.execute(_queries.count_mfa_try, user_id, token_hash)
        if not await self._is_right(connection, user_id, token_hash, row, request.method, request.code):
            await self._note_wrong(connection, user_id, known_device_id, request.method, address)
            return WrongCode(tries_left=CODE_TRIES_MAX - row["tries"] - 1)
        if request.method == "recovery_code":
            await self._record(connection, user_id, "recovery_code_used", known_device_id, address)
        await connection.execute(_queries.use_mfa_challenge, user_id, token_hash, self.factors.now())
        return Passed(user_id, known_device_id, row["attempts_key"])

    async def judge_again(
        self,
        connection: Connection,
        caller: Caller,
        method: Literal["totp", "recovery_code"] | None,
        code: str | None,
        *,
        address: str,
    ) -> ApiError | None:
        """Judge a code that comes with the password of somebody signed in; None: it is them.

        Gives SecondFactorNeeded, TooManyAttempts or WrongCode, to be raised once the transaction stands.
        """
        await self.factors.lock(connection, caller.user_id)
        held = await self.factors.held(connection, caller.user_id)
        if not held.methods:
            return None
        if method is None or code is None:
            return SecondFactorNeeded([each for each in held.methods if each != "sms"])
        full = await self._no_room(connection, caller.user_id, caller.device_id, method)
        if full is not None:
            return full
        if not await self._is_right(connection, caller.user_id, b"", None, method, code):
            await self._note_wrong(connection, caller.user_id, caller.device_id, method, address)
            return WrongCode(tries_left=CODE_TRIES_MAX)
        if method == "recovery_code":
            await self._record(connection, caller.user_id, "recovery_code_used", caller.device_id, address)
        return None

    async def send_code(self, request: LoginSmsRequest) -> None:
        """Send a code to the confirmed number of whoever the token belongs to.

        Raises MfaTokenInvalid, NotFound, TooManyAttempts, SmsUnavailable.
        """
        database = self.factors.database
        async with database.request(None) as connection:
            user_id = await self.owner(connection, request.mfa_token)
        async with database.request(user_id) as connection:
            row = await self._open_challenge(
                connection, user_id, request.mfa_token, request.device, request.device_token
            )
            outcome = row if isinstance(row, ApiError) else await self._prepare(connection, user_id, request.mfa_token)
        if isinstance(outcome, ApiError):
            raise outcome
        await self.factors.send(outcome)

    async def _prepare(self, connection: Connection, user_id: UUID, token: str) -> TextToSend:
        token_hash = fingerprint(token)
        message, code_hash = await self.factors.prepare_sms(connection, user_id, token_hash)
        await connection.execute(_queries.keep_sms_code, user_id, token_hash, code_hash)
        return message

    async def _open_challenge(
        self,
        connection: Connection,
        user_id: UUID,
        token: str,
        claim: DeviceClaim | None,
        device_token: str | None,
    ) -> Any:
        await self.factors.lock(connection, user_id)
        token_hash, now = fingerprint(token), self.factors.now()
        row = await connection.fetchrow(_queries.get_mfa_challenge, user_id, token_hash)
        if row is None or row["used_at"] is not None or row["expires_at"] <= now or row["tries"] >= CODE_TRIES_MAX:
            return MfaTokenInvalid()
        if row["device_print"] != _device_print(claim, device_token):
            # Two devices know the token, so one of them has stolen it.
            await connection.execute(_queries.use_mfa_challenge, user_id, token_hash, now)
            _log.warning("mfa_token_moved", user_id=str(user_id))
            return MfaTokenInvalid()
        return row

    async def _no_room(
        self, connection: Connection, user_id: UUID, device_id: UUID | None, method: MfaMethod
    ) -> TooManyAttempts | None:
        if method == "recovery_code":
            # It cannot be guessed, and is the way in for somebody whose guesses a thief has used up.
            return None
        try:
            await self.factors.require_room_for_guess(connection, user_id, device_id)
        except TooManyAttempts as error:
            return error
        return None

    async def _note_wrong(
        self, connection: Connection, user_id: UUID, device_id: UUID | None, method: MfaMethod, address: str
    ) -> None:
        await self.factors.note_wrong_code(connection, user_id, device_id)
        await self._record(connection, user_id, "mfa_refused", device_id, address, method=method)

    async def _record(
        self,
        connection: Connection,
        user_id: UUID,
        action: Action,
        device_id: UUID | None,
        address: str,
        **detail: str,
    ) -> None:
        await record_event(
            connection,
            user_id,
            action,
            vault=self.factors.vault,
            actor_id=None,
            device_id=device_id,
            address=address,
            detail=detail,
        )

    async def _is_right(
        self, connection: Connection, user_id: UUID, token_hash: bytes, row: Any, method: MfaMethod, code: str
    ) -> bool:
        match method:
            case "totp":
                return await self.factors.totp_is_right(connection, user_id, code)
            case "sms":
                return self.factors.sms_code_is_right(token_hash, code, row["sms_code_hash"])
            case "recovery_code":
                return await self.factors.recovery_code_is_right(connection, user_id, code)


def _device_print(claim: DeviceClaim | None, device_token: str | None) -> bytes:
    """Name a device by what it says of itself; not by its client id, which a refused sign-in may change."""
    said = [claim.name, claim.kind] if claim else []
    return hashlib.sha256(msgspec.json.encode([said, device_token])).digest()
