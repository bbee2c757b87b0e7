"""Slows down guessing without locking anybody out of a device they already use.

Attempts are counted over a sliding window, per account as seen from one origin, and per origin over all accounts. An
origin is a network address, or a device that proves itself by its token, which then has a count of its own: a stranger
who uses up the attempts on somebody's account uses up their own. The idea is OWASP's device cookies.

Whether an account exists plays no part, so a refusal tells nothing about it.
"""

import ipaddress
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_server.errors import TooManyAttempts
from apex_server.opaque_tokens import fingerprint

__all__ = ["LoginOrigin", "begin_login", "forget_attempts", "login_origin"]

_WINDOW = timedelta(minutes=15)
_ATTEMPTS_PER_ACCOUNT_MAX = 20
"""In the window, from one origin: nobody mistypes that often, and a guesser gets through 2,000 a day."""
_ATTEMPTS_PER_ORIGIN_MAX = 200
"""In the window, over all accounts: a gym full of people behind one address signs in undisturbed."""
_IPV6_PREFIX = 64
"""One customer's line has at least this many addresses, so they count as one."""

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


async def forget_attempts(connection: Connection, origin: LoginOrigin) -> None:
    """Clear the account's count at this origin, once the right password was given there."""
    await connection.execute(_queries.forget_login_attempts, origin.account)


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((ip, _IPV6_PREFIX), strict=False))
    return str(getattr(ip, "ipv4_mapped", None) or ip)
