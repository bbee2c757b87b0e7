"""Everything the HTTP API can refuse, as one tree of typed errors.

Each error has a status, a `code` that never changes once published (clients branch on it, people read the rest), a
title, and a `next_step` that says what to do about it. Fields of an error are values, and they travel in the answer
as members of the problem document (RFC 9457); `problems.py` writes it.

    ApiError
    ├── MalformedRequest 400
    ├── Unauthenticated 401
    │   ├── CredentialsMissing, AccessTokenInvalid, AccessTokenExpired, SessionEnded
    │   ├── WrongCredentials, SignInAgain
    │   └── RefreshTokenInvalid, RefreshTokenReused
    ├── Forbidden 403
    │   └── CsrfRefused, MetricsRefused, RoleRequired, EmailNotVerified
    ├── NotFound 404
    ├── MethodNotAllowed 405
    ├── BodyTooSlow 408
    ├── Conflict 409
    │   └── EmailTaken, ClientIdTaken, LimitReached, ThreadEncrypted, TooManyClients
    ├── Gone 410
    │   └── AccountErased, MailTokenInvalid
    ├── BodyTooLarge 413
    ├── UnsupportedMediaType 415
    ├── InvalidFields 422
    ├── TooManyAttempts 429
    │   └── TooManyRequests
    ├── InternalError 500
    └── Unavailable 503
        └── DatabaseUnavailable, ServerBusy

A foreign object answers like an absent one: both are `NotFound`, so that nobody learns what exists.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar

import msgspec

__all__ = [
    "AccessTokenExpired",
    "AccessTokenInvalid",
    "AccountErased",
    "ApiError",
    "BodyTooLarge",
    "BodyTooSlow",
    "ClientIdTaken",
    "Conflict",
    "CredentialsMissing",
    "CsrfRefused",
    "DatabaseUnavailable",
    "EmailNotVerified",
    "EmailTaken",
    "FieldError",
    "Forbidden",
    "Gone",
    "InternalError",
    "InvalidFields",
    "LimitReached",
    "MailTokenInvalid",
    "MalformedRequest",
    "MethodNotAllowed",
    "MetricsRefused",
    "NotFound",
    "RefreshTokenInvalid",
    "RefreshTokenReused",
    "RoleRequired",
    "ServerBusy",
    "SessionEnded",
    "SignInAgain",
    "ThreadEncrypted",
    "TooManyAttempts",
    "TooManyClients",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "UnsupportedMediaType",
    "WrongCredentials",
]


class FieldError(msgspec.Struct, frozen=True):
    """One field of a request that was refused, and why; the offending value is never repeated."""

    field: str
    message: str


@dataclass(eq=False)
class ApiError(Exception):
    """The caller gets this instead of an answer; raise a subclass."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    next_step: ClassVar[str]

    @property
    def detail(self) -> str:
        """What happened, in one sentence with its values."""
        return self.title

    def members(self) -> Mapping[str, object]:
        """The values of this error, named as in the problem document."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def headers(self) -> Mapping[str, str]:
        """Response headers that belong to this error."""
        return {}

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class MalformedRequest(ApiError):
    """The body or the parameters could not be read at all."""

    status = 400
    code = "malformed_request"
    title = "The request could not be read."
    next_step = "Send a well-formed body of the documented media type."


class Unauthenticated(ApiError):
    """It is not known who asks."""

    status = 401
    challenge: ClassVar[str] = 'Bearer error="invalid_token"'

    def headers(self) -> Mapping[str, str]:
        """Name the scheme to authenticate with, as RFC 9110 wants of every 401."""
        return {"WWW-Authenticate": self.challenge}


class CredentialsMissing(Unauthenticated):
    """Neither an Authorization header nor a session cookie came with the request."""

    code = "credentials_missing"
    title = "This needs a signed-in user."
    next_step = "Sign in and send the access token as 'Authorization: Bearer <token>'."
    challenge = "Bearer"


class AccessTokenInvalid(Unauthenticated):
    """The access token was not issued by this server for this API."""

    code = "token_invalid"
    title = "The access token is not valid."
    next_step = "Refresh the session once; if that fails, sign in again."


class AccessTokenExpired(Unauthenticated):
    """The access token was good once."""

    code = "token_expired"
    title = "The access token has expired."
    next_step = "Refresh the session and repeat the request."


class SessionEnded(Unauthenticated):
    """Somebody logged out, the device was removed, or the session lay unused for too long."""

    code = "session_ended"
    title = "This session has ended."
    next_step = "Sign in again. Work not yet sent stays on the device."


class WrongCredentials(Unauthenticated):
    """The password opens no account of this address on this device; the caller does not learn why."""

    code = "wrong_credentials"
    title = "The e-mail address or the password is wrong."
    next_step = (
        "Check both and try again. Did you register on another device? Then open the mail that confirms your address "
        "first: until then your password works on that device alone."
    )
    challenge = "Bearer"


class SignInAgain(Unauthenticated):
    """The session stands, and its last proof of the person is too long ago for what they ask."""

    code = "sign_in_again"
    title = "This needs your password again: you signed in some time ago."
    next_step = "Send the password to /api/auth/reauthenticate, then repeat the request within 15 minutes."
    challenge = 'Bearer error="insufficient_user_authentication"'


class RefreshTokenInvalid(Unauthenticated):
    """The refresh token is none that this server remembers."""

    code = "refresh_token_invalid"
    title = "The refresh token is not valid."
    next_step = "Sign in again. Work not yet sent stays on the device."


class RefreshTokenReused(Unauthenticated):
    """A refresh token that was already exchanged came again, so a copy is about: its whole session has been ended."""

    code = "refresh_token_reused"
    title = "The refresh token was used before, so its session has been ended for safety."
    next_step = "Sign in again. Work not yet sent stays on the device."


class Forbidden(ApiError):
    """It is known who asks, and the answer is no."""

    status = 403


class CsrfRefused(Forbidden):
    """A cookie came along without proof that a page of this server sent the request."""

    code = "csrf_refused"
    title = "The request does not prove that it came from this server's own pages."
    next_step = "Send the value of the csrf cookie as the X-CSRF-Token header, from the server's own origin."


class MetricsRefused(Forbidden):
    """Somebody from elsewhere, or without the token, asks for the metrics."""

    code = "metrics_refused"
    title = "The metrics are not for everybody."
    next_step = "Scrape from the server's own machine, or set APEX_METRICS_TOKEN and send it as a bearer token."


@dataclass(eq=False)
class RoleRequired(Forbidden):
    """Only users of another role may do this."""

    role: str

    code = "role_required"
    title = "Your role may not do this."
    next_step = "Sign in as a user of the named role."

    @property
    def detail(self) -> str:
        """Name the role that may."""
        return f"Only a user with the role {self.role!r} may do this."


class EmailNotVerified(Forbidden):
    """Only somebody who reads the mails to their address may do this."""

    code = "email_not_verified"
    title = "Your e-mail address is not verified yet."
    next_step = (
        "Open the link in the mail we sent you, or ask for another one, then try again. "
        "Does the mail say that you have another account? Then sign in to that one here, without signing out first."
    )


@dataclass(eq=False)
class NotFound(ApiError):
    """There is no such thing, or it is none of the caller's business; both look the same."""

    noun: str

    status = 404
    code = "not_found"
    title = "There is nothing here."
    next_step = "Check the address and that you are signed in as the right user."

    @property
    def detail(self) -> str:
        """Name what was looked for, never its id."""
        return f"There is no such {self.noun}."


