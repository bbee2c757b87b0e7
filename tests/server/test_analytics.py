"""Analytics over REST: what a coach sees of all athletes and of one, and how late data changes it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apex_server.analytics import analytics_routes
from apex_server.db import Database
from apex_sync.coaching.exercise_library import builtin_exercises
from tests.server.accounts_app import problem
from tests.server.rest_app import Person, RestServer, rest_server

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
MONDAY = NOW.date() - timedelta(days=NOW.weekday())
BENCH = next(exercise for exercise in builtin_exercises() if exercise.name == "Barbell Bench Press")


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db, analytics_routes) as server:
        yield server


async def train(athlete: Person, weeks_ago: int, load: float, *, sets: int = 3, **exercise: Any) -> str:
    """Log hard sets of eight on the Monday of a week."""
    on = str(MONDAY - timedelta(weeks=weeks_ago))
    named = exercise or {"name": "Bench Press", "exercise_id": BENCH.id}
    logged = [{"reps": 8, "load": load, "load_unit": "kg"} for _ in range(sets)]
    body = {"date": on, "start_time": f"{on}T10:00:00", "duration_minutes": 60, "completed": True}
    answer = await athlete("POST", "/api/workouts", {**body, "exercises": [{**named, "sets": logged}]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def got(person: Person, path: str) -> dict[str, Any]:
    answer = await person("GET", f"/api/{path}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_volume_is_counted_by_muscle_and_what_no_library_knows_is_shown(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    await train(athlete, 1, 100)
    await train(athlete, 1, 40, sets=2, name="Wonder Machine")
    week = str(MONDAY - timedelta(weeks=1))
    volume = await got(coach, f"analytics/volume/{athlete.id}")
    assert {"week": week, "muscle": "chest", "direct_sets": 3.0, "fractional_sets": 3.0} in volume["muscles"]
    assert {"week": week, "muscle": "triceps", "direct_sets": 0.0, "fractional_sets": 1.5} in volume["muscles"]
    bench, unknown = volume["exercises"]
    assert (bench["exercise_id"], bench["sets"], bench["volume_load_kg"]) == (BENCH.id, 3, 2400)
    assert bench["muscles"]["chest"] == 1
    assert (unknown["name"], unknown["sets"], unknown["muscles"]) == ("Wonder Machine", 2, None)
    assert await got(athlete, f"analytics/volume/{athlete.id}") == volume


async def test_a_coachs_own_exercise_counts_for_its_muscles(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    made = await coach("POST", "/api/exercises", {"name": "Wonder Machine", "muscle_group": "calves"})
    assert made.status_code == 201, made.text
    await train(athlete, 0, 40, name="wonder machine")
    for person in (coach, athlete):
        [muscle] = (await got(person, f"analytics/volume/{athlete.id}"))["muscles"]
        assert (muscle["muscle"], muscle["direct_sets"]) == ("calves", 3)


async def test_an_exercise_that_is_meant_is_found_among_any_number_of_a_coachs_own(
    rest: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    coach, athlete = await rest.coach_and_athlete()
    for number in range(3):
        made = await coach("POST", "/api/exercises", {"name": f"Own Lift {number}", "muscle_group": "calves"})
        await train(athlete, 0, 40, sets=1, name=f"Own Lift {number}", exercise_id=made.json()["id"])
    await train(athlete, 0, 40, sets=1, name="Wonder Machine")
    monkeypatch.setattr("apex_server.resources.exercise_traits.OWN_EXERCISES_MAX", 0)
    [muscle] = (await got(coach, f"analytics/volume/{athlete.id}"))["muscles"]
    assert (muscle["muscle"], muscle["direct_sets"]) == ("calves", 3)


async def test_a_set_that_arrives_late_takes_a_record_away(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    await train(athlete, 4, 100)
    await train(athlete, 2, 105)
    path = f"analytics/progression?athlete_id={athlete.id}"
    [bench] = (await got(coach, path))["exercises"]
    assert bench["name"] == "Bench Press" and bench["formula"] == "epley"
    assert [point["top_load_kg"] for point in bench["points"]] == [100, 105]
    assert (bench["percent_per_week"], bench["percent_per_week_missing"]) == (None, "not_enough_data")
    assert {mark["formula"] for mark in bench["records"] if mark["kind"] == "e1rm_pr"} == {"epley"}
    assert "load_pr" in {record["kind"] for record in bench["records"]}

    await train(athlete, 3, 110)
    [bench] = (await got(coach, path))["exercises"]
    assert [point["top_load_kg"] for point in bench["points"]] == [100, 110, 105]
    late = str(MONDAY - timedelta(weeks=3))
    assert {record["date"] for record in bench["records"]} == {late}


async def test_a_progression_is_of_one_exercise_or_of_days_where_asked(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    await train(athlete, 4, 100)
    await train(athlete, 1, 50, name="Row")
    assert [each["name"] for each in (await got(athlete, "analytics/progression"))["exercises"]] == [
        "Bench Press", "Row",
    ]  # fmt: skip
    for named in (BENCH.id, "bench%20PRESS"):
        [only] = (await got(athlete, f"analytics/progression?exercise={named}"))["exercises"]
        assert only["exercise_id"] == BENCH.id
    since = MONDAY - timedelta(weeks=2)
    assert [each["name"] for each in (await got(athlete, f"analytics/progression?from={since}"))["exercises"]] == [
        "Row"
    ]
    for query in ("from=2026-02-01&to=2026-01-01", "from=1990-01-01"):
        assert problem(await athlete("GET", f"/api/analytics/progression?{query}")) == (422, "invalid_fields")


async def test_a_coach_sees_their_work_at_a_glance(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    other = await rest.person("athlete")
    await rest.link(coach, other)
    await train(athlete, 0, 100)
    await train(athlete, 1, 100)
    await train(other, 1, 50, sets=5)
    await coach("PUT", f"/api/clients/{other.id}/status", {"status": "needs-attention"})
    await athlete("POST", "/api/checkins", {"date": str(MONDAY), "submitted_at": f"{MONDAY}T10:00:00"})

    seen = await got(coach, "analytics/dashboard")
    assert (seen["clients"], seen["by_status"]) == (2, {"active": 1, "needs-attention": 1})
    assert [each["id"] for each in seen["attention"]] == [other.id]
    assert seen["check_ins_to_review"] == 1
    assert (seen["this_week"]["workouts"], seen["this_week"]["hard_sets"]) == (1, 3)
    assert (seen["last_week"]["athletes"], seen["last_week"]["hard_sets"]) == (2, 8)
    assert seen["last_week"]["volume_load_kg"] == 3 * 800 + 5 * 400
    assert sum(band["clients"] for band in seen["adherence"]) + seen["no_adherence"] == 2

    assert (await coach("DELETE", f"/api/clients/{other.id}")).status_code == 204
    assert (await got(coach, "analytics/dashboard"))["clients"] == 1


async def test_adherence_follows_from_the_program_week_by_week(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    weeks = {f"w{number}": {"week_number": number} for number in range(1, 5)}
    days = {f"d{number}": {"week": f"w{number}", "day_number": 1} for number in range(1, 5)}
    exercises = {f"e{number}": {"day": f"d{number}", "name": "Bench Press"} for number in range(1, 5)}
    body = {
        "name": "Base",
        "athlete_id": athlete.id,
        "status": "active",
        "start_date": str(MONDAY - timedelta(weeks=3)),
    }
    made = await coach("POST", "/api/programs", {**body, "weeks": weeks, "days": days, "exercises": exercises})
    assert made.status_code == 201, made.text
    await train(athlete, 2, 100)

    [client] = (await got(coach, "analytics/adherence?weeks=4"))["clients"]
    assert client["id"] == athlete.id
    assert [(week["due"], week["percent"]) for week in client["weeks"]] == [(0, None), (1, 0), (1, 100), (1, 0)]
    await train(athlete, 3, 100)
    one = await got(coach, f"analytics/client/{athlete.id}?weeks=4")
    assert [week["percent"] for week in one["adherence_weeks"]] == [None, 100, 100, 0]
    assert [week["workouts"] for week in one["weeks"]] == [1, 1, 0, 0]
    assert {muscle["muscle"] for muscle in one["muscles"]} >= {"chest", "triceps"}
    assert one["exercises"][0]["exercise_id"] == BENCH.id


async def test_a_week_is_judged_by_the_program_that_was_followed_in_it(rest: RestServer) -> None:
    """The same as on a device: tests/client/test_analytics.py has the twin of this."""
    coach, athlete = await rest.coach_and_athlete()
    plan = {
        "status": "active",
        "weeks": {f"w{n}": {"week_number": n} for n in range(1, 5)},
        "days": {f"d{n}": {"week": f"w{n}", "day_number": 1} for n in range(1, 5)},
        "exercises": {f"e{n}": {"day": f"d{n}", "name": "Bench Press"} for n in range(1, 5)},
    }
    for name, weeks_ago in (("Old", 3), ("New", 0)):
        body = {"name": name, "start_date": str(MONDAY - timedelta(weeks=weeks_ago)), **plan}
        template = (await coach("POST", "/api/programs", body)).json()["id"]
        followed = {"athlete_id": athlete.id, "start_date": body["start_date"]}
        assert (await coach("POST", f"/api/programs/{template}/assign", followed)).status_code == 201
    await train(athlete, 2, 100)

    [client] = (await got(coach, "analytics/adherence?weeks=4"))["clients"]
    assert [(week["due"], week["percent"]) for week in client["weeks"]] == [(0, None), (1, 0), (1, 100), (1, 0)]


async def test_training_is_added_up_by_week_for_whoever_may_read_it(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    stranger = await rest.person("athlete")
    await train(athlete, 1, 100)
    await train(stranger, 1, 100)
    since = MONDAY - timedelta(weeks=2)
    for query in (f"athlete_id={athlete.id}&from={since}", f"from={since}"):
        weeks = (await got(coach, f"workouts/analytics?{query}"))["weeks"]
        assert [(week["week"], week["workouts"]) for week in weeks][:3] == [
            (str(since), 0), (str(since + timedelta(weeks=1)), 1), (str(MONDAY), 0),
        ]  # fmt: skip
        assert weeks[1]["minutes"] == 60


async def test_a_coach_who_left_sees_nothing_any_more(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    await train(athlete, 0, 100)
    assert (await athlete("DELETE", f"/api/clients/{athlete.id}/link")).status_code == 204
    for path in (
        f"analytics/client/{athlete.id}",
        f"analytics/volume/{athlete.id}",
        f"analytics/progression?athlete_id={athlete.id}",
        f"workouts/analytics?athlete_id={athlete.id}",
    ):
        assert problem(await coach("GET", f"/api/{path}")) == (404, "not_found")
    assert (await got(coach, "analytics/dashboard"))["clients"] == 0
    assert (await got(coach, "analytics/adherence"))["clients"] == []
    assert all(week["workouts"] == 0 for week in (await got(coach, "workouts/analytics"))["weeks"])
    assert problem(await athlete("GET", "/api/analytics/dashboard")) == (403, "role_required")
