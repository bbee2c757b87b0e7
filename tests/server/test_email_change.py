"""A changed address: it counts when the new mailbox answers, and whoever loses it to a thief gets it back."""

import asyncio
from typing import Any

import anyio
import asyncpg
import httpx
import pytest

from tests.server.accounts_app import (
    PASSWORD,
    Clock,
    bearer,
    log_in,
    problem,
    refresh,
    register,
    status_of,
)
from tests.server.mailbox import Mailbox, Received, confirmed

pytestmark = pytest.mark.anyio

FRESH = "one that nobody has had so far"
OLD, NEW, THIRD = "anna@example.com", "Anna@new.example", "anna@third.example"
DEAD = (410, "mail_token_invalid")
WRONG = (401, "wrong_credentials")


@pytest.fixture
async def anna(client: httpx.AsyncClient, mailbox: Mailbox) -> dict[str, Any]:
    return await confirmed(client, mailbox, OLD, name="Anna")


async def post(
    client: httpx.AsyncClient, path: str, session: dict[str, Any] | None = None, **body: str
) -> httpx.Response:
    return await client.post(f"/api/auth/{path}", json=body, headers=bearer(session) if session else {})


async def change(client: httpx.AsyncClient, mailbox: Mailbox, session: dict[str, Any], email: str = NEW) -> Received:
    """Change the address for good; gives the letter to the old one."""
    assert (await post(client, "change-email", session, email=email)).status_code == 204
    assert (await post(client, "verify-email", token=(await mailbox.one()).token)).status_code == 204
    return await mailbox.one()


async def may_log_in(client: httpx.AsyncClient, email: str, password: str = PASSWORD) -> bool:
    answer = await post(client, "login", email=email, password=password)
    assert answer.status_code in {200, 401}
    return answer.status_code == 200


