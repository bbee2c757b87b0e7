"""Cursors: where a device stands in the feed of a scope.

A cursor names the epoch and an interval of seqs, `tail` to `head`: the device has every record that stood there when it
read. It reads upwards from the head what is new, and downwards from the tail what is old, until the tail is 0.

`settled` is the last seq at which the device had everything new, and the head unless a page was cut short. Only of that
moment is it known what the device had of each record: one that is above the head now may have changed below it, too.

Devices take cursors as they are. A cursor is no secret and opens nothing: it is only ever read together with the grants
of whoever sends it, and a forged one makes its own device read too much or too little.
"""

from struct import Struct, error
from typing import NamedTuple

__all__ = ["Cursor", "read_cursor"]

SETTLED = Struct(">8sQQ")
CUT_SHORT = Struct(">8sQQQ")
SEQ_MAX = 2**63 - 1


class Cursor(NamedTuple):
    """Where a device stands in one scope."""

    epoch: bytes
    head: int
    tail: int
    settled: int

    @classmethod
    def fresh(cls, epoch: bytes, seq: int) -> "Cursor":
        """Give the cursor of a device that knows nothing of a scope which stands at `seq`."""
        return cls(epoch, seq, seq + 1 if seq else 0, seq)

    @classmethod
    def complete(cls, epoch: bytes, seq: int) -> "Cursor":
        """Give the cursor of a device that has everything up to `seq`."""
        return cls(epoch, seq, 0, seq)

    def encode(self) -> bytes:
        """Write the cursor as devices keep it."""
        if self.settled == self.head:
            return SETTLED.pack(self.epoch, self.head, self.tail)
        return CUT_SHORT.pack(*self)

    def had(self, seq: int) -> bool:
        """Tell whether the device had what stood at that place of the feed when it was settled; 0 is nothing."""
        return seq == 0 or self.tail <= seq <= self.settled


def read_cursor(data: bytes) -> Cursor | None:
    """Read a cursor; None when it is not one that this server could have written."""
    try:
        if len(data) == SETTLED.size:
            epoch, head, tail = SETTLED.unpack(data)
            cursor = Cursor(epoch, head, tail, head)
        else:
            cursor = Cursor(*CUT_SHORT.unpack(data))
    except error:
        return None
    return cursor if cursor.tail <= cursor.settled + 1 <= cursor.head + 1 <= SEQ_MAX else None
