"""Second factors: an authenticator app, codes by SMS, and recovery codes; setting them up, and checking one.

Which factor is offered depends on what the person has confirmed. Whoever gets this far has given the right password, so
everything runs as that person under row-level security, and their codes are checked one after the other under a lock.

Guessing is bounded three times: by the tries of one token or message, by wrong codes a day from a known device, and by
wrong codes a day from all devices that are strangers, taken together. The last can be used up only by somebody who has
the password; recovery codes, passkeys and known devices get their owner in all the same.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple
from uuid import UUID

import structlog

from apex_server.auth.errors import PhoneAlreadyOn, SmsUnavailable, TotpAlreadyOn, WrongCode
from apex_server.auth.payloads import MfaMethod
from apex_server.auth.phone_numbers import hint_of, normalise_number
from apex_server.auth.recovery_codes import new_recovery_codes, recovery_fingerprint
from apex_server.auth.totp import matching_step, new_seed, otpauth_uri
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import NotFound, TooManyAttempts
from apex_server.messenger import MessageNotTaken, Messenger, SentText
from apex_server.people import PHONE_NUMBER, TOTP_SEED
from apex_server.vault import Vault

__all__ = ["CODE_LIFETIME", "CODE_TRIES_MAX", "FactorsHeld", "SecondFactors", "TextToSend", "TotpOffer"]

CODE_TRIES_MAX = 5
"""With one token, or for one message: nobody mistypes six digits more often."""
CODE_LIFETIME = timedelta(minutes=5)
"""Of a code by SMS."""

_OFFER_LIFETIME = timedelta(minutes=15)
"""How long an offered seed waits for its first code."""
_WRONG_CODES_WINDOW = timedelta(days=1)
_WRONG_CODES_MAX = 20
"""A guesser who has the password hits one of three good codes in a million with a chance of 1 in 16,000 a day."""
_SMS_PAUSE = timedelta(seconds=30)
_SMS_WINDOW = timedelta(hours=1)
_SMS_PER_PERSON_MAX = 5
_SMS_PER_NUMBER_MAX = 3
"""To a number that nobody has confirmed: a stranger's phone rings three times an hour and no more."""
_SMS_PER_SERVER_MAX = 300
"""To numbers that nobody has confirmed: what a farm of accounts can cost in an hour."""
_DIGITS = 6

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class FactorsHeld(NamedTuple):
    """What a person has beside the password."""

    totp: bool
    phone_hint: str | None
    recovery_codes_left: int
    passkeys: int

    @property
    def is_strong(self) -> bool:
        """Whether one of them is more than a telephone number, which can be stolen: what is demanded of staff."""
        return self.totp or self.passkeys > 0

    @property
    def methods(self) -> list[MfaMethod]:
        """What will do as a second factor, the best first; none: the password alone signs in."""
        found: list[MfaMethod] = [*(("totp",) if self.totp else ()), *(("sms",) if self.phone_hint else ())]
        return [*found, "recovery_code"] if found and self.recovery_codes_left else found


class TotpOffer(NamedTuple):
    """A seed that waits for its first code."""

    seed: str
    uri: str
    expires_at: datetime


class TextToSend(NamedTuple):
    """A message that was counted and may go, once the transaction stands."""

    number: str
    text: str

    def __repr__(self) -> str:
        return "TextToSend(...)"


