"""The network address a request came from: what throttling counts by and what the audit names.

Whoever opens the connection is known; whom they speak for is only what they say. So the X-Forwarded-For header counts
as far as it was written by proxies of our own (APEX_TRUSTED_PROXIES): it is read from the right, each hop believed
because the one after it is trusted, and the first address that is no proxy of ours is who asks. What stands further
left is whatever the sender liked to write.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

from litestar.connection import ASGIConnection

__all__ = ["TRUSTED_PROXIES", "client_address", "forwarded_address", "networks_of"]

TRUSTED_PROXIES = "trusted_proxies"
"""Where the app's state keeps the networks of our own proxies; without it nobody is believed."""

IPV6_PREFIXES = (64, 56, 48)
"""What one customer of IPv6 is given: the least, what RFC 6177 asks for at home, and what a small firm gets."""

_HOPS_MAX = 16
"""Proxies in a row. Nobody has as many, and a header of a megabyte costs nothing."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Give the address of who asks, as text; empty where the connection has none (a Unix socket)."""
    peer = connection.client.host if connection.client else ""
    trusted: Sequence[_Network] = connection.app.state.get(TRUSTED_PROXIES, ())
    if not trusted:
        return peer
    # A proxy may add a line of its own instead of appending: the lines are one list, in their order.
    forwarded = ",".join(connection.headers.getall("x-forwarded-for", []))
    return forwarded_address(peer, forwarded, trusted)


def forwarded_address(peer: str, forwarded: str, trusted: Sequence[_Network]) -> str:
    """Give the first address from the right that is no trusted proxy; an unreadable hop ends the search.

    >>> ours = [ipaddress.ip_network("10.0.0.0/8")]
    >>> forwarded_address("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2", ours)
    '198.51.100.7'
    >>> forwarded_address("198.51.100.7", "203.0.113.9", ours)
    '198.51.100.7'
    """
    address = peer
    for hop in reversed(forwarded.rsplit(",", _HOPS_MAX)[-_HOPS_MAX:]):
        if not _is_trusted(address, trusted):
            return address
        read = _read(hop)
        if read is None:
            return address
        address = read
    return address


def networks_of(address: str) -> tuple[str, ...]:
    """Give the networks that an address stands for, the narrowest first: itself, or what a customer of IPv6 may hold.

    >>> networks_of("2001:db8:1:2ff::1")
    ('2001:db8:1:2ff::/64', '2001:db8:1:200::/56', '2001:db8:1::/48')
    >>> networks_of("::ffff:192.0.2.1")
    ('192.0.2.1',)
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return (address,)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return tuple(str(ipaddress.ip_network((ip, prefix), strict=False)) for prefix in IPV6_PREFIXES)
    return (str(getattr(ip, "ipv4_mapped", None) or ip),)


def _is_trusted(address: str, trusted: Sequence[_Network]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip.version == network.version and ip in network for network in trusted)


def _read(hop: str) -> str | None:
    """Read an address as proxies write it: bare, in brackets, or with a port behind it."""
    text = hop.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
