"""Rows in Postgres's binary COPY format, packed before a scope is locked.

asyncpg can encode rows itself, but only while it sends them, which here means while the scope is locked. And most rows
of a training history recur but for their key, so their bytes can be remembered.

Values are what projections hold: str, int, float, bool, date, naive datetime, None; and for the tables of sync itself
bytes (`bytea`, and `uuid` as 16 raw bytes) and aware datetimes (`timestamptz`). A fuzz test holds this to asyncpg's
encoder, byte for byte.

Source: the format is that of the COPY page of the Postgres manual; values are as the types' send functions write them.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import chain, repeat
from struct import Struct
from typing import Any

from typing_extensions import override

__all__ = ["COPY_HEADER", "COPY_TRAILER", "RecurringRowPacker", "RowPacker"]

COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER = b"\xff\xff"

REMEMBERED_MAX = 4096
"""Rows of one table, about 2 MB; they are dropped all at once, and come back as they recur."""

NULL = b"\xff\xff\xff\xff"
MICROSECOND = timedelta(microseconds=1)
EPOCH_DAY = date(2000, 1, 1).toordinal()
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - wall-clock time has no zone.
EPOCH_UTC = datetime(2000, 1, 1, tzinfo=UTC)

_field_count = Struct(">h").pack
_length = Struct(">i").pack
_integer = Struct(">ii").pack
_bigint = Struct(">iq").pack
_double = Struct(">id").pack
_boolean = Struct(">i?").pack


_SHORT_LENGTHS = [_length(length) for length in range(256)]


_SMALL_INTEGERS = [_integer(4, number) for number in range(256)]


def _encode_bytes(value: bytes) -> bytes:
    return _length(len(value)) + value


def _encode_integer(value: int) -> bytes:
    return _SMALL_INTEGERS[value] if 0 <= value < 256 else _integer(4, value)


def _encode_text(value: str) -> bytes:
    data = value.encode()
    return (_SHORT_LENGTHS[len(data)] if len(data) < 256 else _length(len(data))) + data


ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "bigint": lambda value: _bigint(8, value),
    "boolean": lambda value: _boolean(1, value),
    "bytea": _encode_bytes,
    "date": lambda value: _integer(4, value.toordinal() - EPOCH_DAY),
    "double precision": lambda value: _double(8, value),
    "integer": _encode_integer,
    "text": _encode_text,
    "timestamp": lambda value: _bigint(8, (value - EPOCH) // MICROSECOND),
    "timestamptz": lambda value: _bigint(8, (value - EPOCH_UTC) // MICROSECOND),
    "uuid": _encode_bytes,
}
"""How a value that is not null is written, its length before it."""


class _Remembering(dict[Any, bytes]):
    """What values look like, kept for when they recur: `remembering[value]`."""

    def __init__(self, encode: Callable[[Any], bytes]) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, value: Any) -> bytes:
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        encoded = self[value] = self._encode(value)
        return encoded


class RowPacker:
    """Packs rows of one table; `shared` are the kinds of columns before the others that many rows have in common."""

    def __init__(self, kinds: Sequence[str], shared: Sequence[str] = ()) -> None:
        self._head = _field_count(len(kinds) + len(shared))
        self._shared = [ENCODERS[kind] for kind in shared]
        self._columns = [ENCODERS[kind] for kind in kinds]

    def share(self, *values: Any) -> bytes:
        """Pack the shared values; tables with the same shared columns may use the same bytes."""
        return b"".join([encode(value) for encode, value in zip(self._shared, values, strict=True)])

    def pack(self, shared: bytes, rows: Sequence[Sequence[Any]]) -> bytes:
        """Give the bytes of rows; whole streams begin with COPY_HEADER and end with COPY_TRAILER."""
        start = self._head + shared
        return b"".join([start + _pack(self._columns, row) for row in rows])


class RecurringRowPacker(RowPacker):
    """The same, for rows that mostly recur but for their first columns: a key, and others that tell them apart.

    Eight reps of 100 kg at RPE 8 are packed once for a year of training. In what recurs equal values must look the
    same: no minus zero. The key is never null.
    """

    def __init__(self, kinds: Sequence[str], shared: Sequence[str] = (), *, own: int) -> None:
        super().__init__(kinds, shared)
        self._key = self._columns[0]
        self._own = [(place, _Remembering(partial(_pack_one, self._columns[place]))) for place in range(1, own)]
        self._others = _Remembering(partial(_pack, self._columns[own:]))
        self._own_count = own

    @override
    def pack(self, shared: bytes, rows: Sequence[Sequence[Any]]) -> bytes:
        """Give the bytes of rows."""
        key, others, count = self._key, self._others, self._own_count
        columns = [
            repeat(self._head + shared),
            [key(row[0]) for row in rows],
            *([remembered[row[place]] for row in rows] for place, remembered in self._own),
            [others[row[count:]] for row in rows],
        ]
        return b"".join(chain.from_iterable(zip(*columns, strict=False)))


def _pack(columns: Sequence[Callable[[Any], bytes]], values: Sequence[Any]) -> bytes:
    return b"".join([NULL if value is None else encode(value) for encode, value in zip(columns, values, strict=True)])


def _pack_one(encode: Callable[[Any], bytes], value: Any) -> bytes:
    return NULL if value is None else encode(value)
