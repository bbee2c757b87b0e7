"""A record that is edited more often than it has room for. Takes about 40 s."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from apex_sync.acceptance import accept
from apex_sync.fold import surviving_writes
from apex_sync.op import StampedWrite
from tests.torture.long_records import Life, live_in, torture
from tests.torture.postgres_cluster import Cluster, own_cluster
from tests.torture.report import Scale

pytestmark = pytest.mark.slow

SHORT = Life("a short life of long notes", edits=130, note_bytes=9_500, edits_a_sync=2, together=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with own_cluster() as started:
        yield started


def test_a_record_lives_on_however_often_it_is_edited() -> None:
    outcomes = list(torture(Scale.CI))
    assert sum(outcome.runs for outcome in outcomes) == 4
    assert [failure for outcome in outcomes for failure in outcome.failures] == []


def test_the_torture_finds_a_compaction_that_forgets_a_loser(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def winners(writes: Iterable[StampedWrite]) -> list[StampedWrite]:
        return surviving_writes(writes)[-1:]

    monkeypatch.setattr("apex_sync.compaction.surviving_writes", winners)
    with pytest.raises(AssertionError, match="a compaction has changed"):
        live_in(cluster, SHORT)


def test_the_torture_finds_a_record_that_waits_for_a_job_which_never_comes(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting(*arguments: Any, compacting_as: int, **options: Any) -> Any:
        return accept(*arguments, **options)

    monkeypatch.setattr("apex_server.sync.judging.accept", waiting)
    with pytest.raises(AssertionError, match="the record is"):
        live_in(cluster, SHORT)


def test_the_torture_finds_an_op_that_is_not_known_again_after_a_compaction(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the hashes of what died, a device whose answer was lost would be told that it is a copy."""
    monkeypatch.setattr("apex_server.sync.judging._compacted_clocks", lambda hashes: [])
    with pytest.raises(AssertionError, match="taken twice"):
        live_in(cluster, SHORT)
