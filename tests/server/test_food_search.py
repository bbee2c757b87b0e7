"""A search finds the food that was meant, built in and among coaches' own, and only what the caller may see."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from apex_server.db import Database
from apex_server.jobs.builtin_library import keep_builtin_library
from apex_server.nutrition.foods import LIBRARY
from apex_sync.coaching.food_library import builtin_foods
from tests.food_queries import NOTHING, QUERIES
from tests.server.accounts_app import problem
from tests.server.rest_app import Person, RestServer, rest_server

pytestmark = pytest.mark.anyio


async def names(person: Person, query: str) -> list[str]:
    answer = await person("GET", f"/api/nutrition/foods/search?{query}")
    assert answer.status_code == 200, answer.text
    return [food["name"] for food in answer.json()["foods"]]


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        await keep_builtin_library(server.database, server.committer, {"foods": builtin_foods()})
        yield server


@pytest.fixture
async def athlete(rest: RestServer) -> Person:
    return await rest.person("athlete")


async def test_what_was_meant_comes_first(athlete: Person) -> None:
    for query, meant in QUERIES.items():
        assert (await names(athlete, f"q={query.replace('%', '%25')}&limit=3"))[0] == meant, query
    for query in NOTHING:
        assert await names(athlete, f"q={query}&limit=1") in ([], ["Almond butter"]), query


async def test_a_category_narrows_it(athlete: Person) -> None:
    assert await names(athlete, "q=bananna&category=fruit") == ["Banana"]
    assert await names(athlete, "q=banana&category=meat") == []
    assert problem(await athlete("GET", "/api/nutrition/foods/search?category=fodder")) == (422, "invalid_fields")


async def test_a_coachs_own_are_found_among_them_and_by_no_stranger(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    stranger = await rest.person("coach")
    await coach("POST", "/api/nutrition/foods", {"name": "Zottis Riegel", "brand": "Alpenhof"})
    for person in (coach, athlete):
        assert (await names(person, "q=zotis riegl&limit=1")) == ["Zottis Riegel"]
        assert (await names(person, "q=alpenhoff&limit=1")) == ["Zottis Riegel"]
    assert (await names(stranger, "q=zottis riegel&limit=1")) != ["Zottis Riegel"]


async def test_a_search_is_bounded(athlete: Person) -> None:
    for query in (f"q={'x' * 201}", "q=%00", "limit=201", "limit=0"):
        assert problem(await athlete("GET", f"/api/nutrition/foods/search?{query}")) == (422, "invalid_fields")
    assert len(await names(athlete, "q=boiled&limit=200")) <= 200


async def test_likeness_is_looked_up_in_the_index(athlete: Person, rest: RestServer) -> None:
    """Of a library of any size, Postgres reads only what resembles the query."""
    async with rest.database.request(UUID(athlete.id)) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(f"EXPLAIN {LIBRARY.statement('find_builtin')}", "oats")
    assert any("foods_by_likeness" in row[0] for row in plan), plan
