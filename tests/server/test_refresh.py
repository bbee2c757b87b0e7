"""Refresh tokens: a lost answer logs nobody out, and a stolen token is found out whoever uses it first."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_server.auth.refresh import TokenRow, judge
from apex_server.opaque_tokens import fingerprint, new_token
from tests.server.accounts_app import (
    Clock,
    bearer,
    log_in,
    problem,
    refresh,
    status_of,
)
from tests.server.mailbox import Mailbox, confirmed

pytestmark = pytest.mark.anyio

REUSED = (401, "refresh_token_reused")
ENDED = (401, "session_ended")


@pytest.fixture
async def anna(client: httpx.AsyncClient, mailbox: Mailbox) -> dict[str, Any]:
    return await confirmed(client, mailbox, "anna@example.com")


async def test_an_exchange_gives_new_tokens_for_the_same_session(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock
) -> None:
    clock.advance(minutes=20)
    assert await status_of(client, anna) == 401

    renewed = (await refresh(client, anna["refresh_token"])).json()

    assert renewed["refresh_token"] != anna["refresh_token"]
    me = (await client.get("/api/auth/me", headers=bearer(renewed))).json()
    assert me["session_id"] == anna["session_id"]


async def test_a_token_that_comes_again_ends_its_session_and_no_other(
    client: httpx.AsyncClient, anna: dict[str, Any]
) -> None:
    other = await log_in(client, "anna@example.com")
    renewed = (await refresh(client, anna["refresh_token"])).json()

    assert problem(await refresh(client, anna["refresh_token"])) == REUSED

    assert problem(await refresh(client, renewed["refresh_token"])) == ENDED
    assert await status_of(client, renewed) == 401
    assert (await refresh(client, other["refresh_token"])).status_code == 200


@pytest.mark.parametrize("away", [timedelta(0), timedelta(seconds=61), timedelta(days=29)])
async def test_the_same_device_may_ask_again_when_the_answer_was_lost_and_then_the_network_for_days(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock, away: timedelta
) -> None:
    token, device = anna["refresh_token"], anna["device_token"]
    await refresh(client, token, device)  # The answer is lost.
    clock.advance(seconds=away.total_seconds())

    again = await refresh(client, token, device)

    assert again.status_code == 200
    assert (await refresh(client, again.json()["refresh_token"], device)).status_code == 200


async def test_a_request_that_comes_late_does_no_harm_for_a_minute_from_the_first_exchange(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock
) -> None:
    """However often it is repeated, and although an answer to it was used."""
    token, device = anna["refresh_token"], anna["device_token"]
    child = (await refresh(client, token, device)).json()["refresh_token"]
    assert (await refresh(client, child, device)).status_code == 200
    for _ in range(3):
        assert (await refresh(client, token, device)).status_code == 200
        clock.advance(seconds=25)
    assert problem(await refresh(client, token, device)) == REUSED


@pytest.mark.parametrize("proof", ["none", "made up", "another device's"])
async def test_nobody_but_the_device_itself_may_ask_again(
    client: httpx.AsyncClient, anna: dict[str, Any], proof: str
) -> None:
    other = await log_in(client, "anna@example.com")
    device_token = {"none": None, "made up": new_token(), "another device's": other["device_token"]}[proof]
    await refresh(client, anna["refresh_token"], anna["device_token"])

    assert problem(await refresh(client, anna["refresh_token"], device_token)) == REUSED


async def test_a_thief_who_comes_first_is_found_out_when_the_owner_comes(
    client: httpx.AsyncClient, anna: dict[str, Any]
) -> None:
    stolen = (await refresh(client, anna["refresh_token"], new_token())).json()

    assert problem(await refresh(client, anna["refresh_token"], anna["device_token"])) == REUSED

    assert await status_of(client, stolen) == 401
    assert problem(await refresh(client, stolen["refresh_token"])) == (401, "session_ended")


@pytest.mark.parametrize("minutes", [0, 10])
async def test_even_a_thief_with_the_device_token_cannot_live_on_beside_the_owner(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock, minutes: int
) -> None:
    owners = (await refresh(client, anna["refresh_token"], anna["device_token"])).json()
    clock.advance(minutes=minutes)
    stolen = (await refresh(client, anna["refresh_token"], anna["device_token"])).json()

    assert (await refresh(client, stolen["refresh_token"], anna["device_token"])).status_code == 200
    assert problem(await refresh(client, owners["refresh_token"], anna["device_token"])) == REUSED


async def test_one_device_asking_several_times_at_once_stays_signed_in(
    client: httpx.AsyncClient, anna: dict[str, Any], database_url: str
) -> None:
    answers = await at_once(client, database_url, anna, [(anna["refresh_token"], anna["device_token"])] * 6)

    assert [answer.status_code for answer in answers] == [200] * 6
    tokens = [answer.json()["refresh_token"] for answer in answers]
    assert len(set(tokens)) == 6
    assert (await refresh(client, tokens[-1], anna["device_token"])).status_code == 200


async def test_of_two_devices_with_one_token_at_once_neither_keeps_the_session(
    client: httpx.AsyncClient, anna: dict[str, Any], database_url: str
) -> None:
    other = await log_in(client, "anna@example.com")

    answers = await at_once(
        client,
        database_url,
        anna,
        [(anna["refresh_token"], anna["device_token"]), (anna["refresh_token"], other["device_token"])],
    )

    assert sorted(answer.status_code for answer in answers) == [200, 401]
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert await status_of(client, winner) == 401
    assert problem(await refresh(client, winner["refresh_token"], anna["device_token"])) == (401, "session_ended")


async def test_of_two_children_of_one_exchange_used_at_once_one_is_a_copy(
    client: httpx.AsyncClient, anna: dict[str, Any], database_url: str
) -> None:
    device = anna["device_token"]
    children = [(await refresh(client, anna["refresh_token"], device)).json()["refresh_token"] for _ in range(2)]

    answers = await at_once(client, database_url, anna, [(child, device) for child in children])

    assert sorted(answer.status_code for answer in answers) == [200, 401]


async def test_after_signing_out_during_an_exchange_nothing_is_alive(
    client: httpx.AsyncClient, anna: dict[str, Any]
) -> None:
    answers: list[httpx.Response] = []

    async def sign_out() -> None:
        await client.post("/api/auth/logout", headers=bearer(anna))

    async with anyio.create_task_group() as asking:
        asking.start_soon(collect, answers, client, anna["refresh_token"], anna["device_token"])
        asking.start_soon(sign_out)

    for answer in answers:
        if answer.status_code == 200:
            assert problem(await refresh(client, answer.json()["refresh_token"])) == (401, "session_ended")
            assert await status_of(client, answer.json()) == 401


async def test_many_lost_answers_log_nobody_out(client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock) -> None:
    token, device = anna["refresh_token"], anna["device_token"]
    for _ in range(100):
        await refresh(client, token, device)
        answer = await refresh(client, token, device)
        assert answer.status_code == 200
        token = answer.json()["refresh_token"]
        clock.advance(minutes=14)


async def test_a_session_ends_after_thirty_days_without_use_and_not_before(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock
) -> None:
    clock.advance(days=29, hours=23)
    renewed = await refresh(client, anna["refresh_token"])
    assert renewed.status_code == 200
    clock.advance(days=30)
    assert problem(await refresh(client, renewed.json()["refresh_token"])) == ENDED


async def test_a_session_ends_after_a_year_even_in_daily_use(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock
) -> None:
    token = anna["refresh_token"]
    for _ in range(14):
        clock.advance(days=26)
        token = (await refresh(client, token)).json()["refresh_token"]
    clock.advance(days=1)
    assert problem(await refresh(client, token)) == ENDED


@pytest.mark.parametrize("proof", ["none", "the device's"])
async def test_whoever_comes_back_after_a_month_with_a_used_token_is_told_of_the_end_and_no_thief(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock, database_url: str, proof: str
) -> None:
    """The answer to the last exchange was lost, and the phone then lay in a drawer."""
    device = anna["device_token"] if proof == "the device's" else None
    await refresh(client, anna["refresh_token"], device)
    clock.advance(days=31)

    refused = await refresh(client, anna["refresh_token"], device)

    assert problem(refused) == ENDED
    assert "Sign in again" in refused.json()["next_step"]
    owner = await asyncpg.connect(database_url)
    try:
        told = await owner.fetchval("SELECT count(*) FROM account_events WHERE action = 'refresh_token_reused'")
    finally:
        await owner.close()
    assert told == 0


@pytest.mark.parametrize("every_days", [10, 29])
@pytest.mark.parametrize("away_days", [30.02, 31, 60, 200])
async def test_a_thief_is_found_out_however_long_the_owner_was_away(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock, every_days: int, away_days: float
) -> None:
    """The thief's exchanges drop the owner's token, which is recognised by its family then."""
    start = clock()
    stolen = (await refresh(client, anna["refresh_token"])).json()
    while (clock() - start) < timedelta(days=away_days - every_days):
        clock.advance(days=every_days)
        stolen = (await refresh(client, stolen["refresh_token"])).json()
    clock.advance(seconds=(timedelta(days=away_days) - (clock() - start)).total_seconds())

    assert problem(await refresh(client, anna["refresh_token"], anna["device_token"])) in (REUSED, ENDED)

    assert problem(await refresh(client, stolen["refresh_token"])) == ENDED
    assert problem(await refresh(client, anna["refresh_token"])) == ENDED


async def test_who_comes_with_an_expired_token_ends_the_session_that_goes_on_without_them(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock
) -> None:
    clock.advance(days=20)
    stolen = (await refresh(client, anna["refresh_token"])).json()
    clock.advance(days=11)

    assert problem(await refresh(client, anna["refresh_token"])) == ENDED

    assert problem(await refresh(client, stolen["refresh_token"])) == ENDED


async def test_the_name_of_a_family_opens_nothing(client: httpx.AsyncClient, anna: dict[str, Any]) -> None:
    assert problem(await refresh(client, anna["refresh_token"][:43], anna["device_token"]))[0] == 401
    assert problem(await refresh(client, anna["refresh_token"][:43] + new_token(), anna["device_token"]))[0] == 401


@pytest.mark.parametrize("token", ["x", "\x00", "é" * 40, new_token()], ids=["short", "zero", "not ASCII", "like one"])
async def test_an_unknown_token_is_refused(client: httpx.AsyncClient, token: str) -> None:
    assert problem(await refresh(client, token)) == (401, "refresh_token_invalid")


async def test_a_device_whose_session_was_forgotten_hears_that_it_is_over_and_strangers_hear_nothing(
    client: httpx.AsyncClient, anna: dict[str, Any], database_url: str
) -> None:
    """A phone comes out of a drawer: its account stands, and is not to be taken for one that is gone."""
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("DELETE FROM sessions")
        token, invalid = anna["refresh_token"], (401, "refresh_token_invalid")
        assert problem(await refresh(client, token, anna["device_token"])) == ENDED
        assert problem(await refresh(client, new_token(), anna["device_token"])) == ENDED
        assert problem(await refresh(client, token)) == invalid
        assert problem(await refresh(client, token, new_token())) == invalid
        await owner.execute("UPDATE devices SET removed_at = now()")
        assert problem(await refresh(client, token, anna["device_token"])) == ENDED
        await owner.execute("SET enable_seqscan = off")
        plan = await owner.fetch("EXPLAIN SELECT 1 FROM devices WHERE token_hash = sha256('x')")
        assert "devices_by_token" in str(plan)
    finally:
        await owner.close()


async def test_without_any_token_there_is_nothing_to_exchange(client: httpx.AsyncClient) -> None:
    assert problem(await client.post("/api/auth/refresh", json={})) == (401, "refresh_token_invalid")


async def test_tokens_are_stored_as_fingerprints_and_dropped_when_they_have_expired(
    client: httpx.AsyncClient, anna: dict[str, Any], clock: Clock, database_url: str
) -> None:
    clock.advance(days=20)
    second = (await refresh(client, anna["refresh_token"])).json()["refresh_token"]
    clock.advance(days=20)
    third = (await refresh(client, second)).json()["refresh_token"]
    owner = await asyncpg.connect(database_url)
    try:
        stored = {row["token_hash"] for row in await owner.fetch("SELECT token_hash FROM refresh_tokens")}
    finally:
        await owner.close()
    family = anna["refresh_token"][:43]
    assert stored == {fingerprint(token) for token in (family, second, third)}


MOMENT = datetime(2026, 3, 1, tzinfo=UTC)


@given(
    row=st.builds(
        TokenRow,
        expires_at=st.just(MOMENT),
        used_at=st.none() | st.just(MOMENT - timedelta(hours=12)),
        used_by_device=st.booleans(),
        device_proven=st.booleans(),
        sibling_used=st.booleans(),
        child_used=st.booleans(),
        session_ended_at=st.none() | st.just(MOMENT),
    ),
    seconds=st.integers(-90_000, 90_000),
)
def test_a_token_is_exchanged_only_in_time_and_if_unused_or_by_its_own_device_that_has_used_no_answer_for_long(
    row: TokenRow, seconds: int
) -> None:
    now = MOMENT + timedelta(seconds=seconds)
    if judge(row, now=now) == "exchange":
        assert row.session_ended_at is None
        assert now < row.expires_at
        if row.used_at is None:
            assert not row.sibling_used
        else:
            assert row.used_by_device
            assert row.device_proven
            assert not row.child_used or now <= row.used_at + timedelta(seconds=60)


async def at_once(
    client: httpx.AsyncClient, database_url: str, anna: dict[str, Any], exchanges: list[tuple[str, str]]
) -> list[httpx.Response]:
    """Exchange pairs of refresh and device token that truly meet: all wait at the session's row, then go on at once."""
    answers: list[httpx.Response] = []
    owner = await asyncpg.connect(database_url)
    try:
        async with anyio.create_task_group() as asking, owner.transaction():
            await owner.execute("SELECT id FROM sessions WHERE id = $1 FOR UPDATE", anna["session_id"])
            for refresh_token, device_token in exchanges:
                asking.start_soon(collect, answers, client, refresh_token, device_token)
            await all_waiting(database_url, len(exchanges))
    finally:
        await owner.close()
    return answers


async def all_waiting(database_url: str, count: int) -> None:
    """Return when so many connections wait for a lock; fails after ten seconds."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    observer = await asyncpg.connect(database_url)
    try:
        for _ in range(1000):
            if await observer.fetchval(waiting) == count:
                return
            await anyio.sleep(0.01)
        pytest.fail(f"{count} exchanges did not meet")
    finally:
        await observer.close()


async def collect(
    answers: list[httpx.Response], client: httpx.AsyncClient, refresh_token: str, device_token: str
) -> None:
    answers.append(await refresh(client, refresh_token, device_token))
