"""What a device does with content that a server has lost and that it cannot prove: the least that keeps everything."""

from apex_sync.compaction import compact
from apex_sync.digest import record_digest
from apex_sync.op import StampedWrite
from apex_sync.protocol import PushResult
from apex_sync.session.device import Device
from apex_sync.session.held import HeldRecord
from apex_sync.session.push import PushAnswers, SentRecord
from apex_sync.session.rescue import rescue
from apex_sync.session.tally import Tally
from apex_sync.testing.memory_store import MemoryStore

ME, SERVER = 11, 4711
RECORD_ID = "00000000-0000-7000-8000-000000000001"


def held_record() -> HeldRecord:
    return HeldRecord(RECORD_ID, "athlete:me", "workout_logs", ME)


def written(held: HeldRecord, *notes: str) -> None:
    """Write ops, each sent before the next one."""
    for now_us, note in enumerate(notes, 10):
        held.write({"notes": note}, now_us)
        held.sent = held.next_clock


def unsent(held: HeldRecord) -> list[StampedWrite]:
    """Give what goes up."""
    return [write for write in held.writes if write.client_id == ME and write.clock >= held.acked]


def test_what_was_refused_is_written_again_though_the_rest_was_compacted() -> None:
    """No summary speaks for it, so it goes up once more, and the refusal is heard this time."""
    held = held_record()
    written(held, "taken", "refused")
    theirs = held.up_to(1).copy()
    theirs.append_dead(ME)
    assert not rescue(held, compact(theirs, SERVER).document)
    assert [(write.clock, write.patch) for write in unsent(held)] == [(2, {"notes": "refused"})]


def test_what_was_compacted_is_not_written_again() -> None:
    held = held_record()
    written(held, "overwritten", "kept")
    theirs = compact(held.document, SERVER).document
    assert not rescue(held, theirs)
    assert held.document == theirs


def test_what_another_device_sent_under_this_id_counts_in_the_digest() -> None:
    """Else a server restored since, which has nothing of it, would look like one that has what is here."""
    held = held_record()
    written(held, "sent by both")
    store = MemoryStore(lambda: 1)
    device = Device(store, collections={}, now_us=lambda: 1, entropy=bytes)
    answers = PushAnswers(device, Tally())
    sent = SentRecord(held.scope, RECORD_ID, 1)
    assert answers.absorb(held, sent, PushResult("duplicate", 2), role="athlete", epoch=b"epoch--1")
    assert (held.acked, held.digest) == (1, record_digest(held.key, held.document))
