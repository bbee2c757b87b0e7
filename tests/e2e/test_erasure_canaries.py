"""Fifty strings, planted everywhere a person's text can go: thirty days after a deletion no byte of them is anywhere.

The server is real (an own Postgres, a web process, the parts of a worker); only the worker's clock travels. Free text
stands in the database sealed and nowhere else, so the files are looked through before the erasure as well.
"""

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import zstandard
from anyio.from_thread import BlockingPortal
from msgspec.structs import replace

from apex_client.errors import AccountErased
from apex_server.db import Database, Hint
from apex_server.jobs.worker import Worker
from apex_server.operations import back_up, restore, verify
from apex_server.operations.media_copies import COPIES_NAME
from apex_server.personal_data import GRACE
from apex_server.serving import serving
from apex_server.settings import Settings
from apex_server.sync import Committer, PostgresCommitStore, load_identity
from apex_server.vault import KEY_FILE_NAME, read_key_file
from tests.e2e.canaries import Canaries, Installation, bearer, media_of, photo_of, plant
from tests.e2e.whole_server import SECRET, free_port

pytestmark = pytest.mark.anyio

CANARIES_MIN = 50
NEVER_KEPT = {
    "unknown address", "address that is looked up", "user agent", "searched for", "path", "refused feedback",
    "refused type", "place in a photo",
}  # fmt: skip
"""Said to the server, and kept nowhere: an export cannot have them."""
OF_OTHERS = {
    "coach name", "draft program", "draft", "draft reasoning", "library exercise", "instructions", "coach's notes",
    "tag", "thread's tag", "program's notes", "library food", "brand", "serving", "questionnaire", "question's text",
}  # fmt: skip
"""About the person or beside them, but not theirs to take along."""


@pytest.fixture
async def installation(
    portal: BlockingPortal, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("installation"),
        backup_dir=tmp_path / "backups",
        secret=SECRET,
        port=free_port(),
        log_level="debug",
    )
    with portal.wrap_async_context_manager(serving(settings, with_worker=False)) as ready:
        async with opened(ready) as installed:
            yield installed


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Installation]:
    holder: list[Installation] = []

    async def no_hints(_hints: list[Hint]) -> None:
        return

    async with (
        Database.open(settings) as database,
        Worker.open(replace(settings, limits_factor=1000.0), now=lambda: holder[0].now) as worker,
    ):
        committer = Committer(
            PostgresCommitStore(database),
            identity=await load_identity(database, settings.secret),
            now_us=lambda: round(datetime.now(UTC).timestamp() * 1_000_000),
            hints=no_hints,
        )
        holder.append(Installation(settings, database, worker, committer))
        async with holder[0].client:
            yield holder[0]


def streams_of(path: Path) -> Iterator[bytes]:
    """Give the bytes of a file, and what is packed in it."""
    data = path.read_bytes()
    yield data
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                member = archive.read(name)
                yield member
                if member.startswith(b"\x28\xb5\x2f\xfd"):
                    yield zstandard.ZstdDecompressor().decompressobj().decompress(member)


