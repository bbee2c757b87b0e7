"""A replica file that is foreign, damaged, newer, read-only, in use or out of room: a typed error, and nothing lost."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from apex_client import errors
from apex_client.blocking import Replica
from apex_client.store_file import ReplicaFile, migrate, migrations


def workouts_in(path: Path) -> list[str | None]:
    with Replica.open(path) as replica:
        return [log.title for log in replica.workouts.list()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "athlete.db"
    with Replica.open(path) as replica:
        replica.workouts.start(title="kept")
    return path


def test_a_new_file_is_readable_by_its_owner_alone(path: Path) -> None:
    for file in (path, path.with_name("athlete.db.identity")):
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"Date,Workout Name\n", b"\x00" * 5000, b"SQLite format 3\x00" + b"x" * 5000])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    with pytest.raises(errors.ReplicaError):
        Replica.open(path).start()
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(errors.NotAReplica):
        Replica.open(path).start()
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_directory_is_no_replica(tmp_path: Path) -> None:
    with pytest.raises(errors.NotAReplica):
        Replica.open(tmp_path).start()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.ReplicaReadOnly) as caught:
        Replica.open(tmp_path / "nowhere" / "athlete.db").start()
    assert caught.value.path.name == "athlete.db"


def test_an_empty_file_becomes_a_replica(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    assert workouts_in(tmp_path / "a.db") == []


def test_a_newer_schema_is_refused_with_both_versions(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(errors.ReplicaNewer) as caught:
        Replica.open(path).start()
    assert (caught.value.schema_version, caught.value.known_version) == (99, len(migrations()))


def test_a_damaged_file_is_refused_and_not_written(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(errors.ReplicaDamaged), Replica.open(path) as replica:
        replica.workouts.list()


def test_a_second_replica_on_one_file_is_refused_in_this_process(path: Path) -> None:
    with Replica.open(path) as replica:
        with pytest.raises(errors.ReplicaInUse):
            Replica.open(path).start()
        assert replica.workouts.list()[0].title == "kept"
    assert workouts_in(path) == ["kept"]


def test_a_second_process_on_one_file_is_refused(path: Path) -> None:
    script = (
        "import sys; from apex_client.blocking import Replica; from apex_client.errors import ReplicaInUse\n"
        "try: Replica.open(sys.argv[1]).start()\n"
        "except ReplicaInUse: print('in use')"
    )
    with Replica.open(path):
        done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert done.stdout == "in use\n"


def test_the_lock_ends_with_the_process_that_held_it(path: Path) -> None:
    script = (
        "import sys, os, signal; from apex_client.blocking import Replica\n"
        "Replica.open(sys.argv[1]).start(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, path], check=False)
    assert workouts_in(path) == ["kept"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_file_or_folder_is_refused(path: Path) -> None:
    path.chmod(0o400)
    with pytest.raises(errors.ReplicaReadOnly):
        Replica.open(path).start()
    path.chmod(0o600)
    path.parent.chmod(0o500)
    with pytest.raises(errors.ReplicaReadOnly):
        Replica.open(path).start()
    path.parent.chmod(0o700)
    assert workouts_in(path) == ["kept"]


def test_a_read_only_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, to whom permissions mean nothing, SQLite itself has to say no."""
    import apex_client.store_file as store_file

    def read_only(path: Path, _key: None) -> sqlite3.Connection:
        uri = f"{path.as_uri()}?mode=ro"
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)

    monkeypatch.setattr(store_file, "_connect", read_only)
    with pytest.raises(errors.ReplicaReadOnly):
        Replica.open(path).start()
    monkeypatch.undo()
    assert workouts_in(path) == ["kept"]


def test_a_full_disk_loses_only_what_was_being_saved(path: Path) -> None:
    with Replica.open(path) as replica:
        sql = replica._open.store.sql
        (pages,) = sql.execute("PRAGMA page_count").fetchone()
        sql.execute(f"PRAGMA max_page_count = {pages + 4}")
        saved = 0
        with pytest.raises(errors.DiskFull):
            for number in range(1000):
                replica.workouts.start(title=f"number {number}")
                saved += 1
        assert len(replica.workouts.list(limit=1000)) == saved + 1
        sql.execute("PRAGMA max_page_count = 1000000")
        replica.workouts.start(title="after")
    assert workouts_in(path)[0] == "after"


def test_a_migration_that_fails_leaves_the_old_schema_and_content(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import apex_client.store_file as store_file

    steps = migrations()
    broken = "ALTER TABLE held_records ADD COLUMN extra TEXT; UPDATE held_records SET extra = 'x'; SELECT nonsense(;"
    monkeypatch.setattr(store_file, "migrations", lambda: [*steps, broken])
    monkeypatch.setattr(store_file, "_known_version", lambda: len(steps) + 1)
    with pytest.raises(errors.MigrationFailed):
        Replica.open(path).start()
    monkeypatch.undo()
    assert workouts_in(path) == ["kept"]


def test_a_migration_that_is_killed_leaves_the_old_file_usable(path: Path) -> None:
    script = (
        "import sys, os, signal, apex_client.store_file as f; from apex_client.blocking import Replica\n"
        "steps = f.migrations()\n"
        "f.migrations = lambda: [*steps, 'ALTER TABLE held_records ADD COLUMN extra TEXT; SELECT die();']\n"
        "f._known_version = lambda: len(steps) + 1\n"
        "connect = f._connect\n"
        "def connected(path, key):\n"
        "    connection = connect(path, key)\n"
        "    connection.create_function('die', 0, lambda: os.kill(os.getpid(), signal.SIGKILL))\n"
        "    return connection\n"
        "f._connect = connected\n"
        "Replica.open(sys.argv[1]).start()"
    )
    killed = subprocess.run([sys.executable, "-c", script, path], check=False)
    assert killed.returncode == -9
    assert workouts_in(path) == ["kept"]


def test_every_earlier_schema_is_brought_forward(tmp_path: Path) -> None:
    steps = migrations()
    for version in range(len(steps)):
        path = tmp_path / f"{version}.db"
        file = ReplicaFile(path)
        migrate(path, file.connection)
        assert file.connection.execute("PRAGMA user_version").fetchone() == (len(steps),)
        file.close()


def test_a_closed_replica_says_so(path: Path) -> None:
    replica = Replica.open(path)
    with pytest.raises(errors.ReplicaClosed):
        replica.workouts.list()
    replica.start()
    replica.close()
    with pytest.raises(errors.ReplicaClosed):
        replica.workouts.list()
    with pytest.raises(errors.ReplicaClosed):
        replica.status()


def test_sql_that_writes_or_is_wrong_is_refused(path: Path) -> None:
    with Replica.open(path) as replica:
        for sql in ("DELETE FROM held_records", "SELEC 1", "SELECT nothing FROM workout_logs", "SELECT 1; SELECT 2"):
            with pytest.raises(errors.QueryFailed):
                replica.query(sql)
        assert replica.query("SELECT title FROM workout_logs") == [{"title": "kept"}]
        assert replica.query("SELECT :n AS n", {"n": 3}) == [{"n": 3}]
