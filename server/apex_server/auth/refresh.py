"""Refresh tokens: each is exchanged once, and a copy that turns up ends the session it came from.

One sign-in is a family. Exchanging a token makes the next one of the family; a token that comes a second time means
that two parties hold it, and as nobody can tell which is the thief, the family ends (RFC 9700, 4.14). The exception is
an answer that was lost: the same device, proven by its device token, may repeat the exchange for a minute and gets
another fresh token. Tokens unused for 30 days, and families older than a year, are over.

The invariant: of any number of exchanges of one token at once, exactly one finds it unused. The row is locked, and what
is found there is judged by `judge`, which touches nothing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

import structlog

from apex_server.caller import Role
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import ApiError, RefreshTokenInvalid, RefreshTokenReused, SessionEnded
from apex_server.opaque_tokens import fingerprint, new_token

__all__ = ["Renewed", "TokenRow", "exchange_refresh_token", "judge", "store_refresh_token"]

LOST_RESPONSE_GRACE = timedelta(seconds=60)
"""A device that got no answer asks again within seconds; a minute covers a bad network."""
INACTIVITY_MAX = timedelta(days=30)
SESSION_AGE_MAX = timedelta(days=365)
"""Even a session in daily use asks for the password once a year."""

Verdict = Literal["exchange", "ended", "expired", "reused"]

_REFUSALS: dict[Verdict, type[ApiError]] = {
    "ended": SessionEnded,
    "expired": RefreshTokenInvalid,
    "reused": RefreshTokenReused,
}

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class TokenRow(NamedTuple):
    """What the database knows about a presented token and its family."""

    expires_at: datetime
    used_at: datetime | None
    session_ended_at: datetime | None
    device_proven: bool


class Renewed(NamedTuple):
    """A session that goes on, with its next refresh token."""

    user_id: UUID
    role: Role
    device_id: UUID
    session_id: UUID
    refresh_token: str
    expires_at: datetime


def judge(token: TokenRow, *, now: datetime) -> Verdict:
    """Decide what a presented token is worth."""
    if token.session_ended_at is not None:
        return "ended"
    if token.used_at is None:
        return "exchange" if now < token.expires_at else "expired"
    is_retry = token.device_proven and now <= token.used_at + LOST_RESPONSE_GRACE
    return "exchange" if is_retry else "reused"


async def exchange_refresh_token(
    database: Database,
    token: str,
    *,
    device_token: str | None,
    check_session: Callable[[UUID], None],
    now: datetime,
) -> Renewed:
    """Exchange a refresh token for the next of its family.

    `check_session` may refuse the session before anything happens to it. Raises RefreshTokenInvalid, SessionEnded, or
    RefreshTokenReused once the family has been ended.
    """
    token_hash = fingerprint(token)
    async with database.request(None) as connection:
        owner = await connection.fetchrow(_queries.find_refresh_token_owner, token_hash)
    if owner is None:
        raise RefreshTokenInvalid
    check_session(owner["session_id"])
    # The end of a family has to be committed, so the refusal is raised only when the transaction is over.
    async with database.request(owner["user_id"]) as connection:
        outcome = await _exchange(connection, owner["user_id"], token_hash, device_token, now)
    if isinstance(outcome, Renewed):
        return outcome
    raise _REFUSALS[outcome]


async def store_refresh_token(
    connection: Connection, user_id: UUID, session_id: UUID, *, session_created_at: datetime, now: datetime
) -> tuple[str, datetime]:
    """Make a refresh token for a session; gives it and when it expires."""
    token = new_token()
    expires_at = min(now + INACTIVITY_MAX, session_created_at + SESSION_AGE_MAX)
    await connection.execute(_queries.add_refresh_token, user_id, fingerprint(token), session_id, now, expires_at)
    return token, expires_at


async def _exchange(
    connection: Connection, user_id: UUID, token_hash: bytes, device_token: str | None, now: datetime
) -> Renewed | Verdict:
    device_hash = fingerprint(device_token) if device_token else None
    row = await connection.fetchrow(_queries.take_refresh_token, user_id, token_hash, device_hash)
    if row is None:
        return "expired"
    verdict = judge(TokenRow(row["expires_at"], row["used_at"], row["ended_at"], row["device_proven"] is True), now=now)
    if verdict == "reused":
        await connection.execute(_queries.end_session, user_id, row["session_id"], "token_reused")
        _log.warning("refresh_token_reused", user_id=str(user_id), session_id=str(row["session_id"]))
    if verdict != "exchange":
        return verdict
    session_id = row["session_id"]
    token, expires_at = await store_refresh_token(
        connection, user_id, session_id, session_created_at=row["session_created_at"], now=now
    )
    await connection.execute(_queries.replace_refresh_token, user_id, token_hash, fingerprint(token), now)
    await connection.execute(_queries.note_session_used, user_id, session_id, now)
    await connection.execute(_queries.drop_expired_refresh_tokens, user_id, session_id, now)
    return Renewed(user_id, row["role"], row["device_id"], session_id, token, expires_at)
