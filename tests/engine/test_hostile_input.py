"""Crafted input kills nothing: it is refused with a typed error, in bounded memory and without delay."""

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from apex_sync.acceptance import Acceptance, Author, accept
from apex_sync.document import Document
from apex_sync.errors import MalformedOp, MalformedUpdate, ProtocolError
from apex_sync.fold import fold
from apex_sync.models import CHECK_INS
from apex_sync.op import decode_op
from apex_sync.protocol.messages import decode_request, decode_response, encode_message
from apex_sync.protocol.zstd_frame import BLOCKS_MAX, is_one_frame
from apex_sync.testing import hostile
from apex_sync.testing.hostile import GOOD_OP, ME
from apex_sync.testing.hostile.messages import SCOPE
from apex_sync.testing.hostile.zstd_frames import RAW, block, frame, stored
from apex_sync.testing.updates import dead_run, delete_set, section, update
from apex_sync.wire import STRUCTS_MAX, encode_push, parse_delta, parse_document, parse_push

MEMORY_BYTES_MAX = 10 * 1024 * 1024
SECONDS_MAX = 2.0
"""Of processor time, while memory is traced, which alone takes tenfold. It is the hundredfold that would be seen."""

NOW_US = 1_000_000


@contextmanager
def bounded() -> Iterator[None]:
    tracemalloc.start()
    started = time.process_time()
    try:
        yield
        seconds = time.process_time() - started
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES_MAX
    assert seconds < SECONDS_MAX


def push(update: bytes) -> Acceptance:
    first, ops = parse_push(update, ME)
    return accept(Document(), first, ops, author=Author(ME, "athlete"), collection=CHECK_INS, refused={}, now_us=NOW_US)


def test_the_corpus_is_large_and_nothing_stands_in_it_twice() -> None:
    named = [
        *hostile.UPDATES.values(),
        *hostile.OPS.values(),
        *(op for op, _ in hostile.OBJECTIONABLE.values()),
        *hostile.PUSHES.values(),
        *hostile.REQUESTS.values(),
        *map(encode_message, hostile.asks(SCOPE).values()),
        *(repr(case).encode() for case in hostile.pushed_records(SCOPE).values()),
        *hostile.BOMBS.values(),
        *hostile.NO_FRAMES.values(),
    ]
    assert len(set(named)) >= 450
    assert len(set(hostile.UPDATES.values())) == len(hostile.UPDATES)
    assert len(set(hostile.OPS.values())) == len(hostile.OPS)


@pytest.mark.parametrize("name", hostile.UPDATES)
def test_no_reader_takes_a_crafted_update(name: str) -> None:
    data = hostile.UPDATES[name]
    with bounded():
        with pytest.raises(MalformedUpdate):
            parse_document(data)
        with pytest.raises(MalformedUpdate):
            parse_delta(data, {})
        with pytest.raises(MalformedUpdate):
            parse_push(data, ME)


@pytest.mark.parametrize("name", hostile.OPS)
def test_a_crafted_op_is_refused_alone(name: str) -> None:
    data = hostile.OPS[name]
    with bounded():
        with pytest.raises(MalformedOp):
            decode_op(data, client_id=ME, clock=0, summary_allowed=False)
        result = push(encode_push(ME, 0, [data, GOOD_OP]))
    assert result.status == "applied"
    assert [(refusal.clock, refusal.code) for refusal in result.refusals] == [(0, "malformed")]
    assert fold(result.writes).state == {"notes": "x"}


@pytest.mark.parametrize("name", hostile.OBJECTIONABLE)
def test_an_op_that_may_not_be_is_refused_alone(name: str) -> None:
    data, code = hostile.OBJECTIONABLE[name]
    with bounded():
        result = push(encode_push(ME, 0, [data, GOOD_OP]))
    assert [(refusal.clock, refusal.code) for refusal in result.refusals] == [(0, code)]
    assert fold(result.writes).state == {"notes": "x"}


@pytest.mark.parametrize("name", hostile.PUSHES)
def test_a_push_that_is_not_the_devices_own_ops_is_refused(name: str) -> None:
    with bounded(), pytest.raises(MalformedUpdate):
        parse_push(hostile.PUSHES[name], ME)


@pytest.mark.parametrize("name", hostile.REQUESTS)
def test_no_server_takes_a_crafted_request(name: str) -> None:
    with bounded(), pytest.raises(ProtocolError):
        decode_request(hostile.REQUESTS[name])


