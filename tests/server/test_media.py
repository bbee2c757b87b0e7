"""Media: handed in part by part, looked at by the worker, sealed in the store, and read by who may."""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pillow_heif
import pytest
from PIL import Image

from apex_server.media import MediaKeeper, pictures
from apex_server.media.store import NoSuchObject
from apex_server.personal_data import Exporter
from apex_sync.ids import thread_scope
from tests.server.accounts_app import problem
from tests.server.media_parts import declared, hand_in, keep_media, picture, sha256
from tests.server.whole_app import Signed, WholeApp

pytestmark = pytest.mark.anyio

WHERE_IT_WAS_TAKEN = "canary-of-a-bedroom"


@pytest.fixture
async def athlete(whole: WholeApp) -> Signed:
    return await whole.person("anna", "athlete")


def photo_with_place() -> bytes:
    """Give a JPEG that says where and how it was taken, and that lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn it to the right.
    exif[0x010E] = WHERE_IT_WAS_TAKEN
    exif.get_ifd(0x8825)[1] = "N"
    return picture(300, 200, form="JPEG", exif=exif, comment=WHERE_IT_WAS_TAKEN.encode())


async def state_of(person: Signed, content: bytes, **more: Any) -> tuple[str, str | None]:
    told = (await person("POST", "/api/media", declared(content, **more))).json()
    return told["state"], told["refusal"]


async def read(person: Signed, media_id: str, path: str = "", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await person("GET", f"/api/media/{media_id}{path}", headers=named)


def files_of(whole: WholeApp) -> list[Path]:
    root: Path = whole.app.state.media_store.root
    return [path for path in root.rglob("*") if path.is_file()]


async def test_a_photo_is_read_upright_and_says_nothing_but_its_pixels(whole: WholeApp, athlete: Signed) -> None:
    content = photo_with_place()
    assert WHERE_IT_WAS_TAKEN.encode() in content
    media_id = await hand_in(athlete, content, content_type="image/jpeg")
    assert await state_of(athlete, content, content_type="image/jpeg") == ("checking", None)
    assert (await read(athlete, media_id)).status_code == 404, "nobody reads what nobody has looked at"
    await keep_media(whole)

    got, small = await read(athlete, media_id), await read(athlete, media_id, "/thumbnail")
    shown = Image.open(io.BytesIO(got.content))
    assert (shown.format, shown.size, dict(shown.getexif())) == ("JPEG", (200, 300), {})
    assert WHERE_IT_WAS_TAKEN.encode() not in got.content
    assert Image.open(io.BytesIO(small.content)).size == (200, 300)
    assert got.headers["etag"] == f'"{hashlib.sha256(got.content).hexdigest()}"'
    assert got.headers["cache-control"] == "private, no-cache"
    assert (await read(athlete, media_id, if_none_match=got.headers["etag"])).status_code == 304
    assert await state_of(athlete, content, content_type="image/jpeg") == ("ready", None)


async def test_what_lies_in_the_store_is_noise(whole: WholeApp, athlete: Signed) -> None:
    media_id = await hand_in(athlete, photo_with_place(), content_type="image/jpeg")
    await keep_media(whole)
    shown = (await read(athlete, media_id)).content
    assert sorted(path.name for path in files_of(whole)) == ["original", "thumbnail"], "what came in is deleted"
    for path in files_of(whole):
        kept = path.read_bytes()
        assert not any(piece in kept for piece in (WHERE_IT_WAS_TAKEN.encode(), b"\xff\xd8\xff", shown[100:140]))


async def test_who_may_read_the_scope_reads_and_who_no_longer_may_does_not(whole: WholeApp, athlete: Signed) -> None:
    coach, stranger = await whole.person("carla", "coach"), await whole.person("otto", "coach")
    await whole.coaches(coach, athlete)
    media_id = await hand_in(athlete, picture())
    await keep_media(whole)
    assert (await read(coach, media_id)).status_code == 200
    assert (await read(stranger, media_id)).status_code == 404
    assert (await read(stranger, "0" * 64)).status_code == 404
    assert (await coach("DELETE", f"/api/clients/{athlete.id}/link")).status_code == 204
    assert (await read(coach, media_id)).status_code == 404


async def test_a_coach_hands_in_for_an_athlete_of_theirs_alone(whole: WholeApp, athlete: Signed) -> None:
    coach = await whole.person("carla", "coach")
    named = declared(picture(), athlete_id=str(athlete.id))
    assert problem(await coach("POST", "/api/media", named))[0] == 404
    await whole.coaches(coach, athlete)
    await hand_in(coach, picture(), athlete_id=str(athlete.id))
    await keep_media(whole)
    assert (await read(athlete, sha256(picture()))).status_code == 200
    for scope in ("global", "nonsense", f"athlete:{coach.id}", "coach:"):
        assert problem(await coach("POST", "/api/media", declared(picture(), scope=scope)))[0] == 404, scope


async def test_a_cut_upload_goes_on_where_it_stopped(whole: WholeApp, athlete: Signed) -> None:
    content = b"%PDF-1.7" + bytes(2_300_001)
    body = declared(content, kind="file", content_type="application/pdf")
    told = (await athlete("POST", "/api/media", body)).json()
    assert [part["number"] for part in told["parts"]] == [1, 2, 3]
    first = told["parts"][0]
    complete = f"/api/media/uploads/{told['upload_id']}/complete"
    short = await athlete("PUT", first["url"], content=content[: first["size_bytes"] - 1])
    assert problem(short)[0] == 422
    assert (await athlete("PUT", first["url"], content=content[: first["size_bytes"]])).status_code == 204
    incomplete = await athlete("POST", complete)
    assert (incomplete.status_code, incomplete.json()["parts"]) == (409, [2, 3])
    left = (await athlete("POST", "/api/media", body)).json()["parts"]
    assert [part["number"] for part in left] == [2, 3]
    for part in left:
        piece = content[part["offset"] : part["offset"] + part["size_bytes"]]
        assert (await athlete("PUT", part["url"], content=piece)).status_code == 204
    for _ in range(2):
        assert (await athlete("POST", complete)).json()["state"] == "checking"
    assert (await athlete("PUT", first["url"], content=b"x" * first["size_bytes"])).status_code == 404
    for number in (0, 4, 10_000):
        assert (await athlete("PUT", first["url"][:-1] + str(number), content=b"x")).status_code in (404, 422)


async def test_a_file_is_read_from_any_place_on(whole: WholeApp, athlete: Signed) -> None:
    content = b"%PDF-1.7 " + bytes(range(256)) * 3000
    media_id = await hand_in(athlete, content, kind="file", content_type="application/pdf")
    await keep_media(whole)
    whole_file = await read(athlete, media_id)
    assert whole_file.content == content
    assert whole_file.headers["content-disposition"] == "attachment"
    for start in (1, 262_143, 262_144, 262_145, 524_288, len(content) - 1):
        rest = await read(athlete, media_id, range=f"bytes={start}-")
        assert (rest.status_code, rest.content) == (206, content[start:]), start
        assert rest.headers["content-range"] == f"bytes {start}-{len(content) - 1}/{len(content)}"


async def test_a_range_of_a_file_is_given_as_the_rfc_has_it(whole: WholeApp, athlete: Signed) -> None:
    content = b"%PDF-1.7 " + bytes(range(256)) * 3000
    media_id, size = await hand_in(athlete, content, kind="file", content_type="application/pdf"), len(content)
    await keep_media(whole)
    ranges = {
        "0-1": (0, 2),
        "0-": (0, size),
        "7-7": (7, 8),
        "262143-262144": (262_143, 262_145),
        "262144-524287": (262_144, 524_288),
        f"5-{size + 9}": (5, size),
        "-5": (size - 5, size),
        f"-{size + 9}": (0, size),
    }
    for asked, (start, end) in ranges.items():
        part = await read(athlete, media_id, range=f"bytes={asked}")
        assert (part.status_code, part.content) == (206, content[start:end]), asked
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.headers["content-length"] == str(end - start)
    for odd in ("bytes=0-1,4-5", "bytes=5-2", "bytes=-", "lines=1-", "bytes=x"):
        answer = await read(athlete, media_id, range=odd)
        assert (answer.status_code, answer.content) == (200, content), odd
    for beyond in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
        refused = await read(athlete, media_id, range=beyond)
        assert problem(refused) == (416, "range_not_satisfiable"), beyond
        assert refused.headers["content-range"] == f"bytes */{size}"


async def test_a_range_of_another_version_is_the_whole_file(whole: WholeApp, athlete: Signed) -> None:
    content = b"%PDF-1.7 " + bytes(900)
    media_id = await hand_in(athlete, content, kind="file", content_type="application/pdf")
    await keep_media(whole)
    etag = (await read(athlete, media_id)).headers["etag"]
    for known, status in ((etag, 206), ('"another"', 200)):
        answer = await read(athlete, media_id, range="bytes=0-1", if_range=known)
        assert answer.status_code == status, known


def bomb(width: int, height: int) -> bytes:
    """Give a PNG of some hundred bytes that says it has so many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


