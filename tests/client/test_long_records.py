"""One record, edited ten thousand times: nothing is lost, nothing gets stuck, and no save costs more than the first."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_client.errors import RecordFull, ServerUnreachable
from apex_sync.compaction import compact, load_of
from apex_sync.document import Document
from apex_sync.fold import fold
from apex_sync.op import OP_BYTES_MAX, WRITES_MAX, Patch
from apex_sync.session.held import HeldRecord
from apex_sync.session.push import RECORD_BYTES_MAX
from apex_sync.wire import DOCUMENT_BYTES_MAX, encode_document, fits, parse_push
from tests.client.fleet import Clock, Phone, assert_converged, settle
from tests.client.loopback import LoopbackServer

EDITS = 10_000
NOTE = "The bar path was better today; keep the elbows in. " * 3


@pytest.fixture
def phones(server: LoopbackServer, tmp_path: Path) -> Iterator[tuple[Phone, Phone]]:
    account = server.add_user("a@example.com")
    pair = Phone(tmp_path / "1.db", server, account, seed=1), Phone(tmp_path / "2.db", server, account, seed=2)
    yield pair
    for phone in pair:
        phone.close()


def long_sets(name: str) -> Patch:
    """Write as much as one op holds, in notes as long as a note may be."""
    return {"sets": {f"{name}-{part}": {"notes": "x" * 9_900} for part in range(6)}}


def own_ops(phone: Phone, record_id: str) -> list[bytes]:
    held = phone.local.find("workout_logs", record_id, None)
    return list(held.document.ops[phone.client_id].values())


def document(phone: Phone, record_id: str) -> Document:
    return phone.local.find("workout_logs", record_id, None).document


def edit_in_one_transaction(phone: Phone, record_id: str, patches: Iterator[Patch]) -> None:
    """Save many edits as many times as an app would, without waiting for the disk in between."""
    with phone.local.store.transaction():
        for patch in patches:
            phone.edit(record_id, patch)


def test_ten_thousand_edits_offline_stay_one_op_and_arrive(phones: tuple[Phone, Phone], server: LoopbackServer) -> None:
    phone, watch = phones
    record_id = phone.create({"title": "Endless"})
    edit_in_one_transaction(phone, record_id, ({"notes": f"{NOTE}{number}"} for number in range(EDITS)))
    ops = own_ops(phone, record_id)
    assert len(ops) <= 2
    assert sum(map(len, ops)) <= 2 * OP_BYTES_MAX
    settle(phone, watch)
    assert watch.state(record_id)["notes"] == f"{NOTE}{EDITS - 1}"
    assert_converged(server, phone, watch)


def test_attempts_that_fail_freeze_no_more_than_one_op(phones: tuple[Phone, Phone], server: LoopbackServer) -> None:
    """What may have left is never rewritten; so nothing more may leave before there is an answer."""
    phone, watch = phones
    record_id = phone.create({"title": "Underground"})
    phone.transport.faults.offline = True
    for number in range(50):
        phone.edit(record_id, {"notes": f"{NOTE}{number}"})
        with pytest.raises(ServerUnreachable):
            phone.sync()
    assert len(own_ops(phone, record_id)) == 2
    settle(phone, watch)
    assert watch.state(record_id)["notes"] == f"{NOTE}49"
    assert_converged(server, phone, watch)


def test_ten_thousand_edits_with_a_sync_after_each_hundred_stay_short_everywhere(
    phones: tuple[Phone, Phone], server: LoopbackServer
) -> None:
    phone, watch = phones
    record_id = phone.create({"title": "Endless"})
    sizes = []
    for start in range(0, EDITS, 100):
        edit_in_one_transaction(phone, record_id, ({"notes": f"{NOTE}{start + number}"} for number in range(100)))
        phone.sync()
        sizes.append(len(encode_document(server.replay(phone.scope, record_id))))
    assert max(sizes) < 0.6 * DOCUMENT_BYTES_MAX
    settle(phone, watch)
    assert watch.state(record_id)["notes"] == f"{NOTE}{EDITS - 1}"
    assert_converged(server, phone, watch)


def test_a_full_record_says_so_keeps_what_it_had_and_can_be_shortened(
    phones: tuple[Phone, Phone], server: LoopbackServer
) -> None:
    phone, watch = phones
    record_id = phone.create({"title": "Everything"})
    with pytest.raises(RecordFull) as full:
        for number in range(20):
            phone.edit(record_id, long_sets(f"s{number}"))
    assert full.value.record_id == record_id
    sets = phone.state(record_id)["sets"]
    assert len(sets) * 9_900 > 0.8 * DOCUMENT_BYTES_MAX
    settle(phone, watch)
    assert watch.state(record_id)["sets"] == sets
    with pytest.raises(RecordFull):
        watch.edit(record_id, long_sets("more"))
    for deleted in (True, False):
        watch.edit(record_id, {"deleted": deleted})
    watch.edit(record_id, {"sets": {key: {"notes": "", "deleted": True} for key in list(sets)[:6]}})
    settle(phone, watch)
    phone.edit(record_id, long_sets("more"))
    settle(phone, watch)
    assert_converged(server, phone, watch)


def test_two_devices_that_fill_one_record_apart_both_end_with_what_fits(
    phones: tuple[Phone, Phone], server: LoopbackServer
) -> None:
    """A device reads what it holds itself, however much came on top; what the server has no room for is shown."""
    phone, watch = phones
    record_id = phone.create({"title": "Shared"})
    settle(phone, watch)
    for device in phones:
        for number in range(11):
            device.edit(record_id, long_sets(f"{device.client_id % 97}-{number}"))
    phone.sync()
    watch.sync()
    assert load_of(document(watch, record_id)).exceeds(0.9)
    watch.reopen()
    settle(phone, watch)
    assert len(phone.state(record_id)["sets"]) >= 6 * 15
    refused = watch.local.store.sql.execute("SELECT DISTINCT code FROM rejections").fetchall()
    assert refused == [("record_full",)]
    assert_converged(server, phone, watch)


def test_a_long_push_goes_up_in_parts_that_any_server_reads(
    phones: tuple[Phone, Phone], server: LoopbackServer
) -> None:
    phone, watch = phones
    record_id = phone.create({"title": "Much"})
    for number in range(13):
        phone.edit(record_id, long_sets(f"s{number}"))
    settle(phone, watch)
    pushes = [pushed.update for request in server.requests for pushed in request.push]
    assert len(pushes) > 1
    assert all(len(update) <= RECORD_BYTES_MAX + OP_BYTES_MAX for update in pushes)
    assert [parse_push(update, phone.client_id)[0] for update in pushes][:1] == [0]
    assert_converged(server, phone, watch)


@pytest.mark.parametrize("ahead_seconds", [3_600, -3_600])
def test_a_wrong_clock_costs_a_long_record_no_more_than_a_short_one(
    server: LoopbackServer, clock: Clock, tmp_path: Path, ahead_seconds: int
) -> None:
    """Refused for its stamps alone, everything is written again: once through, not once for each edit."""
    account = server.add_user("a@example.com")
    phone = Phone(tmp_path / "p.db", server, account, seed=1, clock=lambda: clock() + ahead_seconds * 1_000_000)
    watch = Phone(tmp_path / "w.db", server, account, seed=2)
    record_id = phone.create({"title": "Endless"})
    sets = ({"sets": {f"s{number:04}": {"reps": number % 30}}} for number in range(WRITES_MAX + 200))
    edit_in_one_transaction(phone, record_id, sets)
    settle(phone, watch)
    assert len(watch.state(record_id)["sets"]) == WRITES_MAX + 200
    assert_converged(server, phone, watch)
    for device in (phone, watch):
        device.close()


LEAVES = st.sampled_from(["a", "b"])
PATCHES = st.recursive(
    st.integers(0, 3), lambda inner: st.dictionaries(LEAVES, inner, min_size=1, max_size=2), max_leaves=4
).map(lambda value: value if isinstance(value, dict) else {"a": value})
STEPS = st.lists(st.tuples(st.sampled_from(["mine", "theirs", "pull", "push", "drop"]), PATCHES), max_size=24)


@given(STEPS)
def test_dropping_what_was_overwritten_before_it_was_sent_changes_nothing_for_anyone(
    steps: list[tuple[str, Patch]],
) -> None:
    """State and conflicts are those of the full history, here and for whoever wrote meanwhile."""
    ends = []
    for dropping in (True, False):
        mine, theirs = (HeldRecord("0" * 32, "s", "c", client_id) for client_id in (1, 2))
        for now, (step, patch) in enumerate(steps, 1):
            if step == "mine":
                mine.write(patch, 10 * now)
            elif step == "theirs":
                theirs.write(patch, 10 * now + 5)
            elif step == "pull":
                theirs.sent = theirs.acked = theirs.next_clock
                mine.absorb(theirs.document.since(mine.document.next_clocks))
            elif step == "push":
                mine.sent = mine.acked = mine.next_clock
                theirs.absorb(mine.document.since(theirs.document.next_clocks))
            elif dropping:
                mine.drop_overwritten()
        mine.absorb(theirs.document.since(mine.document.next_clocks))
        folded = fold(mine.document.writes())
        ends.append((folded.state, folded.conflicts, folded.last_hlc, sorted(folded.claims(), key=str)))
    assert ends[0] == ends[1]


@given(st.integers(0, 2**32))
def test_dropping_leaves_ops_that_a_server_takes(seed: int) -> None:
    dice = random.Random(seed)
    held = HeldRecord("0" * 32, "s", "c", 1)
    for now in range(1, 200):
        held.write({dice.choice("abcd"): {dice.choice("xy"): "z" * dice.randrange(2_000)}}, now)
    held.drop_overwritten()
    ops = held.document.ops[1]
    assert list(ops) == list(range(held.next_clock))
    assert all(len(op) <= OP_BYTES_MAX for op in ops.values())
    stamps = [write.hlc for write in held.writes]
    assert stamps == sorted(set(stamps))
    assert fits(held.document)
    assert len(stamps) <= 8
    assert held.drop_overwritten() == 0
    assert compact(held.document, 9).document.op_count == 1
