"""Encrypted messages over a real server, which is then asked for all it has, opened with its own master key."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from anyio.from_thread import BlockingPortal
from PIL import Image

from apex_client import Replica
from apex_client.errors import MediaUnusable, NewDevices, ServerRefused
from apex_client.local import LocalReplica
from apex_client.message_sealing import Place, SealBroken, unseal
from apex_client.sealed_files import sealed_reader
from apex_client.threads import send
from apex_server.settings import Settings
from apex_sync.ids import athlete_scope
from tests.e2e.test_erasure_canaries import streams_of
from tests.e2e.test_messages import Pair, pair_on, until
from tests.e2e.test_photos import files_below, until_kept
from tests.e2e.whole_server import PASSWORD, SECRET, WholeServer, running_server
from tests.server.sealed_rows import with_open_documents

pytestmark = pytest.mark.anyio

CANARY = "qvist-the-knee"
PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def working(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeServer]:
    """A server with a worker, which keeps media and takes out the keys of devices that were signed out."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("encrypted"), secret=SECRET)
    with running_server(portal, settings, with_worker=True) as running:
        yield running


async def encrypt(pair: Pair) -> None:
    for replica in (pair.coach, pair.athlete, pair.coach):
        await replica.sync()
    await pair.coach.messages.encrypt()
    await pair.coach.sync()
    await pair.athlete.sync()


async def texts(replica: Replica) -> list[tuple[str | None, str | None]]:
    return [(message.text, message.encryption) for message in await replica.messages.list()]


def changed(local: LocalReplica, sql: str) -> None:
    local.store.sql.execute(sql)


async def documents_of(server: WholeServer) -> bytes:
    """Give all records of everybody, as whoever has the server and its master key reads them."""
    rows = await server.rows(
        "SELECT scopes.name AS scope, record_id, records.digest, doc FROM records JOIN scopes USING (scope_id)"
        " WHERE scopes.name <> 'global'"
    )
    return b"".join(row["doc"] for row in await with_open_documents(server, rows))


async def test_the_server_and_its_master_key_have_nothing_of_what_is_said_and_sent(
    working: WholeServer, tmp_path: Path
) -> None:
    recording = tmp_path / f"{CANARY}.ogg"
    recording.write_bytes(b"OggS" + CANARY.encode() + os.urandom(600_000))
    async with pair_on(working, tmp_path) as pair:
        await encrypt(pair)
        await pair.coach.messages.send(f"{CANARY}: how is it?")
        await pair.coach.sync()
        await pair.athlete.sync()
        await pair.athlete.messages.send_file(recording, "voice", text=f"{CANARY}, listen", duration_seconds=4)
        await pair.athlete.sync()
        await until_kept(pair.athlete)
        await pair.coach.sync()

        [heard, asked] = [message.said[0] for message in await pair.coach.messages.list()]
        assert (asked.text, heard.text) == (f"{CANARY}: how is it?", f"{CANARY}, listen")
        assert (heard.file_name, heard.duration_seconds, heard.type) == (recording.name, 4, "voice")
        for replica in (pair.coach, pair.athlete):
            assert heard.media_id is not None
            await replica.media.save(heard.media_id, tmp_path / "heard.ogg")
            assert (tmp_path / "heard.ogg").read_bytes() == recording.read_bytes()

        assert b"knee" not in await documents_of(working)
        [kept] = await working.rows("SELECT kind, content_type FROM media WHERE media_id = $1", heard.media_id)
        assert tuple(kept) == ("sealed", "application/octet-stream")
        raw = bytearray()
        await pair.coach._account.download(f"/api/media/{heard.media_id}", raw.extend)
        for table in await working.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            rows = await working.rows(f'SELECT to_jsonb(each)::text AS row FROM "{table[0]}" AS each')
            assert not any("knee" in row["row"] for row in rows), table[0]
        for replica in (pair.coach, pair.athlete):
            export = tmp_path / f"export-{replica.client_id}.zip"
            await replica.privacy.export(export)
            assert not any(b"knee" in member for member in streams_of(export))
            page = str(await replica.request("GET", "/api/messages/threads"))
            assert "knee" not in page and "'encrypted': True" in page
        for path in files_below(working.settings.data_dir):
            assert b"knee" not in path.read_bytes(), path
        assert b"knee" not in raw and raw.startswith(b"apex-sync sealed 1\n")

        [thread] = (await pair.coach.request("GET", "/api/messages/threads"))["threads"]
        with pytest.raises(ServerRefused, match="encrypted"):
            await pair.coach.request("POST", "/api/messages", {"thread_id": thread["id"], "text": "in the open"})
        [shown, _] = (await pair.coach.request("GET", f"/api/messages/threads/{thread['id']}"))["messages"]
        assert (shown["text"], shown["encryption"], shown["type"]) == (None, "locked", "voice")


