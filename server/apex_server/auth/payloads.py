"""What the account endpoints take and give."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from apex_server.auth.phone_numbers import NUMBER_LENGTH_MAX
from apex_server.caller import Role
from apex_server.invites import INVITE_CODE_LENGTH_MAX, CoachLink
from apex_server.opaque_tokens import TOKEN_LENGTH_MAX
from apex_server.people import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN

__all__ = [
    "AccountView",
    "CeremonyView",
    "ChangeEmailRequest",
    "ChangePasswordRequest",
    "CodeRequest",
    "Credential",
    "DeviceClaim",
    "DeviceKind",
    "DeviceView",
    "FactorsView",
    "ForgotPasswordRequest",
    "LinkRequest",
    "LoginMfaRequest",
    "LoginPasskeyRequest",
    "LoginRequest",
    "LoginSmsRequest",
    "MeView",
    "MfaMethod",
    "NewPasskeyRequest",
    "PasskeyRename",
    "PasskeyView",
    "PhoneRequest",
    "ProvePasskeyRequest",
    "QrView",
    "ReauthenticateRequest",
    "RecoveryCodesView",
    "RefreshRequest",
    "RegisterRequest",
    "ResetPasswordRequest",
    "SignedIn",
    "TokenDelivery",
    "Tokens",
    "TotpOfferView",
]

DeviceKind = Literal["phone", "watch", "tablet", "web", "desktop"]
TokenDelivery = Literal["body", "cookie"]

# 254 is the longest address that SMTP can carry (RFC 5321); as typed there may be blanks around it.
_Email = Annotated[str, Meta(min_length=3, max_length=254, description="Case and width of letters do not count.")]
_Name = Annotated[str, Meta(min_length=1, max_length=200)]
_ClientId = Annotated[int, Meta(ge=1, le=2**53 - 1, description="The installation's random CRDT client id.")]
_Token = Annotated[str, Meta(min_length=1, max_length=TOKEN_LENGTH_MAX)]
_InviteCode = Annotated[str, Meta(min_length=1, max_length=INVITE_CODE_LENGTH_MAX)]
_PasskeyName = Annotated[str, Meta(min_length=1, max_length=100, examples=["Anna's phone"])]
_NewPassword = Annotated[str, Meta(min_length=PASSWORD_LENGTH_MIN, max_length=PASSWORD_LENGTH_MAX)]
_Password = Annotated[str, Meta(max_length=PASSWORD_LENGTH_MAX)]


MfaMethod = Literal["totp", "sms", "recovery_code"]
_Code = Annotated[str, Meta(min_length=1, max_length=64, description="Blanks and hyphens do not count.")]
Credential = Annotated[
    dict[str, Any], Meta(description="What `PublicKeyCredential.toJSON()` gives in the browser (WebAuthn).")
]


class _Confidential(Struct):
    """A body with secrets in it, which shows none of them when it is printed or logged."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__


class DeviceClaim(Struct):
    """The installation somebody signs in on."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["Anna's watch"])]
    kind: DeviceKind
    client_id: _ClientId | None = None


class RegisterRequest(_Confidential, forbid_unknown_fields=True, kw_only=True):
    """A new account; an athlete's may accept a coach's invite at once."""

    email: _Email
    password: _NewPassword
    name: _Name
    role: Literal["athlete", "coach", "owner"]
    invite: _InviteCode | None = None
    device: DeviceClaim | None = None
    token_delivery: TokenDelivery = "body"  # noqa: S105


class LoginRequest(_Confidential, kw_only=True):
    """Signing in; a device that keeps the `device_token` of an earlier time is recognised by it."""

    email: _Email
    password: _Password
    device: DeviceClaim | None = None
    device_token: _Token | None = None
    token_delivery: TokenDelivery = "body"  # noqa: S105


class LoginMfaRequest(_Confidential, kw_only=True):
    """The second step of a sign-in, on the device of the first: the same `device` and `device_token`."""

    mfa_token: _Token
    method: MfaMethod
    code: _Code
    device: DeviceClaim | None = None
    device_token: _Token | None = None
    token_delivery: TokenDelivery = "body"  # noqa: S105


class LoginSmsRequest(_Confidential, kw_only=True):
    """Asking for a code by SMS, on the device that gave the password."""

    mfa_token: _Token
    device: DeviceClaim | None = None
    device_token: _Token | None = None


class LoginPasskeyRequest(_Confidential, kw_only=True):
    """Signing in with a passkey."""

    credential: Credential
    device: DeviceClaim | None = None
    device_token: _Token | None = None
    token_delivery: TokenDelivery = "body"  # noqa: S105


class RefreshRequest(_Confidential, kw_only=True):
    """Exchanging a refresh token; a browser sends an empty object, its tokens come as cookies."""

    refresh_token: _Token | None = None
    device_token: _Token | None = None


class ReauthenticateRequest(_Confidential, forbid_unknown_fields=True, kw_only=True):
    """The password once more, of whoever is signed in; and a code, where the account has a second factor."""

    password: _Password
    method: Literal["totp", "recovery_code"] | None = None
    code: _Code | None = None


class LinkRequest(_Confidential, kw_only=True):
    """What the link of a mail holds behind its `#`."""

    token: _Token


class ForgotPasswordRequest(_Confidential, kw_only=True):
    """Where the link to a new password is to go."""

    email: _Email


class ResetPasswordRequest(_Confidential, kw_only=True):
    """A new password, and what the mail proves."""

    token: _Token
    password: _NewPassword


class ChangeEmailRequest(_Confidential, forbid_unknown_fields=True, kw_only=True):
    """Where the account's mails are to go from now on."""

    email: _Email