@dataclass(frozen=True, repr=False)
class SecondFactors:
    """Sets factors up and checks them; each call is a part of its caller's transaction, which acts for the person."""

    database: Database
    messenger: Messenger | None
    now: Callable[[], datetime]

    @property
    def vault(self) -> Vault:
        """The keys under which seeds and numbers stand."""
        return self.database.vault

    async def held(self, connection: Connection, user_id: UUID) -> FactorsHeld:
        """Give what a person has."""
        row = await connection.fetchrow(_queries.get_second_factors, user_id)
        number = await self._open(connection, user_id, row["number_sealed"], PHONE_NUMBER) if row["sms"] else None
        return FactorsHeld(
            row["totp"], hint_of(number) if number else None, row["recovery_codes_left"], row["passkeys"]
        )

    async def offer_totp(self, connection: Connection, user_id: UUID, account: str) -> TotpOffer:
        """Make a seed, which does nothing until a code confirms it. Raises TotpAlreadyOn."""
        seed, now = new_seed(), self.now()
        key = await self.vault.user_key(connection, user_id)
        sealed = key.seal_text(seed, what=TOTP_SEED)
        if await connection.fetchval(_queries.offer_totp_seed, user_id, sealed, now) is None:
            raise TotpAlreadyOn
        return TotpOffer(seed, otpauth_uri(seed, account), now + _OFFER_LIFETIME)

    async def confirm_totp(self, connection: Connection, user_id: UUID, code: str) -> list[str]:
        """Turn the app on with its first code; give recovery codes if there were none.

        The code is used up by it. Raises NotFound without an offer, TotpAlreadyOn, WrongCode.
        """
        await self.lock(connection, user_id)
        row = await connection.fetchrow(_queries.get_totp_seed, user_id)
        if row is not None and row["confirmed_at"] is not None:
            raise TotpAlreadyOn
        if row is None or self.now() - row["offered_at"] >= _OFFER_LIFETIME:
            raise NotFound("offer of an authenticator app")
        if not await self._totp_is_right(connection, user_id, code):
            raise WrongCode(tries_left=CODE_TRIES_MAX)
        return await self._codes_if_none(connection, user_id)

    async def remove_totp(self, connection: Connection, user_id: UUID) -> None:
        """Turn the app off. Raises NotFound when it is not on."""
        await self.lock(connection, user_id)
        if await connection.fetchval(_queries.remove_totp_seed, user_id) is None:
            raise NotFound("authenticator app")
        await self._tidy_recovery_codes(connection, user_id)

    async def offer_phone(self, connection: Connection, user_id: UUID, typed: str) -> TextToSend:
        """Keep a number, which does nothing until a code sent to it confirms it.

        Raises InvalidFields, PhoneAlreadyOn, TooManyAttempts.
        """
        number = normalise_number(typed)
        await self.lock(connection, user_id)
        index = self._number_index(number)
        code, now = _new_digits(), self.now()
        key = await self.vault.user_key(connection, user_id)
        offered = await connection.fetchval(
            _queries.offer_phone,
            user_id,
            key.seal_text(number, what=PHONE_NUMBER),
            index,
            now,
            self._code_hash(user_id.bytes, code),
            now + CODE_LIFETIME,
        )
        if offered is None:
            raise PhoneAlreadyOn
        await self._begin_sms(connection, index, to_confirm=True)
        return TextToSend(number, f"{code} confirms this phone for Apex. If it was not you, ignore this message.")

    async def confirm_phone(self, connection: Connection, user_id: UUID, code: str) -> list[str] | WrongCode:
        """Turn SMS on with the code that was sent; give recovery codes if there were none.

        A wrong code is given back instead of raised, because the try has to be committed. Raises NotFound when no code
        is awaited.
        """
        await self.lock(connection, user_id)
        row = await connection.fetchrow(_queries.get_phone, user_id)
        if row is None or row["code_hash"] is None:
            raise NotFound("phone number to confirm")
        if self.now() >= row["code_expires_at"] or row["code_tries"] >= CODE_TRIES_MAX:
            return WrongCode(tries_left=0)
        await connection.execute(_queries.count_phone_try, user_id)
        if not hmac.compare_digest(row["code_hash"], self._code_hash(user_id.bytes, _digits_of(code))):
            return WrongCode(tries_left=CODE_TRIES_MAX - row["code_tries"] - 1)
        await connection.execute(_queries.confirm_phone, user_id, self.now())
        return await self._codes_if_none(connection, user_id)

    async def remove_phone(self, connection: Connection, user_id: UUID) -> None:
        """Forget the number. Raises NotFound when there is none."""
        await self.lock(connection, user_id)
        if await connection.fetchval(_queries.remove_phone, user_id) is None:
            raise NotFound("phone number")
        await self._tidy_recovery_codes(connection, user_id)

    async def renew_recovery_codes(self, connection: Connection, user_id: UUID) -> list[str]:
        """Make new codes in place of the old. Raises NotFound when there is no factor to recover from."""
        await self.lock(connection, user_id)
        if not (await self.held(connection, user_id)).methods:
            raise NotFound("second factor")
        await connection.execute(_queries.remove_recovery_codes, user_id)
        return await self._codes_if_none(connection, user_id)

    async def prepare_sms(self, connection: Connection, user_id: UUID, subject: bytes) -> tuple[TextToSend, bytes]:
        """Make a code for one sign-in, named by `subject`; give the message, and the hash to keep.

        Raises NotFound without a confirmed number, TooManyAttempts.
        """
        await self.lock(connection, user_id)
        row = await connection.fetchrow(_queries.get_phone, user_id)
        if row is None or row["confirmed_at"] is None:
            raise NotFound("confirmed phone number")
        await self._begin_sms(connection, row["number_index"], to_confirm=False)
        number, code = await self._open(connection, user_id, row["number_sealed"], PHONE_NUMBER), _new_digits()
        text = f"{code} is your Apex sign-in code, good for 5 minutes. Nobody from Apex will ever ask you for it."
        return TextToSend(number, text), self._code_hash(subject, code)

    async def send(self, message: TextToSend) -> None:
        """Send what was prepared; outside of any transaction. Raises SmsUnavailable."""
        if self.messenger is None:
            raise SmsUnavailable(retry_after=int(_SMS_PAUSE.total_seconds()))
        try:
            await self.messenger.send(SentText(message.number, message.text))
        except MessageNotTaken as error:
            _log.warning("sms_not_taken", reason=error.reason)
            raise SmsUnavailable(retry_after=int(_SMS_PAUSE.total_seconds())) from error

    def sms_code_is_right(self, subject: bytes, code: str, code_hash: bytes | None) -> bool:
        """Compare a code with the one that was sent for this sign-in."""
        return code_hash is not None and hmac.compare_digest(code_hash, self._code_hash(subject, _digits_of(code)))

    async def totp_is_right(self, connection: Connection, user_id: UUID, code: str) -> bool:
        """Take a code of the app, once."""
        held = await self.held(connection, user_id)
        return held.totp and await self._totp_is_right(connection, user_id, code)

    async def recovery_code_is_right(self, connection: Connection, user_id: UUID, code: str) -> bool:
        """Take a recovery code, once."""
        held = await self.held(connection, user_id)
        arguments = (user_id, recovery_fingerprint(code), self.now())
        return bool(held.methods) and await connection.fetchval(_queries.use_recovery_code, *arguments) is not None

    async def require_room_for_guess(self, connection: Connection, user_id: UUID, device_id: UUID | None) -> None:
        """Return when one more code may be tried from a known device, or from a stranger. Raises TooManyAttempts."""
        await self.lock(connection, user_id)
        now = self.now()
        oldest = await connection.fetchval(
            _queries.next_free_code_attempt, user_id, device_id, now - _WRONG_CODES_WINDOW, _WRONG_CODES_MAX - 1
        )
        if oldest is not None:
            raise TooManyAttempts(retry_after=_seconds(oldest + _WRONG_CODES_WINDOW - now))

    async def note_wrong_code(self, connection: Connection, user_id: UUID, device_id: UUID | None) -> None:
        """Count a wrong code."""
        now = self.now()
        await connection.execute(_queries.drop_old_code_attempts, user_id, now - _WRONG_CODES_WINDOW)
        await connection.execute(_queries.add_code_attempt, user_id, device_id, now)

    async def lock(self, connection: Connection, user_id: UUID) -> None:
        """Hold a person's factors until the transaction ends."""
        await connection.execute(_queries.lock_second_factors, user_id)

    async def _totp_is_right(self, connection: Connection, user_id: UUID, code: str) -> bool:
        row = await connection.fetchrow(_queries.get_totp_seed, user_id)
        seed = await self._open(connection, user_id, row["seed_sealed"], TOTP_SEED)
        now = self.now()
        step = matching_step(seed, _digits_of(code), now=now, after_step=row["last_step"])
        return step is not None and await connection.fetchval(_queries.take_totp_step, user_id, step, now) is not None

    async def _codes_if_none(self, connection: Connection, user_id: UUID) -> list[str]:
        row = await connection.fetchrow(_queries.get_second_factors, user_id)
        if row["recovery_codes_left"]:
            return []
        await connection.execute(_queries.remove_recovery_codes, user_id)
        codes = new_recovery_codes()
        hashes = [recovery_fingerprint(code) for code in codes]
        await connection.execute(_queries.add_recovery_codes, user_id, hashes, self.now())
        return codes

    async def _tidy_recovery_codes(self, connection: Connection, user_id: UUID) -> None:
        if not (await self.held(connection, user_id)).methods:
            await connection.execute(_queries.remove_recovery_codes, user_id)

    async def _begin_sms(self, connection: Connection, number_index: bytes, *, to_confirm: bool) -> None:
        waiting: timedelta | None = await connection.fetchval(
            _queries.begin_sms,
            number_index,
            to_confirm,
            self.now(),
            _SMS_PAUSE,
            _SMS_WINDOW,
            _SMS_PER_PERSON_MAX,
            _SMS_PER_NUMBER_MAX,
            _SMS_PER_SERVER_MAX,
        )
        if waiting is not None:
            raise TooManyAttempts(retry_after=_seconds(waiting))

    async def _open(self, connection: Connection, user_id: UUID, sealed: bytes, what: str) -> str:
        return (await self.vault.user_key(connection, user_id)).open_text(sealed, what=what)

    def _number_index(self, number: str) -> bytes:
        return hmac.digest(self.vault.server_key("email_index"), b"phone number\0" + number.encode(), "sha256")

    def _code_hash(self, subject: bytes, code: str) -> bytes:
        """Six digits are quickly tried through, so their hash needs a key that the database does not have."""
        return hmac.digest(self.vault.server_key("email_index"), b"sms code\0" + subject + code.encode(), "sha256")


def _new_digits() -> str:
    return f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"


def _digits_of(code: str) -> str:
    """Take a code as people type it: `123 456`."""
    return code.replace(" ", "").replace("-", "")


def _seconds(span: timedelta) -> int:
    return max(1, ceil(span.total_seconds()))
