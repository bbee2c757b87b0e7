"""A record is a set of ops: the order in which replicas hear of them changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.digest import record_digest
from apex_sync.document import Delta, Document
from apex_sync.errors import ClockGap
from apex_sync.fold import fold
from tests.engine.histories import HISTORIES_WITH_COMPACTIONS, HISTORIES_WITH_DEAD_CLOCKS, Fleet, Step

STEPS = HISTORIES_WITH_DEAD_CLOCKS | HISTORIES_WITH_COMPACTIONS


def merged(*documents: Document) -> Document:
    result = Document()
    for document in documents:
        result.merge(document)
    return result


@given(STEPS)
def test_merging_is_commutative(steps: list[Step]) -> None:
    one, other, _ = Fleet(steps).documents
    assert merged(one, other) == merged(other, one)


@given(STEPS)
def test_merging_is_associative(steps: list[Step]) -> None:
    one, two, three = Fleet(steps).documents
    assert merged(merged(one, two), three) == merged(one, merged(two, three))


@given(STEPS)
def test_merging_is_idempotent(steps: list[Step]) -> None:
    one, other, _ = Fleet(steps).documents
    both = merged(one, other)
    assert merged(both, other) == merged(both, both) == both


@given(STEPS, st.permutations(range(3)), st.randoms(use_true_random=False))
def test_every_replica_folds_to_one_state_and_one_list_of_conflicts(
    steps: list[Step], order: list[int], random: object
) -> None:
    documents = Fleet(steps).documents
    expected = fold(merged(*documents).writes())
    shuffled = merged(*(documents[place] for place in order))
    writes = list(shuffled.writes())
    random.shuffle(writes)  # type: ignore[attr-defined]
    folded = fold(writes)
    assert (folded.state, folded.conflicts, folded.last_hlc) == (
        expected.state,
        expected.conflicts,
        expected.last_hlc,
    )
    assert dict(folded.claims()) == dict(expected.claims())
    assert record_digest(bytes(16), shuffled) == record_digest(bytes(16), merged(*documents))


@given(STEPS)
def test_a_delta_brings_exactly_what_a_reader_lacks(steps: list[Step]) -> None:
    reader, writer, _ = Fleet(steps).documents
    by_delta = reader.copy()
    by_delta.apply(writer.since(reader.next_clocks))
    assert by_delta == merged(reader, writer)


@given(STEPS)
def test_merging_leaves_the_other_document_as_it_was(steps: list[Step]) -> None:
    one, other, _ = Fleet(steps).documents
    before = other.copy()
    merged(one, other).append(1, b"more")
    assert other == before


@given(STEPS)
def test_ops_stay_in_ascending_order_of_clocks(steps: list[Step]) -> None:
    """The codec and `dead_ranges` rely on it."""
    document = merged(*Fleet(steps).documents)
    assert document.ops.keys() == document.next_clocks.keys()
    for client_id, ops in document.ops.items():
        assert list(ops) == sorted(ops)
        assert all(0 <= clock < document.next_clocks[client_id] for clock in ops)


def test_a_delta_after_a_gap_is_refused_and_changes_nothing() -> None:
    document = Document()
    document.append(1, b"one")
    before = document.copy()
    delta = Delta(ops={1: {1: b"two"}, 2: {5: b"far"}}, first_clocks={1: 1, 2: 5}, next_clocks={1: 2, 2: 6})
    with pytest.raises(ClockGap) as raised:
        document.apply(delta)
    assert (raised.value.client_id, raised.value.expected_clock) == (2, 0)
    assert document == before


def test_an_older_delta_after_a_newer_one_takes_nothing_back() -> None:
    """Neither the ops nor the clocks: with clocks that move back, the next op would come under a used one."""
    writer = Document()
    writer.append(1, b"one")
    older = writer.since({})
    writer.append(1, b"two")
    writer.append_dead(1)
    reader = Document()
    for delta in (writer.since({}), older):
        reader.apply(delta)
        assert reader == writer
    assert reader.next_clocks == {1: 3}


def test_what_is_dead_stays_dead_when_a_replica_that_does_not_know_brings_it_again() -> None:
    knows, does_not = Document(), Document()
    for document in (knows, does_not):
        document.append(1, b"refused")
        document.append(1, b"fine")
    knows.kill(1, 0)
    knows.merge(does_not)
    does_not.merge(knows)
    assert knows == does_not
    assert knows.ops == {1: {1: b"fine"}}


def test_a_dead_run_of_any_length_costs_nothing() -> None:
    document = Document()
    document.append_dead(1, 2**30)
    document.append(1, b"op")
    assert document.dead_ranges() == {1: [(0, 2**30)]}
    assert document.op_count == 1
