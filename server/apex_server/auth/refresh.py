"""Refresh tokens: each is exchanged once, and a copy that turns up ends the session it came from.

One sign-in is a family. Exchanging a token makes the next one of the family; a token that comes a second time means
that two parties hold it, and as nobody can tell which is the thief, the family ends (RFC 9700, 4.14).

The exception is an answer that was lost: the device that made the exchange, proven both times by its device token, may
repeat it and gets another fresh token, for as long as nobody has exchanged one of those it got before. A phone may lose
the answer and then its network for days. So one token can have several children; only one of them is ever exchanged,
since one device keeps one of them, and a second one that comes is a copy, too: a thief is found out then.

The invariant: under the lock of its family, at most one line of descent is alive. What is found there is judged by
`judge`, which touches nothing. Tokens unused for 30 days, and families older than a year, are over. Whoever comes with
such a token must sign in again, so their session ends with it, lest a thief lives on in it; nobody is accused of theft
unless somebody has used what the token gave.

A session is forgotten months after its end, with its tokens, and its device is not. Whoever comes with a token that
nobody knows, and the secret of a device that stands, is told that the session is over; so a replica that lay in a
drawer never takes its account for one that is gone. Without that secret all unknown tokens are alike.

A token is its family's name and a name of its own. Expired ones are dropped while the family goes on, and one row, of
the family's name, stays as long as the session: it tells a dropped token from one that nobody knows. As a token is
dropped only when another of its family is exchanged, whoever comes with a dropped one is one of two parties.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

import structlog

from apex_server.audit import record_event
from apex_server.caller import Role
from apex_server.db import Connection, Database, load_queries
from apex_server.errors import AccountErased, ApiError, RefreshTokenInvalid, RefreshTokenReused, SessionEnded
from apex_server.opaque_tokens import TOKEN_LENGTH, fingerprint, new_token

__all__ = ["Renewed", "TokenRow", "exchange_refresh_token", "judge", "store_refresh_token"]

LATE_REQUEST_GRACE = timedelta(seconds=60)
"""How late a request may come whose repetition was answered, and that answer used, before it."""
INACTIVITY_MAX = timedelta(days=30)
SESSION_AGE_MAX = timedelta(days=365)
"""Even a session in daily use asks for the password once a year."""

Verdict = Literal["exchange", "ended", "expired", "reused"]

_REFUSALS: dict[Verdict, type[ApiError]] = {
    "ended": SessionEnded,
    "expired": SessionEnded,
    "reused": RefreshTokenReused,
}
_END_REASONS: dict[Verdict, str] = {"expired": "expired", "reused": "token_reused"}

_queries = load_queries(__package__)
_log = structlog.get_logger(__name__)


class TokenRow(NamedTuple):
    """What the database knows about a presented token and its family."""

    expires_at: datetime
    used_at: datetime | None
    used_by_device: bool
    """Whether the exchange before was proven to come from the family's device; False if there was none."""
    device_proven: bool
    """Whether this exchange is."""
    sibling_used: bool
    """Whether another child of the same exchange was used."""
    child_used: bool
    """Whether what an exchange of this token gave was used."""
    session_ended_at: datetime | None


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
    expired = token.expires_at <= now
    if token.used_at is None:
        copied = token.sibling_used
    else:
        copied = not _is_retry(token, token.used_at, now) and (token.child_used or not expired)
    if copied:
        return "reused"
    return "expired" if expired else "exchange"


def _is_retry(token: TokenRow, used_at: datetime, now: datetime) -> bool:
    own_device = token.used_by_device and token.device_proven
    return own_device and (not token.child_used or now <= used_at + LATE_REQUEST_GRACE)


