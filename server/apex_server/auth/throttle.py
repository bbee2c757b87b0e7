"""Slows down guessing without locking anybody out of a device they already use.

Attempts are counted over a sliding window: per account as seen from one origin, and per origin over all accounts. An
origin is a network address, or a device that proves itself by its token, which then has counts of its own: a stranger
who uses up the attempts on somebody's account uses up their own. The idea is OWASP's device cookies.

Who rents addresses by the thousand is counted where they add up: the wider networks of IPv6, which one customer may
hold whole, have bounds as well, and so has an account over all origins that are not devices it knows. That last bound
can be used up by others. So a known device is not counted in it, a passkey and a mailed link need no password, and the
browser in which a password was reset by such a link is known from then on.

Whether an account exists plays no part, so a refusal tells nothing about it. Nothing is ever locked. Everything else
that could be guessed at or flooded with (tokens out of mails, accounts that name somebody's address, mails to somebody)
is counted in the same way by `count_attempt`.
"""

from datetime import datetime, timedelta
from math import ceil
from typing import Literal, NamedTuple
from uuid import UUID

from apex_server.client_address import networks_of
from apex_server.db import Connection, load_queries
from apex_server.errors import TooManyAttempts
from apex_server.opaque_tokens import fingerprint

__all__ = [
    "Attempt",
    "AttemptKind",
    "begin_login",
    "count_attempt",
    "forget_attempt",
    "forget_attempts",
    "login_attempt",
]

AttemptKind = Literal["login", "register", "mail_token", "ask_for_mail", "password"]

_WINDOW = timedelta(minutes=15)
_WIDER_NETWORK_FACTOR = 2
"""Each network around another has room for so many times as much: neighbours share it, a customer may hold it alone."""


class Bounds(NamedTuple):
    """How many attempts fit into the window."""

    subject: int
    """At one thing (an address, an account), from one origin."""
    origin: int
    """At everything, from one origin."""
    everywhere: int | None = None
    """At one thing, from all origins together."""


_SIGN_IN = Bounds(subject=20, origin=200, everywhere=100)
"""Nobody mistypes 20 times, and a guesser gets through 2,000 a day; a gym full of people behind one address signs in
undisturbed. From everywhere, as many as NIST SP 800-63B (5.2.2) lets anybody fail."""

_BOUNDS: dict[AttemptKind, Bounds] = {
    "login": _SIGN_IN,
    # Whoever is signed in and gives the password again: as many tries as at the front door.
    "password": _SIGN_IN,
    # Each makes an account and a mail. An address is registered once, and again where an answer was lost; a course that
    # signs up together behind one network address does so undisturbed.
    "register": Bounds(subject=5, origin=200),
    # 256 random bits cannot be guessed; this is for whoever tries nevertheless, and for what trying costs us.
    "mail_token": Bounds(subject=60, origin=60),
    # How many mails one person gets is bounded apart from this, whoever asks (mail.sending).
    "ask_for_mail": Bounds(subject=5, origin=50),
}

_queries = load_queries(__package__)


class Attempt(NamedTuple):
    """Where an attempt counts, as fingerprints: no address and no name is stored."""

    account: bytes
    """What was tried, and from where; the right answer makes all of these forgotten."""
    bounds: dict[bytes, int]
    """How many of its kind fit into the window, count by count."""


def login_attempt(email_key: str, *, address: str, known_device_id: UUID | None) -> Attempt:
    """Give the counts that an attempt to sign in belongs to."""
    if known_device_id is None:
        return _attempt("login", email_key, address)
    device = f"device {known_device_id}"
    account = fingerprint(f"{device} {email_key}")
    return Attempt(account, {account: _SIGN_IN.subject, fingerprint(device): _SIGN_IN.origin})


async def begin_login(connection: Connection, attempt: Attempt, *, now: datetime) -> None:
    """Count an attempt before its password is checked.

    Raises TooManyAttempts with the seconds until the next one is free; a refused attempt does not count.
    """
    waiting: timedelta | None = await connection.fetchval(
        _queries.begin_login, attempt.account, list(attempt.bounds), list(attempt.bounds.values()), now, _WINDOW
    )
    if waiting is not None:
        raise TooManyAttempts(retry_after=max(1, ceil(waiting.total_seconds())))


async def forget_attempts(connection: Connection, attempts_key: bytes) -> None:
    """Clear the counts of an account at an origin (`Attempt.account`), once somebody has signed in there."""
    await connection.execute(_queries.forget_login_attempts, attempts_key)


async def count_attempt(
    connection: Connection, kind: AttemptKind, subject: str, *, address: str, now: datetime
) -> None:
    """Count an attempt of another kind from a network address, before anything is looked up for it.

    Raises TooManyAttempts; a refused attempt does not count.
    """
    await begin_login(connection, _attempt(kind, subject, address), now=now)


async def forget_attempt(connection: Connection, kind: AttemptKind, subject: str, *, address: str) -> None:
    """Clear the count of a subject at this origin, once an attempt was right."""
    await forget_attempts(connection, _attempt(kind, subject, address).account)


def _attempt(kind: AttemptKind, subject: str, address: str) -> Attempt:
    at_most, bounds = _BOUNDS[kind], dict[bytes, int]()
    networks = networks_of(address)
    for step, network in enumerate(networks):
        room = _WIDER_NETWORK_FACTOR**step
        bounds[fingerprint(f"{kind} {network} {subject}")] = at_most.subject * room
        bounds[fingerprint(f"{kind} {network}")] = at_most.origin * room
    if at_most.everywhere is not None:
        bounds[fingerprint(f"{kind} everywhere {subject}")] = at_most.everywhere
    return Attempt(fingerprint(f"{kind} {networks[0]} {subject}"), bounds)
