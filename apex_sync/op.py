"""Ops: the immutable units that a record is a set of.

An op holds one or more writes `[hlc, seen, patch]` in msgpack. `patch` is a nested map whose leaves are registers; a
map in it is never empty, since a map without leaves writes nothing. `seen` is the author's full vector of *other*
clients' next clocks in this record, flat and ascending: `[client, clock, client, clock]`. A summary, which only the
server writes, is `{"w": [[client, clock, hlc, seen, patch], …]}`: the writes that survive a compaction, with the stamps
they were made with.

Decoding is total: bytes give writes or `MalformedOp`, in time and memory linear in the bytes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from apex_sync.errors import MalformedOp

EXACT_INT_MAX = 2**53 - 1
"""The largest integer that a double, and so JavaScript, holds exactly."""

OP_BYTES_MAX = 64 * 1024
"""A workout of 500 sets is 30 kB; whoever writes more at once splits it (`split_patch`)."""

OP_ROOM_BYTES = 4096
"""Left free for stamp and sight in an op that takes a piece of a patch."""

SUMMARY_BYTES_MAX = OP_BYTES_MAX + 64
"""Whatever write an op can hold fits a summary, with its client and clock beside it."""

DEPTH_MAX = 6
"""Levels of maps and lists in a patch; the deepest model needs 4. Each more doubles what the import costs."""

WRITES_MAX = 1024
"""Writes in an op; beyond it the SDK begins another one."""

CLOCK_MAX = 2**31 - 1
"""Clocks of one client in one record: an op a second for 68 years, and safe in every Yjs implementation's integers."""

Patch = dict[str, Any]
Vector = Mapping[int, int]
"""The next clock of each client: what a document holds, or what an author had seen."""

EXACT_INT = Meta(ge=-EXACT_INT_MAX, le=EXACT_INT_MAX)
FINITE = Meta(ge=-1e300, le=1e300)
"""Every double of a sensible size; infinities and NaN fail the comparison."""

_Stamp = Annotated[int, Meta(ge=1, le=EXACT_INT_MAX)]
_Clock = Annotated[int, Meta(ge=0, le=CLOCK_MAX)]
_Seen = Annotated[list[_Stamp], Meta(max_length=2048)]
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def _value_type(depth: int) -> Any:
    """Spell out "any JSON value, nested so deep at most" as a type, so that msgspec checks it while it decodes."""
    scalar: Any = None | bool | Annotated[int, EXACT_INT] | Annotated[float, FINITE] | str
    if depth == 0:
        return scalar
    inner: Any = _value_type(depth - 1)
    return scalar | list[inner] | dict[str, inner]


def _patch_type(depth: int) -> Any:
    """Spell out a map without empty maps in it, whose leaves are values."""
    value: Any = _value_type(0)
    if depth > 1:
        items: Any = _value_type(depth - 2)
        value = value | list[items] | _patch_type(depth - 1)
    return Annotated[dict[str, value], Meta(min_length=1)]


if TYPE_CHECKING:
    _BoundedPatch: TypeAlias = Patch
else:
    _BoundedPatch = _patch_type(DEPTH_MAX)


