"""The oracle of the tortures goes red: each kind of damage, done by SQL to a sound database, is named."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tests.torture.postgres_cluster import Cluster, own_cluster
from tests.torture.postgres_truth import Truth
from tests.torture.server_kills import Push, prepared
from tests.torture.server_kills_process import run

ONE_RECORD = "(SELECT record_id FROM records WHERE collection = 'workout_logs' ORDER BY seq DESC LIMIT 1)"

DAMAGES = {
    "UPDATE scopes SET seq = seq + 1": "a feed with a gap",
    f"UPDATE records SET seq = seq + 100000 WHERE record_id = {ONE_RECORD}": "a record that is not at its last place",
    "INSERT INTO audit SELECT scope_id, seq, client_id + 1, gen_random_uuid(), 0, 0, 1, user_id, device_id, "
    "committed_at FROM audit WHERE seq = 7": "two records at one place",
    f"UPDATE audit SET previous_seq = previous_seq + 1 WHERE record_id = {ONE_RECORD}": "does not follow the one",
    f"UPDATE audit SET first_clock = first_clock + 1, next_clock = next_clock + 1 WHERE record_id = {ONE_RECORD}": (
        "clocks lost or doubled"
    ),
    "UPDATE scopes SET record_count = record_count + 1": "miscounts its records",
    f"UPDATE records SET digest = sha256(digest)::bytea WHERE record_id = {ONE_RECORD}": "does not open",
    "UPDATE scopes SET digest = decode(repeat('07', 16), 'hex')": "the digest of athlete",
    "UPDATE logged_sets SET reps = reps + 1 WHERE position = 1": "logged_sets",
    "DELETE FROM check_ins": "check_ins",
    "UPDATE records SET needs_review = NOT needs_review": "the flags of",
}

LOSSES = {
    f"DELETE FROM records WHERE record_id = {ONE_RECORD}": "ops are lost",
    f"UPDATE records SET record_id = gen_random_uuid() WHERE record_id = {ONE_RECORD}": "does not open",
    "INSERT INTO records SELECT scope_id, gen_random_uuid(), seq + 100000, collection, doc, digest, needs_review, "
    f"has_conflicts, deleted, is_long FROM records WHERE record_id = {ONE_RECORD}": "does not open",
    "DELETE FROM dead_ops": "dead clocks and what is known of them differ",
    "UPDATE dead_ops SET clock = clock + 1": "dead clocks and what is known of them differ",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with own_cluster() as started:
        yield started


@pytest.fixture(scope="module")
def pushed(cluster: Cluster) -> tuple[Push, str]:
    """A push, and a database that has it."""
    push = prepared(cluster, "phone")
    name = cluster.new_database(push.template)
    assert run(replace(push.errand, database_url=cluster.url(name))).status == 200
    return push, name


def test_a_push_leaves_a_sound_database(cluster: Cluster, pushed: tuple[Push, str]) -> None:
    push, name = pushed
    truth = Truth(cluster.url(name))
    cluster.portal.call(truth.assert_sound)
    cluster.portal.call(truth.assert_holds, push.after)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_contradicts_itself_is_named(cluster: Cluster, pushed: tuple[Push, str], damage: str) -> None:
    with cluster.database(pushed[1]) as url:
        truth = Truth(url)
        cluster.portal.call(truth.sql, damage)
        with pytest.raises(AssertionError, match=DAMAGES[damage]):
            cluster.portal.call(truth.assert_sound)


def test_a_lost_mark_is_named(cluster: Cluster, pushed: tuple[Push, str]) -> None:
    with cluster.database(pushed[1]) as url:
        truth = Truth(url)
        cluster.portal.call(truth.assert_marked)
        cluster.portal.call(truth.sql, "DELETE FROM dirty")
        with pytest.raises(AssertionError, match="not marked for analysis"):
            cluster.portal.call(truth.assert_marked)


@pytest.mark.parametrize("damage", LOSSES)
def test_what_differs_from_what_was_written_is_named(cluster: Cluster, pushed: tuple[Push, str], damage: str) -> None:
    push, name = pushed
    with cluster.database(name) as url:
        truth = Truth(url)
        cluster.portal.call(truth.sql, damage)
        with pytest.raises(AssertionError, match=LOSSES[damage]):
            cluster.portal.call(truth.assert_holds, push.after)


def test_an_op_with_other_bytes_is_named(cluster: Cluster, pushed: tuple[Push, str]) -> None:
    push, name = pushed
    key = push.keys[0]
    altered = {**push.after, key: dict.fromkeys(push.after[key], b"another op")}
    with pytest.raises(AssertionError, match="records with other ops"):
        cluster.portal.call(Truth(cluster.url(name)).assert_holds, altered)
