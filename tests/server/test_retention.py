"""Nothing is kept longer than the rules of docs/privacy.md say, and nothing shorter."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from apex_server.db import Database
from apex_server.personal_data import BACKUPS_KEPT, Retention, prune_backups
from apex_server.personal_data.retention import PARTED_KEPT, SESSIONS_KEPT
from tests.server.accounts_app import Clock
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


async def test_two_years_after_they_parted_a_coachs_notes_go_and_the_athletes_records_stay(
    server: RestServer, db: Database, database_url: str
) -> None:
    clock = Clock()
    coach, athlete = await server.coach_and_athlete()
    other_coach = await server.person("coach")
    await server.link(other_coach, athlete)
    for each in (coach, other_coach):
        private = f"private:{each.id}:{athlete.id}"
        await server.committer.write(UUID(each.id), private, "programs", str(uuid4()), {"name": "a draft"})
    await server.committer.write(UUID(athlete.id), f"athlete:{athlete.id}", "workout_logs", str(uuid4()), {"mood": 7})
    assert (await coach("DELETE", f"/api/clients/{athlete.id}/link")).status_code in (200, 204)
    retention = Retention(db, None, now=clock)
    for wait, scopes, pairs in ((PARTED_KEPT - timedelta(days=1), 3, 2), (timedelta(days=2), 2, 1)):
        clock.time += wait
        await retention.forget_old()
        assert await count(database_url, "SELECT count(*) FROM scopes") == scopes
        assert await count(database_url, "SELECT count(*) FROM coach_athletes") == pairs
    assert await count(database_url, "SELECT count(*) FROM records") == 2


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
