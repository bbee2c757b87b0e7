"""pycrdt reads what the strict codec writes, writes what it accepts, and agrees on every document that it accepts."""

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apex_sync.document import Document
from apex_sync.errors import MalformedUpdate
from apex_sync.ids import b64
from apex_sync.testing.updates import any_item, section, update
from apex_sync.wire import encode_delta, encode_document, encode_refusals, parse_delta, parse_document
from tests.engine.conftest import Pycrdt, ops_by_key
from tests.engine.histories import HISTORIES, HISTORIES_WITH_COMPACTIONS, HISTORIES_WITH_DEAD_CLOCKS, Fleet, Step
from tests.engine.near_grammar import near_grammar
from tests.engine.test_wire import ANY_DOCUMENTS

STEPS = HISTORIES_WITH_DEAD_CLOCKS | HISTORIES_WITH_COMPACTIONS


@given(document=ANY_DOCUMENTS)
def test_pycrdt_reads_a_document_and_writes_it_again(pycrdt: Pycrdt, document: Document) -> None:
    answer = pycrdt.read(encode_document(document))
    assert answer["ops"] == ops_by_key(document)
    assert parse_document(answer["update"]) == document


@given(steps=STEPS)
def test_pycrdt_takes_in_our_deltas_and_we_take_in_its(pycrdt: Pycrdt, steps: list[Step]) -> None:
    reader, writer, _ = Fleet(steps).documents
    merged = reader.copy()
    merged.merge(writer)
    ours = encode_delta(writer.since(reader.next_clocks))
    answer = pycrdt.read(encode_document(reader), ours, reader=(encode_document(reader),))
    assert answer["ops"] == ops_by_key(merged)
    assert parse_document(answer["update"]) == merged

    theirs = pycrdt.read(encode_document(writer), reader=(encode_document(reader),))["delta"]
    reader.apply(parse_delta(theirs, reader.next_clocks))
    assert reader == merged


@given(steps=STEPS, order=st.permutations(range(3)))
def test_applied_in_any_order_documents_become_the_same(pycrdt: Pycrdt, steps: list[Step], order: list[int]) -> None:
    fleet = Fleet(steps)
    answer = pycrdt.read(*(encode_document(fleet.documents[place]) for place in order))
    assert answer["ops"] == ops_by_key(fleet.merged())
    assert parse_document(answer["update"]) == fleet.merged()


@given(steps=HISTORIES, order=st.permutations(range(3)))
def test_updates_merged_by_pycrdt_without_a_document_are_the_merge(
    pycrdt: Pycrdt, steps: list[Step], order: list[int]
) -> None:
    fleet = Fleet(steps)
    merged = pycrdt.read(*(encode_document(fleet.documents[place]) for place in order))["merged"]
    assert parse_document(merged) == fleet.merged()


@given(steps=STEPS, order=st.permutations(range(3)))
def test_where_one_replica_has_an_op_that_another_knows_is_dead_the_merge_is_right_or_refused(
    pycrdt: Pycrdt, steps: list[Step], order: list[int]
) -> None:
    """Merging updates without a document may leave the item alive beside its delete set: that is not our grammar."""
    fleet = Fleet(steps)
    merged = pycrdt.read(*(encode_document(fleet.documents[place]) for place in order))["merged"]
    with contextlib.suppress(MalformedUpdate):
        assert parse_document(merged) == fleet.merged()


@given(document=ANY_DOCUMENTS, data=st.data())
def test_pycrdt_applies_a_refusal(pycrdt: Pycrdt, document: Document, data: st.DataObject) -> None:
    live = [(client_id, clock) for client_id, ops in document.ops.items() for clock in ops]
    if not live:
        return
    client_id, clock = data.draw(st.sampled_from(live))
    answer = pycrdt.read(encode_document(document), encode_refusals(client_id, [clock]))
    document.kill(client_id, clock)
    assert answer["ops"] == ops_by_key(document)
    assert parse_document(answer["update"]) == document


OPS = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6)
CLIENT_IDS = st.integers(1, 2**53 - 1)


@given(clients=st.dictionaries(CLIENT_IDS, OPS, min_size=1, max_size=3), data=st.data())
def test_what_pycrdt_writes_is_accepted(pycrdt: Pycrdt, clients: dict[int, list[bytes]], data: st.DataObject) -> None:
    """Values under the right keys, some of them deleted again."""
    expected = Document()
    written = []
    for client_id, ops in clients.items():
        removed = data.draw(st.sets(st.sampled_from(range(len(ops)))))
        names = [f"{b64(client_id)}.{b64(clock)}" for clock in range(len(ops))]
        written.append((client_id, list(zip(names, ops, strict=True)), [names[clock] for clock in removed]))
        for clock, op in enumerate(ops):
            expected.append(client_id, op)
            if clock in removed:
                expected.kill(client_id, clock)
    assert parse_document(pycrdt.write(written)) == expected


@given(data=near_grammar())
@settings(max_examples=300)
def test_pycrdt_agrees_on_whatever_else_is_accepted(pycrdt: Pycrdt, data: bytes) -> None:
    agree(pycrdt, data)


@given(document=ANY_DOCUMENTS, random=st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_pycrdt_agrees_on_every_mutation_that_is_accepted(pycrdt: Pycrdt, document: Document, random: Any) -> None:
    data = bytearray(encode_document(document))
    for _ in range(random.randrange(1, 3)):
        at = random.randrange(len(data))
        data[at] = random.choice([data[at] ^ 1 << random.randrange(8), random.randrange(256)])
    agree(pycrdt, bytes(data))


def agree(pycrdt: Pycrdt, data: bytes) -> None:
    """Only what the strict codec accepts may reach pycrdt; refused bytes could crash it."""
    try:
        document = parse_document(data)
    except MalformedUpdate:
        return
    answer = pycrdt.read(data)
    assert answer["ops"] == ops_by_key(document)
    assert parse_document(answer["update"]) == document


def test_a_disagreement_would_be_seen(pycrdt: Pycrdt) -> None:
    """The comparison itself can fail: two documents that differ in one byte differ in their ops."""
    one = pycrdt.read(update(section(7, 0, [any_item(7, 0, b"op")])))["ops"]
    other = pycrdt.read(update(section(7, 0, [any_item(7, 0, b"oq")])))["ops"]
    assert one != other