async def test_an_address_changes_when_the_new_one_answers_and_the_old_one_is_told(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    assert (await post(client, "change-email", anna, email=NEW)).status_code == 204
    asked = await mailbox.one()
    assert (asked.to, asked.subject) == (NEW, "Confirm your new e-mail address")
    assert await may_log_in(client, OLD)
    assert not await may_log_in(client, NEW)

    assert (await post(client, "verify-email", token=asked.token)).status_code == 204

    me = (await client.get("/api/auth/me", headers=bearer(anna))).json()["user"]
    assert (me["email"], me["email_verified"]) == (NEW, True)
    assert await may_log_in(client, NEW.upper())
    assert not await may_log_in(client, OLD)
    told = await mailbox.one()
    assert (told.to, told.subject) == (OLD, "Your e-mail address was changed")
    assert told.link.startswith("/undo-email-change#")


async def test_a_change_asks_for_a_recent_sign_in(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock
) -> None:
    clock.advance(minutes=14)
    assert (await post(client, "change-email", anna, email=NEW)).status_code == 204
    anna |= (await refresh(client, anna["refresh_token"], anna["device_token"])).json()
    clock.advance(minutes=2)
    assert problem(await post(client, "change-email", anna, email=NEW)) == (401, "sign_in_again")
    assert (await post(client, "reauthenticate", anna, password=PASSWORD)).status_code == 204
    assert (await post(client, "change-email", anna, email=NEW)).status_code == 204


async def test_asking_for_an_address_that_has_an_account_says_nothing_about_it(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    await confirmed(client, mailbox, "ben@example.com")
    free = await post(client, "change-email", anna, email="free@example.com")
    taken = await post(client, "change-email", anna, email="ben@example.com")
    assert (free.status_code, free.content) == (taken.status_code, taken.content) == (204, b"")
    letters = {letter.to: letter for letter in await mailbox.look()}
    # Whoever reads Ben's mail knows that he has an account.
    refused = await post(client, "verify-email", token=letters["ben@example.com"].token)
    assert problem(refused) == (409, "email_taken")
    assert await may_log_in(client, OLD)


async def test_only_the_latest_asked_for_counts(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    await post(client, "change-email", anna, email=NEW)
    first = await mailbox.one()
    await post(client, "change-email", anna, email=THIRD)
    assert problem(await post(client, "verify-email", token=first.token)) == DEAD
    assert (await post(client, "verify-email", token=(await mailbox.one()).token)).status_code == 204
    assert await may_log_in(client, THIRD)


@pytest.mark.parametrize("email", ["no address", OLD, OLD.upper()])
async def test_what_is_no_other_address_is_refused(client: httpx.AsyncClient, anna: dict[str, Any], email: str) -> None:
    assert problem(await post(client, "change-email", anna, email=email)) == (422, "invalid_fields")


async def test_the_old_address_takes_the_account_back_and_shuts_everybody_out(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    """A thief with Anna's phone and password moves the account to their own mailbox."""
    thief = await log_in(client, OLD)
    told = await change(client, mailbox, thief)
    await post(client, "change-password", thief, current_password=PASSWORD, new_password="the password of a thief")
    await mailbox.look()

    assert (await post(client, "undo-email-change", token=told.token)).status_code == 204

    for session in (anna, thief):
        assert await status_of(client, session) == 401
    for email in (OLD, NEW):
        for password in (PASSWORD, "the password of a thief"):
            assert not await may_log_in(client, email, password)
    back = await mailbox.one()
    assert (back.to, back.subject) == (OLD, "Your e-mail address is back: choose a new password")
    assert (await post(client, "reset-password", token=back.token, password="a phrase of her own")).status_code == 204
    assert await may_log_in(client, OLD, "a phrase of her own")
    assert problem(await post(client, "undo-email-change", token=told.token)) == DEAD


async def test_changing_twice_or_undoing_the_second_change_takes_nothing_from_the_first_owner(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, clock: Clock
) -> None:
    to_anna = await change(client, mailbox, anna, NEW)
    clock.advance(seconds=1)
    to_thief = await change(client, mailbox, anna, THIRD)
    assert (to_anna.to, to_thief.to) == (OLD, NEW)
    assert (await post(client, "undo-email-change", token=to_thief.token)).status_code == 204
    await mailbox.look()

    assert (await post(client, "undo-email-change", token=to_anna.token)).status_code == 204

    assert (await mailbox.one()).to == OLD


async def test_taking_it_back_also_undoes_what_came_after(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    to_anna = await change(client, mailbox, anna, NEW)
    to_thief = await change(client, mailbox, anna, THIRD)
    assert (await post(client, "undo-email-change", token=to_anna.token)).status_code == 204
    assert problem(await post(client, "undo-email-change", token=to_thief.token)) == DEAD


async def test_nobody_blocks_the_way_back_by_registering_the_old_address(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, clock: Clock
) -> None:
    told = await change(client, mailbox, anna)
    await register(client, OLD)
    confirmation = await mailbox.one()
    assert problem(await post(client, "verify-email", token=confirmation.token)) == (409, "email_taken")
    ben = await register(client, "ben@example.com")
    await post(client, "change-email", ben, email=OLD)
    letters = [letter for letter in await mailbox.look() if letter.to == OLD]
    assert problem(await post(client, "verify-email", token=letters[0].token)) == (409, "email_taken")

    clock.advance(days=6, hours=23)
    assert (await post(client, "undo-email-change", token=told.token)).status_code == 204


async def test_after_seven_days_the_old_address_is_free_and_its_link_dead(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, clock: Clock
) -> None:
    told = await change(client, mailbox, anna)
    clock.advance(days=7)
    assert problem(await post(client, "undo-email-change", token=told.token)) == DEAD
    await register(client, OLD)


async def test_links_that_went_to_the_old_address_choose_no_password_any_more(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    await post(client, "forgot-password", email=OLD)
    reset = await mailbox.one()
    await change(client, mailbox, anna)
    refused = await post(client, "reset-password", token=reset.token, password="the password of a thief")
    assert problem(refused) == DEAD


async def test_what_a_thief_added_to_sign_in_with_goes_and_what_was_there_before_stays(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, clock: Clock, database_url: str
) -> None:
    add = (
        "INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, synced, name_sealed, created_at) "
        "VALUES (gen_random_uuid(), $1, sha256($2), '\\x01', 0, false, '\\x01', $3)"
    )
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute(add, anna["user"]["id"], b"hers", clock())
        clock.advance(days=3)
        thief = await log_in(client, OLD)
        await owner.execute(add, anna["user"]["id"], b"the thief's", clock())
        told = await change(client, mailbox, thief)
        assert (await post(client, "undo-email-change", token=told.token)).status_code == 204
        left = await owner.fetch("SELECT credential_id = sha256('hers') AS hers FROM passkeys")
    finally:
        await owner.close()
    assert [row["hers"] for row in left] == [True]


async def test_neither_address_of_a_change_stands_readable_in_the_database(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, database_url: str
) -> None:
    await change(client, mailbox, anna)
    owner = await asyncpg.connect(database_url)
    try:
        (row,) = await owner.fetch("SELECT * FROM email_changes")
    finally:
        await owner.close()
    stored = b" ".join(value for value in row.values() if isinstance(value, bytes)).lower()
    assert b"anna" not in stored
    assert b"example" not in stored


@pytest.mark.parametrize("ends", ["reset", "change"])
async def test_another_password_ends_a_change_of_address_that_is_not_confirmed(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox, ends: str
) -> None:
    """Whoever asked for it may have been the reason for the new password."""
    assert (await post(client, "change-email", anna, email=NEW)).status_code == 204
    link = (await mailbox.one()).token
    if ends == "reset":
        await post(client, "forgot-password", email=OLD)
        answer = await post(client, "reset-password", token=(await mailbox.one()).token, password=FRESH)
    else:
        answer = await post(client, "change-password", anna, current_password=PASSWORD, new_password=FRESH)
    assert answer.status_code == 204
    assert problem(await post(client, "verify-email", token=link)) == DEAD
    assert await may_log_in(client, OLD, FRESH)


async def test_no_sign_in_with_the_old_password_outlives_a_reset(
    client: httpx.AsyncClient, anna: dict[str, Any], mailbox: Mailbox
) -> None:
    """Those that were under way when the new one was chosen included."""
    await post(client, "forgot-password", email=OLD)
    token = (await mailbox.one()).token

    async def try_old(number: int) -> httpx.Response:
        await anyio.sleep(number * 0.004)
        return await post(client, "login", email=OLD, password=PASSWORD)

    reset, *old = await asyncio.gather(
        post(client, "reset-password", token=token, password=FRESH), *(try_old(number) for number in range(15))
    )
    assert reset.status_code == 204
    sessions = [answer.json() for answer in old if answer.status_code == 200]
    for session in sessions:
        assert (await client.get("/api/auth/me", headers=bearer(session))).status_code == 401
