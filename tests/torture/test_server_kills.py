"""kill -9 of the server at some places of each push; `make torture` takes hundreds. Takes about 30 s."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tests.torture.postgres_cluster import Cluster, own_cluster
from tests.torture.report import Scale
from tests.torture.server_kills import evenly, kill_at, prepared, torture
from tests.torture.server_kills_process import run

pytestmark = pytest.mark.slow

AFTER_THE_ANSWER = 1_000_000
"""Beyond all places of a push."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with own_cluster() as started:
        yield started


def test_a_push_survives_a_kill_at_any_place() -> None:
    outcomes = list(torture(Scale.CI))
    assert sum(outcome.runs for outcome in outcomes) >= 20
    assert [failure for outcome in outcomes for failure in outcome.failures] == []


def test_the_torture_finds_a_commit_without_a_transaction(cluster: Cluster) -> None:
    push = prepared(cluster, "phone")
    planted = "commit without a transaction"
    with cluster.database(push.template) as url:
        places = run(replace(push.errand, database_url=url, planted=planted)).places
    amidst_the_writing = round(0.6 * places)
    with pytest.raises(AssertionError, match=r"dead clocks|ops are lost|gap"):
        kill_at(cluster, push, amidst_the_writing, planted=planted)


def test_the_torture_finds_an_answer_that_comes_before_the_data_is_durable(cluster: Cluster) -> None:
    push = prepared(cluster, "phone")
    with pytest.raises(AssertionError, match="acknowledged, and not there"):
        kill_at(cluster, push, AFTER_THE_ANSWER, planted="answer before it is durable")


def test_places_are_spread_from_the_first_to_the_last() -> None:
    assert evenly(10, 4) == [1, 4, 7, 10]
    assert evenly(3, 50) == [1, 2, 3]
