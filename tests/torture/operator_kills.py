"""`restore` and `backup` killed at every place where they wait for Postgres: all of it, or nothing.

    python -m tests.torture operator_kills

The database that is replaced holds other data than the backup. After each kill it holds the one or the other, whole and
verified, and the same command finishes what was begun. Of a killed backup there is no file of that name.
"""

import asyncio
import multiprocessing
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import asyncpg

from apex_server.db import Database
from apex_server.operations import back_up, restore, verify
from apex_server.operations.backup_file import BackupReader
from apex_server.settings import Settings
from apex_server.sync import projections_are_current, rebuild_projections
from tests.server.conftest import TEMPLATE
from tests.server.sealed_rows import MASTER_KEY
from tests.server.sync_world import SECRET, World, workout
from tests.torture.postgres_cluster import Cluster, own_cluster
from tests.torture.report import Outcome, Scale
from tests.torture.server_kills import evenly
from tests.torture.server_kills_process import MortalLoop, Places, counted

KILLS = {Scale.CI: 5, Scale.FULL: 300}
"""Of each command, evenly over its places: a restore has some 2,800, and a kill takes some five seconds to judge."""

BURIED_SECONDS_MAX = 20.0
"""Postgres notices a dead client when its statement ends, or soon after."""

WORKOUTS = 40

Command = Callable[[Settings, Path], Coroutine[Any, Any, Any]]

_context = multiprocessing.get_context("forkserver")


class Stage(NamedTuple):
    """A database with data, a backup of other data, and what each of them is."""

    cluster: Cluster
    template: str
    backup: Path
    before: str
    after: str

    @contextmanager
    def database(self) -> Iterator[Settings]:
        """Give a database as it was before."""
        with self.cluster.database(self.template) as url:
            yield settings_of(url, self.cluster.folder)


def torture(scale: Scale) -> Iterator[Outcome]:
    """Kill both commands everywhere."""
    with own_cluster() as cluster:
        stage = prepared(cluster)
        for command, check in ((replace_all, check_restored), (back_up, check_backed_up)):
            outcome = Outcome(part="operator", fault=f"kill -9 in {'restore' if command is replace_all else 'backup'}")
            sweep(stage, command, check, KILLS[scale], outcome)
            yield outcome


def sweep(
    stage: Stage, command: Command, check: Callable[[Stage, Settings, Path], None], kills: int, outcome: Outcome
) -> None:
    """Kill a command at places that lie evenly over it."""
    with stage.database() as settings:
        total = run(command, settings, file_for(stage, command, "whole"), die_at=0)
    # A run waits a few times more or less than the one before it, so the last places may not be there.
    for place in evenly(total - total // 50, kills):
        print(f"{outcome.fault}: place {place} of {total}", file=sys.stderr)
        with outcome.run(f"place {place} of {total}"), stage.database() as settings:
            file = file_for(stage, command, str(place))
            assert run(command, settings, file, die_at=place) == 0, "the process passed the place"
            check(stage, settings, file)


async def replace_all(settings: Settings, backup: Path) -> None:
    """Restore over what is there."""
    await restore(settings, backup, replace=True)


def file_for(stage: Stage, command: Command, name: str) -> Path:
    """Name the file that a command reads or writes."""
    if command is replace_all:
        return stage.backup
    folder = stage.cluster.folder / "backups"  # Of one installation: its keys stand beside them.
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.apexbackup"


def check_restored(stage: Stage, settings: Settings, backup: Path) -> None:
    """Hold the database to one of its two contents, and let the command finish."""
    stage.cluster.portal.call(until_alone, settings)
    found = stage.cluster.portal.call(content_of, settings)
    assert found in (stage.before, stage.after), "neither the old data nor the new"
    stage.cluster.portal.call(assert_sound, settings)
    stage.cluster.portal.call(replace_all, settings, backup)
    assert stage.cluster.portal.call(content_of, settings) == stage.after
    stage.cluster.portal.call(assert_sound, settings)


def check_backed_up(stage: Stage, settings: Settings, backup: Path) -> None:
    """Hold a backup to being whole or not there, and make it again."""
    if backup.exists():
        backup.unlink()
    stage.cluster.portal.call(back_up, settings, backup)
    with BackupReader.open(backup) as reader:
        assert reader.manifest.row_count > WORKOUTS
    assert not backup.with_name(f"{backup.name}.part").exists()
    backup.unlink()


async def until_alone(settings: Settings) -> None:
    """Wait until Postgres has buried the connections of a process that was killed."""
    connection = await asyncpg.connect(settings.database_url)
    others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    try:
        with anyio.fail_after(BURIED_SECONDS_MAX):
            while await connection.fetch(f"{others} AND usename IS NOT NULL"):  # noqa: ASYNC110 - backends give no event.
                await anyio.sleep(0.05)
    finally:
        await connection.close()


async def content_of(settings: Settings) -> str:
    """Give a digest of all documents and people; no two databases here have the same."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        return str(
            await connection.fetchval(
                "SELECT md5((SELECT string_agg(records::text, ',' ORDER BY record_id) FROM records)"
                " || (SELECT string_agg(users::text, ',' ORDER BY id) FROM users))"
            )
        )
    finally:
        await connection.close()


async def assert_sound(settings: Settings) -> None:
    """Verify everything; rows that a killed restore did not come to are made as a worker would at its start."""
    async with Database.open(settings) as database:
        if not await projections_are_current(database):
            await rebuild_projections(database)
        found = await verify(database)
        assert found.is_sound, [damage.words for damage in found.damages]


def prepared(cluster: Cluster) -> Stage:
    """Make two databases, and a backup of the second."""
    names = [cluster.new_database(TEMPLATE) for _ in range(2)]
    for seed, name in enumerate(names, 1):
        cluster.portal.call(fill, settings_of(cluster.url(name), cluster.folder), seed)
    old, new = [settings_of(cluster.url(name), cluster.folder) for name in names]
    backup = cluster.folder / "new.apexbackup"
    cluster.portal.call(back_up, new, backup)
    before, after = [cluster.portal.call(content_of, settings) for settings in (old, new)]
    assert before != after
    return Stage(cluster, names[0], backup, before, after)


async def fill(settings: Settings, seed: int) -> None:
    """Let somebody train."""
    async with Database.open(settings) as database:
        world = await World(database, str(settings.database_url), seed=seed).open()
        phone = await world.device(await world.athlete())
        for number in range(WORKOUTS):
            phone.write(workout(sets=number % 5))
        await phone.sync()


def settings_of(url: str, folder: Path) -> Settings:
    """Give the settings of a server on that database."""
    return Settings(data_dir=folder, secret=SECRET, master_key=MASTER_KEY, database_url=url, log_level="error")


def run(command: Command, settings: Settings, file: Path, *, die_at: int) -> int:
    """Run a command in a process of its own; give how many places it passed, 0 where it died."""
    places = _context.Value("i", 0)
    process = _context.Process(target=live, args=(command, settings, file, die_at, places))
    process.start()
    process.join()
    assert process.exitcode in (0, -9), f"the process ended with {process.exitcode} by itself"
    return int(places.value)


def live(command: Command, settings: Settings, file: Path, die_at: int, passed: Any) -> None:
    """Be the process."""
    places = Places(die_at)
    places.armed = True

    async def work() -> None:
        await counted(command(settings, file), places)

    with asyncio.Runner(loop_factory=lambda: MortalLoop(places)) as runner:
        runner.run(work())
    passed.value = places.count
