"""Progress photos over REST: what is known of them, where their pictures are, and two of them side by side."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from apex_server.media import MediaKeeper, find_ready, pictures
from apex_server.media.sealed_files import FileSeal
from apex_server.progress import photos
from tests.server.accounts_app import problem
from tests.server.media_parts import hand_in, keep_media, picture, sha256
from tests.server.whole_app import Signed, WholeApp

pytestmark = pytest.mark.anyio


async def taken(person: Signed, content: bytes, **known: Any) -> dict[str, Any]:
    """Hand a photo in, with what is known of it."""
    await hand_in(person, content)
    made = await person("POST", "/api/progress/photos", {"media_id": sha256(content), "date": "2026-03-01", **known})
    assert made.status_code == 201, made.text
    return dict(made.json())


async def test_a_photo_says_where_its_picture_is(whole: WholeApp) -> None:
    athlete = await whole.person("anna", "athlete")
    made = await taken(athlete, picture(), date="2026-03-01", type="front", pose="relaxed")
    assert (made["type"], made["pose"]) == ("front", "relaxed")
    assert (await athlete("GET", made["url"])).status_code == 404, "nobody has looked at it yet"
    await keep_media(whole)
    for address in (made["url"], made["thumbnail_url"]):
        assert (await athlete("GET", address)).headers["content-type"] == "image/jpeg"


async def test_photos_are_listed_by_day_and_side(whole: WholeApp) -> None:
    athlete, coach = await whole.person("anna", "athlete"), await whole.person("carla", "coach")
    await whole.coaches(coach, athlete)
    for day, side in (("2026-03-01", "front"), ("2026-03-01", "back"), ("2026-04-01", "front")):
        await athlete("POST", "/api/progress/photos", {"date": day, "type": side})
    listed = (await coach("GET", f"/api/progress/photos/client/{athlete.id}")).json()["photos"]
    assert [photo["date"] for photo in listed] == ["2026-04-01", "2026-03-01", "2026-03-01"]
    fronts = (await coach("GET", "/api/progress/photos?type=front&to=2026-03-31")).json()["photos"]
    assert [(photo["date"], photo["type"]) for photo in fronts] == [("2026-03-01", "front")]
    deleted = await athlete("DELETE", f"/api/progress/photos/{listed[0]['id']}")
    assert deleted.status_code == 204
    assert len((await athlete("GET", "/api/progress/photos")).json()["photos"]) == 2
    assert problem(await coach("DELETE", f"/api/progress/photos/{listed[1]['id']}"))[0] == 403


async def test_photos_stand_side_by_side_at_one_height(whole: WholeApp) -> None:
    athlete, coach = await whole.person("anna", "athlete"), await whole.person("carla", "coach")
    await whole.coaches(coach, athlete)
    then = await taken(athlete, picture(300, 400, colour=(250, 0, 0)), date="2026-03-01")
    now = await taken(athlete, picture(600, 1200, colour=(0, 0, 250)), date="2026-05-01")
    asked = {"photo_ids": [then["id"], now["id"]]}
    assert problem(await coach("POST", "/api/progress/compare", asked))[0] == 404
    await keep_media(whole)
    answer = await coach("POST", "/api/progress/compare", asked)
    assert answer.headers["content-type"] == "image/jpeg"
    sheet = Image.open(io.BytesIO(answer.content))
    assert sheet.width == 300 + 12 + 200 and sheet.height > 400
    red, blue = sheet.getpixel((150, 200)), sheet.getpixel((412, 200))
    assert isinstance(red, tuple) and isinstance(blue, tuple)
    assert red[0] > 200 > blue[0] and blue[2] > 200 > red[2]


async def test_photos_of_two_athletes_are_not_compared(whole: WholeApp) -> None:
    coach = await whole.person("carla", "coach")
    athletes = [await whole.person(name, "athlete") for name in ("anna", "ben")]
    photos = []
    for athlete in athletes:
        await whole.coaches(coach, athlete)
        photos.append((await taken(athlete, picture()))["id"])
    assert problem(await coach("POST", "/api/progress/compare", {"photo_ids": photos}))[0] == 422
    assert problem(await athletes[0]("POST", "/api/progress/compare", {"photo_ids": photos}))[0] == 404
    for count in (0, 1, 5):
        assert problem(await coach("POST", "/api/progress/compare", {"photo_ids": photos[:1] * count}))[0] == 422


async def test_a_film_is_not_compared(whole: WholeApp) -> None:
    athlete = await whole.person("anna", "athlete")
    film = b"\0\0\0\x18ftypmp42" + bytes(1000)
    await hand_in(athlete, film, kind="video", content_type="video/mp4")
    shown = {"media_id": sha256(film), "date": "2026-03-01"}
    photos = [(await athlete("POST", "/api/progress/photos", shown)).json()["id"] for _ in range(2)]
    await keep_media(whole)
    refused = await athlete("POST", "/api/progress/compare", {"photo_ids": photos})
    assert problem(refused)[0] == 422 and "pictures" in refused.text


async def test_what_cannot_be_compared_says_why(whole: WholeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    athlete = await whole.person("anna", "athlete")
    asked = {"photo_ids": [(await taken(athlete, picture(colour=(shade, 0, 0))))["id"] for shade in (1, 2)]}
    await keep_media(whole)

    async def refused() -> tuple[int, str]:
        answer = await athlete("POST", "/api/progress/compare", asked)
        return problem(answer)[0], answer.text

    with monkeypatch.context() as bounded:
        bounded.setattr(photos, "COMPARED_BYTES_MAX", 999)
        status, text = await refused()
        assert status == 422 and "999 bytes" in text
    with monkeypatch.context() as broken:
        broken.setattr(pictures, "PROGRAM", Path(__file__).with_name("absent.py"))
        assert (await refused())[0] == 503, "a program that does not run is no fault of the photos"
    store = whole.app.state.media_store
    async with whole.app.state.database.request(athlete.id) as connection:
        ready = [await find_ready(connection, whole.app.state.database.vault, each) for each in await named(whole)]
    for each in ready:  # As a store is that somebody with its key wrote to.
        noise = b"\xff\xd8\xff" + bytes(each.stored_bytes - 3)
        seal = FileSeal(each.key, each.id, "original", each.stored_bytes)
        (store.root / f"{each.id}/original").write_bytes(b"".join([*seal.add(noise), *seal.end()]))
    status, text = await refused()
    assert status == 422 and "not_a_picture" in text
    for each in ready:
        await store.delete(each.id, "")
    assert (await refused())[0] == 404


async def named(whole: WholeApp) -> list[str]:
    return [row["media_id"] for row in await whole.owner.fetch("SELECT media_id FROM media")]


async def test_who_waits_to_compare_holds_no_pictures(whole: WholeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    athlete = await whole.person("anna", "athlete")
    asked = {"photo_ids": [(await taken(athlete, picture(colour=(shade, 0, 0))))["id"] for shade in (1, 2)]}
    await keep_media(whole)
    read: list[Any] = []
    monkeypatch.setattr(photos, "whole_file", lambda *args: read.append(args))
    monkeypatch.setattr(pictures, "WAIT_SECONDS_MAX", 1.0)
    waiting, done = asyncio.Semaphore(0), asyncio.Event()

    async def hold_a_turn() -> None:
        async with pictures.drawing_turn():
            waiting.release()
            await done.wait()

    others = [asyncio.create_task(hold_a_turn()) for _ in range(pictures.AT_ONCE)]
    for _ in others:
        await waiting.acquire()
    busy = await athlete("POST", "/api/progress/compare", asked)
    done.set()
    await asyncio.gather(*others)
    assert problem(busy)[:2] == (503, "server_busy")
    assert not read


async def test_the_picture_of_a_deleted_photo_goes_after_thirty_days(whole: WholeApp) -> None:
    athlete = await whole.person("anna", "athlete")
    photos = [await taken(athlete, picture(colour=(shade, 0, 0))) for shade in (10, 20)]
    await keep_media(whole)
    state, now = whole.app.state, datetime.now(UTC)

    async def house_is_kept_after(**span: float) -> list[int]:
        keeper = MediaKeeper(state.database, state.media_store, now=lambda: now + timedelta(**span))
        await keeper.forget_deleted()
        await keeper.sweep()
        return [(await athlete("GET", photo["url"])).status_code for photo in photos]

    for photo in photos:
        assert (await athlete("DELETE", f"/api/progress/photos/{photo['id']}")).status_code == 204
    assert await house_is_kept_after(hours=1) == [404, 404], "nobody reads a picture whose photo is deleted"
    assert (await athlete("POST", f"/api/progress/photos/{photos[1]['id']}/restore")).status_code == 200
    assert await house_is_kept_after(days=29) == [404, 200]
    assert await house_is_kept_after(days=31) == [404, 200]
    assert await house_is_kept_after(days=90) == [404, 200]
    assert await whole.owner.fetchval("SELECT count(*) FROM media") == 1