class MethodNotAllowed(ApiError):
    """The address exists and does not take this method."""

    status = 405
    code = "method_not_allowed"
    title = "This address does not take this method."
    next_step = "See the Allow header or the API description for the methods it takes."


class Conflict(ApiError):
    """The request is fine and contradicts what already stands."""

    status = 409


class ThreadEncrypted(Conflict):
    """What is said in this thread is encrypted by the device that says it, and this was not."""

    code = "thread_encrypted"
    title = "This thread is end-to-end encrypted, and the server cannot encrypt for you."
    next_step = "Send it from the app: only the devices of the two people have keys."


class EmailTaken(Conflict):
    """Another account has answered for this address, or may come back to it; only who reads its mail is told."""

    code = "email_taken"
    title = "This e-mail address belongs to another account."
    next_step = "Sign in to that one, with a new password by mail if you forgot it; or use another address."


@dataclass(eq=False)
class ClientIdTaken(Conflict):
    """The CRDT client id belongs to another installation, so two writers would share one name."""

    client_id: int

    code = "client_id_taken"
    title = "This client id belongs to another device."
    next_step = "Draw a new random client id, re-issue unsent work under it, and try again."


@dataclass(eq=False)
class LimitReached(Conflict):
    """There are as many of these as there may be at a time."""

    limit: int


class TooManyClients(LimitReached):
    """An owner asks at once for more athletes than are read in one request."""

    code = "too_many_clients"
    title = "Your coaches have more athletes together than one answer is made of."
    next_step = "Name one of your coaches: `?coach_id=`. GET /api/organisation lists them."


