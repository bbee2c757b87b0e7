"""What every media store does, the directory and a real S3 server alike; and what only links of a bucket do."""

import io
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any
from uuid import UUID, uuid4

import anyio
import boto3
import httpx
import pytest
from msgspec.structs import replace
from PIL import Image

from apex_server.media import directory
from apex_server.media.directory import DirectoryStore
from apex_server.media.errors import MediaStoreAway
from apex_server.media.s3 import S3Store
from apex_server.media.store import MediaStore, NoSuchObject, part_sizes, raw_name
from apex_server.settings import Settings
from tests.server.media_parts import declared, keep_media, picture
from tests.server.swift_parts import CREDENTIALS, swift
from tests.server.swift_server import BUCKET
from tests.server.whole_app import whole_app

pytestmark = pytest.mark.anyio

PART_BYTES = 1000
CONTENT = os.urandom(2 * PART_BYTES + 501)
SIZES = part_sizes(len(CONTENT), PART_BYTES)


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    with swift() as address:
        yield address


def s3_store(address: str, **more: Any) -> S3Store:
    return S3Store(BUCKET, endpoint=address, region="us-east-1", part_bytes=PART_BYTES, credentials=CREDENTIALS, **more)


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    if request.param == "directory":
        return DirectoryStore(tmp_path / "media", part_bytes=PART_BYTES)
    return s3_store(request.getfixturevalue("s3_address"))


@pytest.fixture
def s3(s3_address: str) -> S3Store:
    return s3_store(s3_address)


def part(number: int) -> bytes:
    return CONTENT[(number - 1) * PART_BYTES :][: SIZES[number - 1]]


async def send(store: MediaStore, upload_id: UUID, handle: str, number: int) -> None:
    """Send a part as a device does: to the bucket itself, or through the server that keeps a directory."""
    if isinstance(store, DirectoryStore):
        await store.take_part(upload_id, number, part(number))
        return
    answer = await put(store.link(upload_id, handle, number, SIZES[number - 1]), part(number))
    assert answer.status_code == 200, answer.text


async def put(link: str, content: bytes) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.put(link, content=content)


async def content_of(store: MediaStore, name: str, start: int = 0, end: int | None = None) -> bytes:
    pieces: AsyncIterator[bytes] = store.read(name, start, end)
    return b"".join([piece async for piece in pieces])


async def test_parts_come_in_any_order_and_make_one_object(store: MediaStore) -> None:
    upload_id = uuid4()
    handle = await store.begin(upload_id)
    assert await store.missing(upload_id, handle, SIZES) == [1, 2, 3]
    for number, left in ((3, [1, 2]), (1, [2]), (1, [2]), (2, [])):
        await send(store, upload_id, handle, number)
        assert await store.missing(upload_id, handle, SIZES) == left
    for _ in range(2):
        await store.assemble(upload_id, handle, SIZES)
        assert await store.missing(upload_id, handle, SIZES) == []
    assert await content_of(store, raw_name(upload_id)) == CONTENT


async def test_parts_that_two_requests_put_together_at_once_make_one_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, upload_id = DirectoryStore(tmp_path, part_bytes=PART_BYTES), uuid4()
    handle = await store.begin(upload_id)
    for number in (1, 2, 3):
        await send(store, upload_id, handle, number)

    def overtaken(path: Path) -> AbstractContextManager[IO[bytes]]:
        monkeypatch.undo()
        anyio.from_thread.run(store.assemble, upload_id, handle, SIZES)
        return directory.whole(path)

    monkeypatch.setattr(directory, "whole", overtaken)
    await store.assemble(upload_id, handle, SIZES)
    assert await content_of(store, raw_name(upload_id)) == CONTENT


async def test_a_file_is_kept_and_read_from_any_place_on(store: MediaStore, tmp_path: Path) -> None:
    file = tmp_path / "sealed"
    file.write_bytes(CONTENT)
    name = f"{uuid4()}/original"
    for _ in range(2):
        await store.put(name, file)
    for start in (0, 1, PART_BYTES, len(CONTENT) - 1):
        assert await content_of(store, name, start) == CONTENT[start:]
        for end in (start + 1, len(CONTENT)):
            assert await content_of(store, name, start, end) == CONTENT[start:end]
    assert [await store.size(each) for each in (name, f"{uuid4()}/original")] == [len(CONTENT), None]


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(store: MediaStore, tmp_path: Path) -> None:
    upload_id = uuid4()
    handle = await store.begin(upload_id)
    for number in (1, 2, 3):
        await send(store, upload_id, handle, number)
    await store.assemble(upload_id, handle, SIZES)
    file = tmp_path / "sealed"
    file.write_bytes(b"sealed")
    await store.put(f"{upload_id}/original", file)
    await store.delete(upload_id, handle, raw_only=True)
    with pytest.raises(NoSuchObject):
        await content_of(store, raw_name(upload_id))
    assert await content_of(store, f"{upload_id}/original") == b"sealed"
    for _ in range(2):
        await store.delete(upload_id, handle)
    with pytest.raises(NoSuchObject):
        await content_of(store, f"{upload_id}/original")


