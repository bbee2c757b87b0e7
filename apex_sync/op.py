"""Ops: the immutable units that a record is a set of.

An op holds one or more writes `[hlc, seen, patch]` in msgpack. `patch` is a nested map whose leaves are registers;
`seen` is the author's full vector of *other* clients' next clocks in this record, flat and ascending: `[client, clock,
client, clock]`. A summary, which only the server writes, is `{"w": [[client, clock, hlc, seen, patch], …]}`: the writes
that survive a compaction, with the stamps they were made with.

Decoding is total: bytes give writes or `MalformedOp`, in bounded time and memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from apex_sync.errors import MalformedOp

EXACT_INT_MAX = 2**53 - 1
"""The largest integer that a double, and so JavaScript, holds exactly."""

OP_BYTES_MAX = 64 * 1024
"""A workout of 500 sets is 30 kB; the SDK splits what is larger."""

DEPTH_MAX = 8
"""Levels of maps and lists in a patch; the deepest model needs 4."""

WRITES_MAX = 1024

Patch = dict[str, Any]
Vector = Mapping[int, int]
"""The next clock of each client: what a document holds, or what an author had seen."""

EXACT_INT = Meta(ge=-EXACT_INT_MAX, le=EXACT_INT_MAX)
FINITE = Meta(ge=-1e300, le=1e300)
"""Every double of a sensible size; infinities and NaN fail the comparison."""

_Stamp = Annotated[int, Meta(ge=1, le=EXACT_INT_MAX)]
_Clock = Annotated[int, Meta(ge=0, le=EXACT_INT_MAX)]
_Seen = Annotated[list[_Stamp], Meta(max_length=2048)]
_PatchKey = Annotated[str, Meta(min_length=1, max_length=200)]


def _json_value(depth: int) -> Any:
    """Spell out "any JSON value, nested so deep at most" as a type, so that msgspec checks it while it decodes."""
    scalar: Any = None | bool | Annotated[int, EXACT_INT] | Annotated[float, FINITE] | str
    if depth == 0:
        return scalar
    inner: Any = _json_value(depth - 1)
    return scalar | list[inner] | dict[_PatchKey, inner]


if TYPE_CHECKING:
    _BoundedPatch: TypeAlias = Patch
else:
    _BoundedPatch = dict[_PatchKey, _json_value(DEPTH_MAX - 1)]


class Write(Struct, array_like=True, frozen=True):
    """One stamped patch, as it stands in an op."""

    hlc: _Stamp
    seen: _Seen
    patch: _BoundedPatch


class StampedWrite(Struct, frozen=True):
    """One patch with everything that merging needs to know of its origin."""

    hlc: int
    client_id: int
    clock: int
    index: int
    seen: dict[int, int]
    patch: Patch

    def saw(self, other: "StampedWrite") -> bool:
        """Tell whether the author of this write had the other one before it: then the two are not concurrent."""
        if other.client_id == self.client_id:
            return (other.clock, other.index) < (self.clock, self.index)
        return self.seen.get(other.client_id, 0) > other.clock

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """The total order of writes: the larger one wins a leaf."""
        return self.hlc, self.client_id, self.clock, self.index


class _Summary(Struct, forbid_unknown_fields=True):
    w: list[tuple[_Stamp, _Clock, _Stamp, _Seen, _BoundedPatch]]


_encoder = msgspec.msgpack.Encoder()
_op_decoder = msgspec.msgpack.Decoder(list[Write] | _Summary)


def encode_op(writes: Iterable[Write]) -> bytes:
    """Freeze writes into the bytes of one op."""
    return _encoder.encode(list(writes))


def encode_summary(writes: Iterable[StampedWrite]) -> bytes:
    """Freeze what a compaction keeps; the caller splits it at OP_BYTES_MAX."""
    rows = [(w.client_id, w.clock, w.hlc, flat_vector(w.seen), w.patch) for w in writes]
    return _encoder.encode(_Summary(rows))


def decode_op(data: bytes, *, client_id: int, clock: int, summary_allowed: bool = True) -> list[StampedWrite]:
    """Read the writes of the op that stands at `clock` of `client_id`.

    Raises MalformedOp. A summary is refused unless `summary_allowed`: only the server writes them.
    """
    if len(data) > OP_BYTES_MAX:
        raise MalformedOp(f"{len(data)} bytes, at most {OP_BYTES_MAX}")
    try:
        op = _op_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedOp(str(error)) from error
    if isinstance(op, _Summary):
        if not summary_allowed:
            raise MalformedOp("a summary, which only the server writes")
        rows = [(row[2], row[0], row[1], row[3], row[4]) for row in op.w]
    else:
        rows = [(write.hlc, client_id, clock, write.seen, write.patch) for write in op]
    if not 1 <= len(rows) <= WRITES_MAX:
        raise MalformedOp(f"{len(rows)} writes, must be 1 to {WRITES_MAX}")
    if _has_nul(op, data):
        raise MalformedOp("text with a NUL character")
    writes = []
    for index, (hlc, author, author_clock, seen, patch) in enumerate(rows):
        writes.append(StampedWrite(hlc, author, author_clock, index, vector_from_flat(seen, author), patch))
    return writes


def flat_vector(vector: Vector) -> list[int]:
    """Write a vector as `seen` stands on the wire.

    >>> flat_vector({9: 2, 4: 7})
    [4, 7, 9, 2]
    """
    return [number for pair in sorted(vector.items()) for number in pair]


def vector_from_flat(flat: Sequence[int], author: int) -> dict[int, int]:
    """Read `seen`. Raises MalformedOp unless clients ascend, differ from the author, and clocks are positive."""
    if not flat:
        return {}
    clients, clocks = flat[::2], flat[1::2]
    ascending = all(low < high for low, high in pairwise(clients))
    if len(clients) != len(clocks) or not ascending or author in clients:
        raise MalformedOp("a seen vector that is not ascending pairs of other clients")
    return dict(zip(clients, clocks, strict=True))


def _has_nul(op: list[Write] | _Summary, data: bytes) -> bool:
    """Look for NUL characters, which Postgres and C strings can't hold. Zero bytes alone may as well be numbers."""
    return 0 in data and b"\\u0000" in msgspec.json.encode(op)