@pytest.mark.parametrize("name", hostile.RESPONSES)
def test_no_device_takes_a_crafted_response(name: str) -> None:
    with bounded(), pytest.raises(ProtocolError):
        decode_response(hostile.RESPONSES[name])


@pytest.mark.parametrize("name", hostile.VALID)
def test_what_is_well_formed_is_taken(name: str) -> None:
    list(parse_document(hostile.VALID[name]).writes())


def test_what_asks_for_nonsense_can_be_read() -> None:
    for name, request in hostile.asks(SCOPE).items():
        assert decode_request(encode_message(request)) == request, name


def test_errors_say_what_is_wrong_and_where_without_the_content() -> None:
    """They go into answers and logs, and must not carry megabytes or notes there."""
    for name, data in hostile.UPDATES.items():
        with pytest.raises(MalformedUpdate) as raised:
            parse_document(data)
        assert len(str(raised.value)) < 200, name
        assert 0 <= raised.value.offset <= len(data)
    for name, data in hostile.OPS.items():
        with pytest.raises(MalformedOp) as malformed:
            decode_op(data, client_id=ME, clock=0, summary_allowed=False)
        assert len(str(malformed.value)) < 300, name
    for name, (op, _) in hostile.OBJECTIONABLE.items():
        [refusal] = push(encode_push(ME, 0, [op])).refusals
        assert len(refusal.field) + len(refusal.message) < 300, name
    for name, message in hostile.REQUESTS.items():
        with pytest.raises(ProtocolError) as unreadable:
            decode_request(message)
        assert len(str(unreadable.value)) < 300, name


def test_an_echoed_delete_set_is_compared_in_one_pass() -> None:
    """Run by run it would take a second: a device can make thousands of dead clocks, and then echo them."""
    current = Document()
    for _ in range(STRUCTS_MAX // 2):
        current.append_dead(ME)
        current.append(ME, GOOD_OP)
    runs = [(clock, 1) for clock in range(0, STRUCTS_MAX, 2)]
    first = current.next_clocks[ME]
    echo = encode_push(ME, first, [GOOD_OP])[:-1] + delete_set((ME, runs))
    honest = parse_seconds(encode_push(ME, 0, [b"\x90"] * 8192), Document())
    assert parse_push(echo, ME, current)[0] == first
    assert parse_seconds(echo, current) < 10 * honest
    with pytest.raises(MalformedUpdate):
        parse_push(echo, ME, Document())
    alive = encode_push(ME, first, [GOOD_OP])[:-1] + delete_set((ME, [(0, 2)]))
    with pytest.raises(MalformedUpdate):
        parse_push(alive, ME, current)


def parse_seconds(data: bytes, current: Document) -> float:
    started = time.process_time()
    parse_push(data, ME, current)
    return time.process_time() - started


def test_a_delete_set_within_a_longer_run_is_an_echo() -> None:
    current = parse_document(update(section(7, 0, [dead_run(10)]), dead=delete_set((7, [(0, 10)]))))
    echo = encode_push(ME, 0, [GOOD_OP])[:-1]
    for runs in ([(0, 10)], [(2, 3)], [(0, 1), (2, 1), (9, 1)]):
        assert parse_push(echo + delete_set((7, runs)), ME, current) == (0, [GOOD_OP])
    for runs in ([(0, 11)], [(9, 2)], [(0, 1), (10, 1)]):
        with pytest.raises(MalformedUpdate):
            parse_push(echo + delete_set((7, runs)), ME, current)


def test_a_frame_is_one_frame_and_nothing_else() -> None:
    for content in (b"", b"x", bytes(300_000)):
        assert is_one_frame(stored(content))
        assert not is_one_frame(stored(content) + b"\x00")
        assert not is_one_frame(stored(content)[:-1])
    for name, bomb in hostile.BOMBS.items():
        assert is_one_frame(bomb) == (name not in ("half a gigabyte behind a gap", "sixteen gigabytes of zeros"))


def test_the_blocks_of_a_frame_are_bounded() -> None:
    last = block(RAW, 0, b"", last=True)
    assert is_one_frame(frame(*[block(RAW, 0, b"")] * (BLOCKS_MAX - 1), last))
    assert not is_one_frame(frame(*[block(RAW, 0, b"")] * BLOCKS_MAX, last))
