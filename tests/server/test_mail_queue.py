"""Mails that wait: sent once they can be, held when they never can, and never by two at once."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import anyio
import anyio.lowlevel
import asyncpg
import httpx
import pytest

from apex_server.db import Database
from apex_server.mail import Mail, MailPostponed, MailPurpose, MailRefused, MailSender, list_held_mails
from apex_server.mail.letters import LETTERS, write_letter
from apex_server.mail.sending import _queries as sending_queries
from tests.server.accounts_app import Clock, register
from tests.server.mailbox import PUBLIC_URL, Mailbox

pytestmark = pytest.mark.anyio


class MovablePost:
    """A post that says what the test wants; the folder and SMTP are held to the same seam in test_mail.py."""

    def __init__(self) -> None:
        self.refusal: Exception | None = None
        self.taken: list[Mail] = []
        self.tries = 0

    async def send(self, mail: Mail) -> None:
        self.tries += 1
        await anyio.lowlevel.checkpoint()
        if self.refusal is not None:
            raise self.refusal
        self.taken.append(mail)

    async def forget(self, addresses: Collection[str], *, naming: UUID) -> None:
        raise AssertionError("nobody is erased here")


@pytest.fixture
def post() -> MovablePost:
    return MovablePost()


@pytest.fixture
def sender(db: Database, post: MovablePost, clock: Clock) -> MailSender:
    return MailSender(db, post, public_url=PUBLIC_URL, now=clock)


@pytest.fixture
async def anna(client: httpx.AsyncClient) -> dict[str, Any]:
    """Somebody whose first mail waits."""
    return await register(client, "anna@example.com", name="Anna")


async def count(database_url: str, table: str) -> int:
    owner = await asyncpg.connect(database_url)
    try:
        return int(await owner.fetchval(f"SELECT count(*) FROM {table}"))
    finally:
        await owner.close()


async def test_a_mail_that_the_post_puts_off_is_tried_again_later_and_later_and_then_goes(
    anna: dict[str, Any], sender: MailSender, post: MovablePost, clock: Clock, database_url: str
) -> None:
    post.refusal = MailPostponed("the post cannot be reached")
    assert await sender.send_due() == 1
    assert await count(database_url, "mail_tokens") == 0  # Nobody has the link, so it opens nothing.
    clock.advance(seconds=29)
    assert await sender.send_due() == 0
    clock.advance(seconds=1)
    assert await sender.send_due() == 1
    clock.advance(seconds=59)
    assert await sender.send_due() == 0

    post.refusal = None
    clock.advance(seconds=1)
    await sender.send_due()

    assert [mail.to for mail in post.taken] == ["anna@example.com"]
    assert await count(database_url, "mails") == 0
    assert await count(database_url, "mail_tokens") == 1


async def test_a_mail_that_never_goes_is_held_after_about_a_day_and_listed_without_its_address(
    anna: dict[str, Any], db: Database, sender: MailSender, post: MovablePost, clock: Clock
) -> None:
    post.refusal = MailPostponed("the post cannot be reached")
    began = clock.time
    while not (held := await list_held_mails(db)):
        await sender.send_due()
        clock.advance(minutes=5)
        assert (clock.time - began).days < 3
    assert (clock.time - began).total_seconds() > 12 * 3600
    assert (held[0].purpose, held[0].failure) == ("verify_email", "the post cannot be reached")
    assert held[0].user_id == anna["user"]["id"]
    assert "anna@" not in repr(held)
    tries = post.tries
    clock.advance(days=1)
    await sender.send_due()
    assert post.tries == tries


async def test_a_refused_mail_is_held_at_once_and_forgotten_after_two_weeks(
    anna: dict[str, Any], db: Database, sender: MailSender, post: MovablePost, clock: Clock
) -> None:
    post.refusal = MailRefused("the recipient was refused (550)")
    await sender.send_due()
    assert [mail.failure for mail in await list_held_mails(db)] == ["the recipient was refused (550)"]
    clock.advance(days=15)
    await sender.forget_old()
    assert await list_held_mails(db) == []


async def test_a_held_mail_does_not_stand_in_the_way_of_a_new_one(
    client: httpx.AsyncClient, anna: dict[str, Any], sender: MailSender, post: MovablePost
) -> None:
    post.refusal = MailRefused("mailbox full (552)")
    await sender.send_due()
    post.refusal = None
    headers = {"Authorization": f"Bearer {anna['access_token']}"}
    assert (await client.post("/api/auth/resend-verification", headers=headers)).status_code == 204
    await sender.send_due()
    assert len(post.taken) == 1


async def test_of_many_workers_at_once_one_sends_a_mail(
    client: httpx.AsyncClient, anna: dict[str, Any], db: Database, post: MovablePost, clock: Clock
) -> None:
    for number in range(5):
        await register(client, f"someone{number}@example.com")
    async with anyio.create_task_group() as workers:
        for _ in range(4):
            workers.start_soon(MailSender(db, post, public_url=PUBLIC_URL, now=clock).send_due)
    assert len({mail.to for mail in post.taken}) == len(post.taken) == 6


async def test_a_mail_that_another_worker_is_just_taking_is_left_to_it(
    anna: dict[str, Any], db: Database, sender: MailSender, post: MovablePost, clock: Clock
) -> None:
    take = sending_queries.take_due_mails
    async with db.commit_connection() as other, other.transaction():
        assert len(await other.fetch(take, clock(), timedelta(minutes=5), 10)) == 1
        with anyio.fail_after(5):
            assert await sender.send_due() == 0
    assert await sender.send_due() == 0
    assert post.taken == []


async def test_a_mail_whose_worker_died_is_sent_by_another(
    anna: dict[str, Any], sender: MailSender, post: MovablePost, clock: Clock
) -> None:
    post.refusal = RuntimeError("the machine went away")
    with pytest.raises(RuntimeError):
        await sender.send_due()
    post.refusal = None
    assert await sender.send_due() == 0
    clock.advance(minutes=5)
    assert await sender.send_due() == 1
    assert len(post.taken) == 1


async def test_no_mail_goes_to_somebody_who_was_erased_meanwhile(
    anna: dict[str, Any], db: Database, sender: MailSender, post: MovablePost, database_url: str
) -> None:
    async with db.commit_connection() as connection:
        await db.vault.destroy_user_key(connection, anna["user"]["id"])
    await sender.send_due()
    assert post.taken == []
    assert await count(database_url, "mails") == 0


@pytest.mark.parametrize("purpose", get_args(MailPurpose))
def test_every_letter_says_what_happened_what_to_do_and_what_if_it_was_not_you(purpose: MailPurpose) -> None:
    letter = LETTERS[purpose]
    token = "t" if letter.token else None
    mail = write_letter(purpose, to="anna@example.com", name="Anna <b>", public_url=PUBLIC_URL, token=token)
    assert "Hello Anna <b>," in mail.text
    assert "Anna &lt;b&gt;" in mail.html
    assert "<b>" not in mail.html
    for words in (letter.opening, letter.closing, letter.button or "", letter.time_left or ""):
        assert words in mail.text
    assert len(mail.subject) < 60
    for loaded in ("<img", "<script", "<link", "@import", "url("):
        assert loaded not in mail.html
    links = {part for part in mail.html.split('"') if part.startswith("http")}
    assert all(link.startswith(f"{PUBLIC_URL}/") for link in links)
    assert (letter.token is None) == ("#" not in "".join(links))


async def test_a_mail_of_a_purpose_that_this_version_does_not_know_is_held_and_not_lost(
    db: Database, sender: MailSender, anna: dict[str, Any], tmp_path: Path, clock: Clock, database_url: str
) -> None:
    await Mailbox(db, tmp_path / "mails", clock).look()
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute(
            "INSERT INTO mails (purpose, user_id, asked_at, due_at) VALUES ('birthday', $1, now(), now())",
            anna["user"]["id"],
        )
    finally:
        await owner.close()
    clock.advance(minutes=1)
    await sender.send_due()
    assert [mail.purpose for mail in await list_held_mails(db)] == ["birthday"]
