"""The thread on an athlete's page, in a real Chromium: what arrives shows at once, and what was looked at is read."""

import os
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from playwright.sync_api import Page, expect

from apex_client.blocking import Replica
from apex_sync.ids import Scope, thread_scope
from tests.e2e.coach_world import CoachWorld, Person
from tests.e2e.test_coach_page import HOSTILE, sign_in
from tests.e2e.whole_server import PASSWORD, WholeServer

pytestmark = pytest.mark.needs_chromium


@pytest.fixture(scope="module")
def world(server: WholeServer, portal: BlockingPortal) -> CoachWorld:
    return CoachWorld(server.settings, portal)


def say(person: Person, thread: str, text: str, **more: str) -> str:
    answer = person("POST", "/api/messages", {"thread_id": thread, "text": text, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_coach_and_an_athlete_write_to_each_other_beside_the_timeline(world: CoachWorld, page: Page) -> None:
    coach = world.coach("Ines Okafor")
    mara = coach.athlete("Mara Lind")
    thread = str(Scope.parse(thread_scope(coach.id, mara.id)).id)
    asked = say(mara, thread, f"How heavy on Friday? {HOSTILE}")
    sign_in(page, coach)
    expect(page.locator(f"#a-{mara.id} .reasons")).to_contain_text("1 new message")
    page.get_by_role("link", name="Mara Lind").click()
    section = page.locator("#messages")
    expect(section.locator(".said")).to_contain_text("How heavy on Friday? <script>")

    expect(section.locator("[data-unread]")).to_have_count(0)
    [theirs] = mara("GET", f"/api/messages/threads/{thread}").json()["messages"]
    assert theirs["id"] == asked and theirs["read_at"] is not None

    section.get_by_role("textbox").fill("100 kg,\nfive by five.")
    say(mara, thread, "And the warm-up?", reply_to=asked)
    expect(section.locator(".message")).to_have_count(2)
    expect(section.get_by_role("textbox")).to_have_value("100 kg,\nfive by five.")
    section.get_by_role("button", name="Send").click()
    expect(section.locator(".message.of-coach .said")).to_have_text("You: 100 kg,\nfive by five.")
    expect(section.get_by_role("textbox")).to_have_value("")
    newest = mara("GET", f"/api/messages/threads/{thread}").json()["messages"][0]
    assert newest["text"] == "100 kg,\nfive by five."
    mara("PUT", f"/api/messages/{newest['id']}/reactions", {"emojis": ["💪"]})
    mara("PUT", f"/api/messages/{newest['id']}/read")
    expect(section.locator(".message.of-coach .when")).to_contain_text("read")
    expect(section.locator(".reaction")).to_have_text("💪")
    assert page.evaluate("window.hacked") is None
    if folder := os.environ.get("APEX_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / "messages.png"), full_page=True)


def test_a_thread_at_its_end_stays_there_and_who_reads_back_is_left_in_peace(world: CoachWorld, page: Page) -> None:
    coach = world.coach("Jana Roth")
    tim = coach.athlete("Tim Berg")
    thread = str(Scope.parse(thread_scope(coach.id, tim.id)).id)
    for number in range(12):
        say(tim, thread, f"{number}: the bar felt light,\nand then heavy,\nand then light again.")
    sign_in(page, coach)
    page.get_by_role("link", name="Tim Berg").click()
    messages = page.locator("#messages .message")
    expect(messages).to_have_count(12)
    expect(messages.last).to_be_in_viewport()
    say(tim, thread, "Are you there?")
    expect(messages).to_have_count(13)
    expect(messages.last).to_be_in_viewport()
    page.locator(".messages").evaluate("list => list.scrollTop = 0")
    say(tim, thread, "Hello?")
    expect(messages).to_have_count(14)
    expect(messages.first).to_be_in_viewport()


def test_of_an_encrypted_thread_the_page_shows_that_something_was_said_and_lets_nobody_write_in_the_open(
    world: CoachWorld, page: Page, tmp_path: Path
) -> None:
    coach = world.coach("Ada Novak")
    mara = coach.athlete("Mara Vance")
    mara.confirm()
    with Replica.open(tmp_path / "coach.db") as desk, Replica.open(tmp_path / "mara.db") as phone:
        desk.login(world.address, coach.email, PASSWORD)
        phone.login(world.address, mara.email, PASSWORD)
        for device in (desk, phone, desk):
            device.sync()
        phone.messages.send("before")
        phone.messages.encrypt()
        phone.messages.send("the knee again")
        phone.sync()
    sign_in(page, coach)
    page.get_by_role("link", name="Mara Vance").click()
    section = page.locator("#messages")
    expect(section.locator(".said")).to_have_text(["Mara Vance: before", "Mara Vance: [encrypted message]"])
    expect(section).to_contain_text("End-to-end encrypted")
    expect(section.get_by_role("textbox")).to_have_count(0)
    expect(section.locator("[data-unread]")).to_have_count(0)
    thread = Scope.parse(thread_scope(coach.id, mara.id)).id
    shown = mara("GET", f"/api/messages/threads/{thread}").json()["messages"]
    assert [message["read_at"] is not None for message in shown] == [False, True], "nobody has read what is encrypted"
    if folder := os.environ.get("APEX_SCREENSHOTS"):
        section.screenshot(path=str(Path(folder) / "encrypted.png"))
