"""Logged sets as files: whole in every format, safe in a spreadsheet, in bounded memory, recorded, only one's own."""

import csv
import io
import tracemalloc
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import pyarrow.parquet as parquet
import pytest

from apex_server.analytics import analytics_routes, exporting
from apex_server.analytics.exporting import exported_athletes, exported_pieces
from apex_server.caller import Caller
from apex_server.db import Database, load_queries
from tests.server.accounts_app import problem
from tests.server.rest_app import Device, Person, RestServer, new_id, rest_server
from tests.server.sync_world import World
from tests.server.test_sync_plans import explain, fill

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db, analytics_routes) as server:
        yield server


async def train(athlete: Person, on: str, *loads: float | None, name: str = "Squat") -> None:
    sets = [{"reps": 5, **({} if load is None else {"load": load, "load_unit": "kg"})} for load in loads]
    exercises = [{"name": name, "sets": sets}] if sets else []
    answer = await athlete("POST", "/api/workouts", {"date": on, "exercises": exercises})
    assert answer.status_code == 201, answer.text


async def exported(person: Person, file_format: str, query: str = "") -> bytes:
    answer = await person("GET", f"/api/analytics/export?format={file_format}{query}")
    assert answer.status_code == 200, answer.text
    assert f'filename="logged_sets.{file_format}"' in answer.headers["content-disposition"]
    return answer.content