REFUSED = {
    "a zip": (b"PK\x03\x04" + bytes(400), "image/png", "wrong_format"),
    "a page": (b"<script>alert(1)</script>" * 9, "image/jpeg", "wrong_format"),
    "another format": (picture(form="JPEG"), "image/png", "wrong_format"),
    "a bomb": (bomb(60_000, 60_000), "image/png", "too_many_pixels"),
    "a smaller bomb": (bomb(8_000, 8_000), "image/png", "too_many_pixels"),
    "a picture cut short": (picture(900, 900, form="JPEG")[:2000], "image/jpeg", "not_a_picture"),
    "a head alone": (b"\xff\xd8\xff" + bytes(64), "image/jpeg", "not_a_picture"),
    "no heic": (b"\x00\x00\x00\x18ftypheic" + bytes(64), "image/heic", "not_a_picture"),
    "an empty webp": (b"RIFF\x00\x00\x00\x00WEBP" + bytes(64), "image/webp", "not_a_picture"),
}


async def test_what_is_no_picture_is_refused_with_a_word(whole: WholeApp, athlete: Signed) -> None:
    for content, content_type, _ in REFUSED.values():
        await hand_in(athlete, content, content_type=content_type)
    await keep_media(whole)
    for name, (content, content_type, refusal) in REFUSED.items():
        assert await state_of(athlete, content, content_type=content_type) == ("refused", refusal), name
        assert (await read(athlete, sha256(content))).status_code == 404
    assert not files_of(whole)


