"""The key file beside backups: without it they are unreadable, and with the newest one only the erased are."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import msgspec
import pytest

from apex_server.db import Database
from apex_server.operations import back_up, backup, restore
from apex_server.operations.backup_file import BackupReader
from apex_server.operations.errors import DatabaseNotEmpty, KeysLacking
from apex_server.personal_data import Eraser
from apex_server.settings import Settings
from apex_server.vault import (
    KEY_FILE_NAME,
    KeyFileForeign,
    KeyFileMissing,
    MasterKeyMissing,
    NotAKeyFile,
    read_key_file,
)
from apex_server.vault.master_keys import new_master_key
from tests.server.accounts_app import Clock, accounts_app, log_in, problem, refresh, speak_to
from tests.server.mailbox import Mailbox, confirmed
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


async def ask_to_be_erased(world: World, user_id: UUID) -> None:
    await world.sql(
        "INSERT INTO account_deletions (user_id, asked_at, erase_at) VALUES ($1, now() - interval '31 days', now())",
        user_id,
    )


def keys_in(folder: Path) -> dict[UUID, bytes | None]:
    return {key.user_id: key.wrapped for key in read_key_file(folder / KEY_FILE_NAME).data_keys}


async def test_an_erased_key_leaves_the_key_file_at_once(world: World, settings: Settings, folder: Path) -> None:
    """Also where another worker, which does not see the folder, erased the person; and the key of nobody else."""
    forgotten, later, remembered = [await train(world) for _ in range(3)]
    await back_up(settings, folder / "backup")
    eraser = Eraser(world.db, backup_dir=folder, now=lambda: datetime.now(UTC))
    elsewhere = Eraser(world.db, now=lambda: datetime.now(UTC))
    await ask_to_be_erased(world, forgotten)
    assert await eraser.erase_due() == 1
    assert keys_in(folder)[forgotten] is None and keys_in(folder)[later] is not None
    await ask_to_be_erased(world, later)
    assert await elsewhere.erase_due() == 1
    assert keys_in(folder)[later] is not None
    assert await eraser.erase_due() == 0
    assert keys_in(folder) == {
        forgotten: None,
        later: None,
        remembered: (await world.sql("SELECT wrapped FROM data_keys WHERE user_id = $1", remembered))[0]["wrapped"],
    }
    assert (folder / KEY_FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in folder.iterdir()) == [KEY_FILE_NAME, "backup"]


async def test_a_key_file_that_cannot_be_written_is_written_later(
    world: World, settings: Settings, folder: Path
) -> None:
    forgotten = await train(world)
    await back_up(settings, folder / "backup")
    sound = await anyio.Path(folder / KEY_FILE_NAME).read_bytes()
    await anyio.Path(folder / KEY_FILE_NAME).write_bytes(b"cut")
    eraser = Eraser(world.db, backup_dir=folder, now=lambda: datetime.now(UTC))
    await ask_to_be_erased(world, forgotten)
    with pytest.raises(NotAKeyFile):
        await eraser.erase_due()
    await anyio.Path(folder / KEY_FILE_NAME).write_bytes(sound)
    await eraser.erase_due()
    assert keys_in(folder) == {forgotten: None}


async def test_who_is_erased_while_a_backup_is_made_is_not_in_its_key_file(
    world: World, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are of one moment, and the keys of a later one."""
    forgotten = await train(world)

    async def copy_out_and_erase(*arguments: Any) -> Any:
        copied = await copy_out(*arguments)
        await erase(world, forgotten)
        return copied

    copy_out = backup.copy_out
    monkeypatch.setattr(backup, "copy_out", copy_out_and_erase)
    await back_up(settings, folder / "backup")
    assert keys_in(folder) == {forgotten: None}


async def test_a_device_that_signed_in_after_the_backup_is_told_of_the_erasure_after_a_restore(
    db: Database, settings: Settings, elsewhere: Settings, folder: Path, clock: Clock, mailbox: Mailbox
) -> None:
    """What its secret is like no backup knows; the key file does, and the id it wrote under is nobody's any more."""
    async with speak_to(accounts_app(db, clock)) as client:
        await confirmed(client, mailbox, "mara@example.com")
        await back_up(settings, folder / "backup")
        late = await log_in(client, "mara@example.com")
        world = World(db, str(settings.database_url))
        user_id = UUID(late["user"]["id"])
        await world.sql(
            "INSERT INTO client_ids (client_id, user_id, device_id, bound_at) VALUES (7, $1, NULL, now())", user_id
        )
        await ask_to_be_erased(world, user_id)
        await Eraser(db, backup_dir=folder, now=lambda: datetime.now(UTC)).erase_due()
        assert problem(await refresh(client, late["refresh_token"])) == (410, "account_erased")
    assert (await restore(elsewhere, folder / "backup")).erased == 1
    async with Database.open(elsewhere) as restored, speak_to(accounts_app(restored, clock)) as client:
        assert problem(await refresh(client, late["refresh_token"])) == (410, "account_erased")
        there = World(restored, str(elsewhere.database_url))
        assert [row["client_id"] for row in await there.sql("SELECT client_id FROM erased_client_ids")] == [7]


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