async def test_all_formats_hold_the_same_sets(rest: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of two sets end within workouts, and go on where they ended."""
    monkeypatch.setattr(exporting, "PAGE_SETS", 2)
    monkeypatch.setattr(exporting, "ROW_GROUP_SETS", 3)
    coach, athlete = await rest.coach_and_athlete()
    await train(athlete, "2026-03-01", 100, 105, None, 110, 112.5)
    await train(athlete, "2026-03-02")
    await train(athlete, "2026-03-02", -20)
    await train(athlete, "2026-02-01", 90, name="=1+1")
    found = read_json(await exported(coach, "json"))
    assert [(row["date"], row["load_kg"]) for row in found] == [
        ("2026-02-01", 90), *(("2026-03-01", load) for load in (100, 105, None, 110, 112.5)), ("2026-03-02", -20),
    ]  # fmt: skip
    assert {row["athlete_id"] for row in found} == {athlete.id}
    assert [row["exercise"] for row in found] == ["=1+1", *["Squat"] * 6]

    cells = list(csv.DictReader(io.StringIO((await exported(coach, "csv")).decode())))
    assert cells[0]["exercise"] == "'=1+1", "a spreadsheet would run it"
    assert [row["load_kg"] for row in cells] == ["90.0", "100.0", "105.0", "", "110.0", "112.5", "-20.0"]
    assert cells[0].keys() == found[0].keys()

    table = parquet.read_table(io.BytesIO(await exported(coach, "parquet")))
    assert table.column_names == list(found[0])
    assert table.column("load_kg").to_pylist() == [row["load_kg"] for row in found]
    assert table.column("date").to_pylist() == [date.fromisoformat(row["date"]) for row in found]

    assert [(row["load"], row["load_unit"]) for row in found] == [
        (90, "kg"), *((load, load and "kg") for load in (100, 105, None, 110, 112.5)), (-20, "kg"),
    ]  # fmt: skip
    assert table.column("load").to_pylist() == [row["load"] for row in found]
    assert table.column("load_unit").to_pylist() == [row["load_unit"] for row in found]

    since = read_json(await exported(athlete, "json", "&from=2026-03-02"))
    assert [row["load_kg"] for row in since] == [-20]


async def test_a_load_stands_as_it_was_typed_beside_its_kilograms(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    exercises = {"e": {"name": "Squat", "order": "a"}}
    loads: tuple[dict[str, Any], ...] = (
        {"load": 225, "load_unit": "lb", "load_kg": 102.058283},
        {"load_kg": 100},
        {"load": 225, "load_kg": 60},
        {"load": 225, "load_unit": "lb", "load_kg": 60},
        {},
    )
    sets = {f"s{n}": {"exercise": "e", "order": f"a{n}", "reps": 5, **load} for n, load in enumerate(loads)}
    phone = Device(rest, athlete, "phone", "phone")
    await phone.push(new_id(), {"date": "2026-03-01", "exercises": exercises, "sets": sets})
    found = read_json(await exported(athlete, "json"))
    assert [(row["load_kg"], row["load"], row["load_unit"]) for row in found] == [
        (102.058283, 225, "lb"), (100, 100, "kg"), (60, 60, "kg"), (60, 60, "kg"), (None, None, None),
    ]  # fmt: skip


async def test_every_day_is_taken_along_also_one_to_come_and_a_span_of_none_is_refused(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    exercises = {"e": {"name": "Squat", "order": "a"}}
    sets = {"s": {"exercise": "e", "order": "a", "reps": 5, "load_kg": 100}}
    phone = Device(rest, athlete, "a phone whose clock is years ahead", "phone")
    await phone.push(new_id(), {"date": "2125-03-02", "exercises": exercises, "sets": sets})
    answer = await athlete("GET", "/api/analytics/export?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "2125-03-02" in answer.text
    turned = await athlete("GET", "/api/analytics/export?from=2026-03-02&to=2026-03-01")
    assert problem(turned) == (422, "invalid_fields")


async def test_what_has_no_day_is_taken_along_too_unless_days_are_named(
    rest: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of two sets end within and between workouts without a day."""
    monkeypatch.setattr(exporting, "PAGE_SETS", 2)
    athlete = await rest.person("athlete")
    await train(athlete, "2026-03-01", 100, 105)
    phone = Device(rest, athlete, "phone", "phone")
    for load in (60, 80):
        sets = {f"s{n}": {"exercise": "e", "order": f"a{n}", "reps": 5, "load_kg": load + n} for n in range(3)}
        await phone.push(new_id(), {"exercises": {"e": {"name": "Squat", "order": "a"}}, "sets": sets})
    found = read_json(await exported(athlete, "json"))
    assert sorted((row["load_kg"], row["date"]) for row in found) == [
        *((float(load), None) for load in (60, 61, 62, 80, 81, 82)), (100, "2026-03-01"), (105, "2026-03-01"),
    ]  # fmt: skip
    assert (await exported(athlete, "csv")).count(b"\n") == 1 + len(found)
    assert parquet.read_table(io.BytesIO(await exported(athlete, "parquet"))).column("date").null_count == 6
    for named in ("from=2000-01-01", "to=2100-01-01"):
        assert len(read_json(await exported(athlete, "json", f"&{named}"))) == 2


async def test_a_refusal_names_parameters_as_they_were_sent(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    answer = await athlete("GET", "/api/analytics/export?format=xml&from=2026-02-31&to=2026-02-28")
    assert problem(answer) == (422, "invalid_fields")
    assert {each["field"]: each["message"] for each in answer.json()["errors"]} == {
        "format": "Expected one of csv, json, parquet",
        "from": "Expected a day that is in the calendar, as `2026-03-01`",
    }
    workouts = await athlete("GET", "/api/workouts?from=2026-02-31")
    assert [each["field"] for each in workouts.json()["errors"]] == ["from"], "also where a dependency reads it"


def read_json(content: bytes) -> list[dict[str, Any]]:
    return msgspec.json.decode(content, type=list[dict[str, Any]])


async def test_nothing_to_take_along_is_a_whole_file_all_the_same(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    assert read_json(await exported(athlete, "json")) == []
    assert (await exported(athlete, "csv")).startswith(b"athlete_id,athlete,workout_id,")
    assert parquet.read_table(io.BytesIO(await exported(athlete, "parquet"))).num_rows == 0


async def test_athletes_follow_each_other_by_name(rest: RestServer) -> None:
    coach = await rest.person("coach")
    for name in ("Zoe", "anna", "Mia", "Ben"):
        athlete = await rest.person("athlete", name=name)
        await rest.link(coach, athlete)
        await train(athlete, "2026-03-01", 100)
    assert [row["athlete"] for row in read_json(await exported(coach, "json"))] == ["anna", "Ben", "Mia", "Zoe"]


async def test_the_athlete_sees_that_it_was_taken_and_by_whom(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    await exported(coach, "csv", f"&athlete_id={athlete.id}")
    async with rest.database.request(UUID(athlete.id)) as connection:
        rows = await connection.fetch("SELECT action, actor_id FROM account_events WHERE action = 'training_exported'")
    assert [str(row["actor_id"]) for row in rows] == [coach.id]


async def test_only_ones_own_is_taken(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    stranger = await rest.person("athlete")
    await train(stranger, "2026-03-01", 100)
    assert read_json(await exported(coach, "json")) == []
    assert problem(await coach("GET", f"/api/analytics/export?athlete_id={stranger.id}")) == (404, "not_found")
    assert problem(await athlete("GET", f"/api/analytics/export?athlete_id={stranger.id}")) == (404, "not_found")
    assert (await athlete("DELETE", f"/api/clients/{athlete.id}/link")).status_code == 204
    assert problem(await coach("GET", f"/api/analytics/export?athlete_id={athlete.id}")) == (404, "not_found")


async def test_whoever_loses_sight_of_an_athlete_gets_nothing_further(
    rest: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAGE_SETS", 1)
    coach, athlete = await rest.coach_and_athlete()
    for day in range(1, 5):
        await train(athlete, f"2026-03-{day:02d}", 100)
    pieces = await pieces_of(rest, coach)
    first = await anext(pieces)
    assert first.count(b"\n") == 2
    assert (await athlete("DELETE", f"/api/clients/{athlete.id}/link")).status_code == 204
    assert b"".join([piece async for piece in pieces]) == b""


async def test_whoever_signs_out_gets_nothing_further(rest: RestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PAGE_SETS", 1)
    coach, athlete = await rest.coach_and_athlete()
    for day in range(1, 5):
        await train(athlete, f"2026-03-{day:02d}", 100)
    pieces = await pieces_of(rest, coach)
    await anext(pieces)
    assert (await coach("POST", "/api/auth/logout")).status_code == 204
    assert b"".join([piece async for piece in pieces]) == b""


async def pieces_of(rest: RestServer, person: Person) -> AsyncIterator[bytes]:
    """Begin a download whose next piece is read when it is asked for."""
    async with rest.database.request(UUID(person.id)) as connection:
        session = await connection.fetchval(
            "SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL", UUID(person.id)
        )
    caller = Caller(UUID(person.id), "coach", UUID(person.device_id), session, expires_at=0)
    athletes = await exported_athletes(rest.database, caller, None)
    return exported_pieces(rest.database, caller, athletes, (date.min, date.max), "csv", None)


@pytest.mark.parametrize("file_format", ["csv", "json", "parquet"])
async def test_memory_does_not_grow_with_the_file(file_format: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty thousand sets and four times as many need the same room."""
    monkeypatch.setattr(exporting, "ROW_GROUP_SETS", 5_000)

    async def pages(count: int) -> exporting.Pages:
        for page in range(count):
            yield [
                ("a" * 36, "Anna", "w" * 36, date(2026, 3, 1), None, n, "e" * 36, f"Squat {page}", "working",
                 5, 100.0 + n, None, "kg", 8.0, None, True, None, None, None)
                for n in range(1000)
            ]  # fmt: skip

    async def peak_bytes(count: int) -> int:
        tracemalloc.start()
        written = 0
        async for piece in exporting._WRITERS[file_format](pages(count)):
            written += len(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert written > count * 1000
        return peak

    await peak_bytes(2)
    assert await peak_bytes(60) < 1.5 * await peak_bytes(15)


async def test_a_page_goes_by_the_index(db: Database, database_url: str) -> None:
    world = await World(db, database_url).open()
    athlete = await fill(world)
    coach = await world.coach(athlete)
    queries = load_queries("apex_server.analytics")
    asked = [athlete, date(2020, 1, 1), date(2030, 1, 1), date(2026, 1, 1), UUID(int=0), 0, 5000, coach, coach]
    async with db.request(coach) as connection:
        assert await explain(connection, queries.export_sets, *asked) == []
        asked[1:3] = [date.min, date.max]
        assert await explain(connection, queries.export_sets, *asked) == []