async def test_a_second_file_behind_a_picture_does_not_go_on(whole: WholeApp, athlete: Signed) -> None:
    content = picture(form="JPEG") + b"PK\x03\x04<script>two in one</script>"
    media_id = await hand_in(athlete, content, content_type="image/jpeg")
    await keep_media(whole)
    got = await read(athlete, media_id)
    assert got.status_code == 200 and b"two in one" not in got.content


async def test_every_kind_of_picture_is_drawn(whole: WholeApp, athlete: Signed) -> None:
    heic, see_through = io.BytesIO(), io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), (9, 90, 9))).save(heic)
    Image.new("RGBA", (64, 48), (0, 0, 0, 0)).save(see_through, "PNG")
    pictures = {
        "image/jpeg": picture(64, 48, form="JPEG"),
        "image/webp": picture(64, 48, form="WEBP"),
        "image/heic": heic.getvalue(),
        "image/png": see_through.getvalue(),
    }
    for content_type, content in pictures.items():
        await hand_in(athlete, content, content_type=content_type)
    await keep_media(whole)
    for content_type, content in pictures.items():
        got = await read(athlete, sha256(content))
        assert got.status_code == 200, content_type
        shown = Image.open(io.BytesIO(got.content))
        assert (shown.format, shown.size) == ("JPEG", (64, 48)), content_type
        assert content_type != "image/png" or shown.getpixel((5, 5)) == (255, 255, 255), "it is on white"


async def test_bytes_that_are_not_the_announced_ones_may_come_again(whole: WholeApp, athlete: Signed) -> None:
    content = picture()
    told = (await athlete("POST", "/api/media", declared(content))).json()
    assert (await athlete("PUT", told["parts"][0]["url"], content=bytes(len(content)))).status_code == 204
    await athlete("POST", f"/api/media/uploads/{told['upload_id']}/complete")
    await keep_media(whole)
    again = (await athlete("POST", "/api/media", declared(content))).json()
    assert (again["state"], len(again["parts"])) == ("open", 1)
    assert again["upload_id"] != told["upload_id"]
    media_id = await hand_in(athlete, content)
    await keep_media(whole)
    assert (await read(athlete, media_id)).status_code == 200


