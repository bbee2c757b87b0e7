"""Pictures on an athlete's page, in a real Chromium: of progress, of a check-in, in a message; and a recording."""

import io
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from apex_server.db import Database
from apex_server.media import MediaKeeper, media_store_of
from apex_server.settings import Settings
from apex_sync.ids import Scope, thread_scope
from tests.e2e.coach_world import CoachWorld, Person
from tests.e2e.test_coach_page import sign_in
from tests.e2e.whole_server import WholeServer
from tests.server.media_parts import declared

pytestmark = pytest.mark.needs_chromium


@pytest.fixture(scope="module")
def world(server: WholeServer, portal: BlockingPortal) -> CoachWorld:
    return CoachWorld(server.settings, portal)


def figure(shade: int) -> bytes:
    """Draw somebody, upright."""
    image = Image.new("RGB", (300, 400), (shade, 120, 150))
    ImageDraw.Draw(image).ellipse((110, 60, 190, 140), fill=(235, 205, 180))
    ImageDraw.Draw(image).rectangle((100, 145, 200, 330), fill=(235, 205, 180))
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


def hand_in(person: Person, content: bytes, **more: str) -> str:
    """Hand bytes in; the server has not looked at them yet."""
    body = declared(content, **{"content_type": "image/jpeg", **more})
    upload = person("POST", "/api/media", body).json()
    for part in upload["parts"]:
        put = person.world.client.put(part["url"], content=content, headers=person.headers)
        assert put.status_code == 204, put.text
    assert person("POST", f"/api/media/uploads/{upload['upload_id']}/complete").status_code == 200
    return str(upload["media_id"])


async def keep_media(settings: Settings) -> None:
    """Look at what came in, as the worker does."""
    async with Database.open(settings) as database:
        await MediaKeeper(database, media_store_of(settings), now=lambda: datetime.now(UTC)).check_all()


def test_a_coach_sees_photos_where_they_belong(world: CoachWorld, portal: BlockingPortal, page: Page) -> None:
    coach = world.coach("Ines Okafor")
    mara = coach.athlete("Mara Lind")
    thread = Scope.parse(thread_scope(coach.id, mara.id))
    media_ids = [hand_in(mara, figure(shade)) for shade in (60, 120, 180)]
    for day, media_id in zip(("2026-03-01", "2026-05-01", "2026-07-01"), media_ids, strict=True):
        made = mara("POST", "/api/progress/photos", {"media_id": media_id, "date": day, "type": "front"})
        assert made.status_code == 201, made.text
    shown = [{"media_id": media_ids[-1], "type": "front"}]
    checked_in = mara("POST", "/api/checkins", {"date": "2026-07-01", "photos": shown, "responses": {"energy": 8}})
    assert checked_in.status_code == 201, checked_in.text
    squat = hand_in(mara, figure(240), kind="image", scope=thread.name)
    voice = hand_in(mara, b"OggS" + bytes(3000), kind="voice", content_type="audio/ogg", scope=thread.name)
    for said in (
        {"type": "image", "media_id": squat, "text": "Deep enough?"},
        {"type": "voice", "media_id": voice, "duration_seconds": 12},
        {"type": "image", "media_id": "0" * 64},
    ):
        sent = mara("POST", "/api/messages", {"thread_id": str(thread.id), **said})
        assert sent.status_code == 201, sent.text

    portal.call(keep_media, world.settings)
    sign_in(page, coach)
    page.get_by_role("link", name="Mara Lind").click()
    expect(page.locator("#photos img")).to_have_count(3)
    expect(page.locator("#photos li").first).to_contain_text("front")
    expect(page.locator("#messages .message img")).to_have_count(1)
    expect(page.locator("#messages")).to_contain_text("Deep enough?")
    expect(page.locator("#messages")).to_contain_text("[image]")  # Which nobody has handed in.
    expect(page.locator(".check-in img")).to_have_count(1)
    for picture in page.locator(".picture img").all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", value=True)
        assert picture.evaluate("image => image.naturalWidth") == 300, (
            "drawn from this server, within the page's policy"
        )
    recording = page.locator("#messages").get_by_role("link", name="Recording, 12 s")
    assert page.request.get(f"{world.address}{recording.get_attribute('href')}").headers["content-type"] == "audio/ogg"
    with page.context.expect_page() as opened:
        page.locator("#photos a").first.click()
    assert opened.value.url == f"{world.address}/api/media/{media_ids[-1]}"
    opened.value.close()
    if folder := os.environ.get("APEX_SCREENSHOTS"):
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=str(Path(folder) / "photos.png"), full_page=True)
