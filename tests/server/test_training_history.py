"""Personal records are found in Postgres as they are in the records themselves, and follow every change."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from apex_server.db import Database
from apex_server.resources import personal_records_of
from apex_sync.coaching.records import personal_records
from apex_sync.coaching.sets import performed_sets, sets_by_exercise
from apex_sync.fold import fold
from apex_sync.models import WORKOUT_LOGS
from apex_sync.wire import parse_document
from tests.server.rest_app import Device, Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def from_records(rest: RestServer, workout_ids: list[str]) -> set[Any]:
    """Find personal records in the documents."""
    sets = []
    for workout_id in workout_ids:
        state = fold(parse_document(await rest.document(workout_id)).writes()).state
        sets += performed_sets(workout_id, WORKOUT_LOGS.read(state)[0])
    return {record for group in sets_by_exercise(sets).values() for record in personal_records(group)}


async def from_postgres(rest: RestServer, athlete: Person) -> set[Any]:
    async with rest.database.request(UUID(athlete.id)) as connection:
        return set(await personal_records_of(connection, rest.database.vault, UUID(athlete.id)))


async def test_records_are_those_of_the_documents_after_every_change(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    watch = Device(rest, athlete, "Watch", "watch")
    ids: list[str] = []
    for day, load, name in (
        (1, 100, "Bench"),
        (8, 105, "bench "),
        (15, 110, "Bench"),
        (4, 120, "Bench"),
        (20, 60, "Row"),
    ):
        ids.append(new_id())
        entry = {"name": name} | ({"exercise_id": "lib-1"} if day == 15 else {})
        sets = {"s": {"exercise": "e", "reps": 5, "load_kg": load}, "t": {"exercise": "e", "reps": 5000, "load_kg": 10}}
        patch = {"date": f"2026-03-{day:02d}", "start_time": f"2026-03-{day:02d}T18:00:00", "exercises": {"e": entry}}
        await watch.push(ids[-1], patch | {"sets": sets})
        assert await from_postgres(rest, athlete) == await from_records(rest, ids)
    assert await from_postgres(rest, athlete)

    assert (await athlete("DELETE", f"/api/workouts/{ids[3]}")).status_code == 204

    after = await from_postgres(rest, athlete)
    assert after == await from_records(rest, ids)
    assert {record.workout_id for record in after} == {ids[1], ids[2]}


async def test_the_history_of_somebody_else_is_empty(rest: RestServer) -> None:
    athlete, stranger = await rest.person("athlete"), await rest.person("coach")
    for day in ("2026-03-01", "2026-03-08"):
        body = {"date": day, "exercises": [{"name": "Squat", "sets": [{"reps": 5, "load": 100 + int(day[-1])}]}]}
        await athlete("POST", "/api/workouts", body)
    assert await from_postgres(rest, athlete)
    async with rest.database.request(UUID(stranger.id)) as connection:
        assert await personal_records_of(connection, rest.database.vault, UUID(athlete.id)) == []
