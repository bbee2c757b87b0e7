"""Crafted input kills nothing: it is refused with a typed error, in bounded memory and without delay."""

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from apex_sync.acceptance import Acceptance, Author, accept
from apex_sync.document import Document
from apex_sync.errors import MalformedOp, MalformedUpdate
from apex_sync.fold import fold
from apex_sync.models import CHECK_INS
from apex_sync.op import decode_op
from apex_sync.testing import hostile
from apex_sync.testing.hostile import ME
from apex_sync.wire import encode_push, parse_delta, parse_document, parse_push

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


def test_the_corpus_is_large() -> None:
    assert len(hostile.UPDATES) + len(hostile.OPS) + len(hostile.PUSHES) >= 150


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
        result = push(encode_push(ME, 0, [data, hostile.GOOD_OP]))
    assert result.status == "applied"
    assert [(refusal.clock, refusal.code) for refusal in result.refusals] == [(0, "malformed")]
    assert fold(result.writes).state == {"notes": "x"}


@pytest.mark.parametrize("name", hostile.PUSHES)
def test_a_push_that_is_not_the_devices_own_ops_is_refused(name: str) -> None:
    with bounded(), pytest.raises(MalformedUpdate):
        parse_push(hostile.PUSHES[name], ME)


@pytest.mark.parametrize("name", hostile.VALID)
def test_what_is_well_formed_is_taken(name: str) -> None:
    list(parse_document(hostile.VALID[name]).writes())


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
