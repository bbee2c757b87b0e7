"""Accounts: registering, signing in, sessions that end when they should, devices, and who calls.

The composition root makes the parts with `account_dependencies`, and puts the `Authenticator`'s guard over the app.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from litestar.di import Provide

from apex_server.auth.access_tokens import AccessTokens, SigningKeys
from apex_server.auth.accounts import Accounts
from apex_server.auth.authenticator import Authenticator, provide_caller
from apex_server.auth.cookies import CSRF_HEADER, SessionCookies
from apex_server.auth.mfa_routes import MfaController, SecondStepController
from apex_server.auth.passkey_ceremonies import relying_party
from apex_server.auth.passkey_routes import PasskeyLoginController, PasskeysController
from apex_server.auth.passkeys import Passkeys
from apex_server.auth.passwords import Passwords
from apex_server.auth.recovery_routes import RecoveryController
from apex_server.auth.routes import AuthController, DevicesController
from apex_server.auth.second_factors import SecondFactors
from apex_server.clock import wall_clock
from apex_server.db import Database
from apex_server.messenger import Messenger

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
]

auth_routes = (
    AuthController,
    RecoveryController,
    SecondStepController,
    MfaController,
    PasskeyLoginController,
    PasskeysController,
    DevicesController,
)


class AccountParts(NamedTuple):
    """What the app needs: the guard over all routes, and what handlers take as dependencies by name."""

    authenticator: Authenticator
    accounts: Accounts
    session_cookies: SessionCookies

    @property
    def dependencies(self) -> dict[str, Provide]:
        """The handlers' dependencies, `caller` among them."""
        return {
            "accounts": Provide(lambda: self.accounts, sync_to_thread=False),
            "caller": Provide(provide_caller),
            "session_cookies": Provide(lambda: self.session_cookies, sync_to_thread=False),
        }


def account_parts(
    database: Database,
    *,
    secret: str,
    former_secrets: tuple[str, ...] = (),
    public_url: str | None = None,
    https: bool = False,
    port: int = 8000,
    passwords: Passwords | None = None,
    messenger: Messenger | None = None,
    second_factor_demanded: bool = False,
    now: Callable[[], datetime] = wall_clock,
) -> AccountParts:
    """Put the slice together.

    `public_url` is how browsers reach this server; when that is by HTTPS, or `https` says so without it, cookies are
    for HTTPS only, and passkeys are bound to its name; without it, to `localhost` at `port`. Tokens signed with a
    former secret are taken until they expire. Without a messenger there are no codes by SMS. A second factor may be
    demanded of everybody who reads others; else it is where an organisation demands it.
    """
    public = urlsplit(public_url or "")
    page_url = public_url or f"{'https' if https else 'http'}://localhost:{port}"
    access_tokens = AccessTokens(SigningKeys.derive(secret, *former_secrets))
    cookies = SessionCookies(
        secret,
        former_secrets=former_secrets,
        secure=https or public.scheme == "https",
        public_url=public_url,
    )
    return AccountParts(
        authenticator=Authenticator(
            database, access_tokens, cookies, second_factor_demanded=second_factor_demanded, now=now
        ),
        accounts=Accounts(
            database,
            passwords or Passwords(),
            access_tokens,
            SecondFactors(database, messenger, now),
            Passkeys(database, relying_party(secret, page_url), now),
            now,
        ),
        session_cookies=cookies,
    )
