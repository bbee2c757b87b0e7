"""Photos from the camera to the coach: taken offline, sent in parts, drawn anew, sealed, read, compared."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal
from PIL import Image, ImageDraw

from apex_client import Replica
from apex_client.errors import ServerRefused, ServerUnreachable
from apex_server.settings import Settings
from tests.client.apex_command import Terminal
from tests.e2e.whole_server import PASSWORD, SECRET, WholeServer, running_server

pytestmark = pytest.mark.anyio

CANARY = b"canary-of-a-bedroom"
LOOKED_AT_SECONDS_MAX = 20.0


@pytest.fixture(scope="module")
def working(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeServer]:
    """A server with a worker, which looks at photos."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("photos"), secret=SECRET)
    with running_server(portal, settings, with_worker=True) as running:
        yield running


def figure(path: Path, width: int, height: int, waist: int) -> Path:
    """Draw somebody, and say in the file where."""
    picture = Image.effect_noise((width, height), 30).convert("RGB")
    draw = ImageDraw.Draw(picture)
    middle = width // 2
    draw.ellipse((middle - 30, 20, middle + 30, 90), fill=(200, 150, 120))
    draw.rectangle((middle - waist, 95, middle + waist, height - 60), fill=(200, 150, 120))
    exif = Image.Exif()
    exif[0x010E] = CANARY.decode()
    picture.save(path, "JPEG", exif=exif, comment=CANARY)
    return path


async def until_kept(replica: Replica) -> None:
    """Sync until the server has looked at everything."""
    with anyio.fail_after(LOOKED_AT_SECONDS_MAX):
        while await replica.media.queue():
            await replica.sync()
            await anyio.sleep(0.2)


async def until_sent(replica: Replica) -> None:
    """Wait until the background has sent everything."""
    with anyio.fail_after(LOOKED_AT_SECONDS_MAX):
        while (await replica.status()).media_waiting:  # noqa: ASYNC110 - another task does it.
            await anyio.sleep(0.1)


async def test_photos_taken_offline_reach_the_coach_without_their_place(working: WholeServer, tmp_path: Path) -> None:
    email, coach_email = working.new_email("mara"), working.new_email("carla")
    async with Replica.open(tmp_path / "athlete.db") as offline:
        await offline.photos.add(figure(tmp_path / "a.jpg", 600, 900, 80), day="2026-03-01", type="front")
        await offline.photos.add(figure(tmp_path / "b.jpg", 500, 600, 60), day="2026-05-01", type="front")

    async with Replica.open(tmp_path / "coach.db") as coach, Replica.open(tmp_path / "athlete.db") as athlete:
        await coach.register(working.address, coach_email, PASSWORD, name="Carla", role="coach")
        invite = (await coach.request("POST", "/api/invites", {}))["code"]
        user = await athlete.register(working.address, email, PASSWORD, name="Mara", invite=invite)
        told: list[Any] = []
        report = await athlete.sync(progress=told.append)
        assert report.media_sent == 2
        assert told[-1].media_bytes == told[-1].media_bytes_total > 0
        await until_kept(athlete)

        await coach.sync()
        then, now = reversed(await coach.athlete(user.id).photos.list())
        await then.save(tmp_path / "then.jpg")
        await now.save(tmp_path / "small.jpg", thumbnail=True)
        await coach.photos.compare(then, now, tmp_path / "both.jpg")
        assert Image.open(tmp_path / "then.jpg").size == (600, 900)
        assert max(Image.open(tmp_path / "small.jpg").size) == 480
        assert Image.open(tmp_path / "both.jpg").height > 600
        kept = os.environ.get("APEX_KEEP_PICTURES")
        if kept:
            (Path(kept) / "both.jpg").write_bytes((tmp_path / "both.jpg").read_bytes())

        for path in (tmp_path / "then.jpg", *files_below(working.settings.data_dir)):
            assert CANARY not in path.read_bytes(), path

        await coach.request("DELETE", f"/api/clients/{user.id}/link")
        with pytest.raises(ServerRefused):
            await then.save(tmp_path / "no more.jpg")
        assert not (tmp_path / "no more.jpg").exists()