async def test_an_upload_that_is_given_up_leaves_nothing(store: MediaStore) -> None:
    upload_id = uuid4()
    handle = await store.begin(upload_id)
    await send(store, upload_id, handle, 1)
    await store.delete(upload_id, handle)
    assert await store.missing(upload_id, handle, SIZES) == [1, 2, 3]


def longer(link: str) -> tuple[str, bytes]:
    return link, part(1) + b"x"


def shorter(link: str) -> tuple[str, bytes]:
    return link, part(1)[:-1]


def other_part(link: str) -> tuple[str, bytes]:
    return link.replace("partNumber=1", "partNumber=2"), part(1)


def other_object(link: str) -> tuple[str, bytes]:
    return link.replace("/raw?", "/original?"), part(1)


@pytest.mark.parametrize("spoil", [longer, shorter, other_part, other_object])
async def test_a_link_is_for_one_part_of_one_size(s3: S3Store, spoil: Callable[[str], tuple[str, bytes]]) -> None:
    upload_id = uuid4()
    handle = await s3.begin(upload_id)
    link, content = spoil(s3.link(upload_id, handle, 1, PART_BYTES))
    assert (await put(link, content)).status_code == 403
    assert await s3.missing(upload_id, handle, SIZES) == [1, 2, 3]


async def test_a_link_is_for_a_while(s3_address: str) -> None:
    store = s3_store(s3_address, link_seconds=1)
    upload_id = uuid4()
    handle = await store.begin(upload_id)
    link = store.link(upload_id, handle, 1, PART_BYTES)
    await anyio.sleep(2.1)
    assert (await put(link, part(1))).status_code == 403


async def test_a_bucket_that_is_away_is_told_from_one_that_is_empty() -> None:
    away = S3Store(
        BUCKET, endpoint="http://127.0.0.1:9", region="us-east-1", credentials=CREDENTIALS, part_bytes=PART_BYTES
    )
    with pytest.raises(MediaStoreAway):
        await away.begin(uuid4())


async def test_a_server_with_a_bucket_never_touches_the_bytes_that_come_in(
    s3_address: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the announcement to the erasure, over the real server, bucket and presigned links."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name.upper(), value)
    with_bucket = replace(settings, s3_bucket=BUCKET, s3_endpoint=s3_address, s3_region="us-east-1")
    content = picture(300, 200, form="JPEG", comment=b"canary-of-a-bedroom")
    async with whole_app(with_bucket) as whole:
        athlete = await whole.person("anna", "athlete")
        told = (await athlete("POST", "/api/media", declared(content, content_type="image/jpeg"))).json()
        [only] = told["parts"]
        assert only["url"].startswith(s3_address)
        own_path = f"/api/media/uploads/{told['upload_id']}/parts/1"
        assert (await athlete("PUT", own_path, content=content)).status_code == 404
        assert (await put(only["url"], content)).status_code == 200
        assert (await athlete("POST", f"/api/media/uploads/{told['upload_id']}/complete")).status_code == 200
        await keep_media(whole)
        shown = await athlete("GET", f"/api/media/{told['media_id']}")
        assert Image.open(io.BytesIO(shown.content)).size == (300, 200)
        kept = objects_in(s3_address, told["upload_id"])
        assert kept.keys() == {"original", "thumbnail"}
        assert not any(b"canary" in noise or b"\xff\xd8\xff" in noise for noise in kept.values())
        await whole.owner.execute("SELECT apex_erase_account($1, now())", athlete.id)
        await keep_media(whole)
        assert objects_in(s3_address, told["upload_id"]) == {}


def objects_in(address: str, upload_id: str) -> dict[str, bytes]:
    """Read what a bucket holds of an upload, as whoever gets at it would."""
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **CREDENTIALS)
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix=f"{upload_id}/").get("Contents", [])
    names = [each["Key"] for each in listed]
    return {name.partition("/")[2]: client.get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names}


async def test_a_directory_that_cannot_be_written_is_away(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file where the directory should be")
    with pytest.raises(MediaStoreAway):
        await DirectoryStore(tmp_path / "media").begin(uuid4())
