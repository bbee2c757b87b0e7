"""The key file beside backups: without it they are unreadable, and with the newest one only the erased are."""

from pathlib import Path
from uuid import UUID

import anyio
import msgspec
import pytest

from apex_server.db import Database
from apex_server.operations import back_up, restore
from apex_server.operations.backup_file import BackupReader
from apex_server.operations.errors import DatabaseNotEmpty, KeyFileForeign, KeyFileMissing, KeysLacking, NotAKeyFile
from apex_server.operations.key_file import KEY_FILE_NAME, read_key_file
from apex_server.settings import Settings
from apex_server.vault import MasterKeyMissing
from apex_server.vault.master_keys import new_master_key
from tests.server.sync_world import World, assert_consistent, workout

pytestmark = pytest.mark.anyio

CANARY = "canary of somebody who asked to be forgotten"


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


@pytest.fixture
def elsewhere(settings: Settings, empty_database_url: str) -> Settings:
    return msgspec.structs.replace(settings, database_url=empty_database_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups"


async def train(world: World) -> UUID:
    athlete = await world.athlete()
    phone = await world.device(athlete)
    phone.write({**workout(), "notes": CANARY, "title": CANARY})
    await phone.sync()
    return athlete


async def erase(world: World, user_id: UUID) -> None:
    """As the worker does when the time of grace is over."""
    async with world.db.commit_connection() as connection, connection.transaction():
        await connection.execute("SELECT apex_erase_account($1, now())", user_id)
        await world.db.vault.destroy_user_key(connection, user_id)


async def test_a_backup_holds_neither_a_key_nor_a_text(world: World, settings: Settings, folder: Path) -> None:
    await train(world)
    await back_up(settings, folder / "backup")
    wrapped = [bytes(row["wrapped"]) for row in await world.sql("SELECT wrapped FROM data_keys")]
    with BackupReader.open(folder / "backup") as reader:
        streams = [b"".join(reader.stream(table)) for table in reader.manifest.tables]
    assert len(wrapped) == 1
    assert not [stream for stream in streams for secret in (CANARY.encode(), *wrapped) if secret in stream]
    assert (folder / KEY_FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in folder.iterdir()) == [KEY_FILE_NAME, "backup"]


async def test_a_person_erased_after_a_backup_is_not_brought_back_by_it(
    world: World, settings: Settings, elsewhere: Settings, folder: Path
) -> None:
    forgotten, remembered = await train(world), await train(world)
    await back_up(settings, folder / "monday")
    await erase(world, forgotten)
    await back_up(settings, folder / "tuesday")
    assert [key.user_id for key in read_key_file(folder / KEY_FILE_NAME).data_keys if key.wrapped is None] == [
        forgotten
    ]

    restored = await restore(elsewhere, folder / "monday")
    assert restored.erased == 1
    async with Database.open(elsewhere) as database:
        there = World(database, str(elsewhere.database_url))
        assert [row["id"] for row in await there.sql("SELECT id FROM users")] == [remembered]
        assert [row["name"] for row in await there.sql("SELECT name FROM scopes")] == [f"athlete:{remembered}"]
        await assert_consistent(there)


async def test_without_the_key_file_nothing_is_restored(
    world: World, settings: Settings, elsewhere: Settings, folder: Path
) -> None:
    await train(world)
    await back_up(settings, folder / "backup")
    keys = (folder / KEY_FILE_NAME).rename(folder.parent / "keys kept elsewhere")
    with pytest.raises(KeyFileMissing, match="--keys"):
        await restore(elsewhere, folder / "backup")
    await restore(elsewhere, folder / "backup", keys=keys)


async def test_a_key_file_older_than_the_backup_is_refused_with_the_number_of_people(
    world: World, settings: Settings, elsewhere: Settings, folder: Path
) -> None:
    await train(world)
    await back_up(settings, folder / "monday", keys=folder / "old.keys")
    await train(world)
    await train(world)
    await back_up(settings, folder / "tuesday")
    with pytest.raises(KeysLacking) as refused:
        await restore(elsewhere, folder / "tuesday", keys=folder / "old.keys")
    assert refused.value.count == 2
    await restore(elsewhere, folder / "tuesday")
    with pytest.raises(DatabaseNotEmpty):
        await restore(elsewhere, folder / "tuesday")


async def test_another_master_key_restores_nothing(
    world: World, settings: Settings, elsewhere: Settings, folder: Path
) -> None:
    await train(world)
    await back_up(settings, folder / "backup")
    stranger = msgspec.structs.replace(elsewhere, master_key=new_master_key())
    with pytest.raises(MasterKeyMissing):
        await restore(stranger, folder / "backup")
    await restore(elsewhere, folder / "backup")


async def test_the_key_file_of_another_installation_is_never_replaced(
    world: World, settings: Settings, elsewhere: Settings, folder: Path
) -> None:
    await train(world)
    await back_up(settings, folder / "one")
    keys = (folder / KEY_FILE_NAME).read_bytes()
    await world.sql("DELETE FROM data_keys")
    with pytest.raises(KeyFileForeign) as refused:
        await back_up(settings, folder / "two")
    assert refused.value.count == 1
    assert (folder / KEY_FILE_NAME).read_bytes() == keys
    assert not (folder / "two").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b'{"form": 2, "made_at": "2026-03-01T00:00:00Z"}', b"PK\x03\x04"])
async def test_what_is_no_key_file_is_neither_read_nor_replaced(
    world: World, settings: Settings, folder: Path, content: bytes
) -> None:
    await anyio.Path(folder / KEY_FILE_NAME).write_bytes(content)
    with pytest.raises(NotAKeyFile):
        await back_up(settings, folder / "backup")
    assert (folder / KEY_FILE_NAME).read_bytes() == content
