"""A search finds what was meant, in the built-in library and among coaches' own, and only what the caller may see."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from apex_server.db import Database
from apex_server.exercises.search import LIBRARY
from apex_server.jobs.builtin_library import keep_builtin_library
from tests.exercise_queries import NOTHING, QUERIES
from tests.server.accounts_app import problem
from tests.server.rest_app import Person, RestServer, rest_server

pytestmark = pytest.mark.anyio


async def names(person: Person, query: str) -> list[str]:
    answer = await person("GET", f"/api/exercises/search?{query}")
    assert answer.status_code == 200
    return [exercise["name"] for exercise in answer.json()["exercises"]]


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


@pytest.fixture
async def athlete(rest: RestServer) -> Person:
    await keep_builtin_library(rest.database, rest.committer)
    return await rest.person("athlete")


async def test_what_was_meant_comes_first(athlete: Person) -> None:
    for query, meant in QUERIES.items():
        assert (await names(athlete, f"q={query}&limit=3"))[0] == meant, query
    for query in NOTHING:
        assert await names(athlete, f"q={query}&limit=1") in ([], ["45-Degree Hip Extension"]), query


async def test_muscle_and_equipment_narrow_it(athlete: Person) -> None:
    assert await names(athlete, "muscle=neck&limit=2") == ["Neck Extension", "Neck Flexion"]
    found = await names(athlete, "q=row&muscle=lats&equipment=kettlebell")
    assert sorted(found) == ["Gorilla Row", "Kettlebell Row"]
    assert await names(athlete, "q=row&equipment=piano") == []


async def test_a_coachs_own_are_found_among_them_and_by_no_stranger(rest: RestServer) -> None:
    await keep_builtin_library(rest.database, rest.committer)
    coach, athlete = await rest.coach_and_athlete()
    stranger = await rest.person("coach")
    await coach("POST", "/api/exercises", {"name": "Zottmans Favourite", "aliases": ["Mara's Curl"]})
    for person in (coach, athlete):
        assert (await names(person, "q=zotman favorite&limit=1")) == ["Zottmans Favourite"]
        assert (await names(person, "q=maras curls&limit=1")) == ["Zottmans Favourite"]
    assert (await names(stranger, "q=zottmans favourite&limit=1")) != ["Zottmans Favourite"]


async def test_a_search_is_bounded(athlete: Person) -> None:
    for query in (f"q={'x' * 201}", "q=%00", "limit=201", "limit=0"):
        assert problem(await athlete("GET", f"/api/exercises/search?{query}")) == (422, "invalid_fields")
    assert len(await names(athlete, "q=press&limit=200")) <= 200


async def test_likeness_is_looked_up_in_the_index(athlete: Person, rest: RestServer) -> None:
    """Of a library of any size, Postgres reads only what resembles the query."""
    async with rest.database.request(UUID(athlete.id)) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(f"EXPLAIN {LIBRARY.statement('find_builtin')}", "benchpress")
    assert any("exercises_by_likeness" in row[0] for row in plan), plan
