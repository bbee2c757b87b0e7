"""Mails about unread messages: to whoever allowed them, seldom, never with what was written, and ended at once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import pytest

from apex_server.consent_texts import CONSENT_TEXTS
from apex_server.db import Database
from apex_server.jobs import unread_messages
from apex_server.jobs.unread_messages import ask_for_letters
from apex_server.mail import UNREAD_FOR, Mail, MailRefused, SmtpMailer, smtp_address
from apex_server.mail.waiting_messages import Waiting, waiting_messages, words_of
from apex_server.settings import Settings
from apex_sync.ids import Scope, thread_scope
from tests.server.accounts_app import Clock, problem
from tests.server.mailbox import PUBLIC_URL, Mailbox, Received, read
from tests.server.test_mail import NOW, Post, running
from tests.server.whole_app import Signed, WholeApp, whole_app

pytestmark = pytest.mark.anyio

SECRET_WORDS = "the left knee hurts"
HOURS = UNREAD_FOR.total_seconds() / 3600 + 1
STOP = "/api/consents/messages/stop/"


class World:
    """A coach and an athlete who work together and have confirmed their addresses; the worker's clock is moved."""

    def __init__(self, app: WholeApp, db: Database, clock: Clock, mailbox: Mailbox, ben: Signed, anna: Signed) -> None:
        self.app, self.db, self.clock, self.mailbox, self.ben, self.anna = app, db, clock, mailbox, ben, anna

    async def allows(self, person: Signed, *, given: bool = True) -> None:
        version = {"version": CONSENT_TEXTS["messages"].version} if given else {}
        answer = await person("PUT", "/api/consents", {"kind": "messages", "given": given, **version})
        assert answer.status_code == 200, answer.text

    async def writes(self, sender: Signed, coach: Signed | None = None, text: str = SECRET_WORDS) -> str:
        """Let somebody write in the thread of this coach and Anna."""
        scope = thread_scope(str((coach or self.ben).id), str(self.anna.id))
        body = {"id": str(uuid4()), "thread_id": str(Scope.parse(scope).id), "text": text}
        answer = await sender("POST", "/api/messages", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def later(self, hours: float = HOURS) -> list[Received]:
        """Give what has come about unread messages once some hours have passed."""
        self.clock.advance(hours=hours)
        await ask_for_letters(self.db, now=self.clock())
        return [mail for mail in await self.mailbox.look() if mail.subject == "Messages wait for you"]

    async def standing(self, person: Signed) -> bool:
        [found] = [
            each for each in (await person("GET", "/api/consents")).json()["consents"] if each["kind"] == "messages"
        ]
        return bool(found["given"])


@pytest.fixture
async def world(settings: Settings, db: Database, clock: Clock, mailbox: Mailbox) -> AsyncIterator[World]:
    async with whole_app(settings) as app:
        ben, anna = await app.person("ben", "coach"), await app.person("anna", "athlete")
        await app.coaches(ben, anna)
        for person in (ben, anna):
            await app.verified(person)
        yield World(app, db, clock, mailbox, ben, anna)


async def test_whoever_allows_it_is_told_who_wrote_and_how_many_and_never_what(world: World) -> None:
    await world.allows(world.anna)
    await world.writes(world.ben)
    await world.writes(world.ben)
    assert await world.later(1) == []
    [mail] = await world.later()
    assert mail.to == "anna@example.com" and "2 messages from ben" in mail.text.lower()
    assert SECRET_WORDS not in mail.text + mail.html
    assert "/athletes" not in mail.text  # She has no pages; her app has them.


async def test_a_coach_is_led_to_the_pages_and_named_people_are_counted_apart(world: World) -> None:
    await world.allows(world.ben)
    carl = await world.app.person("carl", "athlete")
    await world.app.coaches(world.ben, carl)
    await world.writes(world.anna)
    scope = thread_scope(str(world.ben.id), str(carl.id))
    body = {"id": str(uuid4()), "thread_id": str(Scope.parse(scope).id), "text": "Hello"}
    assert (await carl("POST", "/api/messages", body)).status_code == 201
    [mail] = await world.later()
    assert f"{PUBLIC_URL}/athletes" in mail.text.split() and " and 1 from " in mail.text


async def test_nobody_is_written_to_who_did_not_allow_it(world: World) -> None:
    await world.writes(world.ben)
    assert await world.later() == []


async def test_what_came_before_the_consent_is_no_news(world: World) -> None:
    await world.writes(world.ben)
    await world.allows(world.anna)
    assert await world.later() == []


async def test_there_is_one_letter_a_day_and_none_without_news(world: World) -> None:
    await world.allows(world.anna)
    await world.writes(world.ben)
    assert len(await world.later()) == 1
    assert await world.later(48) == []
    await came_now(world, await world.writes(world.ben))
    [second] = await world.later()
    assert "2 messages" in second.text
    await came_now(world, await world.writes(world.ben))
    assert await world.later() == []  # Within the day.
    assert len(await world.later(24)) == 1


async def test_a_message_came_when_it_was_first_written_however_often_it_is_changed(world: World) -> None:
    await world.allows(world.anna)
    message_id = await world.writes(world.ben)
    await is_changed_by_sync(world, message_id)
    world.clock.advance(hours=HOURS - 1)
    await is_changed_by_sync(world, message_id)
    assert len(await world.later(1)) == 1
    world.clock.advance(hours=48)
    await is_changed_by_sync(world, message_id)
    assert await world.later() == []


async def is_changed_by_sync(world: World, message_id: str) -> None:
    """Let its sender write in a message once more, at the moment to which the worker's clock was moved."""
    scope, patch = thread_scope(str(world.ben.id), str(world.anna.id)), {"coach": {"text": str(uuid4())}}
    await world.app.app.state.committer.write(world.ben.id, scope, "messages", message_id, patch)
    await world.app.owner.execute(
        "UPDATE audit SET committed_at = $1 WHERE (scope_id, seq) IN "
        "(SELECT scope_id, seq FROM records WHERE record_id = $2)",
        world.clock(),
        UUID(message_id),
    )


async def test_an_address_that_the_post_refuses_for_good_is_not_tried_each_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.allows(world.anna)
    await came_now(world, await world.writes(world.ben))
    tries = 0

    async def refuse(mail: Mail) -> None:
        nonlocal tries
        tries += 1
        raise MailRefused("550 there is no such mailbox")

    with monkeypatch.context() as patch:
        patch.setattr(world.mailbox.sender._mailer, "send", refuse)
        for _ in range(5):
            assert await world.later(30) == []
            await came_now(world, await world.writes(world.ben))
        assert tries == 1
    assert await world.later(30) == []

    # Another address was confirmed since.
    await world.app.owner.execute("UPDATE users SET email_verified_at = $1 WHERE id = $2", world.clock(), world.anna.id)
    assert len(await world.later()) == 1


async def came_now(world: World, record_id: str) -> None:
    """Let a message have come at the moment to which the worker's clock was moved."""
    await world.app.owner.execute(
        "UPDATE audit SET committed_at = $1 WHERE record_id = $2", world.clock(), UUID(record_id)
    )


Ending = Callable[[World, str], Awaitable[object]]


async def reads(world: World, message_id: str) -> object:
    return await world.anna("PUT", f"/api/messages/{message_id}/read")


async def is_taken_back(world: World, message_id: str) -> object:
    return await world.ben("DELETE", f"/api/messages/{message_id}")


async def withdraws(world: World, _message_id: str) -> None:
    await world.allows(world.anna, given=False)


async def asks_for_the_end(world: World, _message_id: str) -> object:
    return await world.anna("POST", "/api/privacy/deletion")


async def has_not_confirmed(world: World, _message_id: str) -> object:
    return await world.app.owner.execute("UPDATE users SET email_verified_at = NULL WHERE id = $1", world.anna.id)


async def parts(world: World, _message_id: str) -> object:
    return await world.ben("DELETE", f"/api/clients/{world.anna.id}/link")


@pytest.mark.parametrize("asked", [False, True], ids=["before it is asked for", "after it was asked for"])
@pytest.mark.parametrize(
    "ending",
    [reads, is_taken_back, withdraws, asks_for_the_end, has_not_confirmed, parts],
    ids=lambda each: each.__name__,
)
async def test_no_letter_goes_any_more(world: World, ending: Ending, asked: bool) -> None:
    await world.allows(world.anna)
    message_id = await world.writes(world.ben)
    if asked:
        world.clock.advance(hours=HOURS)
        assert await ask_for_letters(world.db, now=world.clock()) == 1
    await ending(world, message_id)
    assert await world.later() == []


async def test_threads_that_the_coach_archived_do_not_count(world: World) -> None:
    await world.allows(world.ben)
    await world.writes(world.anna)
    thread_id = Scope.parse(thread_scope(str(world.ben.id), str(world.anna.id))).id
    filed = await world.ben("PATCH", f"/api/messages/threads/{thread_id}", {"archived": True})
    assert filed.status_code == 200, filed.text
    assert await world.later() == []
    await world.ben("PATCH", f"/api/messages/threads/{thread_id}", {"archived": False})
    assert len(await world.later(1)) == 1


async def test_of_two_workers_that_find_the_same_person_one_asks_for_the_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.allows(world.anna)
    await world.writes(world.ben)
    now, asked, found, both = world.clock() + timedelta(hours=HOURS), list[int](), list[object](), anyio.Event()

    async def find(*args: Any, **kwargs: Any) -> list[Waiting]:
        waiting = await waiting_messages(*args, **kwargs)
        found.append(waiting)
        if len(found) == 2:
            both.set()
        await both.wait()
        return waiting

    async def ask() -> None:
        asked.append(await ask_for_letters(world.db, now=now))

    monkeypatch.setattr(unread_messages, "waiting_messages", find)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as workers:
            workers.start_soon(ask)
            workers.start_soon(ask)
    assert sorted(asked) == [0, 1]


async def test_the_link_in_the_mail_ends_them_at_once_without_signing_in_and_as_often_as_pressed(world: World) -> None:
    await world.allows(world.anna)
    await world.writes(world.ben)
    [mail] = await world.later()
    token = mail.text.rpartition("#")[2].split()[0]
    opened = await world.app.nobody("GET", STOP + token)
    assert (opened.status_code, opened.headers["location"]) == (303, f"/stop-messages#{token}")
    assert await world.standing(world.anna)  # Opening it, as scanners do, is nothing.

    one_click = {
        "content": b"List-Unsubscribe=One-Click",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    }
    for _ in range(2):
        assert (await world.app.nobody("POST", STOP + token, **one_click)).status_code == 204
    assert not await world.standing(world.anna)
    events = (await world.anna("GET", "/api/audit")).json()["events"]
    assert [each["action"] for each in events].count("consent_withdrawn") == 1


async def test_a_link_ends_the_consent_that_its_mail_went_under_and_none_that_was_given_since(world: World) -> None:
    await world.allows(world.anna)
    await world.writes(world.ben)
    [mail] = await world.later()
    # The clock of mails is moved, and that of consents is not.
    await world.app.owner.execute("UPDATE mail_tokens SET created_at = now()")
    await world.allows(world.anna, given=False)
    await world.allows(world.anna)
    link = STOP + mail.text.rpartition("#")[2].split()[0]
    assert (await world.app.nobody("POST", link)).status_code == 204
    assert await world.standing(world.anna)


async def test_the_folder_forgets_letters_with_whom_they_name_and_not_with_a_part_of_the_name(
    world: World, tmp_path: Path
) -> None:
    await world.allows(world.anna)
    await world.writes(world.ben)
    assert len(await world.later()) == 1
    be = await world.app.person("be", "athlete")
    kept = []
    for person in (be, world.ben):
        assert person.id is not None
        await world.mailbox.sender.forget_person(person.id)
        letters = [read(path) for path in (tmp_path / "mails").glob("*.eml")]
        kept.append([letter.to for letter in letters if letter.subject == "Messages wait for you"])
    assert kept == [["anna@example.com"], []]


async def test_no_other_token_ends_them_and_this_one_opens_nothing_else(world: World) -> None:
    await world.allows(world.anna)
    await world.writes(world.ben)
    [mail] = await world.later()
    token = mail.text.rpartition("#")[2].split()[0]
    await world.app.nobody("POST", "/api/auth/forgot-password", {"email": "anna@example.com"})
    [reset] = await world.mailbox.look()
    for wrong in (reset.token, "A" * 43):
        assert problem(await world.app.nobody("POST", STOP + wrong)) == (410, "mail_token_invalid")
    assert await world.standing(world.anna)
    body = {"token": token, "password": "quite another long password"}
    assert problem(await world.app.nobody("POST", "/api/auth/reset-password", body)) == (410, "mail_token_invalid")
    verify = await world.app.nobody("POST", "/api/auth/verify-email", {"token": token})
    assert problem(verify) == (410, "mail_token_invalid")
    await world.app.owner.execute("UPDATE mail_tokens SET expires_at = now() - interval '1 second'")
    assert problem(await world.app.nobody("POST", STOP + token)) == (410, "mail_token_invalid")


async def test_mail_programs_are_told_by_the_header_how_to_end_them() -> None:
    post = Post()
    link = f"https://training.a-rather-long-name.example{STOP}{'A' * 43}"
    async with running(post) as port:
        mailer = SmtpMailer(smtp_address(f"smtp://127.0.0.1:{port}"), sender="no-reply@apex.example", now=lambda: NOW)
        await mailer.send(Mail("anna@example.com", "Hi", "text", "<p>text</p>", link))
    lines = post.taken[0].split(b"\r\n")
    assert f"List-Unsubscribe: <{link}>".encode() in lines  # Encoded or folded, as Python would, none finds it.
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Anna"], "1 message from Anna"),
        (["Anna", "Ben", "Carl", "Dora", "Eva"], "1 message from Anna, 1 from Ben, 1 from Carl and more from 2 others"),
        (["Locked! See https://evil.example/now"], "1 message from Locked See https evil example now"),
        (["<b>\r\nBcc: x@y.example"], "1 message from b Bcc x y example"),
        (["Sperrung! Ruf 0900 123456 an"], "1 message from Sperrung Ruf an"),
        (["x\ua4f8example x\u02d0 ٠٩٠٠ ²"], "1 message from x example x"),
        (["Zoë O\u2019Brien-Müller", "अनिता"], "1 message from Zoë O\u2019Brien-Müller and 1 from अनिता"),
        (["💪"], "1 message from somebody"),
    ],
)
def test_a_name_is_letters_alone_in_a_mail_of_ours(names: list[str], said: str) -> None:
    waiting = [Waiting(UUID(int=1), name, 1, NOW) for name in names]
    assert words_of(waiting) == said
