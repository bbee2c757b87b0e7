"""What the server takes of a push: every op is judged alone, and the same push always gets the same answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.acceptance import SERVER_CLIENTS_MAX, Acceptance, Author, RefusedOp, accept
from apex_sync.clock import SKEW_MAX_MICROSECONDS
from apex_sync.collection import Collection, Role
from apex_sync.compaction import COMPACTION_BYTES, COMPACTION_OPS, Compacted, compact
from apex_sync.digest import op_hash, record_digest
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.models import CHECK_INS
from apex_sync.op import CLOCK_MAX, Patch, StampedWrite, Write, encode_op, encode_summary
from apex_sync.wire import CLIENTS_MAX, DOCUMENT_BYTES_MAX, OPS_MAX, encode_document, fits, parse_document
from tests.engine.histories import HISTORIES, Fleet, Step

NOW_US = 1_000_000_000_000
ME = 9


def op(hlc: int, patch: Patch, seen: tuple[int, ...] = ()) -> bytes:
    return encode_op([Write(hlc, list(seen), patch)])


def push(
    ops: list[bytes],
    *,
    current: Document | None = None,
    first_clock: int = 0,
    client_id: int = ME,
    role: Role = "athlete",
    collection: Collection = CHECK_INS,
    refused: dict[int, RefusedOp] | None = None,
    bury_unknown: bool = False,
    compacting_as: int | None = None,
) -> Acceptance:
    return accept(
        current or Document(),
        first_clock,
        ops,
        author=Author(client_id, role),
        collection=collection,
        refused=refused or {},
        now_us=NOW_US,
        bury_unknown=bury_unknown,
        compacting_as=compacting_as,
    )


def codes(acceptance: Acceptance) -> list[tuple[int, str]]:
    return [(refusal.clock, refusal.code) for refusal in acceptance.refusals]


GOOD = op(10, {"notes": "fine"})
FORBIDDEN = op(20, {"coach_feedback": "mine"})
MISTYPED = op(30, {"responses": {"energy": "high"}})
FAR = op(NOW_US + SKEW_MAX_MICROSECONDS + 100, {"notes": "from the future"})

OPS = st.sampled_from([GOOD, FORBIDDEN, MISTYPED, FAR, op(11, {"notes": "x"}, (7, 1)), op(5, {"notes": "old"})])


@given(
    st.lists(OPS | st.binary(min_size=1, max_size=40), max_size=6),
    st.integers(0, 8),
    st.integers(0, 6),
    st.integers(0, 5),
    st.booleans(),
)
def test_judging_is_total_and_accounts_for_every_op(
    ops: list[bytes], first_clock: int, live: int, dead: int, bury_unknown: bool
) -> None:
    current = Document()
    for clock in range(live):
        current.append(ME, op(10 + clock, {"notes": str(clock)}))
    if dead:
        current.append_dead(ME, dead)
    known = live + dead
    before = current.copy()
    result = push(ops, current=current, first_clock=first_clock, bury_unknown=bury_unknown)
    assert current == before
    if result.status == "applied":
        assert (result.first_clock, result.next_clock) == (known, first_clock + len(ops))
        taken = result.document.ops[ME].keys() - current.ops.get(ME, {}).keys()
        assert sorted([*taken, *result.newly_refused]) == list(range(known, result.next_clock))
        assert sorted(map(repr, result.writes)) == sorted(map(repr, result.document.writes()))
        assert parse_document(encode_document(result.document)) == result.document
    else:
        assert result.document is current
        assert (result.writes, result.newly_refused, result.buried) == ([], {}, {})
    assert [refusal.clock for refusal in result.refusals] == sorted({refusal.clock for refusal in result.refusals})


@given(st.lists(OPS | st.binary(min_size=1, max_size=40), min_size=1, max_size=6), st.data())
def test_the_same_push_again_in_any_pieces_gets_the_same_answer(ops: list[bytes], data: st.DataObject) -> None:
    first = push(ops)
    if first.status != "applied":
        return
    again = push(ops, current=first.document, refused=first.newly_refused)
    assert again.status == "duplicate"
    assert again.refusals == first.refusals
    assert again.next_clock == len(ops)
    start = data.draw(st.integers(0, len(ops)))
    piece = push(ops[start:], current=first.document, first_clock=start, refused=first.newly_refused)
    assert piece.status == "duplicate"
    assert piece.refusals == [refusal for refusal in first.refusals if refusal.clock >= start]


@given(st.lists(OPS, min_size=2, max_size=6), st.data())
def test_a_push_in_two_halves_ends_as_in_one(ops: list[bytes], data: st.DataObject) -> None:
    whole = push(ops)
    if whole.status != "applied":
        return
    half = data.draw(st.integers(1, len(ops) - 1))
    first = push(ops[:half])
    overlap = data.draw(st.integers(0, half))
    second = push(ops[overlap:], current=first.document, first_clock=overlap, refused=first.newly_refused)
    assert second.document == whole.document
    assert {**first.newly_refused, **second.newly_refused} == whole.newly_refused


@given(HISTORIES)
def test_what_honest_devices_write_is_taken_in_whatever_order_it_arrives(steps: list[Step]) -> None:
    """A push waits (`gap`) until what it has seen has arrived; nothing is refused, and the server ends with it all."""
    merged = Fleet(steps).merged()
    server = Document()
    waiting = [(client_id, clock) for client_id, ops in merged.ops.items() for clock in ops]
    while waiting:
        left = []
        for client_id, clock in waiting:
            result = push(
                [merged.ops[client_id][clock]],
                current=server,
                first_clock=clock,
                client_id=client_id,
                collection=_ANYTHING,
            )
            assert result.status in ("applied", "gap"), result
            assert result.refusals == []
            server = result.document
            if result.status == "gap":
                left.append((client_id, clock))
        assert len(left) < len(waiting)
        waiting = left
    assert server == merged


_ANYTHING = Collection(
    name="anything",
    model=CHECK_INS.model,
    scope_kinds=frozenset({"athlete"}),
    default_writers=frozenset({"athlete"}),
)


def test_each_op_is_refused_alone_and_later_ones_flow() -> None:
    result = push([FORBIDDEN, GOOD, b"junk", MISTYPED, FAR, op(40, {"notes": "last"})])
    assert result.status == "applied"
    assert codes(result) == [(0, "forbidden"), (2, "malformed"), (3, "mistyped"), (4, "clock_skew")]
    assert result.document.dead_ranges() == {ME: [(0, 1), (2, 5)]}
    assert fold(result.writes).state == {"notes": "last"}
    assert result.newly_refused[0] == RefusedOp(op_hash(FORBIDDEN), result.refusals[0])


@pytest.mark.parametrize(
    ("patch", "code", "field"),
    [
        ({"coach_feedback": "x", "notes": "y"}, "forbidden", "coach_feedback"),
        ({"responses": {"energy": "x"}}, "mistyped", "responses.energy"),
        ({"photos": {"k": {"type": 3}}}, "mistyped", "photos.k.type"),
        ({"weight_kg": {"nested": 1}}, "mistyped", "weight_kg"),
    ],
)
def test_a_refusal_names_the_field_at_fault(patch: Patch, code: str, field: str) -> None:
    (refusal,) = push([op(10, patch)]).refusals
    assert (refusal.code, refusal.field) == (code, field)
    assert refusal.message


def test_a_value_out_of_bounds_that_comes_by_sync_is_taken() -> None:
    result = push([op(10, {"responses": {"energy": 14}})])
    assert result.refusals == []
    _, problems = CHECK_INS.read(fold(result.writes).state)
    assert [problem.field for problem in problems] == ["responses.energy"]


def test_other_content_under_a_known_clock_is_a_fork_whether_it_is_alive_or_dead() -> None:
    first = push([GOOD, FORBIDDEN])
    for ops in ([op(11, {"notes": "other"})], [GOOD, op(21, {"coach_feedback": "other"})]):
        again = push(ops, current=first.document, refused=first.newly_refused)
        assert again.status == "forked"
        assert again.document is first.document


def test_an_op_for_a_dead_clock_of_which_nothing_is_known_is_a_fork_so_that_it_is_issued_again() -> None:
    buried = Document()
    buried.append_dead(ME, 3)
    assert push([GOOD], current=buried).status == "forked"


def test_a_push_after_clocks_that_are_not_here_is_a_gap() -> None:
    assert push([GOOD], first_clock=1).status == "gap"


def test_an_op_that_has_seen_what_is_not_here_is_a_gap_and_nothing_of_the_push_is_taken() -> None:
    result = push([GOOD, FORBIDDEN, op(30, {"notes": "x"}, (7, 3))])
    assert result.status == "gap"
    assert result.document == Document()


def test_after_a_restore_what_survives_nowhere_is_buried() -> None:
    current = Document()
    current.append(7, op(10, {"notes": "a"}))
    result = push([op(30, {"notes": "x"}, (7, 3, 8, 2))], current=current, bury_unknown=True)
    assert result.status == "applied"
    assert result.buried == {7: [(1, 3)], 8: [(0, 2)]}
    assert result.document.next_clocks == {7: 3, 8: 2, ME: 1}
    late = push([op(12, {"notes": "late"})], current=result.document, first_clock=1, client_id=7)
    assert late.status == "forked"


def test_an_op_that_is_refused_buries_nothing() -> None:
    result = push([op(30, {"coach_feedback": "x"}, (7, 3))], bury_unknown=True)
    assert codes(result) == [(0, "forbidden")]
    assert 7 not in result.document.next_clocks


def test_a_vector_can_not_name_more_clients_than_a_record_may_have() -> None:
    seen = [number for client in range(10, 10 + CLIENTS_MAX) for number in (client, 1)]
    assert push([op(30, {"notes": "x"}, tuple(seen))], bury_unknown=True).status == "gap"


def test_the_largest_vector_buries_in_no_time() -> None:
    result = push([op(30, {"notes": "x"}, (7, CLOCK_MAX))], bury_unknown=True)
    assert result.buried == {7: [(0, CLOCK_MAX)]}
    assert parse_document(encode_document(result.document)) == result.document


@pytest.mark.parametrize(
    ("ahead", "taken"), [(0, True), (SKEW_MAX_MICROSECONDS, True), (SKEW_MAX_MICROSECONDS + 1, False)]
)
def test_a_stamp_may_be_ten_minutes_ahead_of_the_server(ahead: int, taken: bool) -> None:
    result = push([op(NOW_US + ahead, {"notes": "x"})])
    assert codes(result) == ([] if taken else [(0, "clock_skew")])


def test_a_record_that_holds_a_far_stamp_stays_writable() -> None:
    """The server's clock may have been wrong, or set back since."""
    far = NOW_US * 2
    current = Document()
    current.append(7, op(far, {"notes": "a"}))
    writes = [Write(far + 1, [7, 1], {"notes": "b"}), Write(far + 2, [7, 1], {"notes": "c"})]
    assert push([encode_op(writes)], current=current).refusals == []
    assert push([op(far + 1, {"notes": "b"}), op(far + 2, {"notes": "c"})], current=current).refusals == []
    assert codes(push([op(far + 2, {"notes": "b"}, (7, 1))], current=current)) == [(0, "clock_skew")]


