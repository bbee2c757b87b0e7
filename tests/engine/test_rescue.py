"""What a device does with content that a server has lost and that it cannot prove: the least that keeps everything."""

from apex_sync.compaction import compact
from apex_sync.op import StampedWrite
from apex_sync.session.held import HeldRecord
from apex_sync.session.rescue import rescue

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
