"""Photos on a device: there with their record or not at all, kept until the server has them, gone with their person."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from apex_client import blocking
from apex_client.doctor import ReplicaImage, salvage
from apex_client.errors import MediaUnusable, ServerRefused, UnsentWork
from apex_sync.errors import OutOfBounds
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer
from tests.client.loopback_transport import LoopbackTransport

pytestmark = pytest.mark.anyio


def photo(folder: Path, name: str = "front.jpg", shade: int = 90) -> Path:
    path = folder / name
    Image.effect_noise((400, 300), shade).save(path)
    return path


async def test_a_photo_and_its_record_are_there_at_once_and_without_its_file(
    open_replica: OpenReplica, tmp_path: Path
) -> None:
    replica, path = await open_replica(), photo(tmp_path)
    content = path.read_bytes()
    taken = await replica.photos.add(path, type="front", pose="relaxed", day="2026-03-01")
    path.unlink()
    assert (taken["date"], taken["type"], taken["content_type"]) == ("2026-03-01", "front", "image/jpeg")
    assert taken["size_bytes"] == len(content)
    await taken.save(tmp_path / "again.jpg")
    assert (tmp_path / "again.jpg").read_bytes() == content
    status = await replica.status()
    assert (status.media_waiting, status.media_waiting_bytes) == (1, len(content))


async def test_the_same_file_waits_once(open_replica: OpenReplica, tmp_path: Path) -> None:
    replica, path = await open_replica(), photo(tmp_path)
    (tmp_path / "copy.jpg").write_bytes(path.read_bytes())
    for each in (path, tmp_path / "copy.jpg"):
        await replica.photos.add(each)
    assert [item.state for item in await replica.media.queue()] == ["waiting"]
    assert len(await replica.photos.list()) == 2


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7", b"<html>", b"PK\x03\x04", b"\xff\xd8"], ids=["empty", "pdf", "page", "zip", "cut"]
)
async def test_what_is_no_photo_is_refused_and_leaves_nothing(
    open_replica: OpenReplica, tmp_path: Path, content: bytes
) -> None:
    replica, path = await open_replica(), tmp_path / "file.jpg"
    path.write_bytes(content)
    for wrong in (path, tmp_path / "absent.jpg", tmp_path):
        with pytest.raises(MediaUnusable):
            await replica.photos.add(wrong)
    assert await replica.media.queue() == [] == await replica.photos.list()


async def test_a_file_that_is_too_large_leaves_nothing(
    open_replica: OpenReplica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apex_client.media.SIZE_MAX", {"photo": 1000})
    replica = await open_replica()
    with pytest.raises(MediaUnusable, match="has more than"):
        await replica.photos.add(photo(tmp_path))
    assert await replica.query("SELECT count(*) AS pieces FROM media_pieces") == [{"pieces": 0}]


async def test_a_photo_whose_record_is_refused_does_not_wait(open_replica: OpenReplica, tmp_path: Path) -> None:
    replica = await open_replica()
    with pytest.raises(OutOfBounds):
        await replica.photos.add(photo(tmp_path), notes="x" * 1_000_000)
    assert await replica.media.queue() == []


async def test_what_was_taken_before_the_first_sign_in_becomes_the_athletes(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    replica = await open_replica(transport=LoopbackTransport(server))
    await replica.photos.add(photo(tmp_path))
    server.add_user("anna@example.com", "athlete")
    user = await replica.login("https://coach.example", "anna@example.com", "secret")
    assert [item.scope for item in await replica.media.queue()] == [f"athlete:{user.id}"]


async def test_signing_out_asks_about_photos_that_nobody_has(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    replica = await open_replica(transport=LoopbackTransport(server))
    server.add_user("anna@example.com", "athlete")
    await replica.login("https://coach.example", "anna@example.com", "secret")
    await replica.photos.add(photo(tmp_path))
    with pytest.raises(UnsentWork) as refused:
        await replica.logout()
    assert refused.value.count == 2, "the record and its picture"
    await replica.logout(discard_unsent=True)
    assert await replica.query("SELECT count(*) AS pieces FROM media_pieces") == [{"pieces": 0}]


async def test_a_file_that_the_server_does_not_take_holds_up_no_other(
    open_replica: OpenReplica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = await open_replica()
    first, _ = [await replica.photos.add(photo(tmp_path, f"{shade}.jpg", shade)) for shade in (50, 90)]

    async def request(method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if body["media_id"] == first["media_id"]:
            raise ServerRefused(409, "media_full", "There is as much media as your tier allows.")
        return upload("ready")

    monkeypatch.setattr(replica, "request", request)
    with pytest.raises(ServerRefused, match="as much media"):
        await replica.media.upload()
    assert [(item.media_id, item.state, item.refusal) for item in await replica.media.queue()] == [
        (first["media_id"], "waiting", "media_full")
    ]


@pytest.mark.parametrize("refusal", ["hash_mismatch", "takes_too_long"])
async def test_what_was_refused_for_what_passes_goes_once_more_and_then_no_more(
    open_replica: OpenReplica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    replica = await open_replica()
    await replica.photos.add(photo(tmp_path))
    looked_at, completed = False, 0

    async def request(method: str, path: str, body: Any = None) -> dict[str, Any]:
        nonlocal looked_at, completed
        if path.endswith("/complete"):
            completed += 1
            looked_at = True
            return upload("received")
        if looked_at:
            looked_at = False
            return upload("refused", refusal)
        return upload("open")

    monkeypatch.setattr(replica, "request", request)
    for _ in range(8):
        await replica.media.upload()
    assert completed == 2
    assert [(item.state, item.refusal) for item in await replica.media.queue()] == [("refused", refusal)]


def upload(state: str, refusal: str | None = None) -> dict[str, Any]:
    return {"upload_id": "u", "state": state, "refusal": refusal, "parts": []}


async def test_what_a_killed_process_was_taking_in_is_swept_away(open_replica: OpenReplica, tmp_path: Path) -> None:
    replica = await open_replica()
    await replica.media._take_in(photo(tmp_path), "photo", None)
    pieces = "SELECT count(*) > 0 AS there FROM media_pieces"
    assert await replica.query(pieces) == [{"there": True}]
    await replica.aclose()
    later = await open_replica()
    assert await later.media.upload() == 0
    assert await later.query(pieces) == [{"there": False}]


def test_an_encrypted_replica_keeps_photos_as_noise(tmp_path: Path) -> None:
    content = photo(tmp_path).read_bytes()
    for key, readable in ((None, True), (bytes(32), False)):
        path = tmp_path / f"{readable}.db"
        with blocking.Replica.open(path, encryption_key=key) as replica:
            replica.photos.add(tmp_path / "front.jpg")
        kept = b"".join(each.read_bytes() for each in tmp_path.glob(f"{readable}.db*"))
        assert (content[2000:2040] in kept) is readable


def test_photos_are_salvaged_with_the_records(tmp_path: Path) -> None:
    content = photo(tmp_path).read_bytes()
    with blocking.Replica.open(tmp_path / "athlete.db") as replica:
        replica.photos.add(tmp_path / "front.jpg")
    with ReplicaImage.open(tmp_path / "athlete.db") as image:
        salvage(image, tmp_path / "salvaged.zip")
    with zipfile.ZipFile(tmp_path / "salvaged.zip") as archive:
        [name] = [name for name in archive.namelist() if name.startswith("media/")]
        assert name.endswith(".jpeg") and archive.read(name) == content
