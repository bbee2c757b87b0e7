"""Links in mails, clicked by a person in a real Chromium: from the folder the worker writes to, to a new password."""

import os
import re
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from playwright.sync_api import Page, expect

from apex_server.consent_texts import CONSENT_TEXTS
from apex_server.settings import Settings
from apex_sync.ids import Scope, thread_scope
from tests.e2e.whole_server import PASSWORD, SECRET, WholeServer, running_server

pytestmark = pytest.mark.needs_chromium

NEW = "a wholly other phrase"
MAIL_WITHIN_SECONDS = 15.0


@pytest.fixture(scope="module")
def mailing(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeServer]:
    """A server with its worker, which writes mails into a folder."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("mailing"), secret=SECRET)
    with running_server(portal, settings, with_worker=True) as running:
        yield running


def next_mail(server: WholeServer, subject: str) -> EmailMessage:
    """Wait for a mail with this subject, and take it out of the folder."""
    until = time.monotonic() + MAIL_WITHIN_SECONDS
    while time.monotonic() < until:
        for path in sorted((server.settings.data_dir / "mails").glob("*.eml")):
            message = message_from_bytes(path.read_bytes(), policy=default)
            assert isinstance(message, EmailMessage)
            if message["Subject"] == subject:
                path.unlink()
                return message
        time.sleep(0.1)
    raise AssertionError(f"no mail {subject!r} came")


def link_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    found = re.search(r"http\S+#\S+", body.get_content())
    assert found
    return found[0]


def seen(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look."""
    if folder := os.environ.get("APEX_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def register(server: WholeServer) -> str:
    email = server.new_email("ines")
    body = {"email": email, "password": PASSWORD, "name": "Ines", "role": "coach"}
    assert httpx.post(f"{server.address}/api/auth/register", json=body).status_code == 201
    return email


def test_an_address_is_confirmed_by_a_click_and_not_by_opening_the_link(mailing: WholeServer, page: Page) -> None:
    email = register(mailing)
    message = next_mail(mailing, "Confirm your e-mail address")
    assert message["To"] == email
    link = link_of(message)
    httpx.get(link)  # A scanner of links.

    page.goto(link)
    assert urlsplit(page.url).fragment == ""
    seen(page, "verify")
    page.get_by_role("button", name="Confirm this address").click()
    expect(page.get_by_role("heading", name="Your address is confirmed")).to_be_visible()
    seen(page, "verified")

    page.goto("about:blank")
    page.goto(link)
    page.get_by_role("button", name="Confirm this address").click()
    expect(page.get_by_role("alert")).to_contain_text("This link is no longer good.")
    seen(page, "verify-again")


def test_a_link_without_its_token_says_so(mailing: WholeServer, page: Page) -> None:
    page.goto(f"{mailing.address}/reset-password")
    expect(page.get_by_role("heading", name="This link is not whole")).to_be_visible()
    expect(page.get_by_role("button", name="Use this password")).to_be_hidden()
    expect(page.get_by_role("link", name="Ask for a link to a new password")).to_be_visible()
    seen(page, "not-whole")

    page.goto(f"{mailing.address}/stop-messages")
    expect(page.get_by_role("button", name="Stop these mails")).to_be_hidden()
    expect(page.get_by_role("link", name="new password")).to_have_count(0)
    page.get_by_role("link", name="Stop these mails on your security page").click()
    expect(page).to_have_url(re.compile("/security"))


def test_a_forgotten_password_is_chosen_anew_from_the_sign_in_page_on(mailing: WholeServer, page: Page) -> None:
    email = register(mailing)
    page.goto(mailing.address)
    seen(page, "sign-in")
    page.get_by_role("link", name="Forgotten your password?").click()
    seen(page, "forgot")
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Mail me a link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()

    page.goto(link_of(next_mail(mailing, "Choose a new password")))
    page.get_by_role("textbox", name="New password").fill(NEW)
    seen(page, "reset")
    page.get_by_role("button", name="Use this password").click()
    expect(page.get_by_role("heading", name="You have a new password")).to_be_visible()

    page.get_by_role("link", name="To sign in").click()
    form = page.locator("form[data-action=log-in]")
    form.get_by_label("E-mail").fill(email)
    form.get_by_label("Password").fill(NEW)
    form.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/athletes")
    page.set_viewport_size({"width": 390, "height": 780})
    page.goto(f"{mailing.address}/forgot-password")
    seen(page, "forgot-narrow")
    page.goto("about:blank")


def test_the_letter_reads_well(mailing: WholeServer, page: Page) -> None:
    register(mailing)
    message = next_mail(mailing, "Confirm your e-mail address")
    body = message.get_body(("html",))
    assert body is not None
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    page.set_content(body.get_content())
    expect(page.get_by_role("link", name="Confirm this address")).to_be_visible()
    seen(page, "letter")
    assert asked_for == []  # A mail that loads something tells its sender when it is read.


def test_mails_about_unread_messages_are_ended_by_their_link_with_a_press(
    mailing: WholeServer, portal: BlockingPortal, page: Page
) -> None:
    coach_id = portal.call(unread_message, mailing)
    message = next_mail(mailing, "Messages wait for you")
    assert "/api/consents/messages/stop/" in message["List-Unsubscribe"]
    body = message.get_body(("html",))
    assert body is not None and "from Anna" in body.get_content()
    page.set_content(body.get_content())
    expect(page.get_by_role("link", name="Open Apex")).to_be_visible()
    seen(page, "unread-letter")

    page.goto(message["List-Unsubscribe"].strip("<>"))  # As a mail program does that knows no button for it.
    expect(page.get_by_role("button", name="Stop these mails")).to_be_visible()
    assert urlsplit(page.url).fragment == ""
    seen(page, "stop")
    assert portal.call(allows_letters, mailing, coach_id)
    page.get_by_role("button", name="Stop these mails").click()
    expect(page.get_by_role("heading", name="No more of these mails")).to_be_visible()
    seen(page, "stopped")
    assert not portal.call(allows_letters, mailing, coach_id)


async def unread_message(server: WholeServer) -> UUID:
    """Let a coach who wants to hear of it have a message that came five hours ago; the letter waits."""
    people = []
    async with httpx.AsyncClient(base_url=server.address) as client:
        for name, role in (("Ines", "coach"), ("Anna", "athlete")):
            body = {"email": server.new_email(name.lower()), "password": PASSWORD, "name": name, "role": role}
            people.append((await client.post("/api/auth/register", json=body)).json())
            await server.confirm(body["email"])
        coach, athlete = ({"Authorization": f"Bearer {each['access_token']}"} for each in people)
        code = (await client.post("/api/invites", json={}, headers=coach)).json()["code"]
        await client.post(f"/api/invites/{code}/accept", headers=athlete)
        change = {"kind": "messages", "given": True, "version": CONSENT_TEXTS["messages"].version}
        assert (await client.put("/api/consents", json=change, headers=coach)).status_code == 200
        coach_id, athlete_id = (each["user"]["id"] for each in people)
        thread_id = str(Scope.parse(thread_scope(coach_id, athlete_id)).id)
        sent = await client.post("/api/messages", json={"thread_id": thread_id, "text": "Hello"}, headers=athlete)
        assert sent.status_code == 201, sent.text
    await server.sql("UPDATE audit SET committed_at = now() - interval '5 hours' WHERE scope_id = $1", UUID(thread_id))
    queue = "INSERT INTO mails (purpose, user_id, asked_at, due_at) VALUES ('unread_messages', $1, now(), now())"
    await server.sql(queue, UUID(coach_id))
    return UUID(coach_id)


async def allows_letters(server: WholeServer, coach_id: UUID) -> bool:
    [row] = await server.sql("SELECT apex_consented($1, 'messages')", coach_id)
    return bool(row[0])
