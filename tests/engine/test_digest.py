"""Two replicas have the same digest if, and only if, they hold the same ops."""

from hypothesis import given
from hypothesis import strategies as st

from apex_sync.digest import DIGEST_MODULUS, add_digests, digest_bytes, extend_digest, record_digest
from apex_sync.document import Document
from tests.engine.histories import DOCUMENTS, HISTORIES_WITH_DEAD_CLOCKS, Fleet, Step

KEY = bytes(range(16))


@given(HISTORIES_WITH_DEAD_CLOCKS)
def test_digests_are_equal_exactly_where_contents_are(steps: list[Step]) -> None:
    documents = [*Fleet(steps).documents, Fleet(steps).merged()]
    for one in documents:
        for other in documents:
            assert (record_digest(KEY, one) == record_digest(KEY, other)) == (one == other)


@given(DOCUMENTS)
def test_the_same_ops_in_another_record_have_another_digest(document: Document) -> None:
    same = record_digest(KEY, document) == record_digest(bytes(16), document)
    assert same == (not document.next_clocks)


def test_a_dead_clock_differs_from_a_missing_one_and_from_a_live_one() -> None:
    missing, dead, live = Document(), Document(), Document()
    for document in (missing, dead, live):
        document.append(1, b"first")
    dead.append_dead(1)
    live.append(1, b"second")
    assert len({record_digest(KEY, document) for document in (missing, dead, live)}) == 3


def test_the_same_bytes_at_another_clock_or_client_have_another_digest() -> None:
    digests = set()
    for client_id, clock in ((1, 0), (1, 1), (2, 0)):
        document = Document()
        document.append_dead(1, 2)
        document.append_dead(2, 2)
        document.ops[client_id][clock] = b"op"
        digests.add(record_digest(KEY, document))
    assert len(digests) == 3


@given(HISTORIES_WITH_DEAD_CLOCKS)
def test_the_digest_carried_on_by_each_change_equals_the_one_computed_anew(steps: list[Step]) -> None:
    document = Fleet(steps).merged()
    growing, digest = Document(), 0
    for client_id, next_clock in document.next_clocks.items():
        for clock in range(next_clock):
            op = document.ops[client_id].get(clock)
            growing.append_dead(client_id)
            if op is not None:
                growing.ops[client_id][clock] = op
            ops = {clock: op} if op is not None else {}
            digest = extend_digest(digest, KEY, client_id, clock, ops, clock + 1)
            assert digest == record_digest(KEY, growing)
    assert extend_digest(digest, KEY, 5, 3, {}, 3) == digest


@given(st.lists(st.tuples(st.integers(0, DIGEST_MODULUS - 1), st.integers(0, DIGEST_MODULUS - 1))))
def test_the_digest_of_a_scope_is_the_sum_over_its_records_however_they_changed(changes: list[tuple[int, int]]) -> None:
    start = sum(before for before, _ in changes) % DIGEST_MODULUS
    end = sum(after for _, after in changes) % DIGEST_MODULUS
    assert add_digests(start, *changes) == end
    assert add_digests(end, *((after, before) for before, after in reversed(changes))) == start
    assert len(digest_bytes(end)) == 16