class ChangePasswordRequest(_Confidential, forbid_unknown_fields=True, kw_only=True):
    """The password as it is and as it is to be."""

    current_password: _Password
    new_password: _NewPassword


class AccountView(Struct):
    """A user as they see themselves."""

    id: UUID
    email: str
    name: str
    role: Role
    created_at: datetime
    email_verified: bool


class DeviceView(Struct):
    """One of the caller's devices; `client_id` is the one it writes under now."""

    id: UUID
    name: str
    kind: DeviceKind
    client_id: int | None
    created_at: datetime
    last_seen_at: datetime
    current: bool


class Tokens(_Confidential, kw_only=True):
    """What a device keeps to stay signed in. `expires_in` counts seconds, for the access token.

    With cookie delivery the tokens are cookies out of reach of scripts, and only `csrf_token` stands here: it goes into
    the X-CSRF-Token header of every request that changes something.
    """

    expires_in: int
    access_token: str | None = None
    refresh_token: str | None = None
    csrf_token: str | None = None
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105


class SignedIn(Tokens, kw_only=True):
    """A new session. The device keeps `device_token` for good, across sign-outs: it proves the device to be itself."""

    user: AccountView
    device_id: UUID
    session_id: UUID
    device_token: str | None = None
    coach: CoachLink | None = None


class MeView(Struct):
    """Who is signed in, where, and who coaches them."""

    user: AccountView
    device: DeviceView
    session_id: UUID
    coaches: list[CoachLink]


class FactorsView(Struct):
    """What proves you beside the password."""

    totp: bool
    """Whether an authenticator app is set up."""
    phone_hint: str | None
    """The end of the number that gets codes by SMS."""
    recovery_codes_left: int
    passkeys: int


class QrView(Struct):
    """A QR code to draw: an SVG path in a square of so many modules."""

    modules: int
    path: str


class TotpOfferView(_Confidential):
    """A secret for an authenticator app; it does nothing until a code confirms it."""

    secret: str
    uri: str
    """What the QR code says."""
    qr: QrView
    expires_at: datetime


class CodeRequest(_Confidential, forbid_unknown_fields=True):
    """A code that was sent, or that an app shows."""

    code: _Code


class PhoneRequest(_Confidential, forbid_unknown_fields=True):
    """A phone that gets codes by SMS."""

    number: Annotated[str, Meta(max_length=NUMBER_LENGTH_MAX, examples=["+44 7400 123456"])]


class RecoveryCodesView(_Confidential):
    """New recovery codes, shown this once; empty when you still have some."""

    recovery_codes: list[str]


class CeremonyView(Struct):
    """Options for `navigator.credentials`, as WebAuthn writes them in JSON; good once, for five minutes."""

    public_key: dict[str, Any]


class NewPasskeyRequest(_Confidential, forbid_unknown_fields=True):
    """What the browser made of the options."""

    credential: Credential
    name: _PasskeyName


class ProvePasskeyRequest(_Confidential, forbid_unknown_fields=True):
    """What the browser made of the options for signing in, of whoever is signed in already."""

    credential: Credential


class PasskeyRename(Struct, forbid_unknown_fields=True):
    """A name for a passkey."""

    name: _PasskeyName


class PasskeyView(Struct):
    """A passkey of yours."""

    id: UUID
    name: str
    synced: bool
    """Whether the maker of your device keeps copies of it on your other devices."""
    created_at: datetime
    last_used_at: datetime | None
    copied: bool
    """Whether somebody else holds a copy: then it opens nothing any more, and is to be removed."""
