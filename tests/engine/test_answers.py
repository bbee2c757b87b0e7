"""What a device takes from an answer: what it proves, and no more."""

from collections.abc import Callable
from uuid import UUID

import pytest

from apex_sync.acceptance import Refusal
from apex_sync.digest import record_digest
from apex_sync.op import Write, encode_op
from apex_sync.protocol import PulledRecord, PushResult, ScopePage
from apex_sync.session.device import Device
from apex_sync.session.held import HeldRecord, Offer
from apex_sync.session.pull import PulledPages
from apex_sync.session.push import PushAnswers, SentRecord, outgoing
from apex_sync.session.tally import Tally
from apex_sync.testing.memory_store import MemoryStore
from apex_sync.wire import encode_delta

SCOPE, RECORD_ID = "athlete:me", "00000000-0000-7000-8000-000000000001"

Answer = Callable[[HeldRecord, int, PushResult], bool]


@pytest.fixture
def device() -> Device:
    return Device(
        MemoryStore(lambda: 1), collections={}, now_us=lambda: 1, entropy=lambda size: bytes(range(1, size + 1))
    )


@pytest.fixture
def answer(device: Device) -> Answer:
    """Take in the answer to a push of own ops below a clock."""
    answers = PushAnswers(device, Tally())

    def absorb(held: HeldRecord, next_clock: int, result: PushResult) -> bool:
        sent = SentRecord(SCOPE, RECORD_ID, next_clock)
        with device.store.transaction():
            return answers.absorb(held, sent, result, role="athlete")

    return absorb


def sent_record(*notes: str) -> HeldRecord:
    """Give a record with ops, each sent before the next one was written."""
    held = HeldRecord(RECORD_ID, SCOPE, "workout_logs", 11)
    for now_us, note in enumerate(notes, 10):
        held.write({"notes": note}, now_us)
        held.sent = held.next_clock
    return held


def test_what_another_device_sent_under_this_id_counts_in_the_digest(answer: Answer) -> None:
    """Else a server restored since, which has nothing of it, would look like one that has what is here."""
    held = sent_record("sent by both")
    assert answer(held, 1, PushResult("duplicate", 2))
    assert (held.acked, held.digest) == (1, record_digest(held.key, held.document))


def test_an_answer_acknowledges_only_what_it_answers(answer: Answer) -> None:
    """The live channel has brought the second op meanwhile, and its own answer says that it was refused."""
    held = sent_record("taken", "refused")
    assert not answer(held, 1, PushResult("duplicate", 2, b"of more than that"))
    assert (held.acked, held.receipt, len(held.writes)) == (1, b"", 2)
    assert not answer(held, 2, PushResult("applied", 2, b"receipt", [Refusal(1, "malformed", "", "")]))
    assert (held.acked, held.receipt, held.state) == (2, b"receipt", {"notes": "taken"})


def test_an_answer_that_comes_late_takes_nothing_back(answer: Answer) -> None:
    held = sent_record("first", "second")
    assert not answer(held, 2, PushResult("applied", 2))
    assert not answer(held, 1, PushResult("applied", 1))
    assert held.acked == 2


def test_an_offer_outlives_the_answer_to_what_went_up_before_it(answer: Answer) -> None:
    """The server was found restored meanwhile, and what others wrote to the record is only here."""
    held = sent_record("first")
    held.offer = Offer.WHOLE
    assert not answer(held, 1, PushResult("applied", 1))
    assert (held.acked, held.offer) == (1, Offer.WHOLE)


def test_own_edits_of_what_others_wrote_do_not_go_up_without_proof_of_that() -> None:
    """They name it as seen, and under its clock may stand something else on a server that was restored."""
    held = sent_record("on top")
    assert outgoing(held) is not None
    held.document.append(7, encode_op([Write(5, [], {"notes": "of another"})]))
    held.offer = Offer.WHOLE
    assert outgoing(held) is None
    assert held.offer is Offer.RESCUE


def test_what_continues_a_record_that_is_not_here_is_asked_for_whole(device: Device) -> None:
    """It would be taken for all there is: no gap shows between clients of which nothing is known."""
    update = encode_delta(sent_record("of another").document.since({}))
    pages = PulledPages(device, Tally())
    record = PulledRecord("workout_logs", UUID(RECORD_ID).bytes, update, delta=True)
    with device.store.transaction():
        pages.absorb(ScopePage(SCOPE, "athlete", b"cursor", [record]))
        assert device.store.load(SCOPE, [RECORD_ID]) == {}
    assert pages.missing == {(SCOPE, RECORD_ID)}
