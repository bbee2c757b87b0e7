"""Slows down guessing without locking anybody out of a device they already use.

Attempts are counted over a sliding window, per account as seen from one origin, and per origin over all accounts. An
origin is a network address, or a device that proves itself by its token, which then has a count of its own: a stranger
who uses up the attempts on somebody's account uses up their own. The idea is OWASP's device cookies.

Whether an account exists plays no part, so a refusal tells nothing about it. Nothing is ever locked: what one origin
has used up is used up for that origin alone. Everything else that could be guessed at or flooded with (tokens out of
mails, addresses that are taken, mails to somebody) is counted in the same way by `count_attempt`.
"""

import ipaddress
from datetime import datetime, timedelta
from math import ceil
from typing import Literal, NamedTuple
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_server.errors import TooManyAttempts
from apex_server.opaque_tokens import fingerprint

__all__ = [
    "AttemptKind",
    "LoginOrigin",
    "begin_login",
    "count_attempt",
    "forget_attempt",
    "forget_attempts",
    "login_origin",
]

AttemptKind = Literal["register", "mail_token", "ask_for_mail", "password"]

_WINDOW = timedelta(minutes=15)
_ATTEMPTS_PER_ACCOUNT_MAX = 20
"""In the window, from one origin: nobody mistypes that often, and a guesser gets through 2,000 a day."""
_ATTEMPTS_PER_ORIGIN_MAX = 200
"""In the window, over all accounts: a gym full of people behind one address signs in undisturbed."""
_IPV6_PREFIX = 64
"""One customer's line has at least this many addresses, so they count as one."""


class Bounds(NamedTuple):
    """How many attempts fit into the window."""

    subject: int
    """At one thing (an address, an account), from one origin."""
    origin: int
    """At everything, from one origin."""


_BOUNDS: dict[AttemptKind, Bounds] = {
    # Only a refused registration stays counted: what it can be used for is to ask which addresses are taken.
    "register": Bounds(subject=20, origin=40),
    # 256 random bits cannot be guessed; this is for whoever tries nevertheless, and for what trying costs us.
    "mail_token": Bounds(subject=60, origin=60),
    # How many mails one person gets is bounded apart from this, whoever asks (mail.sending).
    "ask_for_mail": Bounds(subject=5, origin=50),
    # Whoever is signed in and gives the password again: as many tries as at the front door.
    "password": Bounds(subject=_ATTEMPTS_PER_ACCOUNT_MAX, origin=_ATTEMPTS_PER_ORIGIN_MAX),
}

_queries = load_queries(__package__)


class LoginOrigin(NamedTuple):
    """Where an attempt counts, as fingerprints: no address and no name is stored."""

    account: bytes
    origin: bytes


def login_origin(email_key: str, *, address: str, known_device_id: UUID | None) -> LoginOrigin:
    """Give the two counts an attempt belongs to."""
    origin = f"device {known_device_id}" if known_device_id else f"address {_network(address)}"
    return LoginOrigin(account=fingerprint(f"{origin} {email_key}"), origin=fingerprint(origin))


async def begin_login(connection: Connection, origin: LoginOrigin, *, now: datetime) -> None:
    """Count an attempt before its password is checked.

    Raises TooManyAttempts with the seconds until the next one is free; a refused attempt does not count.
    """
    waiting: timedelta | None = await connection.fetchval(
        _queries.begin_login,
        origin.account,
        origin.origin,
        now,
        _WINDOW,
        _ATTEMPTS_PER_ACCOUNT_MAX,
        _ATTEMPTS_PER_ORIGIN_MAX,
    )
    if waiting is not None:
        raise TooManyAttempts(retry_after=max(1, ceil(waiting.total_seconds())))


async def forget_attempts(connection: Connection, attempts_key: bytes) -> None:
    """Clear the count of an account at an origin (`LoginOrigin.account`), once somebody has signed in there."""
    await connection.execute(_queries.forget_login_attempts, attempts_key)


async def count_attempt(
    connection: Connection, kind: AttemptKind, subject: str, *, address: str, now: datetime
) -> None:
    """Count an attempt of another kind from a network address, before anything is looked up for it.

    Raises TooManyAttempts; a refused attempt does not count.
    """
    bounds, attempt = _BOUNDS[kind], _attempt(kind, subject, address)
    waiting: timedelta | None = await connection.fetchval(
        _queries.begin_login, attempt.account, attempt.origin, now, _WINDOW, bounds.subject, bounds.origin
    )
    if waiting is not None:
        raise TooManyAttempts(retry_after=max(1, ceil(waiting.total_seconds())))


async def forget_attempt(connection: Connection, kind: AttemptKind, subject: str, *, address: str) -> None:
    """Clear the count of a subject at this origin, once an attempt was right."""
    await connection.execute(_queries.forget_login_attempts, _attempt(kind, subject, address).account)


def _attempt(kind: AttemptKind, subject: str, address: str) -> LoginOrigin:
    origin = f"{kind} {_network(address)}"
    return LoginOrigin(account=fingerprint(f"{origin} {subject}"), origin=fingerprint(origin))


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((ip, _IPV6_PREFIX), strict=False))
    return str(getattr(ip, "ipv4_mapped", None) or ip)
