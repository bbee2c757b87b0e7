"""An athlete adds foods of their own offline: they are found by that athlete alone, and read by the coach."""

from pathlib import Path
from typing import Any

import pytest

from apex_client import Replica
from apex_sync.errors import ForbiddenField
from tests.client.apex_command import Terminal
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"
BREAD: dict[str, Any] = {
    "name": "Zottis Brot",
    "barcode": "4006040197539",
    "category": "bread",
    "contains": [],
    "per_100g": {"energy_kcal": 240.0, "protein_g": 8.0, "carbs_g": 45.0, "fat_g": 2.0},
}


@pytest.fixture
async def pair(open_replica: OpenReplica, server: LoopbackServer) -> tuple[Replica, Replica]:
    """The replicas of Anna and her coach."""
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    own = server.accounts[COACH].id
    server.grants[own][f"library:{own}"] = "coach"
    server.link(server.accounts[COACH], server.accounts[ANNA])
    server.grants[server.accounts[ANNA].id][f"library:{own}"] = "reader"
    for replica in (athlete, coach):
        await replica.sync()
    return athlete, coach


async def test_it_is_found_and_logged_by_the_athlete_and_no_part_of_the_coachs_library(
    pair: tuple[Replica, Replica],
) -> None:
    athlete, coach = pair
    bread = await athlete.foods.create(BREAD)
    day = await athlete.nutrition_logs.log_food(bread, 50)
    assert [food["energy_kcal"] for food in day["foods"].values()] == [120.0]
    await athlete.sync()
    await coach.sync()

    for replica, found in ((athlete, [bread.id]), (coach, [])):
        assert [one.id for one in await replica.foods.search("zotis brot", limit=1)] == found
        assert [one.id for one in await replica.foods.with_barcode("4006040197539")] == found
        assert [one.id for one in await replica.foods.named("Zottis Brot")] == found
        assert [one.id for one in await replica.foods.search("", limit=1000) if one.scope != "global"] == found
    read = await coach.foods.get(bread.id)
    assert read.state == bread.state and read.scope == f"athlete:{athlete.user.id}"  # type: ignore[union-attr]
    await read.edit(brand="At home")
    await coach.sync()
    await athlete.sync()
    assert (await bread.refresh())["brand"] == "At home"


async def test_the_library_of_the_coach_stays_the_coachs(pair: tuple[Replica, Replica]) -> None:
    athlete, coach = pair
    skyr = await coach.foods.create(name="Skyr")
    await coach.sync()
    await athlete.sync()
    with pytest.raises(ForbiddenField):
        await (await athlete.foods.get(skyr.id)).edit(name="Quark")


async def test_a_food_of_before_the_account_is_found_after_it(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    server.add_user(ANNA)
    replica: Replica = await open_replica("phone")
    made = await replica.foods.create(name="Zottis Brot")
    assert [one.id for one in await replica.foods.search("zottis", limit=1)] == [made.id]
    await replica.login("https://coach.example", ANNA, "secret")
    await replica.sync()
    assert [one["name"] for one in await replica.foods.search("zottis", limit=1)] == ["Zottis Brot"]


async def test_at_a_terminal_a_food_is_added_logged_and_removed(apex: Terminal) -> None:
    added = apex("food", "add", "Zottis Brot", "--kcal", "240", "--protein", "8", "--serving", "slice=45,5").ok().err
    assert "apex food log 'Zottis Brot' 80g" in added
    apex("food", "log", "zottis brot", "2 slices").ok()
    [row] = apex.rows("SELECT grams, energy_kcal FROM logged_foods")
    assert row == {"grams": 91.0, "energy_kcal": 218.4}
    apex("food", "remove", "Zottis Brot").ok()
    assert "no food of your own" in apex("food", "remove", "Zottis Brot").err
    assert "no food of your own" in apex("food", "remove", "Banana").err
    assert "no serving; write cup=150" in apex("food", "add", "x", "--serving", "cup").err
    assert "energy (kcal)" in apex("food", "add", "x", "--kcal", "-5").err


async def test_a_coach_plans_with_the_foods_of_the_athlete_and_of_no_other(
    pair: tuple[Replica, Replica], open_replica: OpenReplica, server: LoopbackServer
) -> None:
    athlete, coach = pair
    other = await open_replica("other", "ben@example.com")
    server.link(server.accounts[COACH], server.accounts["ben@example.com"])
    for replica, name in ((athlete, "Annas"), (other, "Bens")):
        await replica.foods.create(BREAD | {"name": name})
        await replica.sync()
    await coach.sync()
    planned = set()
    for seed in range(12):
        plan = await coach.athlete(athlete.user.id).meal_plans.plan(  # type: ignore[union-attr]
            {"energy_kcal": 2600, "protein_g": 150, "carbs_g": 320, "fat_g": 80}, days=7, seed=seed
        )
        planned |= {food["name"] for food in plan["foods"].values()}
    assert "Annas" in planned and "Bens" not in planned


@pytest.fixture
def apex(tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path, "alone")
    terminal("init").ok()
    return terminal
