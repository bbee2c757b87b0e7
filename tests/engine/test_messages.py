"""Messages of a sync: what is written is read again, and anything else is ProtocolError, in bounded memory."""

import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.acceptance import Refusal
from apex_sync.errors import ProtocolError
from apex_sync.protocol import (
    BUCKETS,
    PROTOCOL_VERSION,
    PUSH_RECORDS_MAX,
    REQUEST_BYTES_MAX,
    SCOPES_MAX,
    PulledRecord,
    PushedRecord,
    PushResult,
    ScopeCursor,
    ScopePage,
    SyncRequest,
    SyncResponse,
    bucket_of,
    decode_request,
    decode_response,
    encode_message,
    hash_cursors,
)

NATURAL = st.integers(0, 2**53 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
BYTES = st.binary(max_size=20)
REFUSALS = st.builds(Refusal, NATURAL, st.sampled_from(["malformed", "clock_skew"]), TEXTS, TEXTS)
RESULTS = st.builds(
    PushResult, st.sampled_from(["applied", "gap", "retry"]), NATURAL, BYTES, st.lists(REFUSALS, max_size=2), BYTES
)
RECORDS = st.lists(st.builds(PulledRecord, TEXTS, BYTES, BYTES, BYTES, st.booleans()), max_size=2)
CURSORS = st.lists(st.builds(ScopeCursor, TEXTS, BYTES, BYTES), max_size=3)
REQUESTS = st.builds(
    SyncRequest,
    NATURAL,
    st.integers(1, 2**53 - 1),
    NATURAL,
    push=st.lists(st.builds(PushedRecord, TEXTS, TEXTS, BYTES, BYTES, BYTES, BYTES), max_size=2),
    cursors=st.none() | CURSORS,
    resend=st.lists(st.tuples(TEXTS, BYTES), max_size=2),
    bucket_digests=st.lists(st.tuples(TEXTS, st.just([b"x" * 16] * BUCKETS)), max_size=1),
)
RESPONSES = st.builds(
    SyncResponse,
    NATURAL,
    st.integers(0, 2**52),
    BYTES,
    results=st.lists(RESULTS, max_size=2),
    pages=st.lists(
        st.builds(ScopePage, TEXTS, TEXTS, BYTES, RECORDS, NATURAL, NATURAL, BYTES, st.booleans()), max_size=2
    ),
    forget=st.lists(TEXTS, max_size=2),
    repair=st.lists(st.tuples(TEXTS, BYTES, BYTES), max_size=2),
)


@given(REQUESTS)
def test_a_request_reads_back_as_it_was(request: SyncRequest) -> None:
    assert decode_request(encode_message(request)) == request


@given(RESPONSES)
def test_a_response_reads_back_as_it_was(response: SyncResponse) -> None:
    assert decode_response(encode_message(response)) == response


@given(REQUESTS, RESPONSES, st.randoms(use_true_random=False))
def test_reading_is_total(request: SyncRequest, response: SyncResponse, random: Any) -> None:
    for decode, message in ((decode_request, request), (decode_response, response)):
        data = bytearray(encode_message(message))
        at = random.randrange(len(data))
        match random.randrange(3):
            case 0:
                del data[at:]
            case 1:
                data[at] = random.randrange(256)
            case _:
                data[at:at] = random.randbytes(3)
        try:
            decode(bytes(data))
        except ProtocolError:
            continue


@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    for decode in (decode_request, decode_response):
        try:
            decode(data)
        except ProtocolError:
            continue


@given(REQUESTS, st.lists(NATURAL | TEXTS | BYTES | st.lists(TEXTS), min_size=1, max_size=3))
def test_fields_that_a_newer_version_appends_are_passed_over(request: SyncRequest, more: list[Any]) -> None:
    fields = msgspec.msgpack.decode(encode_message(request))
    assert decode_request(msgspec.msgpack.encode([*fields, *more])) == request


def test_fields_that_an_older_version_does_not_send_have_their_defaults() -> None:
    assert decode_request(msgspec.msgpack.encode([1, 7, 0])) == SyncRequest(1, 7, 0)
    assert decode_response(msgspec.msgpack.encode([1, 0, b"epoch"])) == SyncResponse(1, 0, b"epoch")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_id", 0),
        ("client_id", 2**53),
        ("now_us", -1),
        ("pull_bytes", -1),
        ("push", [PushedRecord("s", "c", b"", b"")] * (PUSH_RECORDS_MAX + 1)),
        ("cursors", [ScopeCursor("s")] * (SCOPES_MAX + 1)),
        ("resend", [("s", b"")] * 10_001),
        ("bucket_digests", [("s", [b""] * (BUCKETS - 1))]),
        ("bucket_digests", [("s", [b""] * BUCKETS)] * 1001),
    ],
)
def test_a_request_out_of_bounds_is_a_protocol_error(name: str, value: Any) -> None:
    request = SyncRequest(PROTOCOL_VERSION, 7, 0)
    broken = msgspec.structs.replace(request, **{name: value})
    with pytest.raises(ProtocolError):
        decode_request(encode_message(broken))


@pytest.mark.parametrize(
    "filler",
    [b"\x91\xa0", b"\x92\xa0\xc4\x00", b"\x94\xa0\xa0\xc4\x00\xc4\x00", b"\x91", b"\xc0", b"\x81\xa0"],
)
@pytest.mark.parametrize("field", [3, 4, 7, 8])
def test_a_request_of_the_largest_size_takes_bounded_memory(filler: bytes, field: int) -> None:
    """Bytes that each become an object of a hundred bytes must not become four million of them."""
    count = (REQUEST_BYTES_MAX - 100) // len(filler)
    fields = [b"\x01", b"\x07", b"\x00", b"\x90", b"\xc0", b"\xc4\x00", b"\x00", b"\x90", b"\x90"][:field]
    data = bytes([0x90 + field + 1]) + b"".join(fields) + b"\xdd" + count.to_bytes(4, "big") + filler * count
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            decode_request(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 1024 * 1024


@given(CURSORS, st.randoms(use_true_random=False))
def test_the_hash_of_cursors_depends_on_each_and_not_on_their_order(cursors: list[ScopeCursor], random: Any) -> None:
    unique = list({cursor.scope: cursor for cursor in cursors}.values())
    shuffled = list(unique)
    random.shuffle(shuffled)
    assert hash_cursors(shuffled) == hash_cursors(unique)
    for cursor in unique:
        moved = [
            each if each is not cursor else ScopeCursor(each.scope, each.cursor + b"x", each.digest) for each in unique
        ]
        assert hash_cursors(moved) != hash_cursors(unique)


def test_records_are_spread_over_all_buckets() -> None:
    buckets = {bucket_of(number.to_bytes(16, "big")) for number in range(5000)}
    assert buckets == set(range(BUCKETS))