def found_under(folder: Path, canaries: Canaries) -> dict[str, set[str]]:
    """Look through every file of a folder, and name what is in which."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            places = set().union(*(canaries.found_in(data) for data in streams_of(path)))
            if places:
                found[str(path.relative_to(folder))] = places
    return found


async def exported(here: Installation, session: dict[str, Any]) -> bytes:
    """Let the person take everything along; gives what is in the zip."""
    answer = await here.client.post("/api/privacy/export", headers=bearer(session))
    assert answer.status_code == 202, answer.text
    while await here.worker.exporter.make_next():
        pass
    export_id = answer.json()["id"]
    answer = await here.client.get(f"/api/privacy/exports/{export_id}/file", headers=bearer(session))
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


def keys_in(backups: Path) -> set[bytes]:
    """Give the keys that are left in the key file."""
    return {key.wrapped for key in read_key_file(backups / KEY_FILE_NAME).data_keys if key.wrapped is not None}


async def test_thirty_days_later_no_byte_of_fifty_canaries_is_left(
    installation: Installation, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    here, canaries = installation, Canaries()
    devices, backups = tmp_path / "devices", tmp_path / "backups"
    devices.mkdir()
    backups.mkdir()
    session, phone = await plant(here, canaries, devices)
    athlete_id = session["user"]["id"]
    assert len(canaries.by_place) >= CANARIES_MIN

    # They are all there, for the person: an export has them.
    whole = canaries.found_in(await exported(here, session))
    assert canaries.by_place.keys() - whole <= NEVER_KEPT | OF_OTHERS
    assert found_under(devices, canaries)

    # At rest they stand nowhere but in what a server in development keeps instead of sending, erased or not.
    await back_up(here.settings, backups / "before.apexbackup")
    at_rest = found_under(here.settings.data_dir, canaries)
    assert {file.partition("/")[0] for file in at_rest} <= {"mails", "texts"}, at_rest
    assert found_under(backups, canaries) == {}

    # Erased, with the phone offline and work unsent on it. No key file that the server knows has the key from then on.
    [key] = await here.sql("SELECT wrapped FROM data_keys WHERE user_id = $1", UUID(athlete_id))
    assert key["wrapped"] in keys_in(backups)
    await phone.workouts.start(title=canaries("unsent title"))
    await phone.photos.add(photo_of(devices / "late.jpg", canaries("place in an unsent photo")))
    assert len(media_of(here)) == 3, "a photo, large and small, and a document"
    answer = await here.client.post("/api/privacy/deletion", headers=bearer(session))
    assert answer.status_code == 202
    here.now += GRACE + timedelta(hours=1)
    assert await here.worker.eraser.erase_due() == 1
    assert key["wrapped"] not in keys_in(backups) and len(keys_in(backups)) == 1
    here.now += timedelta(days=60)
    await here.worker.keep_house()
    await here.worker.media.sweep()
    assert media_of(here) == []
    for statement in ("VACUUM", "CHECKPOINT"):
        await here.sql(statement)
    assert found_under(here.settings.data_dir, canaries) == {}
    assert canaries.found_in("".join(capfd.readouterr()).encode()) == set()

    # The device that comes back after sixty days learns it, forgets, and brings nothing back.
    with pytest.raises(AccountErased):
        await phone.sync()
    await phone.aclose()
    assert not {name: places for name, places in found_under(devices, canaries).items() if "phone" in name}
    assert await here.sql("SELECT 1 FROM scopes WHERE name LIKE $1", f"%{athlete_id}%") == []
    await here.worker.project_anew()
    assert (await verify(here.database)).damages == []
    assert found_under(here.settings.data_dir, canaries) == {}

    # A backup from before, restored with the keys of today, brings nothing of them back; their devices are told again.
    await back_up(here.settings, backups / "after.apexbackup")
    await here.sql("CREATE DATABASE restored")
    elsewhere = replace(
        here.settings, database_url=str(here.settings.database_url).replace("@/apex?", "@/restored?"), backup_dir=None
    )
    restored = await restore(elsewhere, backups / "before.apexbackup")
    assert restored.erased == 1
    connection = await asyncpg.connect(str(elsewhere.database_url))
    try:
        for statement in ("VACUUM", "CHECKPOINT"):
            await connection.execute(statement)
        assert await connection.fetchval("SELECT count(*) FROM users") == 1
        assert await connection.fetchval("SELECT count(*) FROM erased_tokens") > 2
        left = await connection.fetch("SELECT name FROM scopes ORDER BY name")
    finally:
        await connection.close()
    assert not [row["name"] for row in left if athlete_id in row["name"]]
    assert media_of(here) == []
    assert len([path for path in (backups / COPIES_NAME).rglob("*") if path.is_file()]) == 3, (
        "sealed, and no key is left"
    )
    assert found_under(here.settings.data_dir, canaries) == {}
    assert found_under(backups, canaries) == {}


async def test_cancelled_on_day_29_every_canary_is_there(installation: Installation, tmp_path: Path) -> None:
    here, canaries = installation, Canaries()
    session, phone = await plant(here, canaries, tmp_path)
    assert (await here.client.post("/api/privacy/deletion", headers=bearer(session))).status_code == 202
    here.now += timedelta(days=29)
    assert await here.worker.eraser.erase_due() == 0
    assert (await here.client.delete("/api/privacy/deletion", headers=bearer(session))).status_code == 204
    here.now += timedelta(days=60)
    assert await here.worker.eraser.erase_due() == 0
    assert (await phone.sync()).rejected == 0
    await phone.aclose()
    whole = canaries.found_in(await exported(here, session))
    assert canaries.by_place.keys() - whole <= NEVER_KEPT | OF_OTHERS


def test_a_canary_is_found_wherever_it_hides(tmp_path: Path) -> None:
    """The search itself can fail: in plain bytes, in UTF-16, in upper case, in a zip, in zstd within a zip."""
    canaries = Canaries()
    canary = canaries("here")
    (tmp_path / "plain").write_bytes(b"x" + canary.encode() + b"y")
    (tmp_path / "wide").write_bytes(canary.encode("utf-16-le"))
    (tmp_path / "upper").write_text(canary.upper())
    with zipfile.ZipFile(tmp_path / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", json.dumps({"deep": canary}))
    with zipfile.ZipFile(tmp_path / "backup", "w") as archive:
        archive.writestr("tables/a.copy.zst", zstandard.compress(canary.encode() * 100))
    (tmp_path / "nothing").write_text(re.sub("qz", "qy", canary))
    assert found_under(tmp_path, canaries).keys() == {"plain", "wide", "upper", "zip", "backup"}
