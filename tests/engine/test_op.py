"""The bytes of one op: what goes in comes out, and whatever else comes in is MalformedOp."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apex_sync.errors import MalformedOp
from apex_sync.op import (
    CLOCK_MAX,
    DEPTH_MAX,
    EXACT_INT_MAX,
    OP_BYTES_MAX,
    WRITES_MAX,
    Patch,
    StampedWrite,
    Write,
    check_patch,
    decode_op,
    encode_op,
    encode_summary,
    flat_vector,
    is_summary,
    vector_from_flat,
    without_empty_maps,
)
from tests.engine.histories import PATCHES

EXACT_INTS = st.integers(-EXACT_INT_MAX, EXACT_INT_MAX)
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | EXACT_INTS | st.floats(-1e300, 1e300) | TEXTS
LISTS = st.lists(SCALARS | st.dictionaries(TEXTS, SCALARS, max_size=3), max_size=3)
LEAVES = SCALARS | LISTS
FULL_PATCHES: st.SearchStrategy[Patch] = st.recursive(
    st.dictionaries(TEXTS, LEAVES, min_size=1, max_size=4),
    lambda inner: st.dictionaries(TEXTS, LEAVES | inner, min_size=1, max_size=4),
    max_leaves=8,
).filter(lambda patch: depth(patch) <= DEPTH_MAX)
STAMPS = st.integers(1, EXACT_INT_MAX)
VECTORS = st.dictionaries(st.integers(2, EXACT_INT_MAX), st.integers(1, CLOCK_MAX), max_size=4)
WRITES = st.builds(Write, STAMPS, VECTORS.map(flat_vector), FULL_PATCHES)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def refused(data: bytes, **where: Any) -> str:
    with pytest.raises(MalformedOp) as raised:
        decode_op(data, client_id=1, clock=0, **where)
    return raised.value.reason


def op_with(value: Any, key: str = "x") -> bytes:
    """Encode without any of the checks of `encode_op`."""
    return msgspec.msgpack.encode([[5, [], {key: value}]])


@given(st.lists(WRITES, min_size=1, max_size=3))
def test_what_was_written_is_read_again(writes: list[Write]) -> None:
    data = encode_op(writes)
    for index, (write, read) in enumerate(zip(writes, decode_op(data, client_id=1, clock=4), strict=True)):
        assert repr(read) == repr(StampedWrite(write.hlc, 1, 4, index, vector_from_flat(write.seen, 1), write.patch))


@given(st.lists(st.tuples(STAMPS, st.integers(0, CLOCK_MAX), WRITES), min_size=1, max_size=3))
def test_a_summary_keeps_the_stamps_of_its_writes(rows: list[tuple[int, int, Write]]) -> None:
    writes = [
        StampedWrite(write.hlc, 1, clock, index, vector_from_flat(write.seen, 1), write.patch)
        for index, (_, clock, write) in enumerate(rows)
    ]
    data = encode_summary(writes)
    assert is_summary(data)
    assert repr(decode_op(data, client_id=99, clock=99)) == repr(writes)
    assert "only the server" in refused(data, summary_allowed=False)


@given(st.lists(WRITES, min_size=1, max_size=2), st.binary(max_size=8), st.randoms(use_true_random=False))
def test_decoding_is_total(writes: list[Write], noise: bytes, random: Any) -> None:
    """Cut, flipped and spliced ops are ops or MalformedOp, nothing else."""
    data = bytearray(encode_op(writes))
    match random.randrange(3):
        case 0:
            del data[random.randrange(len(data)) :]
        case 1:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        case _:
            at = random.randrange(len(data))
            data[at : at + random.randrange(4)] = noise
    try:
        decode_op(bytes(data), client_id=1, clock=0)
    except MalformedOp:
        return


@given(st.binary(max_size=200))
@example(b"")
def test_any_bytes_are_an_op_or_malformed(data: bytes) -> None:
    try:
        decode_op(data, client_id=1, clock=0)
    except MalformedOp:
        return


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        1e301,
        EXACT_INT_MAX + 1,
        -EXACT_INT_MAX - 1,
        2**63,
        2**64 - 1,
        -(2**63),
        b"bytes",
        msgspec.msgpack.Ext(5, b"x"),
        "nul\x00",
        {"nul\x00": 1},
        {},
        {"deep": {}},
        {1: 2},
    ],
)
def test_a_value_that_not_every_reader_holds_exactly_is_malformed(value: Any) -> None:
    refused(op_with(value))


@pytest.mark.parametrize("value", [math.nan, math.inf, EXACT_INT_MAX + 1, 2**70, b"bytes", "nul\x00", "\ud800", {1: 2}])
def test_such_a_value_is_refused_before_it_becomes_an_op(value: Any) -> None:
    with pytest.raises(MalformedOp):
        check_patch({"x": {"y": value}})


@pytest.mark.parametrize(
    "value", [EXACT_INT_MAX, -EXACT_INT_MAX, 1e300, -0.0, "", [], [{}], "\\u0000", "a\\\\u0000", "🏋"]
)
def test_every_exact_value_is_an_op(value: Any) -> None:
    check_patch({"x": value})
    (write,) = decode_op(encode_op([Write(5, [], {"x": value})]), client_id=1, clock=0)
    assert repr(write.patch) == repr({"x": value})


@pytest.mark.parametrize("zeros", [b"\xca\x00\x00\x00\x00", b"\xcb" + bytes(8), b"\x00", b"\xd3" + bytes(8)])
def test_zero_bytes_of_numbers_are_no_nul_characters(zeros: bytes) -> None:
    [write] = decode_op(b"\x91\x93\x05\x90\x81\xa1x" + zeros, client_id=1, clock=0)
    assert write.patch == {"x": 0}


def test_nesting_is_bounded_in_maps_and_lists() -> None:
    maps: Any = 1
    lists: Any = 1
    for _ in range(DEPTH_MAX - 1):
        maps, lists = {"x": maps}, [lists]
    decode_op(op_with(maps), client_id=1, clock=0)
    decode_op(op_with(lists), client_id=1, clock=0)
    refused(op_with({"x": maps}))
    refused(op_with([lists]))
    with pytest.raises(MalformedOp):
        check_patch({"x": {"x": maps}})


@pytest.mark.parametrize("nesting", [b"\x91", b"\x81\xa1x", b"\xdc\x00\x01", b"\xdd\x00\x00\x00\x01"])
def test_nesting_without_end_is_malformed_and_no_crash(nesting: bytes) -> None:
    refused((b"\x91\x93\x05\x90\x81\xa1x" + nesting * (OP_BYTES_MAX // len(nesting)))[:OP_BYTES_MAX])


@pytest.mark.parametrize(
    "head",
    [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"],
)
def test_a_huge_count_allocates_nothing(head: bytes) -> None:
    refused(head)
    refused(b"\x91\x93\x05\x90\x81\xa1x" + head)
    refused(b"\x91\x93\x05" + head)


@pytest.mark.parametrize(
    ("stamp", "seen"),
    [
        (0, []),
        (-1, []),
        (EXACT_INT_MAX + 1, []),
        (1.5, []),
        ("1", []),
        (None, []),
        (5, [2]),
        (5, [2, 1, 2, 1]),
        (5, [3, 1, 2, 1]),
        (5, [1, 1]),
        (5, [2, 0]),
        (5, [2, CLOCK_MAX + 1]),
        (5, [0, 1]),
        (5, [2, 1] * 1025),
        (5, {"2": 1}),
    ],
)
def test_a_stamp_or_seen_vector_that_is_none_is_malformed(stamp: Any, seen: Any) -> None:
    refused(msgspec.msgpack.encode([[stamp, seen, {"x": 1}]]))


def test_an_op_holds_one_to_1024_writes_and_nothing_else() -> None:
    write = [5, [], {"x": 1}]
    decode_op(msgspec.msgpack.encode([write] * WRITES_MAX), client_id=1, clock=0)
    refused(msgspec.msgpack.encode([write] * (WRITES_MAX + 1)))
    refused(msgspec.msgpack.encode([]))
    refused(msgspec.msgpack.encode(write))
    refused(msgspec.msgpack.encode([[*write, "more"]]))
    refused(msgspec.msgpack.encode([write[:2]]))
    refused(msgspec.msgpack.encode([write]) + b"\x00")
    refused(msgspec.msgpack.encode({"w": [], "more": 1}))
    refused(msgspec.msgpack.encode({"w": [[1, 0, 5, [], {"x": 1}, "more"]]}))
    refused(msgspec.msgpack.encode({"w": [[0, 0, 5, [], {"x": 1}]]}))


def test_an_op_is_bounded_in_bytes() -> None:
    room = OP_BYTES_MAX - len(op_with("x" * 65_000)) + 65_000
    decode_op(op_with("x" * room), client_id=1, clock=0)
    assert "at most" in refused(op_with("x" * (room + 1)))


def test_text_that_is_not_utf_8_is_malformed() -> None:
    refused(op_with("xx").replace(b"xx", b"\xff\xfe"))
    refused(op_with("xxx").replace(b"xxx", b"\xed\xa0\x80"))
    refused(op_with(1, key="xx").replace(b"xx", b"\xc0\x80"))


@given(PATCHES)
def test_maps_without_leaves_never_reach_an_op(patch: Patch) -> None:
    husks = {**patch, "husk": {}, "nested": {"husk": {"husk": {}}}, "kept": {"leaf": [{}], "husk": {}}}
    assert without_empty_maps(husks) == {**patch, "kept": {"leaf": [{}]}}
    (write,) = decode_op(encode_op([Write(5, [], husks)]), client_id=1, clock=0)
    assert write.patch == without_empty_maps(husks)


def test_a_write_without_a_leaf_is_no_write() -> None:
    for writes in ([], [Write(5, [], {})], [Write(5, [], {"x": {}})]):
        with pytest.raises(MalformedOp):
            encode_op(writes)
    check_patch({"x": {}})
    refused(msgspec.msgpack.encode([[5, [], {}]]))


@given(VECTORS)
def test_a_vector_reads_back_as_it_was(vector: dict[int, int]) -> None:
    assert vector_from_flat(flat_vector(vector), author=1) == vector
