"""What a device does with content that a server has lost and that it cannot prove: the least that keeps everything."""

from apex_sync.compaction import compact
from apex_sync.document import Document
from apex_sync.op import StampedWrite, Write, encode_op
from apex_sync.session.held import HeldRecord
from apex_sync.session.rescue import rescue

ME, NEXT, OTHER, SERVER = 11, 12, 13, 4711
RECORD_ID = "00000000-0000-7000-8000-000000000001"


def held_record() -> HeldRecord:
    return HeldRecord(RECORD_ID, "athlete:me", "workout_logs", ME)


def written(held: HeldRecord, *notes: str) -> None:
    """Write ops, each sent before the next one."""
    for now_us, note in enumerate(notes, 10):
        held.write({"notes": note}, now_us)
        held.sent = held.next_clock


def unsent(held: HeldRecord, client_id: int = ME) -> list[StampedWrite]:
    """Give what goes up."""
    return [write for write in held.writes if write.client_id == client_id and write.clock >= held.acked]


def op(hlc: int, note: str) -> bytes:
    return encode_op([Write(hlc, [], {"notes": note})])


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


def test_what_a_clone_wrote_under_the_same_id_is_not_taken_for_seen() -> None:
    """Nothing goes on top of it under that id; under the next one it is a race with what its author had not seen."""
    held = held_record()
    written(held, "both have this", "mine")
    clone = held_record()
    written(clone, "both have this", "the clone's", "the clone's last")
    before = held.document.copy()
    assert rescue(held, clone.document)
    assert held.document == before

    held.client_id, held.acked, held.sent = NEXT, 0, 0
    assert not rescue(held, clone.document)
    assert [(write.clock, write.seen) for write in unsent(held, NEXT)] == [(0, {ME: 1})]
    assert [sorted(claim.value for claim in conflict.discarded) for conflict in held.conflicts] == [["mine"]]


def test_what_a_clone_wrote_under_the_same_id_is_not_taken_for_seen_in_a_summary_either() -> None:
    held, clone = held_record(), held_record()
    written(held, "both have this", "mine")
    written(clone, "both have this")
    clone.write({"notes": "the clone's"}, 13)
    assert rescue(held, compact(clone.document, SERVER).document)


def test_what_was_added_to_an_op_that_a_clone_has_too_is_not_taken_for_overwritten() -> None:
    """The clone sent the op as it was, and went on; the server compacted both, and its summary has the first write."""
    held, clone = held_record(), held_record()
    for device in (held, clone):
        device.write({"notes": "both have this"}, 10)
    held.write({"title": "mine"}, 11)
    clone.sent = clone.next_clock
    clone.write({"fatigue": 7}, 12)
    assert rescue(held, compact(clone.document, SERVER).document)


def test_what_others_saw_of_a_clone_is_not_taken_for_seen_either() -> None:
    held = held_record()
    held.document.append(OTHER, op(10, "both have this"))
    held.document.append(OTHER, op(11, "what this device read"))
    held.write({"notes": "mine"}, 12)
    held.sent = held.next_clock
    theirs = Document()
    theirs.append(OTHER, op(10, "both have this"))
    theirs.append(OTHER, op(13, "what the clone wrote"))
    held.client_id, held.acked, held.sent = NEXT, 0, 0
    assert not rescue(held, theirs)
    assert {frozenset(write.seen.items()) for write in unsent(held, NEXT) if write.patch == {"notes": "mine"}} == {
        frozenset({(OTHER, 1)})
    }


def test_an_op_under_a_clock_that_is_dead_here_is_not_taken_for_seen() -> None:
    """What was there had been compacted; since the restore its author, put back to a backup, wrote something else."""
    before = Document()
    before.append(OTHER, op(10, "overwritten"))
    before.append(OTHER, op(11, "what this device read"))
    held = held_record()
    held.document = compact(before, SERVER).document
    held.write({"title": "mine"}, 12)
    held.sent = held.next_clock
    theirs = Document()
    theirs.append(OTHER, op(20, "written since"))
    held.client_id, held.acked, held.sent = NEXT, 0, 0
    assert not rescue(held, theirs)
    assert [write.seen for write in unsent(held, NEXT) if write.patch == {"title": "mine"}] == [{}]


def test_what_others_saw_of_a_clone_is_not_taken_for_seen_in_a_summary_either() -> None:
    """The restored server has compacted the clone's op, so its own no longer shows what stands under that clock."""
    held = held_record()
    held.document.append(OTHER, op(10, "both have this"))
    held.document.append(OTHER, op(11, "what this device read"))
    held.write({"title": "mine"}, 12)
    held.sent = held.next_clock
    theirs = Document()
    theirs.append(OTHER, op(10, "both have this"))
    theirs.append(OTHER, op(13, "what the clone wrote"))
    held.client_id, held.acked, held.sent = NEXT, 0, 0
    assert not rescue(held, compact(theirs, SERVER).document)
    assert {frozenset(write.seen.items()) for write in unsent(held, NEXT) if write.patch == {"title": "mine"}} == {
        frozenset({(OTHER, 1)})
    }


def test_an_edit_that_came_later_is_not_overwritten_by_what_is_rescued() -> None:
    held = held_record()
    held.document.append(OTHER, op(10, "what the server has lost"))
    held.write({"notes": "what came of it"}, 11)
    held.sent = held.acked = held.next_clock
    theirs = Document()
    theirs.append(ME, held.document.ops[ME][0])
    assert rescue(held, theirs)

    held.client_id, held.acked, held.sent = NEXT, 0, 0
    assert not rescue(held, theirs)
    assert held.state == {"notes": "what came of it"}
    assert [claim.value for conflict in held.conflicts for claim in conflict.discarded] == ["what the server has lost"]