class Write(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """One stamped patch, as it stands in an op."""

    hlc: _Stamp
    seen: _Seen
    patch: _BoundedPatch


class StampedWrite(Struct, frozen=True):
    """One patch with everything that merging needs to know of its origin.

    `index` is its place in the op. It only breaks ties of stamps, and those no accepted op has.
    """

    hlc: int
    client_id: int
    clock: int
    index: int
    seen: dict[int, int]
    patch: Patch

    def saw(self, other: "StampedWrite") -> bool:
        """Tell whether the author of this write had the other one before it: then the two are not concurrent."""
        if other.client_id == self.client_id:
            return (other.clock, other.hlc, other.index) < (self.clock, self.hlc, self.index)
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
    """Freeze writes into the bytes of one op; maps without leaves are left out.

    Raises MalformedOp when a write has no leaf at all, or there are too many writes. Types and the size are not
    checked: `Collection.check_bounds` does so before, and OP_BYTES_MAX is the caller's to split at.
    """
    kept = [Write(write.hlc, write.seen, without_empty_maps(write.patch)) for write in writes]
    if not 1 <= len(kept) <= WRITES_MAX or not all(write.patch for write in kept):
        raise MalformedOp(f"{len(kept)} writes, must be 1 to {WRITES_MAX}, each with a leaf")
    return _encoder.encode(kept)


def encode_summary(writes: Iterable[StampedWrite]) -> bytes:
    """Freeze what a compaction keeps; the caller splits it at SUMMARY_BYTES_MAX and WRITES_MAX."""
    rows = [(write.client_id, write.clock, write.hlc, flat_vector(write.seen), write.patch) for write in writes]
    return _encoder.encode(_Summary(rows))


def is_summary(op: bytes) -> bool:
    """Tell whether an op is a summary: a map, where every other op is a list."""
    return op[0] & 0xF0 == 0x80 or op[0] in (0xDE, 0xDF)


def decode_op(data: bytes, *, client_id: int, clock: int, summary_allowed: bool = True) -> list[StampedWrite]:
    """Read the writes of the op that stands at `clock` of `client_id`.

    Raises MalformedOp. A summary is refused unless `summary_allowed`: only the server writes them.
    """
    if len(data) > OP_BYTES_MAX and not (summary_allowed and is_summary(data) and len(data) <= SUMMARY_BYTES_MAX):
        raise MalformedOp(f"{len(data)} bytes, at most {OP_BYTES_MAX}")
    op = _decode(data)
    if isinstance(op, list):
        writes = [
            StampedWrite(write.hlc, client_id, clock, index, vector_from_flat(write.seen, client_id), write.patch)
            for index, write in enumerate(op)
        ]
    elif summary_allowed:
        writes = [
            StampedWrite(hlc, author, author_clock, index, vector_from_flat(seen, author), patch)
            for index, (author, author_clock, hlc, seen, patch) in enumerate(op.w)
        ]
    else:
        raise MalformedOp("a summary, which only the server writes")
    if not 1 <= len(writes) <= WRITES_MAX:
        raise MalformedOp(f"{len(writes)} writes, must be 1 to {WRITES_MAX}")
    return writes


def check_patch(patch: Patch) -> None:
    """Refuse a patch that no op can hold, whatever its collection; for patches made here, before they become ops.

    Raises MalformedOp: numbers that are not exact or finite, NUL characters, lone surrogates, nesting, other types.
    Maps without leaves are fine, `encode_op` leaves them out. The size is not checked: a large patch makes several ops.
    """
    try:
        kept = without_empty_maps(patch)
        op = encode_op([Write(EXACT_INT_MAX, [], kept)]) if kept else b""
    except (TypeError, OverflowError, UnicodeEncodeError, RecursionError) as error:
        raise MalformedOp(str(error)) from error
    if op:
        _decode(op)


def without_empty_maps(patch: Patch) -> Patch:
    """Give the same writes without maps that hold no leaf; maps within lists are values, and stay.

    >>> without_empty_maps({"sets": {"a": {}}, "fatigue": 7})
    {'fatigue': 7}
    """
    kept = {}
    for key, value in patch.items():
        inner = without_empty_maps(value) if type(value) is dict else value
        if type(value) is not dict or inner:
            kept[key] = inner
    return kept


def split_patch(patch: Patch, limit_bytes: int = OP_BYTES_MAX - OP_ROOM_BYTES) -> list[Patch] | None:
    """Split a patch into pieces that encode to at most so many bytes; None when one leaf alone is larger."""
    size = len(_encoder.encode(patch))
    if size <= limit_bytes:
        return [patch]
    if len(patch) > 1:
        items = list(patch.items())
        halves = [dict(items[: len(items) // 2]), dict(items[len(items) // 2 :])]
    else:
        ((key, value),) = patch.items()
        if type(value) is not dict:
            return None
        inner = split_patch(value, limit_bytes - len(key.encode()) - 16)
        return None if inner is None else [{key: piece} for piece in inner]
    pieces: list[Patch] = []
    for half in halves:
        split = split_patch(half, limit_bytes)
        if split is None:
            return None
        pieces += split
    return pieces


def flat_vector(vector: Vector) -> list[int]:
    """Write a vector as `seen` stands on the wire.

    >>> flat_vector({9: 2, 4: 7})
    [4, 7, 9, 2]
    """
    return [number for pair in sorted(vector.items()) for number in pair]


def vector_from_flat(flat: Sequence[int], author: int) -> dict[int, int]:
    """Read `seen`.

    Raises MalformedOp unless clients ascend, none is the author, and clocks are 1 to CLOCK_MAX.
    """
    if not flat:
        return {}
    vector = dict(zip(flat[::2], flat[1::2], strict=False))
    previous = 0
    for client_id, clock in vector.items():
        if client_id <= previous or client_id == author or clock > CLOCK_MAX:
            raise MalformedOp("a seen vector whose clients do not ascend, or are the author, or a clock too large")
        previous = client_id
    if 2 * len(vector) != len(flat):
        raise MalformedOp("a seen vector that is not pairs of clients and clocks")
    return vector


def _decode(data: bytes) -> list[Write] | _Summary:
    try:
        op: list[Write] | _Summary = _op_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedOp(str(error)) from error
    if 0 in data and _has_nul(op):
        raise MalformedOp("text with a NUL character")
    return op


def _has_nul(content: object) -> bool:
    r"""Look for NUL characters in texts and keys, which Postgres and C strings can't hold.

    JSON spells them `\u0000`; an even number of backslashes before it is a text that talks about NUL.
    """
    text = msgspec.json.encode(content)
    return b"\\u0000" in text and _NUL.search(text) is not None