async def test_a_disk_that_is_full_refuses_no_picture(
    whole: WholeApp, athlete: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_id = await hand_in(athlete, picture())
    state, clock = whole.app.state, [datetime.now(UTC)]
    keeper = MediaKeeper(state.database, state.media_store, now=lambda: clock[-1])

    def full(*_args: Any, **_named: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("apex_server.media.checking.tempfile.NamedTemporaryFile", full)
        for _ in range(5):
            with pytest.raises(OSError, match="No space"):
                await keeper.check_next()
            clock.append(clock[-1] + timedelta(hours=1))
    await keeper.check_all()
    assert (await read(athlete, media_id)).status_code == 200


async def test_what_a_machine_had_no_time_for_may_come_again(whole: WholeApp, athlete: Signed) -> None:
    await hand_in(athlete, picture())
    await whole.owner.execute("UPDATE media SET state = 'refused', refusal = 'takes_too_long'")
    assert await state_of(athlete, picture()) == ("open", None)


async def test_a_part_that_comes_after_an_erasure_is_not_kept(whole: WholeApp) -> None:
    store, upload_id = whole.app.state.media_store, uuid4()
    await store.begin(upload_id)
    await store.delete(upload_id, "")
    with pytest.raises(NoSuchObject):
        await store.take_part(upload_id, 1, b"late")
    assert not files_of(whole)


async def test_the_same_file_is_sent_once(athlete: Signed) -> None:
    await hand_in(athlete, picture())
    told = (await athlete("POST", "/api/media", declared(picture()))).json()
    assert (told["state"], told["parts"]) == ("checking", [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"size_bytes": 0}, "size_bytes"),
        ({"size_bytes": 10**12}, "size_bytes"),
        ({"media_id": "A" * 64}, "media_id"),
        ({"content_type": "text/html"}, "content_type"),
        ({"content_type": "video/mp4"}, "content_type"),
        ({"kind": "malware"}, "kind"),
        ({"colour": "red"}, ""),
    ],
)
async def test_what_cannot_be_handed_in_is_named(athlete: Signed, changes: dict[str, Any], field: str) -> None:
    answer = await athlete("POST", "/api/media", declared(picture()) | changes)
    assert problem(answer)[0] == 422, answer.text
    assert answer.json()["errors"][0]["field"].startswith(field)


