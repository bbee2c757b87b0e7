"""A browser's session: tokens in cookies that scripts cannot read, and proof that a request came from our own pages.

The cookies are HttpOnly and SameSite=Strict. Because a browser sends cookies whoever asks it to, a request that changes
something must also bear the X-CSRF-Token header, a value derived from the session that only our pages can read, and
must not come from another origin; a WebSocket, which can bear no header of ours, must come from our own origin. An
Authorization header needs none of this: no browser adds one by itself.

Over HTTPS the names have the `__Host-` and `__Secure-` prefixes, so a sibling domain cannot plant them.
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from litestar import Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from apex_server.errors import CsrfRefused

__all__ = ["CSRF_HEADER", "BrowserSession", "SessionCookies"]

CSRF_HEADER = "X-CSRF-Token"

_REFRESH_PATH = "/api/auth"
"""The refresh and device tokens travel to the endpoints that take them and nowhere else."""
_DEVICE_COOKIE_SECONDS = 400 * 86_400
"""The longest that browsers keep a cookie."""
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_Connection = ASGIConnection[Any, Any, Any, Any]


@dataclass(frozen=True, kw_only=True, repr=False)
class BrowserSession:
    """What a browser is to keep."""

    session_id: UUID
    access_token: str
    refresh_token: str
    refresh_expires_at: datetime
    device_token: str | None


class SessionCookies:
    """Writes, reads and clears a browser's session.

    `secure` says that browsers reach this server over HTTPS, `public_url` under which address, where a proxy in between
    does not pass their Host header on.
    """

    def __init__(
        self, secret: str, *, former_secrets: Sequence[str] = (), secure: bool, public_url: str | None = None
    ) -> None:
        self._csrf_keys = [_csrf_key(each) for each in (secret, *former_secrets)]
        self._secure = secure
        self._scheme = "https" if secure else "http"
        self._public_origin = _origin(public_url) if public_url else None
        self.access_name = "__Host-apex_access" if secure else "apex_access"
        self.csrf_name = "__Host-apex_csrf" if secure else "apex_csrf"
        self.refresh_name = "__Secure-apex_refresh" if secure else "apex_refresh"
        self.device_name = "__Secure-apex_device" if secure else "apex_device"

    def write(self, response: Response[Any], session: BrowserSession, *, now: datetime) -> None:
        """Put a session into a response's cookies."""
        lifetime = max(0, int((session.refresh_expires_at - now).total_seconds()))
        self._set(response, self.access_name, session.access_token, "/", lifetime)
        self._set(response, self.csrf_name, self.csrf_token(session.session_id), "/", lifetime, readable=True)
        self._set(response, self.refresh_name, session.refresh_token, _REFRESH_PATH, lifetime)
        if session.device_token is not None:
            self.write_device(response, session.device_token)

    def write_device(self, response: Response[Any], device_token: str) -> None:
        """Let the browser know itself again, signed in or not."""
        self._set(response, self.device_name, device_token, _REFRESH_PATH, _DEVICE_COOKIE_SECONDS)

    def clear(self, response: Response[Any]) -> None:
        """Sign the browser out; the device cookie stays, because the device stays the same."""
        for name, path in ((self.access_name, "/"), (self.csrf_name, "/"), (self.refresh_name, _REFRESH_PATH)):
            self._set(response, name, "", path, 0)

    def csrf_token(self, session_id: UUID) -> str:
        """Give what a page of this session proves itself with."""
        return _csrf_token(self._csrf_keys[0], session_id)

    def require_own_page(self, connection: _Connection, session_id: UUID) -> None:
        """Return when a request that bears cookies may have its effect.

        Raises CsrfRefused for a change or a WebSocket that no page of ours has asked for.
        """
        method = connection.scope.get("method")
        if method in _SAFE_METHODS:
            return
        self.require_own_origin(connection)
        if method is None:
            if "origin" not in connection.headers:
                raise CsrfRefused
            return
        sent = connection.headers.get(CSRF_HEADER, "")
        # A page that was open while the secret was changed proves itself with what it has.
        tokens = [_csrf_token(key, session_id) for key in self._csrf_keys]
        if not any(hmac.compare_digest(sent.encode(), token.encode()) for token in tokens):
            raise CsrfRefused

    def require_own_origin(self, connection: _Connection) -> None:
        """Return when the browser says that a page of this server asks, or says nothing about it.

        Raises CsrfRefused when it says that another site does.
        """
        if connection.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            raise CsrfRefused
        origin = connection.headers.get("origin")
        own = {self._public_origin, _origin(f"{self._scheme}://{connection.headers.get('host', '')}")}
        if origin is not None and _origin(origin) not in own:
            raise CsrfRefused

    def _set(
        self, response: Response[Any], name: str, value: str, path: str, max_age: int, *, readable: bool = False
    ) -> None:
        response.set_cookie(
            Cookie(
                key=name,
                value=value,
                path=path,
                max_age=max_age,
                secure=self._secure,
                httponly=not readable,
                samesite="strict",
            )
        )


def _origin(url: str) -> tuple[str, str, int | None]:
    """Read scheme, host and port; what cannot be read is an origin of its own, and none of ours.

    >>> _origin("https://Coach.example:443/x") == _origin("https://coach.example")
    True
    >>> _origin("http://coach.example") == _origin("https://coach.example"), _origin("null")
    (False, ('', '', None))
    """
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ("", "", -1)


def _csrf_key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"apex csrf token", "sha256")


def _csrf_token(key: bytes, session_id: UUID) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, session_id.bytes, "sha256")).rstrip(b"=").decode()
