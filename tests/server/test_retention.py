"""Nothing is kept longer than the rules of docs/privacy.md say, and nothing shorter."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec.structs import replace

from apex_server.db import Database
from apex_server.jobs.worker import Worker
from apex_server.personal_data import BACKUPS_KEPT, GRACE, Eraser, Retention, prune_backups
from apex_server.personal_data.retention import PARTED_KEPT, SESSIONS_KEPT, UNANSWERED_KEPT
from apex_server.settings import Settings
from apex_sync.ids import thread_scope
from tests.server.accounts_app import Clock, register
from tests.server.mailbox import Mailbox, confirmed
from tests.server.rest_app import RestServer, rest_server

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
async def server(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as opened:
        yield opened


async def count(database_url: str, query: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()


async def test_two_years_after_they_parted_a_coachs_notes_and_their_messages_go_and_the_athletes_records_stay(
    server: RestServer, db: Database, database_url: str
) -> None:
    clock = Clock()
    coach, athlete = await server.coach_and_athlete()
    other_coach = await server.person("coach")
    await server.link(other_coach, athlete)
    for each in (coach, other_coach):
        private = f"private:{each.id}:{athlete.id}"
        await server.committer.write(UUID(each.id), private, "programs", str(uuid4()), {"name": "a draft"})
        said = {"coach": {"type": "text", "text": "Hello", "sent_at": "2026-03-01T18:05:00.000Z"}}
        await server.committer.write(UUID(each.id), thread_scope(each.id, athlete.id), "messages", str(uuid4()), said)
    await server.committer.write(UUID(athlete.id), f"athlete:{athlete.id}", "workout_logs", str(uuid4()), {"mood": 7})
    assert (await coach("DELETE", f"/api/clients/{athlete.id}/link")).status_code in (200, 204)
    retention = Retention(db, None, now=clock)
    for wait, scopes, pairs in ((PARTED_KEPT - timedelta(days=1), 5, 2), (timedelta(days=2), 3, 1)):
        clock.time += wait
        await retention.forget_old()
        assert await count(database_url, "SELECT count(*) FROM scopes") == scopes
        assert await count(database_url, "SELECT count(*) FROM coach_athletes") == pairs
    assert await count(database_url, "SELECT count(*) FROM records") == 3
    assert await count(database_url, "SELECT count(*) FROM messages") == 1


async def test_ended_sessions_go_after_ninety_days_and_open_ones_stay(
    server: RestServer, db: Database, database_url: str
) -> None:
    clock = Clock()
    gone, open_one = await server.person("athlete"), await server.person("athlete")
    assert (await gone("POST", "/api/auth/logout")).status_code == 204
    retention = Retention(db, None, now=clock)
    for wait, left in ((SESSIONS_KEPT - timedelta(days=1), 2), (timedelta(days=2), 1)):
        clock.time += wait
        await retention.forget_old()
        assert await count(database_url, "SELECT count(*) FROM sessions") == left
    assert (await open_one("GET", "/api/auth/me")).status_code == 200


FORGOTTEN = {
    "login_attempts": (
        "INSERT INTO login_attempts (account, counted_under, attempted_at) VALUES (sha256('a'), sha256('b'), $1)",
        timedelta(days=1),
    ),
    "invites": (
        "INSERT INTO invites (code_hash, coach_id, created_at, expires_at) "
        "SELECT sha256('c'), id, $1, $1 FROM users WHERE role = 'coach'",
        timedelta(days=30),
    ),
    "support_looks": (
        "INSERT INTO support_looks (id, support_id, user_id, ticket, began_at, expires_at, ended_at) "
        "SELECT id, id, id, 'T-1', $1, $1, $1 FROM users WHERE role = 'coach'",
        timedelta(days=730),
    ),
}
"""How a row of each table comes to be, and how long it is kept."""


@pytest.mark.parametrize("table", FORGOTTEN)
async def test_what_has_outlived_its_use_goes_and_not_a_day_before(
    server: RestServer, db: Database, database_url: str, table: str
) -> None:
    statement, kept = FORGOTTEN[table]
    await server.person("coach")
    clock = Clock()
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"DELETE FROM {table}")
        await connection.execute(statement, clock.time)
    finally:
        await connection.close()
    retention = Retention(db, None, now=clock)
    for wait, left in ((kept - timedelta(minutes=1), 1), (timedelta(minutes=2), 0)):
        clock.time += wait
        await retention.forget_old()
        assert await count(database_url, f"SELECT count(*) FROM {table}") == left


async def test_the_worker_rolls_the_backups_over_where_the_operator_says(
    settings: Settings, db: Database, tmp_path: Path
) -> None:
    """With everything else that it keeps no longer than it may."""
    for name, days in (("old", 91), ("new", 1)):
        path = tmp_path / f"{name}.apexbackup"
        path.write_bytes(b"x")
        os.utime(path, times=((NOW - timedelta(days=days)).timestamp(),) * 2)
    async with Worker.open(replace(settings, backup_dir=tmp_path), now=lambda: NOW) as worker:
        await worker.keep_house()
    assert [path.name for path in tmp_path.glob("*.apexbackup")] == ["new.apexbackup"]


def test_backups_roll_over_ninety_days_and_the_newest_stays(tmp_path: Path) -> None:
    for days in (200, 91, 89, 1):
        path = tmp_path / f"{days}.apexbackup"
        path.write_bytes(b"x")
        os.utime(path, times=((NOW - timedelta(days=days)).timestamp(),) * 2)
    (tmp_path / "something else").write_bytes(b"x")
    os.utime(tmp_path / "something else", times=(0, 0))
    assert [path.name for path in prune_backups(tmp_path, NOW)] == ["200.apexbackup", "91.apexbackup"]
    assert prune_backups(tmp_path, NOW + BACKUPS_KEPT * 10) == [tmp_path / "89.apexbackup"]
    assert (tmp_path / "1.apexbackup").exists() and (tmp_path / "something else").exists()
    assert prune_backups(tmp_path / "nowhere", NOW) == []


async def test_an_account_that_nobody_answered_for_or_uses_ends_alike_whoever_has_its_address(
    server: RestServer, db: Database, database_url: str, tmp_path: Path
) -> None:
    """After a year its mailbox is told, thirty days later it is gone; whoever used it, or keeps it, is left alone."""
    clock = Clock()
    mailbox = Mailbox(db, tmp_path / "mails", clock)
    answered = await confirmed(server.client, mailbox, "anna@example.com")
    left = [await register(server.client, email) for email in ("anna@example.com", "nobody@example.com")]
    used, kept = [await register(server.client, email) for email in ("used@example.com", "kept@example.com")]
    await mailbox.look()
    retention, eraser = Retention(db, None, now=clock), Eraser(db, now=clock)
    clock.time += UNANSWERED_KEPT - timedelta(minutes=1)
    await retention.forget_old()
    assert await mailbox.look() == []
    connection = await asyncpg.connect(database_url)
    try:
        touch = "UPDATE sessions SET last_used_at = $2 WHERE user_id = $1"
        await connection.execute(touch, UUID(used["user"]["id"]), clock())
        clock.time += timedelta(minutes=2)
        await retention.forget_old()
        await retention.forget_old()
        told = await mailbox.look()
        assert sorted(mail.to for mail in told) == ["anna@example.com", "kept@example.com", "nobody@example.com"]
        assert all("apex privacy keep-account" in mail.text and "in a browser" in mail.text for mail in told)
        assert all("on the page Security" in mail.text for mail in told)
        assert await connection.fetchval(
            "SELECT count(*) FROM account_events WHERE action = 'account_deletion_asked'"
        ) == len(told)
        await connection.execute("DELETE FROM account_deletions WHERE user_id = $1", UUID(kept["user"]["id"]))
        await connection.execute(touch, UUID(kept["user"]["id"]), clock())
        clock.time += GRACE + timedelta(minutes=1)
        await retention.forget_old()
        assert await eraser.erase_due() == 2
        there = {str(row["id"]) for row in await connection.fetch("SELECT id FROM users")}
    finally:
        await connection.close()
    assert there == {each["user"]["id"] for each in (answered, used, kept)}
    assert not there & {each["user"]["id"] for each in left}
