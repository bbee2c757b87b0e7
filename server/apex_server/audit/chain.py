"""Hash chains: rows in an order that nobody without the key can change, shorten or add to unnoticed.

A chain has a state of 32 bytes. Each row takes it on: the new state is HMAC-SHA256(key, state ‖ row). The row keeps an
image of the new state, its link; the state itself stands apart, where the chain's head is. From links no state follows,
so who cuts off the end cannot tell what the head would have to be, unless they have kept an older head. Against that
helps only what is out of their reach: a backup.

The idea is Schneier and Kelsey's (1999), without their evolving key: our key is not where the rows are.
"""

import hashlib
import hmac

__all__ = ["LINK_BYTES", "STATE_BYTES", "AuditChain", "link_of"]

STATE_BYTES = 32
LINK_BYTES = 16
"""Enough to see that two states differ."""


class AuditChain:
    """The chains of one installation, under its key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def beginning(self, name: bytes) -> bytes:
        """Give the state of a chain without rows; no two chains begin alike, so no row fits into another one."""
        return hmac.digest(self._key, b"chain " + name, "sha256")

    def after(self, state: bytes, row: bytes) -> bytes:
        """Give the state after a row."""
        return hmac.digest(self._key, state + row, "sha256")


def link_of(state: bytes) -> bytes:
    """Give the image of a state that its row keeps."""
    return hashlib.sha256(state).digest()[:LINK_BYTES]
