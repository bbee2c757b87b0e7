"""What happens at the door stands in the audit of the person: who came in, who went, and who was refused."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from apex_server.audit.events import open_sealed_part
from apex_server.db import Database
from apex_server.refused_sign_ins import record_refused_sign_ins
from tests.server.accounts_app import Clock, accounts_app, bearer, log_in, refresh, register, speak_to
from tests.server.mailbox import Mailbox, confirmed

pytestmark = pytest.mark.anyio

EMAIL = "anna@example.com"


@pytest.fixture
async def anna(client: httpx.AsyncClient, mailbox: Mailbox) -> dict[str, Any]:
    return await confirmed(client, mailbox, EMAIL)


@pytest.fixture
async def client(db: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(accounts_app(db, Clock(), trusted_proxies=["192.0.2.0/24"])) as opened:
        yield opened


async def events(db: Database, session: dict[str, Any]) -> list[tuple[str, str | None, dict[str, Any]]]:
    """Give a person's own audit: action, address, detail."""
    user_id = UUID(session["user"]["id"])
    async with db.request(user_id) as connection:
        key = await db.vault.user_key(connection, user_id)
        rows = await connection.fetch("SELECT action, sealed FROM account_events ORDER BY seq")
    parts = [(row["action"], open_sealed_part(key, row["sealed"])) for row in rows]
    return [(action, part.address, part.detail) for action, part in parts]


async def guess(client: httpx.AsyncClient, email: str = EMAIL, **headers: str) -> None:
    body = {"email": email, "password": "a wrong guess"}
    assert (await client.post("/api/auth/login", json=body, headers=headers)).status_code == 401


async def test_coming_and_going_is_recorded_with_device_and_address(
    db: Database, client: httpx.AsyncClient, anna: dict[str, Any]
) -> None:
    again = await log_in(client, EMAIL)
    known = await log_in(client, EMAIL, device_token=again["device_token"])
    await client.delete(f"/api/devices/{anna['device_id']}", headers=bearer(again))
    await client.post("/api/auth/logout", headers=bearer(known))
    last = await log_in(client, EMAIL, device_token=again["device_token"])
    await client.post("/api/auth/logout?everywhere=true", headers=bearer(last))

    recorded = await events(db, anna)

    assert [action for action, _, _ in recorded] == [
        "device_added", "account_created", "email_verified", "device_added", "signed_in", "signed_in", "device_removed",
        "signed_out", "signed_in", "signed_out_everywhere",
    ]  # fmt: skip
    assert {address for _, address, _ in recorded} == {"192.0.2.1"}
    assert recorded[4][2] == {"method": "password"}


async def test_a_stolen_token_that_was_found_out_is_recorded(db: Database, client: httpx.AsyncClient) -> None:
    anna = await register(client, EMAIL)
    await refresh(client, anna["refresh_token"])
    await refresh(client, anna["refresh_token"])
    assert (await events(db, anna))[-1][0] == "refresh_token_reused"


async def test_refused_sign_ins_of_a_minute_are_one_entry_with_their_number_and_the_last_address(
    db: Database, client: httpx.AsyncClient, anna: dict[str, Any]
) -> None:
    before = len(await events(db, anna))
    for _ in range(3):
        await guess(client)
    await guess(client, **{"X-Forwarded-For": "203.0.113.9"})
    await guess(client, "nobody@example.com")
    assert len(await events(db, anna)) == before

    await record_refused_sign_ins(db)
    await record_refused_sign_ins(db)

    recorded = (await events(db, anna))[before:]
    assert recorded == [("sign_in_refused", "203.0.113.9", {"attempts": 4})]


async def test_a_refusal_leaves_the_same_whether_the_account_exists_and_no_address_in_the_clear(
    db: Database, client: httpx.AsyncClient, database_url: str, mailbox: Mailbox
) -> None:
    await confirmed(client, mailbox, EMAIL)
    await guess(client)
    await guess(client, "nobody@example.com")
    owner = await asyncpg.connect(database_url)
    try:
        rows = await owner.fetch("SELECT length(email_index) AS index, address FROM refused_sign_ins ORDER BY id")
    finally:
        await owner.close()
    assert [row["index"] for row in rows] == [32, 32]
    assert all(b"192.0.2" not in row["address"] for row in rows)
    await record_refused_sign_ins(db)
    async with db.commit_connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM refused_sign_ins") == 0


async def test_guesses_at_an_address_stand_in_the_audit_of_who_has_it_and_of_nobody_who_only_names_it(
    db: Database, client: httpx.AsyncClient, anna: dict[str, Any]
) -> None:
    somebody = await register(client, EMAIL)
    await guess(client)
    await record_refused_sign_ins(db)
    assert (await events(db, anna))[-1][0] == "sign_in_refused"
    assert "sign_in_refused" not in [action for action, _, _ in await events(db, somebody)]