class Gone(ApiError):
    """It was there once and will not come back."""

    status = 410


class AccountErased(Gone):
    """The account of this device was erased, as its person had asked; only who holds a secret of it learns that."""

    code = "account_erased"
    title = "This account was erased, as was asked for 30 days before."
    next_step = "Forget everything that this device holds of it. A new account may be made at any time."


class MailTokenInvalid(Gone):
    """The link of a mail was used, is too old, or never was one; the caller does not learn which."""

    code = "mail_token_invalid"
    title = "This link is no longer good."
    next_step = "It was used already, or it is too old. Ask for a new mail."


@dataclass(eq=False)
class BodyTooLarge(ApiError):
    """The body, as sent or once decompressed, is longer than this address takes."""

    limit_bytes: int

    status = 413
    code = "body_too_large"
    title = "The body is too large."
    next_step = "Send it in smaller parts."

    @property
    def detail(self) -> str:
        """Name the bound."""
        return f"The body is larger than {self.limit_bytes} bytes."


class BodyTooSlow(ApiError):
    """The body stopped coming, or comes so slowly that it holds up others."""

    status = 408
    code = "body_too_slow"
    title = "The body did not arrive in time."
    next_step = "Try again on a better network; nothing of the request was done."


class UnsupportedMediaType(ApiError):
    """The body is of a media type or encoding that this address does not take."""

    status = 415
    code = "unsupported_media_type"
    title = "The media type or encoding of the body is not supported."
    next_step = "Send one of the documented media types."


@dataclass(eq=False)
class InvalidFields(ApiError):
    """The request was read, and some of its fields cannot be."""

    errors: Sequence[FieldError]

    status = 422
    code = "invalid_fields"
    title = "Some fields are not valid."
    next_step = "Correct the fields named in 'errors' and send the request again."

    @classmethod
    def one(cls, field: str, message: str) -> "InvalidFields":
        """Refuse a single field."""
        return cls([FieldError(field=field, message=message)])


@dataclass(eq=False)
class TooManyAttempts(ApiError):
    """The caller tried too often in too short a time."""

    retry_after: int
    """Seconds."""

    status = 429
    code = "too_many_attempts"
    title = "Too many attempts."
    next_step = "Wait for 'retry_after' seconds, then try again."

    def headers(self) -> Mapping[str, str]:
        """Say in seconds when to come back."""
        return {"Retry-After": str(self.retry_after)}


@dataclass(eq=False)
class TooManyRequests(TooManyAttempts):
    """A budget of the account, or of the address of somebody who is not signed in, is used up for now."""

    budget: str
    """Which: `requests`, `sync_bytes`, `cpu_ms`, `upload_bytes`, or `turns`: too many at the same time."""
    policy: str = field(default="", repr=False)
    """Amount and window in the form of the RateLimit-Policy header."""

    code = "too_many_requests"
    title = "You have used up what your account may use for now."
    next_step = "Wait for 'retry_after' seconds, then repeat the request. Nothing of it was done, and nothing is lost."

    def members(self) -> Mapping[str, object]:
        """Name the budget and the wait."""
        return {"retry_after": self.retry_after, "budget": self.budget}

    def headers(self) -> Mapping[str, str]:
        """Say when to come back, for any client and in the terms of draft-ietf-httpapi-ratelimit-headers."""
        wait = {"Retry-After": str(self.retry_after)}
        if not self.policy:
            return wait
        state = f'"{self.budget}";r=0;t={self.retry_after}'
        return {**wait, "RateLimit-Policy": f'"{self.budget}";{self.policy}', "RateLimit": state}


class InternalError(ApiError):
    """The server failed; the log knows why, the caller does not."""

    status = 500
    code = "internal_error"
    title = "The server failed."
    next_step = "Try again later; nothing acknowledged is lost."


@dataclass(eq=False)
class Unavailable(ApiError):
    """The server cannot answer now and will be able to soon."""

    retry_after: int = 1
    """Seconds."""

    status = 503
    code = "unavailable"
    title = "The server cannot answer right now."
    next_step = "Wait for 'retry_after' seconds, then try again."

    def headers(self) -> Mapping[str, str]:
        """Say in seconds when to come back."""
        return {"Retry-After": str(self.retry_after)}


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""

    code = "database_unavailable"
    title = "The database does not answer right now."


class ServerBusy(Unavailable):
    """A bounded queue is full."""

    code = "server_busy"
    title = "The server is busy."
