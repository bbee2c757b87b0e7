"""Photos and files in backups: copied beside them once, brought back by a restore, and missed where they are not."""

import errno
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from apex_server.db import Database
from apex_server.media.directory import DirectoryStore
from apex_server.operations import Verification, back_up, restore, verify_media
from apex_server.operations.media_copies import COPIES_NAME, copy_media
from apex_server.personal_data import BACKUPS_KEPT
from apex_server.settings import Settings
from tests.server.accounts_app import problem
from tests.server.media_parts import declared, hand_in, keep_media, picture
from tests.server.test_media_checking import keeper_of
from tests.server.whole_app import Signed, WholeApp, whole_app

pytestmark = pytest.mark.anyio


@pytest.fixture
def elsewhere(settings: Settings, empty_database_url: str, tmp_path: Path) -> Settings:
    """Give an empty database of the same installation on another machine."""
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(settings.data_dir / "master_key", tmp_path / "elsewhere")
    return replace(settings, database_url=empty_database_url, data_dir=tmp_path / "elsewhere")


async def kept(whole: WholeApp, athlete: Signed, content: bytes, **more: Any) -> str:
    media_id = await hand_in(athlete, content, **more)
    await keep_media(whole)
    return media_id


def files_under(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def missed(settings: Settings) -> list[str]:
    """Give what verify says of media."""
    verification = Verification()
    async with Database.open(settings) as database:
        await verify_media(database, DirectoryStore(settings.data_dir / "media"), verification)
    assert verification.looked_at["media"] > 0
    return [f"{damage.scope.partition(':')[0]}: {damage.words}" for damage in verification.damages]


async def test_photos_come_back_with_a_restore(
    whole: WholeApp, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    athlete = await whole.person("anna", "athlete")
    document = b"%PDF-1.7 " + os.urandom(600_000)
    media_ids = [
        await kept(whole, athlete, picture()),
        await kept(whole, athlete, document, kind="file", content_type="application/pdf"),
    ]
    shown = [(await athlete("GET", f"/api/media/{each}")).content for each in media_ids]
    await back_up(settings, tmp_path / "monday.apexbackup")
    copies = files_under(tmp_path / COPIES_NAME)
    assert copies == files_under(settings.data_dir / "media"), "sealed as in the store"
    assert not any(each[:4] in copy for copy in copies.values() for each in (document, b"\xff\xd8\xff\xe0"))

    assert (await restore(elsewhere, tmp_path / "monday.apexbackup")).media_lacking == 0
    assert await missed(elsewhere) == []
    async with whole_app(elsewhere) as there:
        again = Signed(there.client, athlete.id, athlete.device_id, athlete.token)
        assert [(await again("GET", f"/api/media/{each}")).content for each in media_ids] == shown


async def test_a_copy_of_a_database_is_another_to_its_directory_of_media_and_its_former_state_is_not(
    whole: WholeApp, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    """As when staging runs on a backup of production, and on its files."""
    athlete = await whole.person("anna", "athlete")
    await kept(whole, athlete, picture())
    await back_up(settings, tmp_path / "monday.apexbackup")
    later = await kept(whole, athlete, picture(colour=(1, 2, 3)))
    production = await whole.owner.fetchval("SELECT database_id FROM server_identity")
    root = settings.data_dir / "media"
    await DirectoryStore(root).mark(production)
    shutil.copytree(root, elsewhere.data_dir / "media", copy_function=os.link)

    first = await restore(elsewhere, tmp_path / "monday.apexbackup")
    assert first.foreign_mark == elsewhere.data_dir / "media" / "databases" / str(production)
    staging = await database_id(elsewhere)
    assert staging != production
    store = DirectoryStore(elsewhere.data_dir / "media")
    await store.mark(staging)
    again = await restore(elsewhere, tmp_path / "monday.apexbackup", replace=True)
    assert again.foreign_mark is not None and await database_id(elsewhere) not in (staging, production)
    assert await store.databases() == {str(production)}, "what was replaced is no more"

    await back_up(elsewhere, tmp_path / "staging.apexbackup")
    own = await database_id(elsewhere)
    await store.mark(own)
    assert (await restore(elsewhere, tmp_path / "staging.apexbackup", replace=True)).foreign_mark is None
    assert await database_id(elsewhere) == own
    assert await store.databases() == {str(production), str(own)}
    async with whole_app(elsewhere) as there:
        await keeper_of(there, days=1).note_strays()
        await keeper_of(there, days=33).note_strays()
        assert await there.owner.fetchval("SELECT count(*) FROM media_garbage") == 0
    assert later


async def database_id(settings: Settings) -> Any:
    async with Database.open(settings) as database, database.commit_connection() as connection:
        return await connection.fetchval("SELECT database_id FROM server_identity")


async def test_a_file_is_copied_once_also_to_another_disk(
    whole: WholeApp, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    athlete = await whole.person("anna", "athlete")

    def other_disk(*_args: Any) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    await kept(whole, athlete, picture())
    await back_up(settings, tmp_path / "monday.apexbackup")
    before = {path: path.stat().st_ino for path in (tmp_path / COPIES_NAME).rglob("*") if path.is_file()}
    monkeypatch.setattr(Path, "hardlink_to", other_disk)
    await kept(whole, athlete, picture(colour=(1, 2, 3)))
    await back_up(settings, tmp_path / "tuesday.apexbackup")
    assert {path: path.stat().st_ino for path in before} == before
    assert files_under(tmp_path / COPIES_NAME) == files_under(settings.data_dir / "media")


async def test_a_copy_goes_once_no_backup_of_ninety_days_names_it(
    whole: WholeApp, settings: Settings, tmp_path: Path
) -> None:
    athlete = await whole.person("anna", "athlete")
    for shade in (1, 2):
        await kept(whole, athlete, picture(colour=(shade, 0, 0)))
    await back_up(settings, tmp_path / "monday.apexbackup")
    folders = sorted((tmp_path / COPIES_NAME).iterdir())
    await whole.owner.execute("DELETE FROM media WHERE id = $1::text::uuid", folders[0].name)
    await keep_media(whole)
    await back_up(settings, tmp_path / "tuesday.apexbackup")
    assert sorted((tmp_path / COPIES_NAME).iterdir()) == folders, "a backup still names it"
    long_ago = (datetime.now(UTC) - BACKUPS_KEPT - timedelta(days=1)).timestamp()
    for folder in folders:
        os.utime(folder, (long_ago, long_ago))
    await back_up(settings, tmp_path / "months later.apexbackup")
    assert list((tmp_path / COPIES_NAME).iterdir()) == folders[1:]


async def test_what_nobody_has_any_more_is_missed(
    whole: WholeApp, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    athlete = await whole.person("anna", "athlete")
    await kept(whole, athlete, picture())
    await whole.app.state.media_store.delete(await whole.owner.fetchval("SELECT id FROM media"), "")
    assert await missed(settings) == ["athlete: the store lacks a photo"]
    await back_up(settings, tmp_path / "monday.apexbackup")
    assert (await restore(elsewhere, tmp_path / "monday.apexbackup")).media_lacking == 1


@pytest.mark.parametrize("name", ["original", "thumbnail"])
async def test_what_is_spoilt_is_named_and_a_whole_copy_is_neither_lost_nor_left_unused(
    whole: WholeApp, settings: Settings, tmp_path: Path, name: str
) -> None:
    athlete = await whole.person("anna", "athlete")
    media_id = await kept(whole, athlete, picture())
    address = f"/api/media/{media_id}" + ("/thumbnail" if name == "thumbnail" else "")
    shown = (await athlete("GET", address)).content
    store = settings.data_dir / "media"
    shutil.copytree(store, tmp_path / "other disk" / COPIES_NAME)
    await back_up(settings, tmp_path / "other disk/monday.apexbackup")
    [stored] = store.rglob(name)
    [copy] = (tmp_path / "other disk").rglob(name)
    sealed = stored.read_bytes()
    for spoilt in (sealed[:50] + bytes([sealed[50] ^ 1]) + sealed[51:], sealed[:3], b""):
        stored.write_bytes(spoilt)
        assert await missed(settings) == ["athlete: a photo in the store is spoilt and does not open"]
        refused = await athlete("GET", address)
        assert problem(refused)[:2] == (500, "media_damaged") and "apex-server verify" in refused.text
    await back_up(settings, tmp_path / "other disk/tuesday.apexbackup")
    assert copy.read_bytes() == sealed, "what was cut short does not take the place of a copy"
    async with Database.open(settings) as database, database.commit_connection() as connection:
        assert await copy_media(connection, tmp_path / "other disk" / COPIES_NAME, store) == 0
    assert await missed(settings) == [] and (await athlete("GET", address)).content == shown


async def test_what_is_spoilt_everywhere_is_said_to_be_lacking(
    whole: WholeApp, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    athlete = await whole.person("anna", "athlete")
    await kept(whole, athlete, picture())
    await back_up(settings, tmp_path / "monday.apexbackup")
    [stored] = (settings.data_dir / "media").rglob("original")
    with stored.open("r+b") as file:  # Its copy is a second name of the same bytes.
        file.truncate(3)
    assert (await restore(elsewhere, tmp_path / "monday.apexbackup")).media_lacking == 1


async def test_an_upload_that_was_on_its_way_begins_anew_after_a_restore(
    whole: WholeApp, settings: Settings, elsewhere: Settings, tmp_path: Path
) -> None:
    athlete = await whole.person("anna", "athlete")
    cut, unseen = picture(), picture(colour=(1, 2, 3))
    await athlete("POST", "/api/media", declared(cut))
    await hand_in(athlete, unseen)
    await back_up(settings, tmp_path / "monday.apexbackup")
    await restore(elsewhere, tmp_path / "monday.apexbackup")
    async with whole_app(elsewhere) as there:
        again = Signed(there.client, athlete.id, athlete.device_id, athlete.token)
        for content in (cut, unseen):
            await kept(there, again, content)
    assert await missed(elsewhere) == []
