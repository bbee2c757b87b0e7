"""Which bytes of a file a `Range` header asks for, by RFC 9110, section 14: one range; the whole of several.

A header that is no range of bytes is answered as if it had not come, as the RFC has it.
"""

import re
from typing import NamedTuple

from apex_server.media.errors import RangeNotSatisfiable

__all__ = ["ByteRange", "range_of"]

_ONE_RANGE = re.compile(r"^bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*\Z", re.IGNORECASE)


class ByteRange(NamedTuple):
    """Bytes of a file, from `start` up to and without `end`."""

    start: int
    end: int


def range_of(header: str | None, size_bytes: int) -> ByteRange | None:
    """Read which bytes of a file of so many are wanted; None is the whole. Raises RangeNotSatisfiable.

    >>> range_of("bytes=0-1", 10), range_of("bytes=7-", 10), range_of("bytes=-4", 10)
    (ByteRange(start=0, end=2), ByteRange(start=7, end=10), ByteRange(start=6, end=10))
    >>> range_of("bytes=0-1,4-5", 10) is range_of("bytes=5-2", 10) is range_of("lines=1-", 10) is None
    True
    """
    asked = _ONE_RANGE.match(header or "")
    if asked is None or not (asked[1] or asked[2]):
        return None
    if not asked[1]:
        wanted = ByteRange(max(0, size_bytes - int(asked[2])), size_bytes)
    elif asked[2] and int(asked[2]) < int(asked[1]):
        return None
    else:
        wanted = ByteRange(int(asked[1]), min(size_bytes, int(asked[2]) + 1) if asked[2] else size_bytes)
    if wanted.start >= size_bytes:
        raise RangeNotSatisfiable(size_bytes)
    return wanted
