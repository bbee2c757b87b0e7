"""Backup and restore: one moment of a serving database in one file; all of it comes back, or nothing is touched."""

import errno
import zipfile
from collections.abc import AsyncIterator, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import msgspec
import pytest

from apex_server.db import Database, EmbeddedPostgres, migrate
from apex_server.db.errors import DatabaseNotMigrated, MigrationFailed
from apex_server.db.migrate import Migration, load_migrations
from apex_server.operations import back_up, restore
from apex_server.operations.backup import LEFT_OUT
from apex_server.operations.backup_file import BackupReader, BackupWriter, Manifest, TableSink
from apex_server.operations.errors import (
    BackupDamaged,
    BackupExists,
    BackupIncomplete,
    BackupNewer,
    DatabaseInUse,
    DatabaseNotEmpty,
    DatabaseRefused,
    NotABackup,
)
from apex_server.settings import Settings
from apex_server.sync.projection_tables import TABLES
from tests.server.sync_world import World, assert_consistent, workout

pytestmark = pytest.mark.anyio

CHANGED_BY_A_RESTORE = {"server_identity", "schema_migrations"}
ADD_MEDIA = """
    INSERT INTO media
        (id, scope, scope_id, owner_id, media_id, kind, content_type, size_bytes, uploaded_by, handle, declared_at,
        state, digest, stored_bytes)
    SELECT
        gen_random_uuid(), 'athlete:' || id, id, id, repeat('0a', 32), 'image', 'image/png', 1, id, 'h', now(),
        'ready', '', 1
    FROM users WHERE id = $1
"""


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


@pytest.fixture
def elsewhere(settings: Settings, empty_database_url: str) -> Settings:
    """Give an empty database of the same installation."""
    return msgspec.structs.replace(settings, database_url=empty_database_url)


async def some_training(world: World) -> None:
    """Write what a backup has to carry: two scopes, refused ops, a deleted record, values out of bounds."""
    athlete = await world.athlete()
    phone, coach = await world.device(athlete), await world.device(await world.coach(athlete))
    ids = [phone.write(workout(sets=number % 4)) for number in range(12)]
    phone.write({"deleted": True}, ids[3])
    phone.write({"date": "2026-03-01", "responses": {"energy": 99}}, collection="check_ins")
    phone.write({"coach_feedback": "not the athlete's to write"}, ids[5], collection="check_ins")
    await phone.sync()
    coach.write({"name": "Log Press"}, collection="exercises", scope=f"library:{coach.caller.user_id}")
    await coach.sync()


async def contents(url: str, *, without: Set[str]) -> dict[str, list[str]]:
    """Give all rows of all tables, as Postgres writes them."""
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        return {
            row["relname"]: sorted(
                str(each[0]) for each in await connection.fetch(f"SELECT t::text FROM {row[0]} AS t")
            )
            for row in names
            if row["relname"] not in without
        }
    finally:
        await connection.close()


