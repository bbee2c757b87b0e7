"""The built-in foods on a device: they come by the ordinary sync, and are searched offline, alike everywhere."""

import pytest

from apex_client import Replica
from tests.client.built_in import give_library
from tests.client.conftest import OpenReplica
from tests.client.fleet import assert_sound
from tests.client.loopback import LoopbackServer
from tests.food_queries import NOTHING, QUERIES

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


@pytest.fixture
async def athlete(open_replica: OpenReplica, server: LoopbackServer) -> Replica:
    """Give an athlete's replica that has the built-in foods, and is offline from now on."""
    replica: Replica = await open_replica("athlete", ANNA)
    give_library(server, ANNA, "foods")
    await replica.sync()
    server.version = 0
    return replica


async def names(replica: Replica, text: str = "") -> list[str]:
    return [food["name"] for food in await replica.foods.search(text, limit=3)]


async def test_what_was_meant_comes_first(athlete: Replica) -> None:
    for query, meant in QUERIES.items():
        assert (await names(athlete, query))[0] == meant, query
    for query in NOTHING:
        assert await names(athlete, query) in ([], await names(athlete)), query
    assert_sound(athlete._open)


async def test_before_the_first_sync_the_same_is_found(athlete: Replica, open_replica: OpenReplica) -> None:
    """Under the same ids, so what is logged today means the same once the library has come."""
    new: Replica = await open_replica("new")
    for query in [*QUERIES, *NOTHING]:
        before, after = await new.foods.search(query, limit=3), await athlete.foods.search(query, limit=3)
        assert [each.id for each in before] == [each.id for each in after], query
    [one] = await new.foods.search(next(iter(QUERIES)), limit=1)
    [held] = await athlete.foods.search(next(iter(QUERIES)), limit=1)
    assert {name: value for name, value in one.state.items() if value is not None} == held.state
    assert await new.query("SELECT 1 FROM foods") == []


async def test_a_category_narrows_it(athlete: Replica) -> None:
    fruit = await athlete.foods.search("bananna", category="fruit")
    assert [food["name"] for food in fruit] == ["Banana"]
    assert await athlete.foods.search("banana", category="meat") == []
    assert {food["category"] for food in await athlete.foods.search(category="oil", limit=100)} == {"oil"}


async def test_a_name_means_one_food_or_none(athlete: Replica) -> None:
    assert [food["name"] for food in await athlete.foods.named("Haferflocken")] == ["Rolled oats, dry"]
    assert await athlete.foods.named("boiled") == []


async def own(coach: Replica, text: str = "") -> list[str]:
    return [each["name"] for each in await coach.foods.search(text, limit=1000) if each.scope != "global"]


async def test_a_coachs_own_are_found_as_they_are_now(open_replica: OpenReplica) -> None:
    coach: Replica = await open_replica("coach", COACH, role="coach")
    await coach.login("https://coach.example", COACH, "secret")
    bar = await coach.foods.create(name="Zottis Riegel", brand="Alpenhof", barcode="4006040197539")
    assert await own(coach, "zotis riegl") == await own(coach, "alpenhoff") == ["Zottis Riegel"]
    for form in ("4006040197539", "04006040197539"):
        assert [food.id for food in await coach.foods.with_barcode(form)] == [bar.id]
    await bar.edit(name="Skyr Bar", aliases=["Proteinriegel"], barcode="1234567")
    assert (await own(coach, "protein riegel"), await own(coach, "zottis")) == (["Skyr Bar"], [])
    assert await coach.foods.with_barcode("4006040197539") == []
    await bar.delete()
    assert await own(coach) == []
    assert await coach.foods.with_barcode("1234567") == []


async def test_who_signs_out_leaves_no_food_behind(athlete: Replica) -> None:
    await athlete.logout(discard_unsent=True)
    assert await athlete.query("SELECT 1 FROM foods") == []
