"""`apex food` as a process of its own."""

from pathlib import Path

import pytest

from apex_client import Replica
from tests.client.apex_command import Terminal, in_terminal
from tests.client.built_in import give_library
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


@pytest.fixture
async def apex(open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path) -> Terminal:
    replica: Replica = await open_replica("athlete", ANNA)
    give_library(server, ANNA, "foods")
    await replica.sync()
    await replica.aclose()
    return Terminal(tmp_path, "athlete")


async def test_a_day_from_search_to_plan(apex: Terminal) -> None:
    assert "Broccoli, raw" in apex("food", "search", "brocoli").ok().out
    assert "nothing like that" in apex("food", "search", "xqzw").text
    assert "Egg, boiled: 1 large egg" in apex("food", "log", "boiled egg", "1").ok().text
    apex("food", "log", "oats", "80g", "--meal", "Breakfast").ok()
    assert [row["grams"] for row in apex.rows("SELECT grams FROM logged_foods ORDER BY grams")] == [50.0, 80.0]
    targets = ("--kcal", "2600", "--protein", "180", "--carbs", "290", "--fat", "80")
    planned = apex("food", "plan", *targets, "--diet", "vegan", "--without", "nuts").ok().text
    assert "Breakfast" in planned and "Dinner" in planned and "kcal" in planned
    [plan] = apex.rows("SELECT status, meal_count FROM meal_plans")
    assert plan == {"status": "draft", "meal_count": 4}


async def test_what_was_eaten_is_listed_and_taken_back(apex: Terminal) -> None:
    apex("food", "log", "oats", "80g", "--meal", "Breakfast", "--date", "2026-03-01").ok()
    apex("food", "log", "boiled egg", "2", "--date", "2026-03-01").ok()
    listed = apex("food", "list").ok().out
    assert "2026-03-01" in listed and "80 g" in listed and "Egg, boiled" in listed
    assert "took back Egg, boiled of 2026-03-01" in apex("food", "undo").ok().text
    assert "Egg, boiled" not in apex("food", "list", "--date", "2026-03-01").ok().out
    apex("food", "undo").ok()
    assert "nothing is left of 2026-03-01" in apex("food", "undo").text
    assert apex.rows("SELECT name FROM logged_foods") == []


async def test_what_cannot_be_is_said(apex: Terminal) -> None:
    for arguments, said in (
        (("log", "oats", "some"), "no amount"),
        (("log", "oats", "1 bucket"), "portion"),
        (("plan", "--kcal", "1200", "--protein", "300"), "g of protein where 300 were asked for"),
        (("plan", "--kcal", "2000", "--diet", "carnivore"), "diet"),
        (("plan", "--kcal", "-5"), "energy (kcal) must be at least 800"),
        (("plan", "--kcal", "nan"), "energy (kcal) must be at least 800"),
        (("plan", "--kcal", "2000", "--protein", "-5"), "protein (g) must be at least 0"),
        (("plan", "--protein", "180"), "--kcal 2600"),
        (("plan",), "nobody has set targets yet"),
        (("search", "-c", "fodder"), "nothing like that"),
        (("log", "boiled egg", "80"), "say 80g for grams"),
        (("list",), "nothing is logged yet"),
        (("undo",), "nothing is logged yet"),
    ):
        ran = apex("food", *arguments)
        assert said in ran.text and "Traceback" not in ran.text, ran.text
    assert apex.rows("SELECT 1 FROM nutrition_logs UNION ALL SELECT 1 FROM meal_plans") == []


async def test_what_is_built_in_is_found_and_logged_before_the_first_sync(tmp_path: Path) -> None:
    new = Terminal(tmp_path, "new")
    assert "Banana" in new("food", "search", "bananna").ok().out
    new("food", "log", "banana", "1").ok()
    [eaten] = new.rows("SELECT name, food_id, energy_kcal FROM logged_foods")
    assert eaten["name"] == "Banana" and eaten["food_id"] and eaten["energy_kcal"] > 50


async def test_a_food_that_was_not_named_is_never_logged(apex: Terminal) -> None:
    for typed, nearest in (
        ("protein bar", "'Whey protein powder' or"),
        ("peanut", "'Peanuts, raw' or 'Peanuts, roasted and salted' or 'Peanut oil'?"),
        ("chicken burger", "'Chicken breast, roasted' or"),
        ("milk", "'Milk, skimmed' or"),
    ):
        refused = apex("food", "log", typed, "30g")
        assert refused.code == 1 and f"{typed!r} is not in the library; is it {nearest}" in refused.err
        assert "--new" not in refused.err and len(refused.err.splitlines()) == 1
    assert apex.rows("SELECT 1 FROM nutrition_logs") == []
    for typed, meant in (("rolled oats", "Rolled oats, dry"), ("whole milk", "Milk, whole"), ("oats", "Rolled oats")):
        assert meant in apex("food", "log", typed, "80g").ok().text


async def test_on_a_terminal_the_nearest_foods_are_asked_back(apex: Terminal) -> None:
    shown = in_terminal(apex, "food", "log", "peanut", "30g", typed="3\n")
    assert "Which one is it?" in shown and "as it is" not in shown
    assert apex.rows("SELECT name FROM logged_foods") == [{"name": "Peanut oil"}]
    assert "nothing was saved" in in_terminal(apex, "food", "log", "peanut", "30g", typed="4\n")
    assert len(apex.rows("SELECT name FROM logged_foods")) == 1