async def test_a_file_that_was_changed_on_the_way_is_not_kept(working: WholeServer, tmp_path: Path) -> None:
    document = tmp_path / "plan.pdf"
    document.write_bytes(b"%PDF-1.7" + os.urandom(700_000))
    async with pair_on(working, tmp_path) as pair:
        await encrypt(pair)
        [said] = (await pair.athlete.messages.send_file(document, "file")).said
        assert said.media_id is not None
        await pair.athlete.media.save(said.media_id, tmp_path / "own.pdf")
        assert (tmp_path / "own.pdf").read_bytes() == document.read_bytes()
        for change in (
            "UPDATE media_pieces SET piece = zeroblob(100) WHERE place = 1",
            "DELETE FROM media_pieces WHERE place = 2",
            "DELETE FROM media_pieces",
        ):
            await pair.athlete._do(changed, change)
            with pytest.raises(MediaUnusable, match="changed on the way"):
                await pair.athlete.media.save(said.media_id, tmp_path / "changed.pdf")
            assert not (tmp_path / "changed.pdf").exists()


async def test_a_photo_that_a_message_names_with_a_key_is_saved_as_before(working: WholeServer, tmp_path: Path) -> None:
    Image.effect_noise((300, 400), 30).save(tmp_path / "front.jpg")
    async with pair_on(working, tmp_path) as pair:
        await encrypt(pair)
        photo = await pair.athlete.photos.add(tmp_path / "front.jpg", type="front", day="2026-03-01")
        await until_kept(pair.athlete)
        await pair.coach.sync()
        said = {"type": "image", "media_id": photo.media_id}
        await pair.coach._do(send, None, said, bytes(32))
        await pair.coach.sync()
        await pair.athlete.sync()
        assert [message.said[0].media_id for message in await pair.athlete.messages.list()] == [photo.media_id]
        [shown] = await pair.coach.athlete(photo.athlete_id).photos.list()
        for one in (photo, shown):
            for thumbnail in (False, True):
                await one.save(tmp_path / "saved.jpg", thumbnail=thumbnail)
                Image.open(tmp_path / "saved.jpg").verify()
        for replica in (pair.athlete, pair.coach):
            [message] = await replica.messages.list()
            with pytest.raises(MediaUnusable):
                await message.save(tmp_path / "of the message.jpg")
            with pytest.raises(MediaUnusable):
                await replica.media.save(photo.media_id, tmp_path / "of the message.jpg")