def files_below(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert any("media" in path.parts for path in found)
    return found


async def test_a_cut_upload_sends_what_is_missing_and_no_more(working: WholeServer, tmp_path: Path) -> None:
    film = tmp_path / "squat.pdf"
    film.write_bytes(b"%PDF-1.7" + os.urandom(3_500_000))
    async with Replica.open(tmp_path / "athlete.db") as athlete:
        await athlete.register(working.address, working.new_email("nora"), PASSWORD, name="Nora")
        media_id = await athlete.media.add(film, kind="file")
        transport, put = athlete._account.transport, athlete._account.transport.put
        sent: list[str] = []

        async def cut(server: str, token: str, place: str, content: bytes) -> None:
            if len(sent) == 2:
                raise ServerUnreachable(server, "the lift")
            sent.append(place)
            await put(server, token, place, content)

        transport.put = cut  # type: ignore[method-assign]
        with pytest.raises(ServerUnreachable):
            await athlete.sync()
        assert (await athlete.status()).media_waiting_bytes == film.stat().st_size - 2 * 2**20

        async def counted(server: str, token: str, place: str, content: bytes) -> None:
            sent.append(place)
            await put(server, token, place, content)

        transport.put = counted  # type: ignore[method-assign]
        await athlete.sync()
        assert len(sent) == len(set(sent)) == 4
        await until_kept(athlete)
        await athlete.media.save(media_id, tmp_path / "back.pdf")
        assert (tmp_path / "back.pdf").read_bytes() == film.read_bytes()


async def test_a_recording_goes_with_its_message(working: WholeServer, tmp_path: Path) -> None:
    recording = tmp_path / "cue.ogg"
    recording.write_bytes(b"OggS" + os.urandom(40_000))
    async with Replica.open(tmp_path / "coach.db") as coach, Replica.open(tmp_path / "athlete.db") as athlete:
        await coach.register(working.address, working.new_email("carla"), PASSWORD, name="Carla", role="coach")
        invite = (await coach.request("POST", "/api/invites", {}))["code"]
        await athlete.register(working.address, working.new_email("rosa"), PASSWORD, name="Rosa", invite=invite)
        await athlete.sync()
        await athlete.messages.send_file(recording, "voice", duration_seconds=4)
        await athlete.sync()
        await until_kept(athlete)
        await coach.sync()
        [message] = await coach.messages.list()
        [said] = message.said
        assert (said.type, said.file_name) == ("voice", "cue.ogg")
        assert said.media_id is not None
        await coach.media.save(said.media_id, tmp_path / "heard.ogg")
        assert (tmp_path / "heard.ogg").read_bytes() == recording.read_bytes()


async def test_photos_go_up_in_the_background(working: WholeServer, tmp_path: Path) -> None:
    async with Replica.open(tmp_path / "athlete.db") as athlete:
        await athlete.register(working.address, working.new_email("olga"), PASSWORD, name="Olga")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(athlete.run)
            await athlete.photos.add(figure(tmp_path / "a.jpg", 300, 400, 40))
            await until_sent(athlete)
            tasks.cancel_scope.cancel()


def test_photos_in_the_terminal(working: WholeServer, tmp_path: Path) -> None:
    apex = Terminal(tmp_path)
    for name, day in (("a.jpg", "2026-03-01"), ("b.jpg", "2026-05-01")):
        figure(tmp_path / name, 300, 400, 50 if day < "2026-04" else 40)
        apex("photos", "add", tmp_path / name, "--side", "front", "--date", day).ok()
    assert "to be sent" in apex("photos", "list").out
    assert "2 photos and files to be sent" in apex("status").out
    email = working.new_email("pia")
    apex(
        "register",
        "--server",
        working.address,
        "--email",
        email,
        "--name",
        "Pia",
        "--password-stdin",
        stdin=f"{PASSWORD}\n",
    ).ok()
    assert "2 photos and files sent" in apex("sync").text
