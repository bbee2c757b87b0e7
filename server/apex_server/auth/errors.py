"""What signing in with a second factor or a passkey, and setting them up, can refuse.

These are more leaves of the tree in `apex_server.errors`:

    ApiError
    ├── Unauthenticated 401
    │   └── MfaRequired, MfaTokenInvalid, PasskeyRefused
    ├── Forbidden 403
    │   └── SecondFactorNeeded, WrongCode
    ├── Conflict 409
    │   └── TotpAlreadyOn, PhoneAlreadyOn, PasskeyExists, TooManyPasskeys, PasskeysUnavailable
    └── Unavailable 503
        └── SmsUnavailable
"""

from dataclasses import dataclass

from apex_server.errors import Conflict, Forbidden, LimitReached, Unauthenticated, Unavailable

__all__ = [
    "MfaRequired",
    "MfaTokenInvalid",
    "PasskeyExists",
    "PasskeyRefused",
    "PasskeysUnavailable",
    "PhoneAlreadyOn",
    "SecondFactorNeeded",
    "SmsUnavailable",
    "TooManyPasskeys",
    "TotpAlreadyOn",
    "WrongCode",
]


@dataclass(eq=False, repr=False)
class MfaRequired(Unauthenticated):
    """The password is right, and the account wants a second factor."""

    mfa_token: str
    """What the second step shows, once and on the same device."""
    methods: list[str]
    """The factors that will do: `totp`, `sms`, `recovery_code`."""
    expires_in: int
    """Seconds."""
    phone_hint: str | None
    """The end of the number that a code can be sent to."""

    code = "mfa_required"
    title = "This account wants a second factor."
    next_step = "Send a code with the 'mfa_token' to /api/auth/login/mfa; for 'sms' ask for one at /api/auth/login/sms."
    challenge = "Bearer"

    def __str__(self) -> str:
        return self.code


class MfaTokenInvalid(Unauthenticated):
    """The token of the first step is unknown, used, too old, of another device, or was guessed with too often."""

    code = "mfa_token_invalid"
    title = "This sign-in cannot be finished."
    next_step = "Sign in again, with the password first."
    challenge = "Bearer"


class PasskeyRefused(Unauthenticated):
    """The passkey is unknown or its answer does not hold; the caller does not learn which."""

    code = "passkey_refused"
    title = "This passkey was not accepted."
    next_step = "Try again, or sign in with the password."
    challenge = "Bearer"


@dataclass(eq=False)
class SecondFactorNeeded(Forbidden):
    """The password alone does not prove a person who has a second factor."""

    methods: list[str]
    """What will do here: `totp`, `recovery_code`."""

    code = "second_factor_needed"
    title = "This needs a code of your second factor as well."
    next_step = "Send a 'code' and its 'method' beside the password; or sign in again, which counts as well."


@dataclass(eq=False)
class WrongCode(Forbidden):
    """A code that is wrong, too old, or was used before."""

    tries_left: int
    """With the same token, or for the same message."""

    code = "wrong_code"
    title = "The code is not right."
    next_step = "Take the newest code; one is good once, and for a short time."


class TotpAlreadyOn(Conflict):
    """An authenticator app is set up already."""

    code = "totp_on"
    title = "An authenticator app is set up already."
    next_step = "Turn it off first."


class PhoneAlreadyOn(Conflict):
    """A phone number is confirmed already."""

    code = "phone_on"
    title = "A phone number is confirmed already."
    next_step = "Remove it first."


class PasskeyExists(Conflict):
    """The credential is registered already."""

    code = "passkey_exists"
    title = "This passkey is registered already."
    next_step = "Sign in with it, or register another."


class TooManyPasskeys(LimitReached):
    """An account has as many passkeys as one may have."""

    code = "too_many_passkeys"
    title = "You have too many passkeys."
    next_step = "Remove one that you no longer use."


class PasskeysUnavailable(Conflict):
    """Passkeys are bound to a host name, and this server has none."""

    code = "passkeys_unavailable"
    title = "This server has no name that a passkey could be bound to."
    next_step = "Sign in with the password; the operator can set APEX_PUBLIC_URL to a name."


class SmsUnavailable(Unavailable):
    """No text message can be sent: there is no gateway, or it did not take the message."""

    code = "sms_unavailable"
    title = "No text message can be sent right now."
    next_step = "Use another factor, or try again after 'retry_after' seconds."
