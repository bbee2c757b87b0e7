"""An athlete adds foods of their own over REST: found by that athlete alone, read by the coach, unseen by others."""

from collections.abc import AsyncIterator

import pytest

from apex_server.db import Database
from tests.server.accounts_app import problem
from tests.server.rest_app import Person, RestServer, rest_server

pytestmark = pytest.mark.anyio

BREAD = {"name": "Zottis Brot", "barcode": "4006040197539", "per_100g": {"energy_kcal": 240, "protein_g": 8}}


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def test_it_is_in_the_library_of_the_athlete_alone(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    other, stranger = await rest.person("athlete"), await rest.person("coach")
    await rest.link(coach, other)
    made = await athlete("POST", "/api/nutrition/foods", BREAD)
    assert made.status_code == 201, made.text
    food = made.json()
    assert food["is_custom"] and food["per_100g"]["energy_kcal"] == 240

    async def found(person: Person) -> list[list[str]]:
        searched = (await person("GET", "/api/nutrition/foods/search?q=zotis brot")).json()["foods"]
        listed = (await person("GET", "/api/nutrition/foods?q=zottis")).json()["foods"]
        meant = await person("POST", "/api/nutrition/foods/barcode", {"barcode": "4006040197539"})
        by_barcode = meant.json()["foods"] if meant.status_code == 200 else []
        return [[one["id"] for one in each] for each in (searched, listed, by_barcode)]

    assert await found(athlete) == [[food["id"]]] * 3
    for person in (coach, other, stranger):
        assert await found(person) == [[], [], []]

    path = f"/api/nutrition/foods/{food['id']}"
    assert (await coach("GET", path)).json()["name"] == "Zottis Brot"
    assert (await coach("PATCH", path, {"brand": "At home"})).status_code == 200
    for person in (other, stranger):
        assert problem(await person("GET", path)) == (404, "not_found")
        assert problem(await person("PATCH", path, {"name": "x"})) == (404, "not_found")
    assert (await athlete("DELETE", path)).status_code == 204
    assert await found(athlete) == [[], [], []]


async def test_what_the_coach_added_stays_the_coachs(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    skyr = (await coach("POST", "/api/nutrition/foods", {"name": "Skyr"})).json()["id"]
    assert problem(await athlete("PATCH", f"/api/nutrition/foods/{skyr}", {"name": "x"}))[0] == 403
