"""A compaction shortens a record, and nobody sees a difference."""

from hypothesis import example, given
from hypothesis import strategies as st

from apex_sync.acceptance import Author, RefusedOp, accept
from apex_sync.compaction import COMPACTION_BYTES, COMPACTION_OPS, compact, needs_compaction
from apex_sync.digest import op_hash, record_digest
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.models import WORKOUT_LOGS
from apex_sync.op import OP_BYTES_MAX, SUMMARY_BYTES_MAX, WRITES_MAX, Write, decode_op, encode_op, is_summary
from apex_sync.wire import encode_document, parse_document
from tests.engine.histories import (
    HISTORIES,
    HISTORIES_WITH_COMPACTIONS,
    SERVER_CLIENT_ID,
    Compact,
    Fleet,
    Save,
    Step,
    Sync,
)


def what_people_see(document: Document) -> str:
    folded = fold(document.writes())
    return repr((_sorted(folded.state), folded.conflicts, folded.last_hlc, sorted(folded.claims(), key=str)))


def _sorted(state: object) -> object:
    if isinstance(state, dict):
        return {key: _sorted(value) for key, value in sorted(state.items())}
    return state


# A leaf that is a map again still hides what an offline device wrote beneath it before.
_HIDDEN: list[Step] = [
    Save(2, [{"a": {"c": 9}}], 1),
    Save(1, [{"a": 5}], 5),
    Sync(0, 1),
    Save(0, [{"a": {"b": 1}}], 9),
    Compact(),
]


@given(HISTORIES_WITH_COMPACTIONS)
@example(_HIDDEN)
def test_no_replica_ever_sees_that_there_were_compactions(steps: list[Step]) -> None:
    """Devices with the full history, with none of it, and with unsent concurrent ops all see what they would have."""
    compacting = Fleet(steps)
    plain = Fleet(step for step in steps if not isinstance(step, Compact))
    for ours, theirs in zip(compacting.documents, plain.documents, strict=True):
        assert what_people_see(ours) == what_people_see(theirs)
    assert what_people_see(compacting.merged()) == what_people_see(plain.merged())


@given(HISTORIES)
def test_a_compacted_record_holds_one_summary_and_every_clock(steps: list[Step]) -> None:
    document = Fleet(steps).merged()
    compacted = compact(document, SERVER_CLIENT_ID).document
    assert compacted.op_count == (1 if document.op_count else 0)
    assert all(compacted.next_clocks[client_id] == clock for client_id, clock in document.next_clocks.items())
    assert parse_document(encode_document(compacted)) == compacted


@given(HISTORIES)
def test_compacting_twice_changes_only_the_clock_of_the_server(steps: list[Step]) -> None:
    once = compact(Fleet(steps).merged(), SERVER_CLIENT_ID).document
    twice = compact(once, SERVER_CLIENT_ID).document
    assert [op for ops in once.ops.values() for op in ops.values()] == [
        op for ops in twice.ops.values() for op in ops.values()
    ]


@given(HISTORIES)
def test_the_given_document_stays_as_it_is(steps: list[Step]) -> None:
    document = Fleet(steps).merged()
    before = record_digest(bytes(16), document)
    compact(document, SERVER_CLIENT_ID)
    assert record_digest(bytes(16), document) == before


def test_a_compacted_op_that_is_sent_again_is_a_duplicate_and_another_one_a_fork() -> None:
    document = Document()
    op = encode_op([Write(5, [], {"fatigue": 7})])
    document.append(9, op)
    compacted = compact(document, SERVER_CLIENT_ID)
    kept = {clock: RefusedOp(hash_) for clock, hash_ in compacted.hashes[9].items()}
    assert kept == {0: RefusedOp(op_hash(op))}

    def push(content: bytes, kept: dict[int, RefusedOp]) -> str:
        return accept(
            compacted.document,
            0,
            [content],
            author=Author(9, "athlete"),
            collection=WORKOUT_LOGS,
            refused=kept,
            now_us=100,
        ).status

    assert push(op, kept) == "duplicate"
    assert push(encode_op([Write(5, [], {"fatigue": 8})]), kept) == "forked"


def test_a_record_is_worth_compacting_by_its_ops_or_by_its_bytes() -> None:
    document = Document()
    for clock in range(COMPACTION_OPS):
        assert not needs_compaction(document)
        document.append(1, encode_op([Write(clock + 1, [], {"fatigue": clock % 10})]))
    assert needs_compaction(document)
    assert not needs_compaction(compact(document, SERVER_CLIENT_ID).document)

    long_notes = Document()
    long_notes.append(1, encode_op([Write(1, [], {"notes": "x" * COMPACTION_BYTES})]))
    assert needs_compaction(long_notes)


def test_a_record_that_is_large_by_its_state_is_not_compacted_for_ever() -> None:
    document = Document()
    for clock in range(8):
        document.append(1, encode_op([Write(clock + 1, [], {str(clock): "x" * 60_000})]))
    compacted = compact(document, SERVER_CLIENT_ID).document
    assert compacted.op_count > 1
    for clock in range(2):
        compacted.append(1, encode_op([Write(100 + clock, [], {"more": "y" * 40_000})]))
    assert not needs_compaction(compacted)


def test_more_writes_than_an_op_holds_survive_in_several_summaries() -> None:
    document = Document()
    for clock in range(WRITES_MAX + 10):
        document.append(1, encode_op([Write(clock + 1, [], {str(clock): clock})]))
    compacted = compact(document, SERVER_CLIENT_ID).document
    assert [len(list(decode_op(op, client_id=9, clock=0))) for op in compacted.ops[SERVER_CLIENT_ID].values()] == [
        WRITES_MAX,
        10,
    ]
    assert what_people_see(compacted) == what_people_see(document)


@given(st.integers(0, 40))
def test_whatever_fits_an_op_fits_a_summary(short: int) -> None:
    head = len(encode_op([Write(2**53 - 1, [1, 2**31 - 1], {"n": ""})])) + 2
    op = encode_op([Write(2**53 - 1, [1, 2**31 - 1], {"n": "x" * (OP_BYTES_MAX - head - short)})])
    assert len(op) <= OP_BYTES_MAX
    document = Document()
    document.append_dead(2**53 - 1, 2**31 - 3)
    clock = document.append(2**53 - 1, op)
    (summary,) = compact(document, SERVER_CLIENT_ID).document.ops[SERVER_CLIENT_ID].values()
    assert is_summary(summary)
    assert len(summary) <= SUMMARY_BYTES_MAX
    (write,) = decode_op(summary, client_id=SERVER_CLIENT_ID, clock=0)
    assert write == decode_op(op, client_id=2**53 - 1, clock=clock)[0]