@pytest.mark.parametrize("stamp", [10, 9])
def test_a_stamp_that_is_not_after_what_its_author_had_seen_is_refused(stamp: int) -> None:
    current = Document()
    current.append(7, op(10, {"notes": "a"}))
    assert codes(push([op(stamp, {"notes": "b"}, (7, 1))], current=current)) == [(0, "clock_order")]
    assert codes(push([op(stamp, {"notes": "b"})], current=current)) == []
    assert codes(push([GOOD, op(stamp, {"notes": "b"})])) == [(1, "clock_order")]
    pair = encode_op([Write(10, [], {"notes": "a"}), Write(stamp, [], {"notes": "b"})])
    assert codes(push([pair])) == [(0, "clock_order")]


def test_what_a_write_had_seen_is_found_in_summaries_and_below_the_covered_clock() -> None:
    rows = [StampedWrite(10, 7, 0, 0, {}, {"notes": "a"}), StampedWrite(90, 7, 4, 1, {}, {"notes": "b"})]
    current = Document()
    current.append_dead(7, 5)
    current.append(8, encode_summary(rows))
    assert codes(push([op(50, {"notes": "c"}, (7, 4))], current=current)) == []
    assert codes(push([op(50, {"notes": "c"}, (7, 5))], current=current)) == [(0, "clock_order")]


