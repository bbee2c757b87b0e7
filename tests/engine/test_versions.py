"""Versions are what the record was, however its ops came together, and a compaction takes none of those it leaves."""

import pytest
from hypothesis import given

from apex_sync.compaction import compact
from apex_sync.document import Document
from apex_sync.errors import NoSuchVersion, VersionFolded
from apex_sync.fold import fold
from apex_sync.op import Patch, Write, encode_op
from apex_sync.versions import SITTING_US, fold_as_of, versions
from tests.engine.histories import HISTORIES_WITH_COMPACTIONS, SERVER_CLIENT_ID, Compact, Fleet, Step

COACH, OTHER = 7, 9


def written(*writes: tuple[int, int, Patch]) -> Document:
    document = Document()
    for client_id, hlc, patch in writes:
        document.append(client_id, encode_op([Write(hlc, [], patch)]))
    return document


@given(HISTORIES_WITH_COMPACTIONS)
def test_every_version_is_what_the_record_was_after_its_last_write(steps: list[Step]) -> None:
    """The history without compactions is the judge of what the record was."""
    document = Fleet(steps).merged()
    plain = list(Fleet(step for step in steps if not isinstance(step, Compact)).merged().writes())
    found = versions(document)
    assert [version.number for version in found] == list(range(1, len(found) + 1))
    for version in found:
        assert version.after == fold(write for write in plain if write.hlc <= version.stamp).state
        assert fold_as_of(document, version.stamp).state == version.after
    assert [version.after for version in found[:-1]] == [version.before for version in found[1:]]


def test_a_sitting_ends_with_a_pause_or_with_somebody_elses_write() -> None:
    document = written(
        (COACH, 100, {"a": 1}),
        (COACH, 100 + SITTING_US, {"a": 2}),
        (COACH, 101 + 2 * SITTING_US, {"a": 3}),
        (OTHER, 102 + 2 * SITTING_US, {"b": 1}),
        (COACH, 103 + 2 * SITTING_US, {"a": 4}),
    )
    found = [(version.client_id, version.after) for version in versions(document)]
    assert found == [(COACH, {"a": 2}), (COACH, {"a": 3}), (OTHER, {"a": 3, "b": 1}), (COACH, {"a": 4, "b": 1})]


def test_what_a_compaction_folded_is_one_version_and_what_came_before_it_is_gone() -> None:
    gap = 2 * SITTING_US
    document = written((COACH, 1, {"a": 1}), (COACH, 1 + gap, {"a": 2}), (COACH, 1 + 2 * gap, {"b": 1}))
    document = compact(document, SERVER_CLIENT_ID).document
    document.append(COACH, encode_op([Write(1 + 3 * gap, [], {"a": 3})]))

    folded, latest = versions(document)

    assert (folded.folded, folded.before, folded.after) == (True, {}, {"a": 2, "b": 1})
    assert (latest.folded, latest.number, latest.after) == (False, 2, {"a": 3, "b": 1})
    with pytest.raises(VersionFolded):
        fold_as_of(document, 1 + gap)


def test_nothing_was_where_nothing_was_written() -> None:
    with pytest.raises(NoSuchVersion):
        fold_as_of(written((COACH, 5, {"a": 1})), 6)
    assert versions(Document()) == []
