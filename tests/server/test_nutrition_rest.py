"""Nutrition over REST: one log a day, targets in force, foods by name and barcode."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from apex_server.db import Database
from apex_sync.models.nutrition import nutrition_log_id
from tests.server.accounts_app import problem
from tests.server.rest_app import Device, Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio

DAY: dict[str, Any] = {
    "date": "2026-03-01",
    "meals": {"b": {"name": "Breakfast", "order": "a"}, "d": {"name": "Dinner", "order": "b"}},
    "foods": {
        "1": {"meal": "b", "name": "Oats", "quantity": 80, "unit": "g", "energy_kcal": 311, "protein_g": 13.5},
        "2": {"meal": "d", "name": "Rice", "quantity": 1, "unit": "bowl", "energy_kcal": 689, "protein_g": 14},
    },
}


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def made(person: Person, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await person("POST", f"/api/nutrition/{path}", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def set_targets(coach: Person, athlete: Person, **targets: Any) -> dict[str, Any]:
    answer = await coach("PUT", f"/api/nutrition/targets/{athlete.id}", targets)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_day_has_one_log_whoever_begins_it(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    log = await made(athlete, "logs", DAY)
    assert log["id"] == nutrition_log_id(str(athlete.id), "2026-03-01")
    assert (await athlete("POST", "/api/nutrition/logs", DAY)).status_code == 200
    other = {"athlete_id": str(athlete.id), "date": "2026-03-01", "notes": "hers"}
    assert problem(await coach("POST", "/api/nutrition/logs", other)) == (409, "already_exists")
    assert problem(await athlete("POST", "/api/nutrition/logs", {"notes": "no day"}))[0] == 422
    assert problem(await athlete("POST", "/api/nutrition/logs", {"date": "2026-02-31"}))[0] == 422


async def test_a_day_adds_up_and_is_held_to_the_targets_in_force(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    path = f"/api/nutrition/logs/{(await made(athlete, 'logs', DAY))['id']}"
    log = (await athlete("GET", path)).json()
    assert (log["totals"]["energy_kcal"], log["totals"]["protein_g"]) == (1000, 27.5)
    assert [(meal["key"], meal["macros"]["energy_kcal"]) for meal in log["meal_totals"]] == [("b", 311), ("d", 689)]
    assert (log["targets"], log["adherence_score"]) == (None, None)

    await set_targets(coach, athlete, start_date="2026-02-01", energy_kcal=1000, protein_g=27.5)
    await set_targets(coach, athlete, start_date="2026-03-02", energy_kcal=5000)
    log = (await athlete("GET", path)).json()
    assert (log["targets"]["energy_kcal"], log["adherence_score"]) == (1000, 100)
    await set_targets(coach, athlete, start_date="2026-02-02", energy_kcal=1130, protein_g=27.5)
    log = (await athlete("GET", path)).json()
    assert log["adherence_score"] == round(log["adherence_score"], 3) != round(log["adherence_score"], 2)
    await set_targets(coach, athlete, start_date="2026-03-01", energy_kcal=4000)
    log = (await athlete("GET", path)).json()
    assert (log["adherence_score"], log["incomplete"]) == (None, True)

    again = await athlete("PUT", path, log | {"notes": "late snack"}, if_match="*")
    assert again.status_code == 200 and again.json()["foods"] == log["foods"]


async def test_targets_are_set_from_a_day_on_by_the_coach_alone(rest: RestServer) -> None:
    stranger = await rest.person("coach")
    coach, athlete = await rest.coach_and_athlete()
    path = f"/api/nutrition/targets/{athlete.id}"
    await set_targets(coach, athlete, start_date="2026-03-01", energy_kcal=2500, notes="cut")
    await set_targets(coach, athlete, start_date="2026-04-01", energy_kcal=2800)
    await set_targets(coach, athlete, start_date="2026-03-01", energy_kcal=2400)

    on_the_day = (await athlete("GET", f"{path}?on=2026-03-31")).json()
    assert [each["start_date"] for each in on_the_day["targets"]] == ["2026-04-01", "2026-03-01"]
    assert (on_the_day["in_force"]["energy_kcal"], on_the_day["in_force"]["notes"]) == (2400, None)
    assert (await athlete("GET", f"{path}?on=2026-02-28")).json()["in_force"] is None

    assert problem(await athlete("PUT", path, {"start_date": "2026-03-01"})) == (403, "role_required")
    assert problem(await stranger("PUT", path, {"start_date": "2026-03-01"}))[0] == 404
    assert problem(await stranger("GET", path))[0] == 404
    assert problem(await coach("PUT", path, {"energy_kcal": 2000}))[0] == 422
    assert problem(await coach("PUT", path, {"start_date": "2026-05-01", "energy_kcal": -1}))[0] == 422


async def test_targets_that_were_set_before_are_in_force_when_they_are_set_again(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    asked = [2500, 2400, 2500, 2500]
    answers = [await set_targets(coach, athlete, start_date="2026-03-01", energy_kcal=energy) for energy in asked]
    assert [answer["in_force"]["energy_kcal"] for answer in answers] == asked
    [targets] = answers[-1]["targets"]
    await rest.committer.write(
        UUID(coach.id), f"athlete:{athlete.id}", "nutrition_targets", targets["id"], {"deleted": True}
    )
    assert (await athlete("GET", f"/api/nutrition/targets/{athlete.id}")).json()["targets"] == []
    again = await set_targets(coach, athlete, start_date="2026-03-01", energy_kcal=2500)
    assert (again["in_force"]["energy_kcal"], len(again["targets"])) == (2500, 1)


@pytest.mark.parametrize("notes", ["as before", "anew"])
async def test_a_deleted_day_is_logged_again(rest: RestServer, notes: str) -> None:
    """It comes back with what it held, as on a device; an answer that was lost is given again."""
    athlete = await rest.person("athlete")
    first = await made(athlete, "logs", {**DAY, "notes": "as before"})
    assert (await athlete("DELETE", f"/api/nutrition/logs/{first['id']}")).status_code == 204
    for _ in range(2):
        answer = await athlete("POST", "/api/nutrition/logs", {"date": DAY["date"], "notes": notes})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["id"], answer.json()["notes"]) == (first["id"], notes)
        assert answer.json()["totals"] == first["totals"] and answer.json()["created_at"] == first["created_at"]
    [listed] = (await athlete("GET", "/api/nutrition/logs")).json()["logs"]
    assert listed["notes"] == notes
    assert problem(await athlete("POST", "/api/nutrition/logs", {**DAY, "notes": "other"})) == (409, "already_exists")


async def test_a_log_stays_that_of_its_day(rest: RestServer) -> None:
    """Else that day could be begun a second time, and this one no more."""
    athlete = await rest.person("athlete")
    log = await made(athlete, "logs", DAY)
    path = f"/api/nutrition/logs/{log['id']}"
    for day in ("2026-03-02", None):
        assert problem(await athlete("PATCH", path, {"date": day})) == (422, "invalid_fields")
        assert problem(await athlete("PUT", path, {**log, "date": day}, if_match="*")) == (422, "invalid_fields")
    kept = await athlete("PATCH", path, {"date": DAY["date"], "notes": "late snack"})
    assert (kept.status_code, kept.json()["date"], kept.json()["notes"]) == (200, DAY["date"], "late snack")


async def test_a_day_is_held_to_the_targets_of_its_own_athlete(rest: RestServer) -> None:
    """Another athlete of the coach may have written a record under the same id."""
    coach, athlete = await rest.coach_and_athlete()
    other = await rest.person("athlete")
    await rest.link(coach, other)
    log = await made(athlete, "logs", DAY)
    await Device(rest, other, "phone", "phone").push(log["id"], {"date": DAY["date"]}, collection="nutrition_logs")
    await set_targets(coach, athlete, start_date="2026-02-01", energy_kcal=1000)
    await set_targets(coach, other, start_date="2026-02-01", energy_kcal=5000)
    logs = (await coach("GET", "/api/nutrition/logs")).json()["logs"]
    assert {each["athlete_id"]: each["targets"]["energy_kcal"] for each in logs} == {athlete.id: 1000, other.id: 5000}


async def test_foods_are_found_by_every_word_of_name_and_brand(rest: RestServer) -> None:
    stranger = await rest.person("coach")
    coach, athlete = await rest.coach_and_athlete()
    oats = {"name": "Rolled Oats", "brand": "Mill & Co", "per_100g": {"energy_kcal": 389, "protein_g": 17}}
    food = await made(coach, "foods", {**oats, "servings": {"s": {"name": "cup", "grams": 81}}})
    await made(coach, "foods", {"name": "Oat drink"})
    assert food["per_100g"]["energy_kcal"] == 389 and food["is_custom"]

    async def found(person: Person, q: str) -> list[str]:
        answer = await person("GET", f"/api/nutrition/foods/search?q={q}")
        return [each["name"] for each in answer.json()["foods"]]

    assert await found(athlete, "oat") == ["Oat drink", "Rolled Oats"]
    assert await found(athlete, "mill oats") == ["Rolled Oats"]
    assert await found(stranger, "oat") == []
    changed = await coach("PUT", f"/api/nutrition/foods/{food['id']}", {"name": "Oats"}, if_match="*")
    assert changed.status_code == 200, changed.text
    assert problem(await athlete("PUT", f"/api/nutrition/foods/{food['id']}", {"name": "x"}, if_match="*"))[0] == 403


@pytest.mark.parametrize("printed", ["012345678905", "0012345678905", "12345678905"])
async def test_a_barcode_is_one_number_in_whatever_form_it_is_printed(rest: RestServer, printed: str) -> None:
    stranger = await rest.person("athlete")
    coach, athlete = await rest.coach_and_athlete()
    for name in ("Bar", "Bar, new recipe"):
        await made(coach, "foods", {"name": name, "barcode": "012345678905"})
    answer = await athlete("POST", "/api/nutrition/foods/barcode", {"barcode": printed})
    assert [food["name"] for food in answer.json()["foods"]] == ["Bar, new recipe", "Bar"]
    assert problem(await stranger("POST", "/api/nutrition/foods/barcode", {"barcode": printed}))[0] == 404
    assert problem(await athlete("POST", "/api/nutrition/foods/barcode", {"barcode": "x" * 12}))[0] == 422


async def test_nobody_reads_the_days_of_a_stranger(rest: RestServer) -> None:
    athlete, stranger = await rest.person("athlete"), await rest.person("athlete")
    log = await made(athlete, "logs", DAY)
    for path in (f"logs/{log['id']}", f"logs/{new_id()}"):
        assert problem(await stranger("GET", f"/api/nutrition/{path}"))[0] == 404
    assert (await stranger("GET", f"/api/nutrition/logs/client/{athlete.id}")).json()["logs"] == []
