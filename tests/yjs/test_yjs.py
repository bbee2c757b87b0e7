"""The real yjs reads documents written here, and writes documents accepted here: any Yjs program can hold a record."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apex_sync.acceptance import Author, accept
from apex_sync.collection import Collection, Record
from apex_sync.document import Document
from apex_sync.errors import MalformedUpdate
from apex_sync.fold import fold
from apex_sync.op import OP_BYTES_MAX, Write, encode_op, flat_vector
from apex_sync.wire import encode_delta, encode_document, encode_refusals, parse_delta, parse_document, parse_push
from tests.engine.conftest import ops_by_key
from tests.engine.histories import HISTORIES, HISTORIES_WITH_COMPACTIONS, HISTORIES_WITH_DEAD_CLOCKS, Fleet, Step
from tests.engine.near_grammar import near_grammar
from tests.engine.test_wire import ANY_DOCUMENTS
from tests.yjs.yjs_process import Yjs

pytestmark = pytest.mark.needs_node

STEPS = HISTORIES_WITH_DEAD_CLOCKS | HISTORIES_WITH_COMPACTIONS
MANY = settings(max_examples=300)

ANYTHING = Collection(
    name="anything", model=Record, scope_kinds=frozenset({"athlete"}), default_writers=frozenset({"athlete"})
)


@given(document=ANY_DOCUMENTS)
@MANY
def test_yjs_reads_what_is_written_here_and_writes_it_again(yjs: Yjs, document: Document) -> None:
    answer = yjs.read(encode_document(document))
    assert answer["ops"] == ops_by_key(document)
    assert not answer["pending"]
    assert parse_document(answer["update"]) == document


@given(steps=STEPS)
@MANY
def test_yjs_takes_in_our_deltas_and_we_take_in_its(yjs: Yjs, steps: list[Step]) -> None:
    reader, writer, _ = Fleet(steps).documents
    merged = reader.copy()
    merged.merge(writer)
    ours = encode_delta(writer.since(reader.next_clocks))
    answer = yjs.read(encode_document(reader), ours)
    assert answer["ops"] == ops_by_key(merged)
    assert parse_document(answer["update"]) == merged

    theirs = yjs.read(encode_document(writer), reader=(encode_document(reader),))["delta"]
    reader.apply(parse_delta(theirs, reader.next_clocks))
    assert reader == merged


@given(steps=STEPS, order=st.permutations(range(3)))
@MANY
def test_applied_in_any_order_documents_become_the_same(yjs: Yjs, steps: list[Step], order: list[int]) -> None:
    fleet = Fleet(steps)
    answer = yjs.read(*(encode_document(fleet.documents[place]) for place in order))
    assert answer["ops"] == ops_by_key(fleet.merged())
    assert parse_document(answer["update"]) == fleet.merged()


@given(steps=HISTORIES, order=st.permutations(range(3)))
def test_updates_merged_by_yjs_without_a_document_are_the_merge(yjs: Yjs, steps: list[Step], order: list[int]) -> None:
    fleet = Fleet(steps)
    merged = yjs.read(*(encode_document(fleet.documents[place]) for place in order))["merged"]
    assert parse_document(merged) == fleet.merged()


@given(document=ANY_DOCUMENTS, data=st.data())
def test_yjs_applies_a_refusal_and_keeps_the_other_ops(yjs: Yjs, document: Document, data: st.DataObject) -> None:
    live = [(client_id, clock) for client_id, ops in document.ops.items() for clock in ops]
    if not live:
        return
    client_id, clock = data.draw(st.sampled_from(live))
    answer = yjs.read(encode_document(document), encode_refusals(client_id, [clock]))
    document.kill(client_id, clock)
    assert answer["ops"] == ops_by_key(document)
    assert parse_document(answer["update"]) == document


@given(data=near_grammar())
@MANY
def test_yjs_agrees_on_whatever_is_accepted(yjs: Yjs, data: bytes) -> None:
    try:
        document = parse_document(data)
    except MalformedUpdate:
        return
    answer = yjs.read(data)
    assert answer["ops"] == ops_by_key(document)
    assert parse_document(answer["update"]) == document


@given(
    rounds=st.lists(
        st.tuples(st.sampled_from([1, 7, 2**32 + 5, 2**53 - 1]), st.booleans(), st.integers(1, 3)), max_size=8
    )
)
@MANY
def test_plain_yjs_clients_push_pull_and_are_refused_like_any_device(
    yjs: Yjs, rounds: list[tuple[int, bool, int]]
) -> None:
    """Each round one client writes ops over what it has and pushes; some of them are refused, and all go on."""
    server = Document()
    devices: dict[int, bytes] = {}
    hlc = 0
    for client_id, permitted, count in rounds:
        held = parse_document(devices.get(client_id, b"\x00\x00"))
        held.apply(parse_delta(encode_delta(server.since(held.next_clocks)), held.next_clocks))
        seen = flat_vector(held.others(client_id))
        ops = []
        for number in range(count):
            hlc += 1
            patch = {"deleted": True} if permitted or number else {"created_at": hlc}
            ops.append(encode_op([Write(hlc, seen, patch)]))
        first_clock = held.next_clocks.get(client_id, 0)
        pushed, whole = yjs.write(encode_document(held), client_id, first_clock, ops)
        assert parse_push(pushed, client_id, server) == (first_clock, ops)
        result = accept(
            server, first_clock, ops, author=Author(client_id, "athlete"), collection=ANYTHING, refused={}, now_us=hlc
        )
        assert result.status == "applied"
        assert [refusal.clock for refusal in result.refusals] == ([] if permitted else [first_clock])
        server = result.document
        dead = encode_refusals(client_id, [refusal.clock for refusal in result.refusals])
        answer = yjs.read(whole, dead)
        assert answer["ops"] == ops_by_key(server)
        assert parse_document(answer["update"]) == server
        devices[client_id] = answer["update"]
    assert fold(server.writes()).state in ({}, {"deleted": True})


def test_yjs_holds_an_op_of_the_largest_size(yjs: Yjs) -> None:
    op = b"x" * OP_BYTES_MAX
    pushed, whole = yjs.write(b"\x00\x00", 7, 0, [op])
    assert parse_push(pushed, 7) == (0, [op])
    assert yjs.read(whole)["ops"] == {"7.0": op}


def test_what_yjs_holds_back_behind_a_gap_the_strict_codec_refuses(yjs: Yjs) -> None:
    document = Document()
    for op in (b"one", b"two", b"three"):
        document.append(7, op)
    later = encode_delta(document.since({7: 2}))
    answer = yjs.read(later)
    assert (answer["ops"], answer["pending"]) == ({}, True)
    with pytest.raises(MalformedUpdate):
        parse_document(later)
    with pytest.raises(MalformedUpdate):
        parse_document(yjs.read(encode_document(Document()), later)["merged"])


def test_yjs_reads_every_golden_document(yjs: Yjs) -> None:
    vectors = json.loads((Path(__file__).parents[2] / "schemas" / "vectors" / "documents.json").read_text())
    for vector in vectors:
        document = parse_document(bytes.fromhex(vector["hex"]))
        assert yjs.read(bytes.fromhex(vector["hex"]))["ops"] == ops_by_key(document), vector["name"]
