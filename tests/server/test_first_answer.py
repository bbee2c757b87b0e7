"""What whoever registered somebody else's address left behind goes when its owner chooses a password by mail."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from apex_server.db import Database
from apex_server.mail import FolderMailer
from apex_server.privacy import privacy_routes
from tests.server.accounts_app import Clock, accounts_app, bearer, log_in, problem, register, speak_to
from tests.server.mailbox import Mailbox, confirmed
from tests.server.passkey_parts import PUBLIC_URL, REFUSED, add, authenticator, sign_in, sign_in_options
from tests.server.second_factor_parts import set_up_app

pytestmark = pytest.mark.anyio

OWNED = "owned@example.com"
FRESH = "one that nobody has had so far"


@pytest.fixture
async def client(db: Database, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    app = accounts_app(db, clock, public_url=PUBLIC_URL, more_routes=privacy_routes)
    async with speak_to(app, scheme="https") as opened:
        yield opened


async def reset(client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock) -> None:
    """Choose a password as whoever reads the mails to the address, a minute before what comes next."""
    await mailbox.look()
    await client.post("/api/auth/forgot-password", json={"email": OWNED})
    links = [mail for mail in await mailbox.look() if mail.link.startswith("/reset-password#")]
    body = {"token": links[-1].token, "password": FRESH}
    answer = await client.post("/api/auth/reset-password", json=body)
    assert answer.status_code == 204, answer.text
    clock.advance(minutes=1)


async def events_of(db: Database, session: dict[str, Any]) -> list[str]:
    user_id = UUID(session["user"]["id"])
    async with db.request(user_id) as connection:
        rows = await connection.fetch("SELECT action FROM account_events WHERE subject_id = $1 ORDER BY seq", user_id)
    return [row["action"] for row in rows]


async def test_a_reset_parts_an_account_that_answered_no_mail_from_everybody_who_was_let_in(
    client: httpx.AsyncClient, db: Database, mailbox: Mailbox, clock: Clock, database_url: str
) -> None:
    coach = await confirmed(client, mailbox, "spy@example.com", role="coach")
    code = (await client.post("/api/invites", json={}, headers=bearer(coach))).json()["code"]
    squatter = await register(client, OWNED, invite=code)
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute(
            "INSERT INTO awaiting_invites SELECT $1, code_hash, now() FROM invites",
            UUID(squatter["user"]["id"]),
        )
        await owner.execute(
            "INSERT INTO consents (user_id, kind, version, given_at) VALUES ($1, 'ai_analysis', '1', now())",
            UUID(squatter["user"]["id"]),
        )
        for path in ("/api/privacy/export", "/api/privacy/deletion"):
            assert (await client.post(path, headers=bearer(squatter))).status_code == 202

        await reset(client, mailbox, clock)

        for left in (
            "coach_athletes WHERE ended_at IS NULL",
            "awaiting_invites",
            "consents WHERE withdrawn_at IS NULL",
            "exports",
            "account_deletions",
        ):
            assert await owner.fetchval(f"SELECT count(*) FROM {left}") == 0, left
    finally:
        await owner.close()
    mine = await log_in(client, OWNED, password=FRESH)
    assert mine["user"]["id"] == squatter["user"]["id"]
    account = (await client.get("/api/auth/me", headers=bearer(mine))).json()
    assert account["coaches"] == []
    told = await events_of(db, mine)
    assert {"coach_unlinked", "consent_withdrawn", "account_deletion_cancelled"} <= set(told)
    assert "coach_unlinked" in await events_of(db, coach)


async def test_a_coachs_codes_in_others_hands_let_nobody_in_after_it(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    squatter = await register(client, OWNED, role="coach")
    code = (await client.post("/api/invites", json={}, headers=bearer(squatter))).json()["code"]
    await reset(client, mailbox, clock)
    accomplice = await register(client, "accomplice@example.com")
    answer = await client.post(f"/api/invites/{code}/accept", headers=bearer(accomplice))
    assert problem(answer) == (404, "not_found")


async def test_the_squatters_device_is_a_stranger_after_it(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock, database_url: str
) -> None:
    squatter = await register(client, OWNED)
    await reset(client, mailbox, clock)
    client.cookies.clear()  # The browser of the reset is a known device.
    guess = {"email": OWNED, "password": "a wrong guess"}
    for _ in range(20):
        assert (await client.post("/api/auth/login", json=guess)).status_code == 401
    from_device = {**guess, "device_token": squatter["device_token"]}
    assert problem(await client.post("/api/auth/login", json=from_device)) == (429, "too_many_attempts")


async def test_what_came_to_an_account_that_had_answered_stays_with_a_reset(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    coach = await confirmed(client, mailbox, "coach@example.com", role="coach")
    code = (await client.post("/api/invites", json={}, headers=bearer(coach))).json()["code"]
    await confirmed(client, mailbox, OWNED, invite=code)
    await reset(client, mailbox, clock)
    mine = await log_in(client, OWNED, password=FRESH)
    account = (await client.get("/api/auth/me", headers=bearer(mine))).json()
    assert [each["coach_id"] for each in account["coaches"]] == [coach["user"]["id"]]


@pytest.mark.parametrize("added", ["before", "after"])
async def test_a_passkey_of_whoever_made_the_account_goes_though_its_link_was_followed_by_mistake(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock, added: str
) -> None:
    """Whether it was added before the link was followed, or at that moment."""
    device, squatter = authenticator(), await register(client, OWNED)
    if added == "before":
        assert (await add(client, squatter, device)).status_code == 201
    clock.advance(minutes=1)
    await mailbox.confirm(client, OWNED)
    clock.advance(minutes=1)
    if added == "after":
        assert (await add(client, squatter, device)).status_code == 201
    clock.advance(**({"days": 3} if added == "before" else {"hours": 3}))
    await reset(client, mailbox, clock)
    assert problem(await sign_in(client, device.get(await sign_in_options(client)))) == REFUSED
    told = (await mailbox.look())[-1]
    assert told.subject == "Your password was reset"
    assert "confirmed: passkeys." in told.text


async def test_the_letter_names_what_was_dropped_and_nothing_else(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    await set_up_app(client, await register(client, OWNED), clock)
    await reset(client, mailbox, clock)
    told = (await mailbox.look())[-1]
    assert "confirmed: the authenticator app." in told.text
    assert (await log_in(client, OWNED, password=FRESH))["user"]["email"] == OWNED
    await reset(client, mailbox, clock)
    assert "Removed" not in (await mailbox.look())[-1].text


async def test_factors_of_an_account_whose_person_changed_their_address_stay_with_a_reset(
    client: httpx.AsyncClient, mailbox: Mailbox, clock: Clock
) -> None:
    """The first answer counts, not the latest: the new mailbox is one factor as well."""
    session, device = await confirmed(client, mailbox, "former@example.com"), authenticator()
    clock.advance(minutes=1)
    assert (await add(client, session, device)).status_code == 201
    clock.advance(days=2)
    session = await log_in(client, "former@example.com")
    await client.post("/api/auth/change-email", json={"email": OWNED}, headers=bearer(session))
    await mailbox.confirm(client, OWNED)
    clock.advance(days=2)
    await reset(client, mailbox, clock)
    assert (await sign_in(client, device.get(await sign_in_options(client)))).status_code == 200


async def test_erasing_an_account_that_answered_no_mail_leaves_the_mails_of_who_has_the_address(
    client: httpx.AsyncClient, mailbox: Mailbox, db: Database, clock: Clock
) -> None:
    squatter = await register(client, OWNED)
    owner = await confirmed(client, mailbox, OWNED)
    before = await kept(mailbox)
    await mailbox.sender.forget_person(UUID(squatter["user"]["id"]))
    assert await kept(mailbox) == before > 0
    await mailbox.sender.forget_person(UUID(owner["user"]["id"]))
    assert await kept(mailbox) == 0


async def kept(mailbox: Mailbox) -> int:
    await mailbox.look()
    mailer = mailbox.sender._mailer
    assert isinstance(mailer, FolderMailer)
    return len(list(mailer.folder.glob("*.eml")))
