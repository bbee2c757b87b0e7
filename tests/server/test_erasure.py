"""Thirty days after somebody asked for it nothing of theirs is left, and their devices learn it; until then all is."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from apex_server.db import Database
from apex_server.operations import verify
from apex_server.personal_data import GRACE, Eraser
from apex_server.privacy import privacy_routes
from apex_server.vault import KeyDestroyed
from apex_sync.ids import thread_scope
from tests.server.accounts_app import (
    PASSWORD,
    Clock,
    accounts_app,
    bearer,
    log_in,
    problem,
    refresh,
    register,
    speak_to,
)
from tests.server.mailbox import Mailbox, confirmed
from tests.server.rest_app import Device, Person, RestServer, rest_server

pytestmark = pytest.mark.anyio

STAYS = {"audit.user_id", "data_keys.user_id", "erased_accounts.user_id", "account_events.actor_id"}
"""Where the id of somebody who was erased may stand: in what others keep of their own, and in the tombstone."""


@pytest.fixture
async def server(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db, more_routes=privacy_routes) as opened:
        yield opened


@pytest.fixture
def eraser(db: Database, clock: Clock) -> Eraser:
    return Eraser(db, now=clock)


async def ask(person: Person) -> None:
    answer = await person("POST", "/api/privacy/deletion")
    assert answer.status_code == 202, answer.text


async def places_of(database_url: str, user_id: str) -> set[str]:
    """Look for an id in every column of every table that can hold one, as an id or as text."""
    connection = await asyncpg.connect(database_url)
    try:
        columns = await connection.fetch(
            "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
            "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped "
            "AND atttypid::regtype::text IN ('uuid', 'text', 'jsonb', 'uuid[]', 'text[]')"
        )
        found = set()
        for table, column in columns:
            query = f'SELECT EXISTS (SELECT 1 FROM "{table}" WHERE "{column}"::text LIKE $1)'
            if await connection.fetchval(query, f"%{user_id}%"):
                found.add(f"{table}.{column}")
        return found
    finally:
        await connection.close()


async def train(server: RestServer, athlete: Person) -> str:
    """Let an athlete log on a phone; gives the record."""
    record_id = str(uuid4())
    await Device(server, athlete, "phone", "phone").push(record_id, {"date": "2026-03-01", "notes": "heavy"})
    return record_id


async def test_nothing_of_an_athlete_is_left_but_that_they_were(
    server: RestServer, eraser: Eraser, clock: Clock, db: Database, database_url: str
) -> None:
    coach, athlete = await server.coach_and_athlete()
    await train(server, athlete)
    await ask(athlete)
    assert await eraser.erase_due() == 0
    clock.time += GRACE + timedelta(minutes=1)
    assert await eraser.erase_due() == 1
    assert await places_of(database_url, athlete.id) <= STAYS
    assert await places_of(database_url, coach.id) > {"users.id"}
    async with db.commit_connection() as connection:
        with pytest.raises(KeyDestroyed):
            await db.vault.user_key(connection, UUID(athlete.id))
    assert (await verify(db)).damages == []


async def test_a_coach_goes_and_the_athletes_keep_what_is_theirs(
    server: RestServer, eraser: Eraser, clock: Clock, database_url: str
) -> None:
    coach, athlete = await server.coach_and_athlete()
    record_id = await train(server, athlete)
    await ask(coach)
    clock.time += GRACE + timedelta(minutes=1)
    assert await eraser.erase_due() == 1
    assert await places_of(database_url, coach.id) <= STAYS
    kept = await athlete("GET", f"/api/workouts/{record_id}")
    assert kept.json()["notes"] == "heavy"


async def test_cancelled_on_day_29_everything_is_there(
    server: RestServer, eraser: Eraser, clock: Clock, database_url: str
) -> None:
    _, athlete = await server.coach_and_athlete()
    record_id = await train(server, athlete)
    before = await places_of(database_url, athlete.id)
    await ask(athlete)
    clock.time += timedelta(days=29)
    assert await eraser.erase_due() == 0
    assert (await athlete("DELETE", "/api/privacy/deletion")).status_code == 204
    clock.time += timedelta(days=60)
    assert await eraser.erase_due() == 0
    assert (await athlete("GET", f"/api/workouts/{record_id}")).json()["notes"] == "heavy"
    assert before <= await places_of(database_url, athlete.id)
    assert problem(await athlete("DELETE", "/api/privacy/deletion")) == (404, "not_found")


async def test_asked_for_twice_the_first_time_counts(server: RestServer, database_url: str) -> None:
    """And one mail tells the person, who may not be the one that asked."""
    athlete = await server.person("athlete")
    assert (await athlete("GET", "/api/privacy/deletion")).json() == {"asked_at": None, "erase_at": None}
    first = (await athlete("POST", "/api/privacy/deletion")).json()
    assert (await athlete("POST", "/api/privacy/deletion")).json() == first
    assert (await athlete("GET", "/api/privacy/deletion")).json() == first
    connection = await asyncpg.connect(database_url)
    try:
        mails = await connection.fetch("SELECT user_id FROM mails WHERE purpose = 'account_deletion_asked'")
    finally:
        await connection.close()
    assert [str(row["user_id"]) for row in mails] == [athlete.id]


async def erased_account(
    db: Database, eraser: Eraser, clock: Clock, mailbox: Mailbox
) -> tuple[Any, dict[str, Any], int]:
    """Make an account with a device, and let it be erased; gives an app, the session and the client id."""
    app = accounts_app(db, clock, more_routes=privacy_routes)
    client_id = 123_456_789
    async with speak_to(app) as client:
        await confirmed(client, mailbox, "anna@example.com")
        session = await log_in(
            client, "anna@example.com", device={"name": "phone", "kind": "phone", "client_id": client_id}
        )
        assert (await client.post("/api/privacy/deletion", headers=bearer(session))).status_code == 202
    clock.time += GRACE + timedelta(days=1)
    assert await eraser.erase_due() == 1
    clock.time += timedelta(days=60)
    return app, session, client_id


async def test_a_device_of_an_erased_account_is_told_however_late(
    db: Database, eraser: Eraser, clock: Clock, mailbox: Mailbox
) -> None:
    app, session, _ = await erased_account(db, eraser, clock, mailbox)
    erased = (410, "account_erased")
    async with speak_to(app) as client:
        assert problem(await refresh(client, session["refresh_token"])) == erased
        assert problem(await refresh(client, session["refresh_token"], session["device_token"])) == erased
        assert problem(await refresh(client, "an older token", session["device_token"])) == erased


async def test_a_stranger_learns_nothing_of_an_erased_account(
    db: Database, eraser: Eraser, clock: Clock, mailbox: Mailbox
) -> None:
    app, _, _ = await erased_account(db, eraser, clock, mailbox)
    async with speak_to(app) as client:
        assert problem(await refresh(client, "a token", "another token")) == (401, "refresh_token_invalid")
        answer = await client.post("/api/auth/login", json={"email": "anna@example.com", "password": PASSWORD})
        assert problem(answer) == (401, "wrong_credentials")


async def test_the_address_is_free_again_and_the_client_id_never(
    db: Database, eraser: Eraser, clock: Clock, mailbox: Mailbox
) -> None:
    app, _, client_id = await erased_account(db, eraser, clock, mailbox)
    async with speak_to(app) as client:
        device = {"name": "phone", "kind": "phone", "client_id": client_id}
        body = {"email": "anna@example.com", "password": PASSWORD, "name": "Anna", "role": "athlete", "device": device}
        assert problem(await client.post("/api/auth/register", json=body)) == (409, "client_id_taken")
        await register(client, "anna@example.com")


async def test_what_was_being_written_at_that_moment_is_looked_for_once_more(
    server: RestServer, eraser: Eraser, clock: Clock, db: Database, database_url: str
) -> None:
    coach, athlete = await server.coach_and_athlete()
    await ask(athlete)
    clock.time += GRACE + timedelta(minutes=1)
    await eraser.erase_due()
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "INSERT INTO scopes (scope_id, name, seq, digest, record_count, created_at) "
            "VALUES (gen_random_uuid(), $1, 0, decode(repeat('00', 16), 'hex'), 0, now())",
            f"private:{coach.id}:{athlete.id}",
        )
        clock.time += timedelta(hours=1)
        await eraser.erase_due()
        assert await connection.fetchval("SELECT count(*) FROM scopes WHERE name LIKE 'private:%'") == 0
    finally:
        await connection.close()


@pytest.mark.parametrize("goes", ["coach", "athlete"])
async def test_what_two_people_wrote_to_each_other_goes_with_either(
    server: RestServer, eraser: Eraser, clock: Clock, database_url: str, goes: str
) -> None:
    coach, athlete = await server.coach_and_athlete()
    said = {"coach": {"type": "text", "text": "Hello", "sent_at": "2026-03-01T18:05:00.000Z"}}
    thread = thread_scope(coach.id, athlete.id)
    await server.committer.write(UUID(coach.id), thread, "messages", str(uuid4()), said)
    await ask(coach if goes == "coach" else athlete)
    clock.time += GRACE + timedelta(minutes=1)
    await eraser.erase_due()
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM scopes WHERE name LIKE 'thread:%'") == 0
        assert await connection.fetchval("SELECT count(*) FROM messages") == 0
        assert await connection.fetchval("SELECT count(*) FROM records") == 0
    finally:
        await connection.close()


async def test_an_account_that_cannot_be_erased_holds_up_nobody(
    server: RestServer, clock: Clock, db: Database, database_url: str
) -> None:
    _, stuck = await server.coach_and_athlete()
    _, other = await server.coach_and_athlete()
    for person in (stuck, other):
        await ask(person)
        clock.time += timedelta(minutes=1)
    clock.time += GRACE

    async def refuse(user_id: UUID) -> None:
        if str(user_id) == stuck.id:
            raise OSError("no place to forget it in")

    with pytest.raises(OSError, match="no place"):
        await Eraser(db, forgettings=[refuse], now=clock).erase_due()
    assert await is_there(database_url, stuck.id)
    assert not await is_there(database_url, other.id)


async def is_there(database_url: str, user_id: str) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        return bool(await connection.fetchval("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)", UUID(user_id)))
    finally:
        await connection.close()


async def test_deletion_asks_for_a_recent_sign_in(db: Database) -> None:
    app = accounts_app(db, Clock(), more_routes=privacy_routes)
    async with speak_to(app) as client:
        session = await register(client, "anna@example.com")
        async with db.request(UUID(session["user"]["id"])) as connection:
            await connection.execute("UPDATE sessions SET authenticated_at = now() - interval '1 hour'")
        for path in ("/api/privacy/deletion", "/api/privacy/export"):
            assert problem(await client.post(path, headers=bearer(session))) == (401, "sign_in_again")
