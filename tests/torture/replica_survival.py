"""What must hold of a replica after a fault: it opens whole, what was told is there, and it syncs to one content.

`assert_survived` opens the file with the real SDK as a new process would, and leaves it synced.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from apex_client import store_file
from apex_client.blocking import Replica
from apex_client.errors import ClientError
from tests.client.fleet import Phone, assert_converged, assert_sound, settle
from tests.torture.replica_process import Ended
from tests.torture.replica_scenarios import EXPORT, WORKOUTS, Scenario, World


def assert_survived(scenario: Scenario, world: World, ended: Ended) -> None:
    """Hold everything against what the device had and told."""
    assert not ended.words("wrong"), ended.told
    with no_error_expected(), scenario.schema():
        _assert_kept(world, ended)
        if (world.folder / EXPORT).exists():
            _assert_importable(world)


@contextmanager
def no_error_expected() -> Iterator[None]:
    """Count an error of the SDK as what it is here: something that does not hold."""
    try:
        yield
    except ClientError as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error


def _assert_kept(world: World, ended: Ended) -> None:
    phone = world.phone(seed=2)
    try:
        assert world.client_id in (0, phone.client_id), "the replica has become a stranger"
        assert_sound(phone.local)
        _assert_told(phone, ended)
        if ended.words("synced") and ended.killed and world.client_id:
            assert_converged(world.server, phone)
        settle(phone)
        assert_converged(world.server, phone)
        _assert_told(phone, ended)
        loads = world.loads_written()
        assert len(loads) == len(set(loads)), "a set stands on the server twice"
        assert world.loads <= set(loads), f"lost: {world.loads - set(loads)}"
    finally:
        phone.close()


def _assert_told(phone: Phone, ended: Ended) -> None:
    """Hold what a call had returned for against the tables that an app reads."""
    sql = phone.local.store.sql

    def count(query: str, *parameters: object) -> int:
        return int(sql.execute(f"SELECT count(*) FROM {query}", parameters).fetchone()[0])

    assert sql.execute("PRAGMA user_version").fetchone() == (len(store_file.migrations()),)
    for (title,) in ended.words("workout"):
        assert count("workout_logs WHERE title = ?", title) == 1, f"workout {title}"
    for (load_kg,) in ended.words("set"):
        assert count("logged_sets WHERE load_kg = ?", float(load_kg)) == 1, f"set {load_kg}"
    if ended.words("finished"):
        assert count("workout_logs WHERE completed") == 1, "the end of the workout"
    imported = count("workout_logs WHERE source = 'strong'")
    assert imported in ((WORKOUTS,) if ended.words("imported") else (0, WORKOUTS)), f"{imported} imported"


def _assert_importable(world: World) -> None:
    """Import once more: whatever was broken off, every workout is there once in the end."""
    with Replica.open(world.path) as replica:
        replica.import_file(world.folder / EXPORT, unit="kg")
        assert replica.query("SELECT count(*) AS n FROM workout_logs") == [{"n": WORKOUTS}]