async def exchange_refresh_token(
    database: Database,
    token: str,
    *,
    device_token: str | None,
    check_session: Callable[[UUID], None],
    now: datetime,
) -> Renewed:
    """Exchange a refresh token for the next of its family.

    `check_session` may refuse the session before anything happens to it. Raises RefreshTokenInvalid, SessionEnded,
    AccountErased, or RefreshTokenReused once the family has been ended.
    """
    hashes = fingerprint(token), fingerprint(_family_of(token))
    device_hash = fingerprint(device_token) if device_token else None
    async with database.request(None) as connection:
        owner = await connection.fetchrow(_queries.find_refresh_token_owner, *hashes)
        if owner is None:
            raise await _refusal_of_unknown(connection, hashes, device_hash)
    user_id, session_id = owner["user_id"], owner["session_id"]
    check_session(session_id)
    # The end of a family has to be committed, so the refusal is raised only when the transaction is over.
    async with database.request(user_id) as connection:
        outcome = await _exchange(connection, user_id, session_id, token, device_hash, now)
        if outcome == "reused":
            await record_event(connection, user_id, "refresh_token_reused", vault=database.vault, actor_id=None)
    if isinstance(outcome, Renewed):
        return outcome
    raise _REFUSALS[outcome]


async def store_refresh_token(
    connection: Connection,
    user_id: UUID,
    session_id: UUID,
    *,
    session_created_at: datetime,
    parent: str | None,
    now: datetime,
) -> tuple[str, datetime]:
    """Make a refresh token for a session, in exchange for its parent or for a sign-in; gives it and when it expires."""
    session_end = session_created_at + SESSION_AGE_MAX
    family = _family_of(parent) if parent else ""
    if not family:  # A sign-in, or a token from before families had names.
        family = new_token()
        await connection.execute(
            _queries.add_token_family, user_id, fingerprint(family), session_id, session_created_at, session_end
        )
    token = family + new_token()
    expires_at = min(now + INACTIVITY_MAX, session_end)
    parent_hash = fingerprint(parent) if parent else None
    await connection.execute(
        _queries.add_refresh_token, user_id, fingerprint(token), session_id, now, expires_at, parent_hash
    )
    return token, expires_at


async def _refusal_of_unknown(
    connection: Connection, hashes: Sequence[bytes], device_hash: bytes | None
) -> AccountErased | SessionEnded | RefreshTokenInvalid:
    """Say what became of a token that is not here: its device, which alone has its secret, may still be known."""
    if await connection.fetchval(_queries.is_erased, [*hashes, *([device_hash] if device_hash else [])]):
        return AccountErased()
    if device_hash and await connection.fetchval(_queries.knows_device, device_hash):
        return SessionEnded()
    return RefreshTokenInvalid()


def _family_of(token: str) -> str:
    return token[:-TOKEN_LENGTH]


async def _exchange(
    connection: Connection,
    user_id: UUID,
    session_id: UUID,
    token: str,
    device_hash: bytes | None,
    now: datetime,
) -> Renewed | Verdict:
    token_hash, family_hash = fingerprint(token), fingerprint(_family_of(token))
    await connection.execute(_queries.lock_session, user_id, session_id)
    row = await connection.fetchrow(_queries.get_refresh_token, user_id, token_hash, device_hash, family_hash)
    if row is None:  # Gone since its owner was looked up: the account was erased.
        return "ended"
    device_proven = row["device_proven"] is True
    verdict = judge(
        TokenRow(
            expires_at=row["expires_at"],
            used_at=row["used_at"],
            used_by_device=row["used_by_device"] is True,
            device_proven=device_proven,
            sibling_used=row["sibling_used"],
            child_used=row["child_used"],
            session_ended_at=row["ended_at"],
        ),
        now=now,
    )
    if verdict in _END_REASONS:
        await connection.execute(_queries.end_session, user_id, session_id, _END_REASONS[verdict])
    if verdict == "reused":
        _log.warning("refresh_token_reused", user_id=str(user_id), session_id=str(session_id))
    if verdict != "exchange":
        return verdict
    await connection.execute(_queries.use_refresh_token, user_id, token_hash, now, device_proven)
    next_token, expires_at = await store_refresh_token(
        connection,
        user_id,
        session_id,
        session_created_at=row["session_created_at"],
        parent=token,
        now=now,
    )
    await connection.execute(_queries.note_session_used, user_id, session_id, now)
    await connection.execute(_queries.drop_expired_refresh_tokens, user_id, session_id, now)
    return Renewed(user_id, row["role"], row["device_id"], session_id, next_token, expires_at)
