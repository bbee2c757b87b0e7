"""Devices: each is known again, each client id has one owner, and a removed one is out at once."""

from typing import Any
from uuid import UUID, uuid4

import anyio
import asyncpg
import httpx
import pytest

from apex_server.db import Database
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
from tests.server.mailbox import Mailbox, confirmed

pytestmark = pytest.mark.anyio

PHONE = {"name": "Anna's phone", "kind": "phone", "client_id": 11}
WATCH = {"name": "Anna's watch", "kind": "watch", "client_id": 12}
TAKEN = (409, "client_id_taken")


@pytest.fixture
async def phone(client: httpx.AsyncClient, mailbox: Mailbox) -> dict[str, Any]:
    return await confirmed(client, mailbox, "anna@example.com", device=PHONE)


async def devices(client: httpx.AsyncClient, session: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.get("/api/devices", headers=bearer(session))
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def try_log_in(client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    return await client.post("/api/auth/login", json={"email": "anna@example.com", "password": PASSWORD, **more})


async def test_a_user_sees_their_devices_the_last_seen_first(
    client: httpx.AsyncClient, phone: dict[str, Any], clock: Clock
) -> None:
    await register(client, "ben@example.com", device={"name": "Ben's", "kind": "tablet"})
    clock.advance(minutes=4)
    watch = await log_in(client, "anna@example.com", device=WATCH)
    clock.advance(minutes=4)
    unnamed = await log_in(client, "anna@example.com")

    listed = await devices(client, watch)

    assert [(device["name"], device["kind"], device["client_id"], device["current"]) for device in listed] == [
        ("Unnamed device", "web", None, False),
        ("Anna's watch", "watch", 12, True),
        ("Anna's phone", "phone", 11, False),
    ]
    assert listed[0]["id"] == unnamed["device_id"]

    clock.advance(minutes=4)
    await refresh(client, phone["refresh_token"])
    assert (await devices(client, watch))[0]["name"] == "Anna's phone"


async def test_removing_a_device_signs_it_out_at_once(client: httpx.AsyncClient, phone: dict[str, Any]) -> None:
    watch = await log_in(client, "anna@example.com", device=WATCH)

    gone = await client.delete(f"/api/devices/{watch['device_id']}", headers=bearer(phone))

    assert gone.status_code == 204
    assert await status_of(client, watch) == 401
    assert problem(await refresh(client, watch["refresh_token"], watch["device_token"])) == (401, "session_ended")
    assert [device["id"] for device in await devices(client, phone)] == [phone["device_id"]]


async def test_a_foreign_device_looks_absent_and_stays(client: httpx.AsyncClient, phone: dict[str, Any]) -> None:
    ben = await register(client, "ben@example.com")

    foreign = await client.delete(f"/api/devices/{phone['device_id']}", headers=bearer(ben))
    absent = await client.delete(f"/api/devices/{uuid4()}", headers=bearer(ben))

    assert problem(foreign) == (404, "not_found")
    assert (foreign.status_code, foreign.content) == (absent.status_code, absent.content)
    assert await status_of(client, phone) == 200


async def test_a_device_that_kept_its_token_is_the_same_when_it_signs_in_again(
    client: httpx.AsyncClient, phone: dict[str, Any]
) -> None:
    again = await log_in(
        client, "anna@example.com", device={**PHONE, "name": "Renamed"}, device_token=phone["device_token"]
    )
    assert (again["device_id"], again["device_token"]) == (phone["device_id"], None)
    assert [device["name"] for device in await devices(client, again)] == ["Renamed"]
    assert (await refresh(client, phone["refresh_token"])).status_code == 200


async def test_a_device_that_lost_its_token_is_known_by_client_id_kind_and_name(
    client: httpx.AsyncClient, phone: dict[str, Any]
) -> None:
    again = await log_in(client, "anna@example.com", device=PHONE)
    assert again["device_id"] == phone["device_id"]
    assert again["device_token"] not in (None, phone["device_token"])


@pytest.mark.parametrize("claim", [{"kind": "watch"}, {"name": "Another phone"}])
async def test_another_device_of_the_same_user_cannot_have_the_client_id(
    client: httpx.AsyncClient, phone: dict[str, Any], claim: dict[str, str]
) -> None:
    refused = await try_log_in(client, device={**PHONE, **claim})
    assert problem(refused) == TAKEN
    assert refused.json()["client_id"] == 11
    assert "new random client id" in refused.json()["next_step"]
    assert len(await devices(client, phone)) == 1


async def test_another_user_cannot_have_the_client_id(client: httpx.AsyncClient, phone: dict[str, Any]) -> None:
    body = {"email": "ben@example.com", "password": PASSWORD, "name": "Ben", "role": "athlete", "device": PHONE}
    assert problem(await client.post("/api/auth/register", json=body)) == TAKEN


async def test_a_phones_token_copied_to_a_watch_does_not_make_it_the_phone(
    client: httpx.AsyncClient, phone: dict[str, Any]
) -> None:
    watch = await log_in(client, "anna@example.com", device=WATCH, device_token=phone["device_token"])
    assert watch["device_id"] != phone["device_id"]
    refused = await try_log_in(client, device={**WATCH, "client_id": 11}, device_token=watch["device_token"])
    assert problem(refused) == TAKEN


async def test_a_forked_device_takes_a_new_client_id_and_its_old_one_stays_its_own(
    client: httpx.AsyncClient, phone: dict[str, Any], clock: Clock
) -> None:
    clock.advance(minutes=1)
    forked = {**PHONE, "client_id": 99}
    again = await log_in(client, "anna@example.com", device=forked, device_token=phone["device_token"])

    assert again["device_id"] == phone["device_id"]
    assert [device["client_id"] for device in await devices(client, again)] == [99]
    assert problem(await try_log_in(client, device={**WATCH, "client_id": 11})) == TAKEN


async def test_a_removed_device_comes_back_when_somebody_signs_in_on_it_and_its_client_id_waits_for_it(
    client: httpx.AsyncClient, phone: dict[str, Any]
) -> None:
    watch = await log_in(client, "anna@example.com", device=WATCH)
    await client.delete(f"/api/devices/{phone['device_id']}", headers=bearer(watch))
    assert problem(await try_log_in(client, device={**WATCH, "client_id": 11})) == TAKEN

    back = await log_in(client, "anna@example.com", device=PHONE)

    assert back["device_id"] == phone["device_id"]
    assert len(await devices(client, back)) == 2


async def test_of_two_users_claiming_one_client_id_at_once_one_gets_it(client: httpx.AsyncClient) -> None:
    answers: list[httpx.Response] = []

    async def claim(email: str) -> None:
        body = {"email": email, "password": PASSWORD, "name": "X", "role": "athlete", "device": PHONE}
        answers.append(await client.post("/api/auth/register", json=body))

    async with anyio.create_task_group() as claims:
        for number in range(4):
            claims.start_soon(claim, f"user{number}@example.com")

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_a_client_id_is_bound_on_first_use_by_one_function_for_sign_in_and_sync(
    client: httpx.AsyncClient, db: Database, phone: dict[str, Any]
) -> None:
    ben = await register(client, "ben@example.com")

    async def bind(session: dict[str, Any], client_id: int, *, device_id: str | None = "own") -> bool:
        device = session["device_id"] if device_id == "own" else device_id
        async with db.request(UUID(session["user"]["id"])) as connection:
            sql = "SELECT apex_bind_client_id($1, $2, $3)"
            return bool(await connection.fetchval(sql, session["user"]["id"], device, client_id))

    assert await bind(phone, 500)
    assert await bind(phone, 500)
    assert not await bind(ben, 500)
    assert not await bind(ben, 11)
    # The server writes on behalf of a user under an id that is no device's.
    assert await bind(ben, 600, device_id=None)
    assert not await bind(ben, 600)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await bind(ben, 700, device_id=phone["device_id"])
    with pytest.raises(asyncpg.CheckViolationError):
        await bind(ben, 2**53)


async def test_the_commit_role_binds_client_ids_too(db: Database, phone: dict[str, Any]) -> None:
    async with db.commit_connection() as connection:
        sql = "SELECT apex_bind_client_id($1, $2, $3)"
        user_id = phone["user"]["id"]
        assert await connection.fetchval(sql, user_id, phone["device_id"], 800)
        assert not await connection.fetchval(sql, user_id, None, 800)
