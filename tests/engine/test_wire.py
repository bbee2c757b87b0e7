"""The strict codec: what it writes it reads, and whatever else it is given is refused with a typed error."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.document import Document
from apex_sync.errors import ClockGap, MalformedUpdate
from apex_sync.op import CLOCK_MAX, EXACT_INT_MAX, SUMMARY_BYTES_MAX
from apex_sync.testing import updates
from apex_sync.testing.updates import any_item, binary_item, dead_item, dead_run, delete_set, section, update
from apex_sync.wire import (
    DOCUMENT_BYTES_MAX,
    OPS_MAX,
    STRUCTS_MAX,
    encode_delta,
    encode_document,
    encode_push,
    encode_refusals,
    fits,
    parse_delta,
    parse_document,
    parse_push,
)
from tests.engine.histories import DOCUMENTS, HISTORIES_WITH_COMPACTIONS, HISTORIES_WITH_DEAD_CLOCKS, Fleet, Step
from tests.engine.near_grammar import near_grammar

CLIENT_IDS = st.sampled_from([1, 2, 63, 64, 127, 128, 2**32, EXACT_INT_MAX]) | st.integers(1, EXACT_INT_MAX)
RUNS = st.sampled_from([1, 2, 63, 127, 128, 4095, 2**20]) | st.integers(1, 300)
SECTIONS = st.lists(st.binary(min_size=1, max_size=200) | RUNS, min_size=1, max_size=8)


def _document(sections: dict[int, list[bytes | int]]) -> Document:
    document = Document()
    for client_id, structs in sections.items():
        for struct in structs:
            if isinstance(struct, int):
                document.append_dead(client_id, struct)
            else:
                document.append(client_id, struct)
    return document


ANY_DOCUMENTS = st.dictionaries(CLIENT_IDS, SECTIONS, max_size=4).map(_document)


def refused(data: bytes) -> MalformedUpdate:
    """Check that no reader takes these bytes."""
    with pytest.raises(MalformedUpdate):
        parse_delta(data, {})
    with pytest.raises(MalformedUpdate) as raised:
        parse_document(data)
    return raised.value


@given(ANY_DOCUMENTS | DOCUMENTS)
def test_a_document_reads_back_as_it_was(document: Document) -> None:
    data = encode_document(document)
    assert parse_document(data) == document
    assert encode_document(parse_document(data)) == data


@given(HISTORIES_WITH_DEAD_CLOCKS | HISTORIES_WITH_COMPACTIONS)
def test_a_delta_on_the_wire_brings_exactly_what_a_reader_lacks(steps: list[Step]) -> None:
    reader, writer, _ = Fleet(steps).documents
    expected = reader.copy()
    expected.merge(writer)
    delta = parse_delta(encode_delta(writer.since(reader.next_clocks)), reader.next_clocks)
    reader.apply(delta)
    assert reader == expected


@given(ANY_DOCUMENTS, st.data())
def test_a_delta_may_begin_anywhere_before_what_the_reader_knows(document: Document, data: st.DataObject) -> None:
    vector = {client: data.draw(st.integers(0, clock)) for client, clock in document.next_clocks.items()}
    wire = encode_delta(document.since(vector))
    assert parse_delta(wire, document.next_clocks) == document.since(vector)
    known = document.copy()
    known.apply(parse_delta(wire, vector))
    assert known == document


@given(
    CLIENT_IDS, st.integers(0, CLOCK_MAX - 20), st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=9)
)
def test_a_push_reads_back_as_it_was(client_id: int, first_clock: int, ops: list[bytes]) -> None:
    data = encode_push(client_id, first_clock, ops)
    assert parse_push(data, client_id) == (first_clock, ops)
    with pytest.raises(MalformedUpdate, match="sent by client"):
        parse_push(data, client_id % EXACT_INT_MAX + 1)


@given(ANY_DOCUMENTS, st.data())
def test_the_update_of_a_refusal_kills_these_clocks_and_no_others(document: Document, data: st.DataObject) -> None:
    client_id = data.draw(CLIENT_IDS)
    for _ in range(3):
        document.append(client_id, b"op")
    live = list(document.ops[client_id])
    clocks = data.draw(st.lists(st.sampled_from(live), min_size=1))
    expected = document.copy()
    for clock in clocks:
        expected.kill(client_id, clock)
    document.apply(parse_delta(encode_refusals(client_id, clocks), document.next_clocks))
    assert document == expected


def test_no_refusals_are_an_empty_update() -> None:
    assert encode_refusals(7, []) == b"\x00\x00"
    assert parse_document(b"\x00\x00") == Document()


@given(ANY_DOCUMENTS, st.randoms(use_true_random=False))
def test_a_cut_flipped_or_spliced_document_is_a_document_or_malformed(document: Document, random: Any) -> None:
    data = bytearray(encode_document(document))
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(data) + 1)
        match random.randrange(4):
            case 0:
                del data[at:]
            case 1 if at < len(data):
                data[at] ^= 1 << random.randrange(8)
            case 2:
                data[at : at + random.randrange(4)] = random.randbytes(random.randrange(4))
            case _:
                end = random.randrange(len(data) + 1)
                data[at:at] = data[min(at, end) : max(at, end)]
    total(bytes(data))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_document_or_malformed(data: bytes) -> None:
    total(data)


@given(near_grammar())
def test_whatever_resembles_the_grammar_is_a_document_or_malformed(data: bytes) -> None:
    total(data)


def total(data: bytes) -> None:
    """Read bytes in every way there is; what one reader takes must be consistent, and write back to the same
    content."""
    try:
        document = parse_document(data)
    except MalformedUpdate:
        pass
    else:
        assert parse_document(encode_document(document)) == document
        assert parse_delta(data, {}) == document.since({})
    for known in ({}, {7: 2}, {7: CLOCK_MAX, 1: 1}):
        try:
            delta = parse_delta(data, known)
        except MalformedUpdate:
            continue
        replica = Document({client: {} for client in known}, dict(known))
        replica.apply(delta)
        assert parse_delta(encode_delta(delta), known) == delta
    try:
        first, ops = parse_push(data, 7)
    except MalformedUpdate:
        return
    assert parse_push(encode_push(7, first, ops), 7) == (first, ops)


def test_both_forms_of_a_live_op_are_the_same_op() -> None:
    """pycrdt writes an Any value, yjs a Binary one; what is compared and hashed is the op alone."""
    one = update(section(7, 0, [any_item(7, 0, b"op")]))
    other = update(section(7, 0, [binary_item(7, 0, b"op")]))
    assert one != other
    assert parse_document(one) == parse_document(other)
    assert parse_push(one, 7) == parse_push(other, 7) == (0, [b"op"])


def test_dead_items_of_plain_yjs_peers_are_dead_clocks() -> None:
    document = parse_document(
        update(
            section(7, 0, [dead_item(7, 0), any_item(7, 1, b"op"), dead_item(7, 2), dead_run(3), dead_item(7, 6)]),
            dead=delete_set((7, [(0, 1), (2, 5)])),
        )
    )
    assert document.ops == {7: {1: b"op"}}
    assert document.next_clocks == {7: 7}


@pytest.mark.parametrize("clients", [[2, 7], [7, 2]])
def test_the_clients_of_a_delete_set_may_ascend_or_descend(clients: list[int]) -> None:
    data = update(
        section(7, 0, [dead_run(1)]),
        section(2, 0, [dead_run(1)]),
        dead=delete_set(*((client_id, [(0, 1)]) for client_id in clients)),
    )
    assert parse_document(data).dead_ranges() == {7: [(0, 1)], 2: [(0, 1)]}


def test_a_skip_is_a_gap_so_that_the_whole_record_is_asked_for() -> None:
    data = update(section(7, 0, [any_item(7, 0, b"op"), updates.skip(2), any_item(7, 3, b"op")]))
    with pytest.raises(ClockGap) as raised:
        parse_document(data)
    assert (raised.value.client_id, raised.value.expected_clock) == (7, 1)


@pytest.mark.parametrize("known", [{}, {7: 2}])
def test_a_delta_after_what_is_known_is_a_gap(known: dict[int, int]) -> None:
    data = update(section(7, 3, [any_item(7, 3, b"op")]))
    with pytest.raises(ClockGap) as raised:
        parse_delta(data, known)
    assert (raised.value.client_id, raised.value.expected_clock) == (7, known.get(7, 0))
    assert parse_delta(data, {7: 3}).ops == {7: {3: b"op"}}


def test_a_delta_that_kills_what_is_not_known_is_a_gap() -> None:
    data = update(dead=delete_set((7, [(0, 3)])))
    assert parse_delta(data, {7: 3}).dead == {7: [(0, 3)]}
    with pytest.raises(ClockGap):
        parse_delta(data, {7: 2})
    with pytest.raises(ClockGap):
        parse_document(data)


@pytest.mark.parametrize(
    "dead",
    [
        delete_set((7, [(0, 1), (1, 1)])),
        delete_set((7, [(0, 2), (1, 1)])),
        delete_set((7, [(3, 1), (0, 1)])),
        delete_set((7, [(0, 0)])),
        delete_set((7, [])),
        delete_set((7, [(0, 1)]), (7, [(3, 1)])),
        delete_set((7, [(0, 1)]), (9, [(0, 1)]), (8, [(0, 1)])),
        delete_set((0, [(0, 1)])),
        delete_set((7, [(0, 1)])) + b"\x00",
    ],
)
def test_a_delete_set_of_what_the_reader_knows_is_held_to_the_grammar_as_well(dead: bytes) -> None:
    known = dict.fromkeys((0, 7, 8, 9), 5)
    assert parse_delta(update(dead=delete_set((9, [(0, 1)]), (8, [(0, 1)]), (7, [(0, 1), (2, 1)]))), known).dead
    with pytest.raises(MalformedUpdate):
        parse_delta(update(dead=dead), known)


@pytest.mark.parametrize(
    "dead",
    [[], [(0, 1)], [(1, 1)], [(0, 3)], [(1, 3)], [(1, 1), (2, 1)], [(1, 2), (4, 1)], [(1, 2), (0, 1)]],
)
def test_the_delete_set_of_a_document_is_exactly_its_dead_clocks(dead: list[tuple[int, int]]) -> None:
    structs = [any_item(7, 0, b"op"), dead_run(2), any_item(7, 3, b"op")]
    parse_document(update(section(7, 0, structs), dead=delete_set((7, [(1, 2)]))))
    refused(update(section(7, 0, structs), dead=delete_set((7, dead)) if dead else b"\x00"))


def test_a_push_may_echo_clocks_that_are_dead_on_the_server_and_no_others() -> None:
    """A plain Yjs client sends the delete set of its whole record along."""
    current = Document()
    current.append(2, b"op")
    current.append_dead(2, 5)
    current.append(7, b"op")
    current.append_dead(7)
    ops = section(7, 2, [any_item(7, 2, b"op")])
    for echo in ([(2, [(1, 5)])], [(7, [(1, 1)])], [(2, [(2, 1), (4, 2)]), (7, [(1, 1)])]):
        data = update(ops, dead=delete_set(*echo))
        assert parse_push(data, 7, current) == (2, [b"op"])
        with pytest.raises(MalformedUpdate, match="deletes"):
            parse_push(data, 7)
    for kill in ([(2, [(0, 1)])], [(7, [(0, 2)])], [(7, [(2, 1)])], [(2, [(1, 6)])], [(3, [(0, 1)])]):
        with pytest.raises(MalformedUpdate, match="deletes"):
            parse_push(update(ops, dead=delete_set(*kill)), 7, current)


def test_a_dead_clock_in_a_push_is_refused() -> None:
    for dead in (dead_run(1), dead_item(7, 0)):
        with pytest.raises(MalformedUpdate, match="dead clock"):
            parse_push(update(section(7, 0, [dead]), dead=delete_set((7, [(0, 1)]))), 7)


def test_varints_are_minimal_and_below_two_to_the_53() -> None:
    item = any_item(EXACT_INT_MAX, 0, b"op")
    assert parse_document(update(section(EXACT_INT_MAX, 0, [item]))).next_clocks == {EXACT_INT_MAX: 1}
    beyond = b"\x01\x01" + updates.varint(EXACT_INT_MAX + 1) + b"\x00" + any_item(EXACT_INT_MAX + 1, 0, b"op") + b"\x00"
    assert "too large" in refused(beyond).reason
    for padding in (1, 2, 7):
        padded = b"\x01\x01" + updates.varint(7, padding=padding) + b"\x00" + any_item(7, 0, b"op") + b"\x00"
        assert "not minimal" in refused(padded).reason
    refused(b"\x01\x01" + b"\xff" * 60 + b"\x01")


def test_what_fits_can_be_read_again_at_every_limit() -> None:
    full = Document()
    for client_id in (1, EXACT_INT_MAX):
        for _ in range(OPS_MAX // 2):
            full.append(client_id, b"op")
    assert fits(full)
    assert parse_document(encode_document(full)) == full
    assert not fits(full, [b"op"])
    full.append(1, b"op")
    assert str(OPS_MAX) in refused(encode_document(full)).reason


def test_dead_runs_count_like_ops() -> None:
    """Else a record whose every other op was refused would take three times as long to read as any other."""
    full = Document()
    for client_id in (1, EXACT_INT_MAX):
        for _ in range(STRUCTS_MAX // 4):
            full.append_dead(client_id, 2**17)
            full.append(client_id, b"op")
    assert fits(full)
    assert parse_document(encode_document(full)) == full
    assert not fits(full, [b"op"])
    full.append_dead(1)
    refused(encode_document(full))


def test_a_document_is_bounded_in_bytes() -> None:
    document = Document()
    while fits(document, [b"x" * 60_000]):
        document.append(1, b"x" * 60_000)
    assert parse_document(encode_document(document)) == document
    document.append(1, b"x" * 60_000)
    document.append(1, b"x" * 60_000)
    assert str(DOCUMENT_BYTES_MAX) in refused(encode_document(document)).reason


@pytest.mark.parametrize(
    ("size", "taken"), [(1, True), (SUMMARY_BYTES_MAX, True), (SUMMARY_BYTES_MAX + 1, False), (0, False)]
)
def test_an_op_is_one_byte_to_its_limit(size: int, taken: bool) -> None:
    data = update(section(7, 0, [any_item(7, 0, b"x" * size)]))
    if taken:
        assert parse_document(data).ops[7][0] == b"x" * size
    else:
        refused(data)


def test_a_number_of_clocks_that_no_device_reaches_is_refused() -> None:
    data = update(section(7, 0, [dead_run(CLOCK_MAX)]), dead=delete_set((7, [(0, CLOCK_MAX)])))
    assert parse_document(data).next_clocks == {7: CLOCK_MAX}
    refused(update(section(7, 0, [dead_run(CLOCK_MAX), dead_item(7, CLOCK_MAX)])))
    refused(update(section(7, 0, [dead_run(CLOCK_MAX + 1)])))
    refused(update(section(7, 0, [dead_run(2**52)]), dead=delete_set((7, [(0, 2**52)]))))