async def test_a_planned_meal_is_logged_whole(apex: Terminal) -> None:
    assert "no meal plan to eat by" in apex("food", "log", "--planned", "Lunch").text
    targets = ("--kcal", "2600", "--protein", "180", "--carbs", "290", "--fat", "80")
    apex("food", "plan", *targets, "--name", "Cut").ok()
    logged = apex("food", "log", "--planned", "lunch", "--date", "2026-03-02").ok().text
    assert "lunch of Cut, draft: logged" in logged and "2026-03-02:" in logged and "kcal" in logged
    planned = apex.rows(
        "SELECT food.value ->> 'name' AS name FROM meal_plans, json_each(foods) AS food"
        " WHERE food.value ->> 'meal' = 'd1m2' ORDER BY food.value ->> 'order'"
    )
    assert apex.rows("SELECT name FROM logged_foods ORDER BY position") == planned
    again = apex("food", "log", "--planned", "Lunch", "--plan", "cut", "--date", "2026-03-02").ok().text
    assert "logged already" in again and apex.rows("SELECT name FROM logged_foods ORDER BY position") == planned


async def test_a_planned_meal_that_is_none_is_said(apex: Terminal) -> None:
    targets = ("--kcal", "2600", "--protein", "180", "--carbs", "290", "--fat", "80")
    apex("food", "plan", *targets, "--name", "Cut", "--days", "2").ok()
    for arguments, said in (
        (("--planned", "Feast"), "Day 1/Breakfast, Day 1/Lunch"),
        (("--planned", "Lunch"), "Day 1/Lunch, Day 2/Lunch"),
        (("--planned", "Lunch", "--plan", "Bulk"), "there is no meal plan 'Bulk'; there is Cut"),
        (("oats", "80g", "--planned", "Lunch"), "name no food"),
        (("--planned", "Lunch", "--meal", "Lunch"), "no --meal beside it"),
        (("oats",), "say what and how much"),
        ((), "say what and how much"),
        (("oats", "80g", "--plan", "Cut"), "say what and how much"),
    ):
        ran = apex("food", "log", *arguments)
        assert ran.code != 0 and said in ran.text and "Traceback" not in ran.text, ran.text
    assert apex.rows("SELECT 1 FROM nutrition_logs") == []


@pytest.fixture
async def desk(open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path) -> Terminal:
    """The terminal of Anna's coach."""
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.add_user(ANNA))
    await coach.sync()
    await coach.aclose()
    return Terminal(tmp_path, "coach")


async def test_a_template_is_planned_and_assigned_and_what_it_replaces_is_named(desk: Terminal) -> None:
    targets = ("--kcal", "2600", "--protein", "180", "--carbs", "290", "--fat", "80")
    assert "--athlete NAME, or for a template which: --kcal" in desk("food", "plan").err
    for name in ("Cut", "Bulk"):
        assert f"kept as a template, {name}" in desk("food", "plan", *targets, "--name", name).ok().err
    whose = ("--athlete", "anna")
    assert "say whose it is" in desk("food", "assign", "Cut").err
    assert "there is no meal plan 'Diet'; there is" in desk("food", "assign", "Diet", *whose).err
    for _ in range(2):
        told = desk("food", "assign", "cut", *whose, "--start", "2026-03-02").ok().err
        assert told.strip() == "anna follows Cut from 2026-03-02"
    told = desk("food", "assign", "Bulk", *whose, "--start", "2026-04-06", "--end", "2026-05-03").ok().err
    assert told.splitlines() == ["anna follows Bulk from 2026-04-06 to 2026-05-03", "Cut ends on 2026-04-05"]
    told = desk("food", "assign", "Cut", *whose, "--start", "2026-04-01").ok().err
    assert "Bulk never begins" in told
    refused = desk("food", "assign", "Cut", *whose, "--start", "2026-03-09", "--end", "2026-03-01")
    assert refused.code == 1 and "2026-03-09 or a day after it" in refused.err
    listed = desk("food", "plans").ok().out
    assert listed.count("template") == 2 and listed.count("anna") == 3
    assert "Lunch" in desk("food", "plans", "Cut").ok().out
    desk("food", "assign", "Cut", *whose, "--start", "2026-06-01").ok()


async def test_an_athlete_begins_a_plan_of_theirs(apex: Terminal) -> None:
    targets = ("--kcal", "2600", "--protein", "180", "--carbs", "290", "--fat", "80")
    for _ in range(2):
        apex("food", "plan", *targets, "--name", "Mine").ok()
    assert "'Mine' is more than one plan" in apex("food", "assign", "Mine").err
    [first, _] = [row["id"] for row in apex.rows("SELECT id FROM meal_plans ORDER BY id")]
    assert "you follow Mine from 2026-03-02" in apex("food", "assign", first, "--start", "2026-03-02").ok().err
    assert [row["status"] for row in apex.rows("SELECT status FROM meal_plans ORDER BY id")] == ["active", "draft"]
