"""A whole record that a device brings back adds what the server lacks, and takes away nothing that would be lost."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from apex_sync.compaction import compact
from apex_sync.deaths import lost_ops, lost_writes, with_offered
from apex_sync.document import Document
from apex_sync.fold import Conflict, Fold, fold
from apex_sync.op import Patch, Write, encode_op
from tests.engine.histories import HISTORIES, SERVER_CLIENT_ID, Fleet, Step

RESTORED_SERVER_CLIENT_ID = 4712


def op(hlc: int, patch: Patch) -> bytes:
    return encode_op([Write(hlc, [], patch)])


def document(ops: Sequence[bytes | None]) -> Document:
    """Give a record of one client; None is a dead clock."""
    made = Document()
    for each in ops:
        if each is None:
            made.append_dead(1)
        else:
            made.append(1, each)
    return made


def visible(folded: Fold) -> object:
    return folded.state, folded.conflicts, folded.last_hlc


def losing(conflict: Conflict) -> object:
    return conflict.path, tuple(sorted((claim.client_id, claim.hlc) for claim in conflict.discarded))


FIRST, SECOND, THIRD = (op(10 * number, {"notes": str(number)}) for number in (1, 2, 3))
TITLE = op(40, {"title": "4"})


def test_what_lives_here_outlives_an_offer_in_which_its_clock_is_dead() -> None:
    """Another op was refused under it before the restore: a clone's, or the same one when its author might not."""
    current, offered = document([FIRST, SECOND]), document([FIRST, None, THIRD])
    taken, strange = with_offered(current, offered)
    assert taken == document([FIRST, SECOND, THIRD])
    assert list(taken.ops[1]) == [0, 1, 2]
    assert [write.clock for write in strange] == [1], "whoever had the offer has not seen this one"


def test_what_is_dead_here_stays_dead_and_what_differs_stays_as_it_is() -> None:
    current = document([None, SECOND])
    assert with_offered(current, document([FIRST, THIRD])).document == current


def test_an_op_is_lost_where_another_one_stands_under_its_clock() -> None:
    assert lost_ops(document([FIRST, SECOND]), document([FIRST, THIRD])) == {1: {1: SECOND}}


def test_neither_document_is_changed() -> None:
    current, offered = document([FIRST, SECOND]), document([FIRST, None, THIRD])
    with_offered(current, offered)
    assert (current, offered) == (document([FIRST, SECOND]), document([FIRST, None, THIRD]))


def test_an_op_dies_where_the_summary_of_its_compaction_comes_along() -> None:
    current = document([FIRST, SECOND])
    offered = compact(document([FIRST, SECOND]), SERVER_CLIENT_ID).document
    taken = with_offered(current, offered).document
    assert lost_ops(current, offered) == {}, "one is in the summary, and that one has overwritten the other"
    assert taken == offered
    assert visible(fold(taken.writes())) == visible(fold(current.writes()))


def test_another_op_than_the_one_that_was_compacted_lives_on() -> None:
    offered = compact(document([FIRST, SECOND]), SERVER_CLIENT_ID).document
    taken = with_offered(document([FIRST, THIRD]), offered).document
    assert taken.ops[1] == {1: THIRD}


def test_an_op_that_began_like_the_one_that_was_compacted_lives_on() -> None:
    """A device was put back to before it sent its last op, and went on writing to it."""
    both = encode_op([Write(20, [], {"notes": "2"}), Write(30, [], {"title": "3"})])
    offered = compact(document([FIRST, SECOND]), SERVER_CLIENT_ID).document
    taken = with_offered(document([FIRST, both]), offered).document
    assert taken.ops[1] == {1: both}


def test_a_summary_dies_for_the_one_that_took_its_place() -> None:
    backup = compact(document([FIRST]), SERVER_CLIENT_ID).document
    later = backup.copy()
    later.append(1, SECOND)
    offered = compact(later, SERVER_CLIENT_ID).document
    assert with_offered(backup, offered) == (offered, [])


def test_a_summary_is_lost_as_far_as_another_one_does_not_speak_for_it() -> None:
    """The server was restored to before an edit, and has compacted what it has."""
    before = compact(document([FIRST, TITLE]), SERVER_CLIENT_ID).document
    after = compact(document([FIRST]), RESTORED_SERVER_CLIENT_ID).document
    assert [write.patch for write in lost_writes(before, after)] == [{"title": "4"}]
    assert list(lost_ops(before, after)) == [SERVER_CLIENT_ID]


def test_what_stands_there_as_it_was_before_a_summary_is_not_lost() -> None:
    before = compact(document([FIRST, TITLE]), SERVER_CLIENT_ID).document
    assert [write.patch for write in lost_writes(before, document([FIRST]))] == [{"title": "4"}]
    assert lost_writes(before, document([FIRST, TITLE])) == []


def test_who_saw_a_clone_s_edit_has_not_seen_the_one_in_whose_place_it_stands() -> None:
    """A restored server took the clone's op first and compacted it, with one by somebody who had read that."""
    there = document([TITLE])
    there.append(2, encode_op([Write(60, [1, 1], {"notes": "6"})]))
    lost = lost_writes(document([FIRST]), compact(there, RESTORED_SERVER_CLIENT_ID).document)
    assert [write.patch for write in lost] == [{"notes": "1"}]


def test_a_write_that_two_servers_have_summarised_counts_once() -> None:
    both = Document()
    both.append(1, FIRST)
    both.append(2, SECOND)
    current, offered = compact(both, RESTORED_SERVER_CLIENT_ID).document, compact(both, SERVER_CLIENT_ID).document
    assert visible(fold(with_offered(current, offered).document.writes())) == visible(fold(both.writes()))


@given(HISTORIES, HISTORIES, st.booleans(), st.booleans())
def test_what_a_restored_server_gets_back_shows_as_if_it_had_never_lost_it(
    before: list[Step], after: list[Step], compacted_before: bool, compacted_now: bool
) -> None:
    """Whether the record was compacted since the backup, or the backup since the restore, or both.

    After both, where a path was now a leaf and now a map, a loser may show again that the other compaction had let go.
    """
    fleet = Fleet(before)
    current = fleet.merged()
    for step in after:
        fleet.run(step)
    latest = fleet.merged()
    offered = compact(latest, SERVER_CLIENT_ID).document if compacted_before else latest
    current = compact(current, RESTORED_SERVER_CLIENT_ID).document if compacted_now else current
    shown, expected = fold(with_offered(current, offered).document.writes()), fold(latest.writes())
    if compacted_before and compacted_now:
        assert (shown.state, shown.last_hlc) == (expected.state, expected.last_hlc)
        assert {losing(conflict) for conflict in expected.conflicts} <= {
            losing(conflict) for conflict in shown.conflicts
        }
    else:
        assert visible(shown) == visible(expected)
