"""Rows in Postgres's binary COPY format, packed ahead and off the event loop.

asyncpg can encode rows itself, but only while it sends them: on the event loop, and here that means while the scope is
locked. Most values of training rows recur (`working`, 8 reps, 100 kg), so each kind remembers what it encoded lately.

Values are what projections hold: str, int, float, bool, date, naive datetime, None; and for the tables of sync itself
bytes (`bytea`, and `uuid` as 16 raw bytes) and aware datetimes (`timestamptz`). A fuzz test holds this to asyncpg's
encoder, byte for byte.

Source: the format is that of the COPY page of the Postgres manual; values are as the types' send functions write them.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from operator import getitem
from struct import Struct
from typing import Any

__all__ = ["COPY_HEADER", "COPY_TRAILER", "RowPacker"]

COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER = b"\xff\xff"

REMEMBERED_MAX = 4096
"""Values of one kind; they are dropped all at once, and come back as they recur."""

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


def _encode_bytes(value: bytes) -> bytes:
    return _length(len(value)) + value


def _encode_text(value: str) -> bytes:
    return _encode_bytes(value.encode())


ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "bigint": lambda value: _bigint(8, value),
    "boolean": lambda value: _boolean(1, value),
    "bytea": _encode_bytes,
    "date": lambda value: _integer(4, value.toordinal() - EPOCH_DAY),
    "double precision": lambda value: _double(8, value),
    "integer": lambda value: _integer(4, value),
    "text": _encode_text,
    "timestamp": lambda value: _bigint(8, (value - EPOCH) // MICROSECOND),
    "timestamptz": lambda value: _bigint(8, (value - EPOCH_UTC) // MICROSECOND),
    "uuid": _encode_bytes,
}
"""How a value that is not null is written, its length before it."""


class _Remembering(dict[Any, bytes]):
    """What values of one kind look like: `kind[value]`."""

    def __init__(self, encode: Callable[[Any], bytes]) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, value: Any) -> bytes:
        if value is None:
            encoded = NULL
        else:
            encoded = self._encode(value)
            if value == 0 and value.__class__ is float:
                return encoded  # Zero equals minus zero, which looks different.
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        self[value] = encoded
        return encoded


class _Encoding:
    """The same without a memory, for values that do not recur."""

    def __init__(self, encode: Callable[[Any], bytes]) -> None:
        self._encode = encode

    def __getitem__(self, value: Any) -> bytes:
        return NULL if value is None else self._encode(value)


NEVER_REMEMBERED = frozenset({"bytea", "uuid"})


class RowPacker:
    """Packs rows of one table; `shared` are the columns before the others that many rows have in common."""

    def __init__(self, kinds: Sequence[str], shared: Sequence[str] = ()) -> None:
        self._columns: list[Any] = [
            _Encoding(ENCODERS[kind]) if kind in NEVER_REMEMBERED else _Remembering(ENCODERS[kind]) for kind in kinds
        ]
        self._shared = [ENCODERS[kind] for kind in shared]
        self._head = _field_count(len(kinds) + len(shared))

    def prefix(self, *shared: Any) -> bytes:
        """Begin rows that share these values."""
        return self._head + b"".join(encode(value) for encode, value in zip(self._shared, shared, strict=True))

    def pack(self, prefix: bytes, rows: Iterable[Sequence[Any]]) -> bytes:
        """Give the bytes of rows; whole streams begin with COPY_HEADER and end with COPY_TRAILER."""
        columns = self._columns
        parts: list[bytes] = []
        for row in rows:
            parts.append(prefix)
            parts += map(getitem, columns, row)
        return b"".join(parts)