async def test_everything_comes_back_in_another_database(
    world: World, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    await some_training(world)
    transient = (LEFT_OUT - TABLES.keys()) | CHANGED_BY_A_RESTORE
    before = await contents(str(settings.database_url), without=transient)
    path = tmp_path / "one.apexbackup"
    manifest = await back_up(settings, path)
    restored = await restore(elsewhere, path)
    assert await contents(str(elsewhere.database_url), without=transient) == before
    assert restored.epoch != world.identity.epoch
    assert (restored.manifest, restored.same_secret) == (manifest, True)
    assert restored.projected == len(before["records"])
    assert path.stat().st_mode & 0o077 == 0
    async with Database.open(elsewhere) as opened:
        there = await World(opened, str(elsewhere.database_url), seed=2).open()
        await assert_consistent(there)
        phone = await there.device(await there.athlete())
        phone.write(workout())
        await phone.sync()


async def test_what_triggers_did_once_is_not_done_again_and_they_go_on_in_the_restored_database(
    world: World, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    """A row of media begins its scope; in a backup both are there."""
    athlete = await world.athlete()
    await world.sql(ADD_MEDIA, athlete)
    before = await contents(str(settings.database_url), without=LEFT_OUT | CHANGED_BY_A_RESTORE)
    assert len(before["scopes"]) == 1
    await back_up(settings, tmp_path / "backup")
    await restore(elsewhere, tmp_path / "backup")
    assert await contents(str(elsewhere.database_url), without=LEFT_OUT | CHANGED_BY_A_RESTORE) == before
    async with Database.open(elsewhere) as opened:
        there = await World(opened, str(elsewhere.database_url), seed=2).open()
        await there.sql(ADD_MEDIA, await there.athlete())
        assert len(await there.sql("SELECT 1 FROM scopes")) == 2


async def test_every_table_is_backed_up_or_left_out_for_a_reason(
    world: World, settings: Settings, tmp_path: Path
) -> None:
    """A new table is carried by itself; one with a sequence of its own would have to be taught to the restore."""
    manifest = await back_up(settings, tmp_path / "backup")
    tables = {
        row["tablename"] for row in await world.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }
    carried = {table.name for table in manifest.tables}
    assert carried == tables - LEFT_OUT
    assert tables >= LEFT_OUT
    owned = await world.sql(
        "SELECT refobjid::regclass::text AS name FROM pg_depend JOIN pg_class ON pg_class.oid = objid AND relkind = 'S'"
    )
    assert not carried & {row["name"] for row in owned}


async def test_a_backup_is_one_moment_while_devices_go_on_syncing(
    world: World, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    await some_training(world)
    phone = await world.device(await world.athlete())

    async def sync_for_ever() -> None:
        while True:
            phone.write(workout())
            await phone.sync()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sync_for_ever)
        await anyio.sleep(0.1)
        for number in range(3):
            await back_up(settings, tmp_path / f"{number}")
        tasks.cancel_scope.cancel()
    for number in range(3):
        await restore(elsewhere, tmp_path / f"{number}", replace=True)
        async with Database.open(elsewhere) as opened:
            await assert_consistent(World(opened, str(elsewhere.database_url)))


async def test_a_file_is_never_replaced_and_a_failure_leaves_none(
    world: World, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "backup"
    path.write_text("precious")
    with pytest.raises(BackupExists):
        await back_up(settings, path)
    assert path.read_text() == "precious"
    await world.sql("DROP TABLE server_identity")
    with pytest.raises(DatabaseNotMigrated):
        await back_up(settings, tmp_path / "failed")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup", "master_key"]


async def test_what_is_there_is_replaced_only_when_that_was_said(
    world: World, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    await some_training(world)
    await back_up(settings, tmp_path / "backup")
    await restore(elsewhere, tmp_path / "backup")
    before = await contents(str(elsewhere.database_url), without=set())
    with pytest.raises(DatabaseNotEmpty):
        await restore(elsewhere, tmp_path / "backup")
    assert await contents(str(elsewhere.database_url), without=set()) == before
    first = before["server_identity"]
    await restore(elsewhere, tmp_path / "backup", replace=True)
    assert (await contents(str(elsewhere.database_url), without=set()))["server_identity"] != first


async def test_a_database_that_serves_is_not_replaced(world: World, settings: Settings, tmp_path: Path) -> None:
    """The pools of `world` are connected; they would go on in the old epoch."""
    await some_training(world)
    await back_up(settings, tmp_path / "backup")
    with pytest.raises(DatabaseInUse) as refused:
        await restore(settings, tmp_path / "backup", replace=True)
    assert set(refused.value.logins) >= {"apex_app", "apex_commit"}
    await assert_consistent(world)


class TestDamagedFiles:
    @pytest.fixture
    async def backup(self, world: World, settings: Settings, tmp_path: Path) -> Path:
        await some_training(world)
        path = tmp_path / "backup"
        await back_up(settings, path)
        return path

    @pytest.fixture
    async def kept(self, elsewhere: Settings, backup: Path) -> AsyncIterator[Settings]:
        """Give a database with data that must be as it was in the end."""
        await restore(elsewhere, backup)
        before = await contents(str(elsewhere.database_url), without=set())
        yield elsewhere
        assert await contents(str(elsewhere.database_url), without=set()) == before

    async def test_a_byte_that_changed_anywhere_is_refused(self, backup: Path, tmp_path: Path) -> None:
        whole = backup.read_bytes()
        for place in range(0, len(whole), max(1, len(whole) // 400)):
            altered = bytearray(whole)
            altered[place] ^= 0x20
            refuse(tmp_path / "altered", bytes(altered))

    async def test_a_file_cut_anywhere_is_refused(self, backup: Path, tmp_path: Path) -> None:
        whole = backup.read_bytes()
        for size in {0, 1, 64, 65, len(whole) - 1, *range(0, len(whole), len(whole) // 200)}:
            refuse(tmp_path / "cut", whole[:size])

    async def test_a_damaged_file_changes_nothing(self, kept: Settings, backup: Path, tmp_path: Path) -> None:
        (tmp_path / "cut").write_bytes(backup.read_bytes()[:-1])
        with pytest.raises(BackupDamaged):
            await restore(kept, tmp_path / "cut", replace=True)

    async def test_a_table_that_is_not_the_manifests_changes_nothing(
        self, kept: Settings, backup: Path, tmp_path: Path
    ) -> None:
        """Even where somebody sealed the file anew: rows that were half copied go with the transaction."""
        forged = tmp_path / "forged"
        rewrite(backup, forged, lambda manifest: manifest, swapped=("records", "audit"))
        with pytest.raises((BackupDamaged, DatabaseRefused)):
            await restore(kept, forged, replace=True)

    async def test_the_schema_of_a_newer_server_is_refused(self, kept: Settings, backup: Path, tmp_path: Path) -> None:
        newer = tmp_path / "newer"
        step = {"schema": [(9999, "later", "00")]}
        rewrite(backup, newer, lambda manifest: msgspec.convert({**msgspec.to_builtins(manifest), **step}, Manifest))
        with pytest.raises(BackupNewer, match="9999"):
            await restore(kept, newer, replace=True)

    async def test_another_form_is_refused(self, kept: Settings, backup: Path, tmp_path: Path) -> None:
        later = tmp_path / "later"
        rewrite(backup, later, lambda manifest: msgspec.structs.replace(manifest, form=2))
        with pytest.raises(NotABackup, match="form 2"):
            await restore(kept, later, replace=True)

    async def test_a_migration_that_fails_after_the_rows_changes_nothing(self, kept: Settings, backup: Path) -> None:
        broken = [*load_migrations(), Migration(9999, "broken", "CREATE TABLE wrong (x nonsense);")]
        with pytest.raises(MigrationFailed):
            await restore(kept, backup, replace=True, migrations=broken)


def refuse(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(NotABackup), BackupReader.open(path):
        pass


def rewrite(backup: Path, path: Path, change: Any, swapped: tuple[str, str] | None = None) -> None:
    """Write a backup anew with another manifest, or with the streams of two tables exchanged, and a good seal."""
    with (
        zipfile.ZipFile(backup) as source,
        BackupReader.open(backup) as reader,
        BackupWriter.open(path, datetime(2026, 3, 1, tzinfo=UTC)) as writer,
    ):
        names = {table.name: table.name for table in reader.manifest.tables}
        if swapped:
            names[swapped[0]], names[swapped[1]] = swapped[1], swapped[0]
        for name, from_name in names.items():
            member = source.read(f"tables/{from_name}.copy.zst")
            writer._archive.writestr(f"tables/{name}.copy.zst", member)
        writer.describe(change(reader.manifest))


async def test_a_backup_of_an_older_schema_is_migrated_on_the_way(
    world: World, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    """Rows meet the schema that they were written under, and then what has changed since, in one transaction."""
    await some_training(world)
    await back_up(settings, tmp_path / "backup")
    later = [
        Migration(9998, "renamed", "ALTER TABLE users RENAME COLUMN role TO part;"),
        Migration(9999, "indexed", "-- no transaction\nCREATE INDEX CONCURRENTLY users_by_part ON users (part);"),
    ]
    known = [*load_migrations(), *later]
    await restore(elsewhere, tmp_path / "backup", migrations=known)
    url = str(elsewhere.database_url)
    assert await migrate(url, secret=settings.secret, migrations=known) == []
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(*) FROM users WHERE part = 'athlete'") == 1
    await connection.close()


async def test_an_owner_under_row_level_security_backs_up_and_restores_everything(
    postgres: EmbeddedPostgres, world: World, settings: Settings, tmp_path: Path
) -> None:
    """On a managed Postgres the owner is no superuser, and policies bind it."""
    await some_training(world)
    await back_up(settings, tmp_path / "first")
    administrator = await asyncpg.connect(postgres.dsn)
    await administrator.execute("CREATE ROLE modest_owner LOGIN NOSUPERUSER NOBYPASSRLS")
    await administrator.execute("CREATE DATABASE modest OWNER modest_owner")
    url = postgres.dsn.replace("apex_owner@/apex", "modest_owner@/modest")
    modest = msgspec.structs.replace(settings, database_url=url)
    try:
        await restore(modest, tmp_path / "first")
        manifest = await back_up(modest, tmp_path / "second")
        rows = {table.name: table.rows for table in manifest.tables}
        with BackupReader.open(tmp_path / "first") as reader:
            assert rows == {table.name: table.rows for table in reader.manifest.tables}
        assert min(rows[name] for name in ("users", "client_ids", "records", "dead_ops")) > 0
        owner = await asyncpg.connect(url)
        await owner.execute("DROP POLICY sessions_owner ON sessions")
        await owner.close()
        with pytest.raises(BackupIncomplete, match="sessions"):
            await back_up(modest, tmp_path / "third")
        await restore(modest, tmp_path / "second", replace=True)
    finally:
        await administrator.execute("DROP DATABASE modest WITH (FORCE)")
        await administrator.execute("DROP ROLE modest_owner")
        await administrator.close()


async def test_row_level_security_is_forced_again_after_a_restore(
    world: World, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    await some_training(world)
    await back_up(settings, tmp_path / "backup")
    await restore(elsewhere, tmp_path / "backup")
    forced = "SELECT relname FROM pg_class WHERE relforcerowsecurity ORDER BY relname"
    connection = await asyncpg.connect(str(elsewhere.database_url))
    assert await connection.fetch(forced) == await world.sql(forced)
    await connection.close()


async def test_a_full_disk_is_said_to_be_one(
    world: World, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not taken for an outage of Postgres, which the next attempt would cure."""
    await some_training(world)

    def no_room(self: TableSink, chunk: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TableSink, "write", no_room)
    with pytest.raises(OSError, match="No space left"):
        await back_up(settings, tmp_path / "backup")
    assert [each.name for each in tmp_path.iterdir()] == ["master_key"]
