"""Body metrics over REST, and charts of what the scale and check-ins say together."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apex_server.db import Database
from tests.server.accounts_app import problem
from tests.server.rest_app import Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def log(person: Person, **body: Any) -> dict[str, Any]:
    answer = await person("POST", "/api/progress/metrics", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def charts(person: Person, athlete: Person, query: str = "") -> dict[str, Any]:
    answer = await person("GET", f"/api/progress/charts/{athlete.id}{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_weight_in_pounds_shows_back_as_typed_and_counts_in_kilograms(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    made = await log(athlete, date="2026-03-01", weight=180, weight_unit="lb", measurements={"waist_cm": 81.5})
    assert (made["weight"], made["weight_unit"], made["weight_kg"]) == (180, "lb", 81.646627)
    assert made["measurements"] == {"waist_cm": 81.5}

    path = f"/api/progress/metrics/{made['id']}"
    changed = await athlete("PATCH", path, {"weight": 178, "weight_unit": "lb"})
    assert changed.json()["weight_kg"] == 80.739442
    same = await athlete("PUT", path, {**changed.json(), "notes": "after breakfast"}, if_match="*")
    assert (same.json()["weight"], same.json()["notes"]) == (178, "after breakfast")
    emptied = await athlete("PUT", path, {"date": "2026-03-01"}, if_match="*")
    assert emptied.status_code == 200 and "waist_cm" not in {
        name for name, value in (emptied.json().get("measurements") or {}).items() if value is not None
    }


async def test_charts_show_weights_to_the_gram(rest: RestServer) -> None:
    _, athlete = await rest.coach_and_athlete()
    for day in range(1, 9):
        await log(athlete, date=f"2026-03-0{day}", weight=180 - day / 3, weight_unit="lb")
    charts = (await athlete("GET", f"/api/progress/charts/{athlete.id}")).json()
    figures = [point[name] for point in charts["weight"] for name in ("weight_kg", "trend_kg")]
    figures += [charts["rate"][name] for name in ("percent_per_week", "kg_per_week", "trend_kg")]
    assert figures == [round(figure, 3) for figure in figures]


async def test_a_weight_that_is_edited_changes_in_kilograms_too(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    body = {"date": "2026-03-01", "weight": 180, "weight_unit": "lb"}
    for path in ("/api/progress/metrics", "/api/checkins"):
        made = await athlete("POST", path, body)
        one = f"{path}/{made.json()['id']}"
        replaced = await athlete("PUT", one, {**made.json(), "weight": 200}, if_match=made.headers["etag"])
        assert replaced.json()["weight_kg"] == 90.718474
        assert (await athlete("PATCH", one, {"weight": 150})).json()["weight_kg"] == 68.038855
        assert (await athlete("PATCH", one, {"weight_unit": "kg"})).json()["weight_kg"] == 150
        assert (await charts(athlete, athlete))["weight"][0]["weight_kg"] == 150
        assert (await athlete("PATCH", one, {"weight": None})).json()["weight_kg"] is None
        assert (await athlete("POST", path, {"date": "2026-03-02", "weight": 80})).json()["weight_kg"] == 80

    target = {"target_weight": 180, "target_weight_unit": "lb"}
    for changes, weight_kg in (
        (target, 81.646627),
        ({"target_weight": 200}, 90.718474),
        ({"target_weight": None}, None),
    ):
        changed = await coach("PATCH", f"/api/clients/{athlete.id}", {"profile": changes})
        assert changed.json()["metrics"]["target_weight_kg"] == weight_kg


async def test_a_measuring_that_comes_again_is_the_same(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    body = {"id": new_id(), "date": "2026-03-01", "weight": 80}
    await log(athlete, **body)
    assert (await athlete("POST", "/api/progress/metrics", body)).status_code == 200


async def test_what_is_out_of_bounds_is_named(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    for body, field in (
        ({"weight_kg": 501}, "weight_kg"),
        ({"weight": 600, "weight_unit": "kg"}, "weight_kg"),
        ({"measurements": {"waist_cm": -1}}, "measurements.waist_cm"),
        ({"measurements": {"left_ear_cm": 6}}, "measurements.left_ear_cm"),
        ({"measurements": [1]}, "measurements"),
        ({"date": "2026-03-01", "colour": "red"}, "colour"),
    ):
        answer = await athlete("POST", "/api/progress/metrics", body)
        assert problem(answer)[0] == 422, answer.text
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_charts_read_the_scale_and_check_ins_as_one(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    for number in range(1, 8, 2):
        await log(athlete, date=f"2026-03-0{number}", weight_kg=80 + number / 10, body_fat_percent=15)
        check_in = {"date": f"2026-03-0{number + 1}", "weight": 80 + number / 10, "weight_unit": "kg"}
        assert (await athlete("POST", "/api/checkins", check_in)).status_code == 201
    shown = await charts(athlete, athlete)
    assert [point["date"] for point in shown["weight"]] == [f"2026-03-0{number}" for number in range(1, 9)]
    assert shown["rate"]["n"] == 8 and shown["rate"]["kg_per_week"] > 0
    assert [point["value"] for point in shown["body_fat_percent"]] == [15] * 4
    assert shown["girths"] == {}

    late = await charts(athlete, athlete, "?from=2026-03-05")
    assert late["weight"] == shown["weight"][4:], "the trend knows what came before"
    assert (await charts(athlete, athlete, "?to=2026-03-02"))["weight"] == shown["weight"][:2]


async def test_a_reading_that_arrives_late_moves_the_trend(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    await log(athlete, date="2026-03-01", weight_kg=80)
    await log(athlete, date="2026-03-03", weight_kg=80)
    await log(athlete, date="2026-03-02", weight_kg=81)
    assert [round(point["trend_kg"], 2) for point in (await charts(athlete, athlete))["weight"]] == [80, 80.1, 80.09]


async def test_nobody_has_charts_of_a_stranger(rest: RestServer) -> None:
    athlete, stranger = await rest.person("athlete"), await rest.person("athlete")
    await log(athlete, date="2026-03-01", weight_kg=80)
    for asked in (athlete.id, new_id()):
        assert problem(await stranger("GET", f"/api/progress/charts/{asked}"))[0] == 404
