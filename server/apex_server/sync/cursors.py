"""Cursors: where a device stands in the feed of a scope.

A cursor names the epoch and an interval of seqs: the device knows every change from `tail` to `head`. It reads upwards
from the head what is new, and downwards from the tail what is old, until the tail is 0.

Devices take cursors as they are. A cursor is no secret and opens nothing: it is only ever read together with the grants
of whoever sends it, and a forged one makes its own device read too much or too little.
"""

from collections.abc import Iterable
from hashlib import blake2b
from struct import Struct, error
from typing import NamedTuple

import msgspec

from apex_sync.protocol.messages import ScopeCursor

__all__ = ["Cursor", "hash_cursors", "read_cursor"]

LAYOUT = Struct(">8sQQ")
SEQ_MAX = 2**63 - 1

_pack = msgspec.msgpack.Encoder().encode


class Cursor(NamedTuple):
    """The interval of the feed that a device knows, `tail` and `head` included."""

    epoch: bytes
    head: int
    tail: int

    @classmethod
    def fresh(cls, epoch: bytes, seq: int) -> "Cursor":
        """Give the cursor of a device that knows nothing of a scope which stands at `seq`."""
        return cls(epoch, seq, seq + 1 if seq else 0)

    def encode(self) -> bytes:
        """Write the cursor as devices keep it."""
        return LAYOUT.pack(*self)

    def knows(self, seq: int) -> bool:
        """Tell whether the device has what stood at that place of the feed; nothing, where it is 0."""
        return seq == 0 or self.tail <= seq <= self.head


def read_cursor(data: bytes) -> Cursor | None:
    """Read a cursor; None when it is not one that this server could have written."""
    try:
        cursor = Cursor(*LAYOUT.unpack(data))
    except error:
        return None
    return cursor if cursor.tail <= cursor.head + 1 <= SEQ_MAX else None


def hash_cursors(cursors: Iterable[ScopeCursor]) -> bytes:
    """Give what an idle device of many scopes sends in place of its cursors."""
    ordered = sorted(cursors, key=lambda cursor: cursor.scope)
    return blake2b(_pack(ordered), digest_size=16).digest()