async def test_there_is_no_more_than_the_tier_allows(athlete: Signed) -> None:
    film = {"kind": "video", "content_type": "video/mp4", "size_bytes": 500_000_000}
    answers = [await athlete("POST", "/api/media", film | {"media_id": f"{number:064x}"}) for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [409] * 2
    assert answers[-1].json()["code"] == "media_full"


async def test_an_upload_that_nobody_goes_on_with_is_forgotten(whole: WholeApp, athlete: Signed) -> None:
    told = (await athlete("POST", "/api/media", declared(picture()))).json()
    await athlete("PUT", told["parts"][0]["url"], content=picture())
    assert files_of(whole)
    later = datetime.now(UTC) + timedelta(days=8)
    await MediaKeeper(whole.app.state.database, whole.app.state.media_store, now=lambda: later).sweep()
    assert not files_of(whole)


async def test_media_of_a_scope_without_records_go_with_their_person(whole: WholeApp, athlete: Signed) -> None:
    coach = await whole.person("carla", "coach")
    await whole.coaches(coach, athlete)
    await hand_in(coach, picture(), scope=thread_scope(str(coach.id), str(athlete.id)), kind="image")
    await whole.owner.execute("SELECT apex_erase_account($1, now())", coach.id)
    assert await whole.owner.fetchval("SELECT count(*) FROM media") == 0


async def test_what_goes_with_its_person_goes_from_the_store(whole: WholeApp, athlete: Signed) -> None:
    await hand_in(athlete, picture())
    await keep_media(whole)
    assert files_of(whole)
    await whole.owner.execute("SELECT apex_erase_account($1, now())", athlete.id)
    assert await whole.owner.fetchval("SELECT count(*) FROM media") == 0
    await keep_media(whole)
    assert not files_of(whole)
    assert await whole.owner.fetchval("SELECT count(*) FROM media_garbage") == 0


async def test_a_copy_of_everything_has_it_too(whole: WholeApp, athlete: Signed) -> None:
    await athlete("POST", "/api/progress/photos", {"media_id": sha256(picture()), "date": "2026-03-01"})
    await hand_in(athlete, picture())
    await hand_in(athlete, b"%PDF-1.7" + bytes(700_000), kind="file", content_type="application/pdf")
    await keep_media(whole)
    await athlete("POST", "/api/privacy/export")
    state = whole.app.state
    assert await Exporter(state.database, state.media_store, now=lambda: datetime.now(UTC)).make_next()
    [made] = (await athlete("GET", "/api/privacy/exports")).json()
    answer = await athlete("GET", f"/api/privacy/exports/{made['id']}/file")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        listed = json.loads(archive.read("media.json"))
        assert {entry["media_id"] for entry in listed} >= {sha256(picture())}
        for entry in listed:
            assert archive.read(entry["file"]) == (await read(athlete, entry["media_id"])).content


async def test_a_file_that_the_store_lost_keeps_nobody_from_the_rest(whole: WholeApp, athlete: Signed) -> None:
    coach = await whole.person("carla", "coach")
    await whole.coaches(coach, athlete)
    kept, lost = picture(), picture(colour=(9, 9, 9))
    for content in (kept, lost):
        await hand_in(athlete, content)
    await hand_in(athlete, kept, scope=thread_scope(str(coach.id), str(athlete.id)))
    await keep_media(whole)
    gone = await whole.owner.fetchval("SELECT id FROM media WHERE media_id = $1", sha256(lost))
    await whole.app.state.media_store.delete(gone, "")
    await athlete("POST", "/api/privacy/export")
    state = whole.app.state
    assert await Exporter(state.database, state.media_store, now=lambda: datetime.now(UTC)).make_next()
    [made] = (await athlete("GET", "/api/privacy/exports")).json()
    answer = await athlete("GET", f"/api/privacy/exports/{made['id']}/file")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert len(archive.namelist()) == len(set(archive.namelist()))
        listed = {entry["media_id"]: entry for entry in json.loads(archive.read("media.json"))}
        assert (listed[sha256(lost)]["file"], listed[sha256(lost)]["missing"]) == (None, "lost")
        assert archive.read(listed[sha256(kept)]["file"]).startswith(b"\xff\xd8\xff")


async def test_the_program_that_draws_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "spy.py"
    program.write_text(
        "import json, os, sys\n"
        "sys.stdin.buffer.read()\n"
        "seen = json.dumps(dict(os.environ)).encode()\n"
        "print(json.dumps({'width_px': 1, 'height_px': 1, 'sizes': [len(seen)]}), flush=True)\n"
        "sys.stdout.buffer.write(seen)\n"
    )
    monkeypatch.setattr(pictures, "PROGRAM", program)
    monkeypatch.setenv("APEX_MASTER_KEY", "canary-of-a-key")
    [seen] = (await pictures.draw(b"x", "image/png")).files
    assert b"canary" not in seen and b"APEX" not in seen


async def test_grey_of_sixteen_bits_stays_grey() -> None:
    out = io.BytesIO()
    Image.new("I;16", (64, 48), 0x8080).save(out, "PNG")
    shown = Image.open(io.BytesIO((await pictures.draw(out.getvalue(), "image/png")).files[0]))
    assert shown.getpixel((5, 5)) == (128, 128, 128)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_the_picture_of_the_largest_sensor_is_halved_upright_and_bare(form: str) -> None:
    """That costs the worker a third of what resampling it would."""
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn it to the right.
    exif[0x010E] = WHERE_IT_WAS_TAKEN
    left_is_dark = Image.new("RGB", (8160, 64), (250, 250, 250))
    left_is_dark.paste((5, 5, 5), (0, 0, 4080, 64))
    out = io.BytesIO()
    left_is_dark.save(out, form, exif=exif)
    drawn = await pictures.draw(out.getvalue(), f"image/{form.lower()}")
    shown = Image.open(io.BytesIO(drawn.files[0]))
    assert (shown.size, dict(shown.getexif()), WHERE_IT_WAS_TAKEN.encode() in drawn.files[0]) == ((32, 4080), {}, False)
    top, bottom = shown.getpixel((16, 40)), shown.getpixel((16, 4040))
    assert isinstance(top, tuple) and isinstance(bottom, tuple) and max(top) < 30 and min(bottom) > 220


@pytest.mark.parametrize("mode", ["P", "L", "LA", "RGBA", "I;16", "1"])
async def test_long_pictures_of_every_mode_are_drawn(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (8300, 8)).save(out, "PNG")
    drawn = await pictures.draw(out.getvalue(), "image/png")
    assert 4000 <= drawn.width_px <= 4096


async def test_a_store_that_lost_or_cannot_give_a_file_is_a_refusal(whole: WholeApp, athlete: Signed) -> None:
    media_id = await hand_in(athlete, picture())
    await keep_media(whole)
    store = whole.app.state.media_store
    there = store.root
    store.root = there / "elsewhere"
    assert problem(await read(athlete, media_id))[0] == 404
    (there / "file").write_text("where a folder should be")
    store.root = there / "file"
    assert problem(await read(athlete, media_id))[:2] == (503, "media_store_unavailable")


async def test_a_tampered_file_is_never_answered_whole(whole: WholeApp, athlete: Signed) -> None:
    content = b"%PDF-1.7" + bytes(600_000)
    media_id = await hand_in(athlete, content, kind="file", content_type="application/pdf")
    await keep_media(whole)
    [kept] = files_of(whole)
    sealed = kept.read_bytes()
    for spoilt in (sealed[:-1], sealed[: 262_144 + 29], sealed[262_144 + 29 :], b"\x01" + bytes(40) + sealed[41:]):
        kept.write_bytes(spoilt)
        try:
            got = await read(athlete, media_id)
        except Exception:  # noqa: BLE001, S112 - the connection ends short of the length that was told.
            continue
        assert len(got.content) < len(content)
