"""Nobody fills somebody else's mailbox, and nobody keeps its owner from the one letter that they need."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from litestar import Litestar

from apex_server.db import Database
from apex_server.mail.sending import ASKED, CROWD_MAX, LINKS_MAX, PRESSED
from apex_server.personal_data import Retention
from apex_server.privacy import privacy_routes
from tests.server.accounts_app import PASSWORD, Clock, accounts_app, bearer, register, speak_to
from tests.server.mailbox import Mailbox, Received, confirmed
from tests.server.second_factor_parts import set_up_app

pytestmark = pytest.mark.anyio

OWNED = "owned@example.com"
WATCH = {"name": "x", "kind": "watch"}


@pytest.fixture
def app(db: Database, clock: Clock) -> Litestar:
    return accounts_app(db, clock, more_routes=privacy_routes)


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(app) as opened:
        yield opened


class Squatters:
    """Strangers who register one address, each network as often as it may."""

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._networks = 0

    async def register(self, times: int) -> list[dict[str, Any]]:
        sessions: list[dict[str, Any]] = []
        while len(sessions) < times:
            self._networks += 1
            async with speak_to(self._app, address=f"10.1.{self._networks}.1") as stranger:
                sessions += [await register(stranger, OWNED) for _ in range(min(5, times - len(sessions)))]
        return sessions

    async def press(self, session: dict[str, Any]) -> httpx.Response:
        self._networks += 1
        async with speak_to(self._app, address=f"10.2.{self._networks}.1") as stranger:
            return await stranger.post("/api/auth/resend-verification", headers=bearer(session))


@pytest.fixture
def squatters(app: Litestar) -> Squatters:
    return Squatters(app)


def of_watch(mails: list[Received]) -> list[Received]:
    return [mail for mail in mails if "on a watch" in mail.text]


async def test_nobody_fills_a_mailbox_by_registering_and_the_newest_of_what_waits_goes_first(
    app: Litestar, squatters: Squatters, client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    await squatters.register(ASKED.letters_max + 30)
    assert len(await mailbox.look()) == ASKED.letters_max
    clock.advance(minutes=1)
    await register(client, OWNED, device=WATCH)
    assert await mailbox.look() == []
    clock.advance(minutes=59)
    next_hour = await mailbox.look()
    assert len(next_hour) == ASKED.letters_max
    assert len(of_watch(next_hour)) == 1
    later = 0
    for _ in range(5):
        clock.advance(hours=1)
        later += len(await mailbox.look())
    assert len(next_hour) + later == CROWD_MAX


async def test_names_of_one_mailbox_share_its_room(app: Litestar, squatters: Squatters, mailbox: Mailbox) -> None:
    names = ["owned", "own.ed", "owned+gym", "o.wned+1"]
    sessions: list[dict[str, Any]] = []
    for number in range(max(ASKED.letters_max, PRESSED.letters_max) + 3):
        async with speak_to(app, address=f"10.3.{number}.1") as stranger:
            sessions.append(await register(stranger, f"{names[number % len(names)]}@gmail.com"))
    assert len(await mailbox.look()) == ASKED.letters_max
    for session in sessions:
        assert (await squatters.press(session)).status_code == 204
    assert len(await mailbox.look()) == PRESSED.letters_max


async def test_where_there_is_room_for_one_letter_the_newest_has_it(
    squatters: Squatters, client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    await squatters.register(1)
    await mailbox.look()
    clock.advance(minutes=10)
    await squatters.register(ASKED.letters_max + 3)
    await mailbox.look()
    clock.advance(minutes=10)
    await register(client, OWNED, device=WATCH)
    await mailbox.look()
    clock.advance(minutes=40)
    assert of_watch([await mailbox.one()])


async def test_whoever_is_signed_in_on_their_device_gets_their_link_whatever_the_number_of_registrations(
    client: httpx.AsyncClient, squatters: Squatters, mailbox: Mailbox, clock: Clock
) -> None:
    await squatters.register(100)
    owner = await register(client, OWNED, device=WATCH)
    await squatters.register(50)
    assert of_watch(await mailbox.look()) == []
    for path in ("forgot-password", "forgot-password"):
        await client.post(f"/api/auth/{path}", json={"email": OWNED})
    await client.post("/api/auth/resend-verification", headers=bearer(owner))
    (link,) = of_watch(await mailbox.look())
    assert (await client.post("/api/auth/verify-email", json={"token": link.token})).status_code == 204
    account = (await client.get("/api/auth/me", headers=bearer(owner))).json()
    assert account["user"]["email_verified"]


async def test_registrations_under_an_address_keep_its_owner_from_no_link_to_a_new_password(
    client: httpx.AsyncClient, squatters: Squatters, mailbox: Mailbox
) -> None:
    await confirmed(client, mailbox, OWNED)
    await squatters.register(LINKS_MAX)
    assert len(await mailbox.look()) == LINKS_MAX
    await client.post("/api/auth/forgot-password", json={"email": OWNED})
    assert [mail.subject for mail in await mailbox.look()] == ["Choose a new password"]


async def test_letters_that_squatters_ask_for_signed_in_are_bounded_and_the_owner_asks_once_more(
    client: httpx.AsyncClient, squatters: Squatters, mailbox: Mailbox, clock: Clock
) -> None:
    sessions = await squatters.register(30)
    await mailbox.look()
    for session in sessions:
        assert (await squatters.press(session)).status_code == 204
    assert len(await mailbox.look()) == PRESSED.letters_max
    owner = await register(client, OWNED, device=WATCH)
    clock.advance(minutes=59)
    await client.post("/api/auth/resend-verification", headers=bearer(owner))
    clock.advance(minutes=1)
    assert len(of_watch(await mailbox.look())) == 1


async def test_one_network_asks_for_few_letters_to_one_address_however_many_accounts_it_makes_there(
    app: Litestar, squatters: Squatters
) -> None:
    sessions = await squatters.register(8)
    async with speak_to(app, address="203.0.113.9") as stranger:
        answers = [
            await stranger.post("/api/auth/resend-verification", headers=bearer(session)) for session in sessions
        ]
    assert [answer.status_code for answer in answers] == [204] * 5 + [429] * 3


async def test_what_happens_in_an_account_that_answered_no_mail_is_told_to_nobody(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    """Its maker stands before it, and whoever reads the mails has nothing to do with it."""
    await confirmed(client, mailbox, OWNED)
    squatter = await register(client, OWNED)
    await mailbox.look()
    await set_up_app(client, squatter, clock)
    assert (await client.post("/api/privacy/deletion", headers=bearer(squatter))).status_code == 202
    password = PASSWORD
    for time in range(5):
        body = {"current_password": password, "new_password": f"another long pass phrase {time}"}
        answer = await client.post("/api/auth/change-password", json=body, headers=bearer(squatter))
        assert answer.status_code == 204, answer.text
        password = body["new_password"]
        assert await mailbox.look() == []


async def test_changes_of_address_are_counted_by_the_address_they_go_to(
    app: Litestar, client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    """Whether whoever asks has an address of their own or not; and a change that is begun anew voids no count."""
    mails = 0
    for number in range(4):
        async with speak_to(app, address=f"203.0.{number}.1") as stranger:
            email = f"stranger-{number}@example.org"
            session = await (confirmed(stranger, mailbox, email) if number % 2 else register(stranger, email))
            for _ in range(5):
                body = {"email": OWNED}
                answer = await stranger.post("/api/auth/change-email", json=body, headers=bearer(session))
                assert answer.status_code == 204, answer.text
                mails += sum(mail.to == OWNED for mail in await mailbox.look())
    assert mails == ASKED.letters_max


async def test_an_account_that_moves_on_to_another_address_makes_no_room_for_more(
    app: Litestar, mailbox: Mailbox
) -> None:
    mails = 0
    for number in range(3):
        async with speak_to(app, address=f"203.0.{number}.1") as stranger:
            for each in range(5):
                session = await register(stranger, OWNED)
                mails += sum(mail.to == OWNED for mail in await mailbox.look())
                own = f"own-{number}-{each}@example.org"
                await stranger.post("/api/auth/change-email", json={"email": own}, headers=bearer(session))
                await mailbox.confirm(stranger, own)
    assert mails == ASKED.letters_max


async def test_of_many_unused_accounts_of_an_address_one_letter_tells_and_the_events_of_each(
    squatters: Squatters, mailbox: Mailbox, db: Database, clock: Clock, database_url: str
) -> None:
    sessions = await squatters.register(15)
    while await mailbox.look():
        clock.advance(hours=1)
    clock.advance(days=366)
    await Retention(db, None, now=clock).forget_old()
    (told,) = await mailbox.look()
    assert "erased in 30 days with everything in it, as are others like it" in told.text
    owner = await asyncpg.connect(database_url)
    try:
        noted = await owner.fetch("SELECT subject_id FROM account_events WHERE action = 'account_deletion_asked'")
        assert {row["subject_id"] for row in noted} == {UUID(session["user"]["id"]) for session in sessions}
        assert await owner.fetchval("SELECT count(*) FROM account_deletions") == len(sessions)
    finally:
        await owner.close()


async def test_what_was_counted_is_forgotten_after_two_days(
    squatters: Squatters, mailbox: Mailbox, clock: Clock, database_url: str
) -> None:
    await squatters.register(1)
    await mailbox.look()
    owner = await asyncpg.connect(database_url)
    try:
        for days, kept in ((1, 1), (2, 0)):
            clock.advance(days=days)
            await mailbox.sender.forget_old()
            assert await owner.fetchval("SELECT count(*) FROM address_letters") == kept
    finally:
        await owner.close()
