"""Accounts: registering, signing in, sessions that end when they should, devices, and who calls.

The composition root makes the parts with `account_dependencies`, and puts the `Authenticator`'s guard over the app.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from litestar.di import Provide

from apex_server.auth.access_tokens import AccessTokens, SigningKeys
from apex_server.auth.accounts import Accounts, wall_clock
from apex_server.auth.authenticator import Authenticator, provide_caller
from apex_server.auth.cookies import CSRF_HEADER, SessionCookies
from apex_server.auth.passwords import Passwords
from apex_server.auth.routes import auth_routes
from apex_server.db import Database

__all__ = [
    "CSRF_HEADER",
    "AccessTokens",
    "AccountParts",
    "Accounts",
    "Authenticator",
    "Passwords",
    "SessionCookies",
    "SigningKeys",
    "account_parts",
    "auth_routes",
    "provide_caller",
    "wall_clock",
]


class AccountParts(NamedTuple):
    """What the app needs: the guard over all routes, and what handlers take as dependencies by name."""

    authenticator: Authenticator
    dependencies: dict[str, Provide]


def account_parts(
    database: Database,
    *,
    secret: str,
    former_secrets: tuple[str, ...] = (),
    https: bool,
    passwords: Passwords | None = None,
    now: Callable[[], datetime] = wall_clock,
) -> AccountParts:
    """Put the slice together.

    `https` says that browsers reach this server over HTTPS; cookies are then for HTTPS only. Tokens signed with a
    former secret are taken until they expire.
    """
    access_tokens = AccessTokens(SigningKeys.derive(secret, *former_secrets))
    cookies = SessionCookies(secret, secure=https)
    accounts = Accounts(database, passwords or Passwords(), access_tokens, now)
    return AccountParts(
        authenticator=Authenticator(database, access_tokens, cookies, now=now),
        dependencies={
            "accounts": Provide(lambda: accounts, sync_to_thread=False),
            "caller": Provide(provide_caller),
            "session_cookies": Provide(lambda: cookies, sync_to_thread=False),
        },
    )