async def test_the_server_puts_no_file_of_its_own_in_the_place_of_an_encrypted_one(
    working: WholeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor by a record that is not encrypted, which it can write in anybody's name, nor sealed with another key."""
    document = tmp_path / "plan.pdf"
    document.write_bytes(b"%PDF-1.7" + os.urandom(700_000))
    async with pair_on(working, tmp_path) as pair:
        await encrypt(pair)
        sent = await pair.athlete.messages.send_file(document, "file")
        media_id = sent.said[0].media_id
        assert media_id is not None and pair.athlete.user is not None
        await pair.athlete.sync()
        await until_kept(pair.athlete)
        photo = {"media_id": media_id, "type": "front", "date": "2026-03-01"}
        scope = athlete_scope(pair.athlete.user.id)
        await pair.athlete._do(lambda local: local.create("progress_photos", scope, photo))
        await pair.coach.sync()
        await pair.coach._do(send, None, {"type": "file", "media_id": media_id}, bytes(32))
        for replica in (pair.athlete, pair.coach):
            await replica.sync()
        message = next(each for each in await pair.coach.messages.list() if each.id == sent.id)
        await message.save(tmp_path / "real.pdf")
        assert (tmp_path / "real.pdf").read_bytes() == document.read_bytes()
        await pair.coach.media.save(media_id, tmp_path / "real.pdf")
        assert (tmp_path / "real.pdf").read_bytes() == document.read_bytes()

        theirs = b"%PDF-1.7 of the server"
        for forged in (theirs, b"".join(iter(sealed_reader(bytes(32), io.BytesIO(theirs)), b""))):

            async def download(place: str, write: Callable[[bytes], object], forged: bytes = forged) -> None:
                write(forged)

            monkeypatch.setattr(pair.coach._account, "download", download)
            for thumbnail in (False, True):
                with pytest.raises(MediaUnusable):
                    await message.save(tmp_path / "forged.pdf", thumbnail=thumbnail)
                with pytest.raises(MediaUnusable):
                    await pair.coach.media.save(media_id, tmp_path / "forged.pdf", thumbnail=thumbnail)
        assert not (tmp_path / "forged.pdf").exists()


async def test_it_is_live_and_a_device_that_is_removed_reads_nothing_that_is_said_later(
    working: WholeServer, tmp_path: Path
) -> None:
    async with pair_on(working, tmp_path) as pair, Replica.open(tmp_path / "tablet.db", device_name="tablet") as tablet:
        await encrypt(pair)
        coach, athlete = pair.coach, pair.athlete
        assert athlete.user is not None
        await working.confirm(athlete.user.email)
        await tablet.login(working.address, athlete.user.email, PASSWORD)
        for replica in (tablet, coach, athlete):
            await replica.sync()
        with pytest.raises(NewDevices, match="tablet"):
            await coach.messages.send("to whom?")
        for replica in (coach, athlete):
            await replica.messages.accept(await replica.messages.devices())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(coach.run)
            tasks.start_soon(athlete.run)
            with anyio.fail_after(PATIENCE_SECONDS):
                await pair.are_live()
                polls = pair.polls
                await coach.messages.send("to all three")

                async def arrived() -> bool:
                    return await texts(athlete) == [("to all three", "open")]

                await until(arrived)
                assert pair.polls == polls, "a sync over HTTP brought it"
            tasks.cancel_scope.cancel()
        await tablet.sync()
        assert await texts(tablet) == [("to all three", "open")]

        devices = await athlete.request("GET", "/api/devices")
        [removed] = [each for each in devices if each["name"] == "tablet"]
        keys = await tablet._do(lambda local: list(local.keys.pairs()))
        await athlete.request("DELETE", f"/api/devices/{removed['id']}")
        with anyio.fail_after(PATIENCE_SECONDS):
            while len(await coach.messages.devices()) == 3:
                await anyio.sleep(0.2)
                await coach.sync()
        later = await coach.messages.send("not for the tablet")
        part = later.state["coach"]
        place = Place(later.scope, later.id, "coach")
        assert unseal(part["sealed"], part["wrapped"], place, keys) is None
        for wrapped in part["wrapped"].values():
            with pytest.raises(SealBroken):
                unseal(part["sealed"], {keys[0].key_id: wrapped}, place, keys)
        await athlete.sync()
        await coach.sync()
        await athlete.sync()
        assert (await texts(athlete))[0] == ("not for the tablet", "open")