def test_a_summary_from_a_device_is_refused() -> None:
    summary = encode_summary([StampedWrite(10, 7, 0, 0, {}, {"notes": "not mine"})])
    assert codes(push([summary])) == [(0, "malformed")]


SERVER = 99


def full_of(ops: int, op: bytes) -> Document:
    current = Document()
    current.ops[7] = dict.fromkeys(range(ops), op)
    current.next_clocks[7] = ops
    return current


@pytest.mark.parametrize("current", [full_of(OPS_MAX, GOOD), full_of(20, op(10, {"notes": "x" * 60_000}))])
def test_a_full_record_waits_for_whoever_compacts_it(current: Document) -> None:
    """A judge without a client id for summaries can't make room itself, and refuses nothing."""
    result = push([GOOD], current=current)
    assert (result.status, result.refusals) == ("retry", [])


@pytest.mark.parametrize("stage", ["clocks", "clients"])
def test_a_record_that_no_compaction_helps_is_rejected_and_never_asks_for_patience(stage: str) -> None:
    current = Document()
    if stage == "clocks":
        current.append_dead(ME, CLOCK_MAX)
    else:
        for client_id in range(100, 100 + CLIENTS_MAX - SERVER_CLIENTS_MAX):
            current.append_dead(client_id)
    result = push([GOOD], current=current, first_clock=current.next_clocks.get(ME, 0), compacting_as=SERVER)
    assert (result.status, result.document is current) == ("rejected", True)
    assert [refusal.code for refusal in result.refusals] == ["record_full"]


