"""Proof that it is still the same person: what a dangerous act asks for beyond a session.

A session lasts for weeks, and a phone left on a bench, or a stolen access token, is signed in as well. Whoever wants
to do what cannot be taken back must have signed in, or given their password again (`POST /api/auth/reauthenticate`),
within the last minutes. Acts that count on a mailbox ask for an address that was verified.
"""

from datetime import datetime, timedelta
from uuid import UUID

from apex_server.caller import Caller
from apex_server.db import Connection, load_queries
from apex_server.errors import EmailNotVerified, SignInAgain
from apex_server.second_factor_errors import SecondFactorAgain

__all__ = ["RECENT_SIGN_IN", "require_recent_sign_in", "require_second_factor", "require_verified_email"]

RECENT_SIGN_IN = timedelta(minutes=15)
"""Long enough to finish what one has come for, too short for a device that was found."""

_queries = load_queries(__package__)


async def require_recent_sign_in(connection: Connection, caller: Caller, *, now: datetime) -> None:
    """Return when the caller's session was signed in, or proven anew, at most RECENT_SIGN_IN ago.

    `connection` acts for the caller (`database.request(caller.user_id)`). The session stays as it is until that is
    over, so whoever ends it meanwhile finds what was done, and can undo it. Raises SignInAgain.
    """
    at = await connection.fetchval(_queries.get_authenticated_at, caller.user_id, caller.session_id)
    if at is None or now - at > RECENT_SIGN_IN:
        raise SignInAgain


async def require_second_factor(connection: Connection, caller: Caller, *, now: datetime) -> None:
    """Return when the person of the caller's session showed a second factor at most RECENT_SIGN_IN ago.

    `connection` acts for the caller. Raises SecondFactorAgain.
    """
    at = await connection.fetchval(_queries.get_second_factor_at, caller.user_id, caller.session_id)
    if at is None or now - at > RECENT_SIGN_IN:
        raise SecondFactorAgain


async def require_verified_email(connection: Connection, user_id: UUID) -> None:
    """Return when the user has shown that mails to their address reach them.

    `connection` acts for the user. Raises EmailNotVerified.
    """
    if await connection.fetchval(_queries.get_email_verified_at, user_id) is None:
        raise EmailNotVerified