def test_a_crowded_record_is_compacted_by_the_push_that_finds_it_so() -> None:
    current = full_of(OPS_MAX, GOOD)
    result = push([op(20, {"notes": "more"})], current=current, compacting_as=SERVER)
    assert (result.status, result.refusals, result.document.op_count) == ("applied", [], 2)
    assert result.compacted == {7: dict.fromkeys(range(OPS_MAX), op_hash(GOOD))}
    assert fold(result.writes).state == {"notes": "more"}
    assert result.document.next_clocks == {7: OPS_MAX, ME: 1, SERVER: 1}


@pytest.mark.parametrize("overwritten", [True, False])
def test_a_large_record_is_compacted_only_where_something_was_written_over(overwritten: bool) -> None:
    """A session of 10,000 sets says as much as it weighs; looking for what it repeats takes seconds."""
    ops = [
        op(10 + number, {"sets": {f"s{0 if overwritten else number}": {"notes": "x" * 2000}}}) for number in range(300)
    ]
    result = push(ops, current=full_of(1, GOOD), compacting_as=SERVER)
    assert (result.status, result.refusals) == ("applied", [])
    assert bool(result.compacted) is overwritten


@pytest.mark.parametrize("author", [ME, SERVER])
def test_a_push_of_as_many_ops_as_a_record_holds_is_taken_whole(author: int) -> None:
    """Whoever pushes; the server's own ops take their clocks after its summaries'."""
    ops = [op(10 + clock, {"notes": str(clock)}) for clock in range(OPS_MAX)]
    current = full_of(OPS_MAX - 5, GOOD)
    result = push(ops, current=current, client_id=author, compacting_as=SERVER)
    assert (result.status, result.refusals) == ("applied", [])
    assert fold(result.writes).state == {"notes": str(OPS_MAX - 1)}
    assert sorted(map(repr, result.writes)) == sorted(map(repr, result.document.writes()))
    assert parse_document(encode_document(result.document)) == result.document
    summaries = result.document.next_clocks[SERVER] - (OPS_MAX if author == SERVER else 0)
    assert 1 <= summaries <= 4
    assert result.next_clock == result.document.next_clocks[author]


@pytest.mark.parametrize("op_bytes", [1_000, 50_000])
def test_what_is_too_much_for_a_compacted_record_is_refused_op_by_op_and_what_fits_is_taken(op_bytes: int) -> None:
    count = 2 * DOCUMENT_BYTES_MAX // op_bytes
    ops = [op(10 + clock, {"photos": {str(clock): {"notes": "x" * op_bytes}}}) for clock in range(count)]
    result = push(ops, current=full_of(1, GOOD), compacting_as=SERVER, collection=_ANYTHING)
    assert result.status == "applied"
    assert {code for _, code in codes(result)} == {"record_full"}
    kept = fold(result.writes).state["photos"]
    assert [str(clock) for clock in range(count) if clock not in result.newly_refused] == sorted(kept, key=int)
    assert len(kept) * op_bytes > 0.9 * DOCUMENT_BYTES_MAX
    assert fits(result.document)
    assert parse_document(encode_document(result.document)) == result.document


def test_refusals_alone_never_make_a_record_unreadable() -> None:
    """Every other op is dead, so that live ops and dead runs together are more than a record may have."""
    ops = [b"junk" if clock % 2 else op(10 + clock, {"notes": str(clock)}) for clock in range(OPS_MAX)]
    result = push(ops, current=full_of(OPS_MAX // 2, GOOD), compacting_as=SERVER)
    assert len(result.refusals) == OPS_MAX // 2
    assert parse_document(encode_document(result.document)) == result.document


def test_room_is_made_a_bounded_number_of_times_however_full_the_record_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compactions = 0

    def counting(document: Document, client_id: int) -> Compacted:
        nonlocal compactions
        compactions += 1
        return compact(document, client_id)

    monkeypatch.setattr("apex_sync.acceptance.compact", counting)
    large = {str(clock): {"notes": "x" * 60_000} for clock in range(17)}
    current = Document()
    for key, photo in large.items():
        current.append(7, op(10, {"photos": {key: photo}}))
    ops = [op(20 + clock, {"notes": "x" * 100 + str(clock)}) for clock in range(4000)]
    result = push(ops, current=current, compacting_as=SERVER)
    assert result.status == "applied"
    assert compactions <= 1 + len(ops) // COMPACTION_OPS + sum(map(len, ops)) // COMPACTION_BYTES


def test_judging_a_long_push_to_a_long_record_stays_linear() -> None:
    """Counted in the comparisons of writes, which were once one for each pair."""
    current = Document()
    for clock in range(3000):
        current.append(7, op(10 + clock, {"notes": str(clock)}))
    comparisons = 0
    saw = StampedWrite.saw

    def counting(self: StampedWrite, other: StampedWrite) -> bool:
        nonlocal comparisons
        comparisons += 1
        return saw(self, other)

    ops = [op(10_000 + clock, {"notes": str(clock)}, (7, 3000)) for clock in range(1000)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StampedWrite, "saw", counting)
        result = push(ops, current=current)
        folded: Any = fold(result.writes)
    assert (result.status, result.refusals) == ("applied", [])
    assert folded.state == {"notes": "999"}
    assert comparisons <= 2 * len(result.writes)


def test_a_push_leaves_the_digest_of_what_was_there_alone() -> None:
    first = push([GOOD])
    digest = record_digest(bytes(16), first.document)
    push([op(30, {"notes": "more"})], current=first.document, first_clock=1)
    assert record_digest(bytes(16), first.document) == digest
