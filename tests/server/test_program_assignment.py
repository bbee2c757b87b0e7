"""An athlete follows a copy of a program: its days, its loads, and what ends with it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apex_server.db import Database
from apex_sync.coaching.assigning import assignment_id
from tests.server.accounts_app import problem
from tests.server.program_bodies import PERCENT, PLAN, bench, make
from tests.server.rest_app import RestServer, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def test_an_assigned_program_is_a_copy_the_athlete_follows(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    template, etag = await make(coach)
    body = {"athlete_id": athlete.id, "start_date": "2026-03-02"}

    answers = [await coach("POST", f"/api/programs/{template['id']}/assign", body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 200]
    assigned = answers[0].json()
    assert (assigned["source_id"], assigned["status"], assigned["athlete_id"]) == (template["id"], "active", athlete.id)
    renamed = await coach("PUT", f"/api/programs/{template['id']}", PLAN | {"name": "Other"}, if_match=etag)
    assert renamed.json()["name"] == "Other"
    [followed] = (await athlete("GET", "/api/programs")).json()["programs"]
    assert (followed["id"], followed["name"], followed["exercises"]) == (
        assigned["id"],
        "Hypertrophy",
        PLAN["exercises"],
    )
    workout = {"date": "2026-03-02", "program_id": assigned["id"], "week_number": 1, "day_number": 1}
    assert (await athlete("POST", "/api/workouts", workout)).json()["program_id"] == assigned["id"]
    page = (await coach("GET", f"/api/workouts?program_id={assigned['id']}")).json()
    assert len(page["workouts"]) == 1


async def test_an_assignment_that_names_no_athlete_is_refused(rest: RestServer) -> None:
    coach = await rest.person("coach")
    for wrong in ("x", 3, ""):
        assert problem(await coach("POST", "/api/programs", PLAN | {"athlete_id": wrong})) == (422, "invalid_fields")


async def test_per_cents_become_loads_of_the_athletes_best_sets_when_a_program_is_assigned(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    today = datetime.now(UTC).date()
    for day, load in ((today - timedelta(days=200), 200), (today - timedelta(days=7), 100)):
        assert (await athlete("POST", "/api/workouts", bench(day, load))).status_code == 201
    template, _ = await make(coach, **PERCENT)
    body = {"athlete_id": athlete.id, "start_date": "2026-03-02"}

    assigned = (await coach("POST", f"/api/programs/{template['id']}/assign", body)).json()

    loads = {key: planned.get("load_kg") for key, planned in assigned["sets"].items()}
    assert loads == {"s1": 87.5, "s2": 60, "s3": None}, "75 % of 116 kg, as the athlete's name for it is the same"
    assert (assigned["start_date"], assigned["end_date"]) == ("2026-03-02", "2026-03-15")

    await athlete("POST", "/api/workouts", bench(today, 140))
    again = await coach("POST", f"/api/programs/{template['id']}/assign", body)
    assert (again.status_code, again.json()["sets"]) == (200, assigned["sets"])
    other_end = await coach("POST", f"/api/programs/{template['id']}/assign", body | {"end_date": "2026-04-06"})
    assert problem(other_end) == (409, "already_exists")
    autumn = await coach("POST", f"/api/programs/{template['id']}/assign", body | {"start_date": "2026-09-07"})
    assert (autumn.status_code, autumn.json()["source_id"]) == (201, template["id"])
    there = assignment_id(template["id"], athlete.id, "2026-09-07", {})
    assert autumn.json()["id"] == there != assigned["id"], "as a device calls it that says so offline"
    assert (await coach("GET", f"/api/programs/{assigned['id']}")).json()["end_date"] == "2026-03-15", "spring stands"


async def test_a_copy_that_starts_on_the_day_is_what_is_assigned_whatever_its_id(rest: RestServer) -> None:
    day = {"start_date": "2026-03-02"}
    coach, athlete = await rest.coach_and_athlete()
    template, _ = await make(coach)
    old, _ = await make(coach, athlete_id=athlete.id, source_id=template["id"], **day | {"status": "active"})

    again = await coach("POST", f"/api/programs/{template['id']}/assign", {"athlete_id": athlete.id, **day})

    assert (again.status_code, again.json()["id"], again.json()["status"]) == (200, old["id"], "active")
    assert [each["id"] for each in (await athlete("GET", "/api/programs")).json()["programs"]] == [old["id"]]


@pytest.mark.parametrize(
    ("at", "zone", "first", "last"),
    [
        ("2026-03-03T05:00", "-11:00", "2026-03-02", "2026-03-29"),
        ("2026-03-02T12:00", "+14:00", "2026-03-09", "2026-04-05"),
    ],
)
async def test_without_a_first_day_a_program_begins_on_the_next_monday_by_the_clock_of_the_athlete(
    rest: RestServer, monkeypatch: pytest.MonkeyPatch, at: str, zone: str, first: str, last: str
) -> None:
    """It is Monday there and Tuesday in UTC, and then Tuesday there and Monday in UTC."""
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    monkeypatch.setattr("apex_server.programs.routes.wall_clock", lambda: now)
    coach, athlete = await rest.coach_and_athlete()
    template, _ = await make(coach, duration_weeks=4)
    log = {"date": "2026-02-26", "start_time": f"2026-02-26T18:00:00{zone}"}
    logged = await athlete("POST", "/api/workouts", log)
    assert logged.status_code == 201, logged.text

    body = {"athlete_id": athlete.id}
    answers = [await coach("POST", f"/api/programs/{template['id']}/assign", body) for _ in range(2)]

    assert [one.status_code for one in answers] == [201, 200] and answers[0].json()["id"] == answers[1].json()["id"]
    assigned = answers[0].json()
    assert (assigned["start_date"], assigned["end_date"]) == (first, last)


async def test_a_copy_that_was_moved_is_that_of_its_new_day_and_its_old_day_gets_another(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    template, _ = await make(coach)

    async def assign(start: str) -> tuple[int, str]:
        body = {"athlete_id": athlete.id, "start_date": start, "keep": True}
        answer = await coach("POST", f"/api/programs/{template['id']}/assign", body)
        return answer.status_code, answer.json()["id"]

    _, moved = await assign("2026-03-02")
    assert (await coach("PATCH", f"/api/programs/{moved}", {"start_date": "2026-03-09"})).status_code == 200
    assert await assign("2026-03-09") == (200, moved)

    made, other = await assign("2026-03-02")
    held = {moved: {"source_id": template["id"], "start_date": "2026-03-09"}}
    there = assignment_id(template["id"], athlete.id, "2026-03-02", held)
    assert (made, other) == (201, there) and other != moved, "as a device calls it that says so offline"
    assert await assign("2026-03-02") == (200, other)
    programs = (await athlete("GET", "/api/programs")).json()["programs"]
    assert {each["id"]: (each["start_date"], each["status"]) for each in programs} == {
        moved: ("2026-03-09", "active"),
        other: ("2026-03-02", "active"),
    }


async def test_assigning_ends_what_the_athlete_follows_in_the_same_days_unless_it_is_to_be_kept(
    rest: RestServer,
) -> None:
    coach, athlete = await rest.coach_and_athlete()
    first, second, third = [(await make(coach, name=name))[0]["id"] for name in ("One", "Two", "Three")]

    async def assign(template: str, start: str, **more: Any) -> dict[str, Any]:
        answer = await coach(
            "POST", f"/api/programs/{template}/assign", {"athlete_id": athlete.id, "start_date": start, **more}
        )
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    async def standing() -> dict[str, tuple[str, str | None]]:
        programs = (await athlete("GET", "/api/programs")).json()["programs"]
        return {each["name"]: (each["status"], each.get("end_date")) for each in programs}

    one = await assign(first, "2026-01-05")
    two = await assign(second, "2026-03-02", end_date="2026-03-29")
    one_ended = {"id": one["id"], "name": "One", "status": "active"}
    one_ended |= {"start_date": "2026-01-05", "end_date": "2026-03-01"}
    assert (one["ended"], two["ended"]) == ([], [one_ended])
    assert "ended" not in (await coach("GET", f"/api/programs/{two['id']}")).json(), "it is what a request did"
    assert await standing() == {"One": ("active", "2026-03-01"), "Two": ("active", "2026-03-29")}
    kept = await assign(third, "2026-03-09", keep=True)
    assert kept["ended"] == []
    answered = await coach("PUT", f"/api/programs/{kept['id']}", kept, if_match="*")
    assert answered.status_code == 200, "the answer as it was given can be sent back"
    assert (await standing())["Two"] == ("active", "2026-03-29")

    await coach("DELETE", f"/api/programs/{kept['id']}")
    await coach("PATCH", f"/api/programs/{third}", {"sets": {"s1": {"deleted": True}, "s9": {"exercise": "e1"}}})
    again = await assign(third, "2026-03-09")
    live = [key for key, planned in again["sets"].items() if not planned.get("deleted")]
    assert (again["id"], again["status"], live) == (kept["id"], "active", ["s9"])
    assert (await standing())["Two"] == ("active", "2026-03-08")
    assert [(each["name"], each["end_date"]) for each in again["ended"]] == [("Two", "2026-03-08")]
    early = await assign(first, "2026-03-02")
    archived = [(each["name"], each["status"]) for each in early["ended"]]
    assert sorted(archived) == [("Three", "archived"), ("Two", "archived")]


async def test_an_assignment_that_comes_again_ends_what_the_first_left_undone(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    old, _ = await make(coach, athlete_id=athlete.id, start_date="2026-01-05", status="active")
    template, _ = await make(coach)
    body = {"athlete_id": athlete.id, "start_date": "2026-03-02"}
    path = f"/api/programs/{template['id']}/assign"
    assert (await coach("POST", path, body | {"keep": True})).status_code == 201, "as if it had died in between"
    assert "end_date" not in (await coach("GET", f"/api/programs/{old['id']}")).json()

    again = await coach("POST", path, body)
    assert (again.status_code, [each["id"] for each in again.json()["ended"]]) == (200, [old["id"]])
    ended = (await coach("GET", f"/api/programs/{old['id']}")).json()
    assert (ended["status"], ended["end_date"]) == ("active", "2026-03-01")


async def test_what_ends_with_an_assignment_ends_in_the_transaction_that_makes_the_copy(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    old, _ = await make(coach, athlete_id=athlete.id, start_date="2026-01-05", status="active")
    template, _ = await make(coach)
    body = {"athlete_id": athlete.id, "start_date": "2026-03-02"}
    new = (await coach("POST", f"/api/programs/{template['id']}/assign", body)).json()
    async with rest.database.commit_connection() as connection:
        rows = await connection.fetch(
            "SELECT xmin::text FROM records WHERE record_id = ANY ($1)", [UUID(old["id"]), UUID(new["id"])]
        )
    assert len(rows) == 2 and len({row["xmin"] for row in rows}) == 1


async def test_no_program_is_assigned_that_ends_before_it_starts(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    template, _ = await make(coach)
    body = {"athlete_id": athlete.id, "start_date": "2026-03-02", "end_date": "2026-03-01"}
    answer = await coach("POST", f"/api/programs/{template['id']}/assign", body)
    assert problem(answer) == (422, "invalid_fields")
    assert answer.json()["errors"][0]["field"] == "end_date"
    assert (await athlete("GET", "/api/programs")).json()["programs"] == []


async def test_per_cents_of_a_new_athlete_get_their_loads_later_and_days_that_are_over_stay(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday() + 7)
    template, _ = await make(coach, **PERCENT)
    weeks = {"w1": {"week_number": 1}, "w2": {"week_number": 4}}
    await coach("PATCH", f"/api/programs/{template['id']}", {"weeks": weeks, "duration_weeks": 4})
    body = {"athlete_id": athlete.id, "start_date": monday.isoformat()}
    assigned = (await coach("POST", f"/api/programs/{template['id']}/assign", body)).json()
    path = f"/api/programs/{assigned['id']}/loads"

    async def loads(**asked: Any) -> dict[str, float | None]:
        answer = await coach("POST", path, asked)
        assert answer.status_code == 200, answer.text
        return {key: planned.get("load_kg") for key, planned in answer.json()["sets"].items()}

    before = {"s1": None, "s2": 60, "s3": None}
    assert await loads() == before, "nobody knows what they lift"
    assert await loads(maxima_kg={"rack pull": 200}) == before | {"s3": 180}, "what the coach knows counts"
    assert await loads(maxima_kg={"rack pull": 220}) == before | {"s3": 180}, "and what has a load keeps it"
    assert await loads(maxima_kg={"rack pull": 220, "Bench Press": 100}, anew=True) == before | {"s3": 197.5}
    refused = await coach("POST", path, {"maxima_kg": {"Squat": 100}})
    assert (problem(refused), refused.json()["errors"][0]["field"]) == ((422, "invalid_fields"), "maxima_kg.Squat")
    assert problem(await coach("POST", f"/api/programs/{template['id']}/loads")) == (422, "invalid_fields")
    assert problem(await athlete("POST", path)) == (403, "role_required")


@pytest.mark.parametrize(("zone", "offset"), [("-23:59", -1439), ("+23:59", 1439), ("", 0)])
async def test_which_days_are_over_when_loads_are_given_later_goes_by_the_clock_the_athlete_trains_by(
    rest: RestServer, zone: str, offset: int
) -> None:
    coach, athlete = await rest.coach_and_athlete()
    today = (datetime.now(UTC) + timedelta(minutes=offset)).date()
    yesterday, last_week = today - timedelta(days=1), today - timedelta(days=7)
    log = {"date": str(last_week), "start_time": f"{last_week}T18:00:00{zone}"}
    assert (await athlete("POST", "/api/workouts", log)).status_code == 201
    monday = yesterday - timedelta(days=yesterday.weekday())
    weeks = {f"w{number}": {"week_number": number} for number in (1, 2)}
    places = {name: divmod((on - monday).days, 7) for name, on in (("before", yesterday), ("today", today))}
    days = {name: {"week": f"w{week + 1}", "day_number": day + 1} for name, (week, day) in places.items()}
    template, _ = await make(
        coach,
        weeks=weeks,
        days=days,
        exercises={name: {"day": name, "name": "Squat"} for name in days},
        sets={name: {"exercise": name, "load_percent": 75} for name in days},
    )
    body = {"athlete_id": athlete.id, "start_date": str(monday)}
    assigned = (await coach("POST", f"/api/programs/{template['id']}/assign", body)).json()

    given = await coach("POST", f"/api/programs/{assigned['id']}/loads", {"maxima_kg": {"Squat": 100}})
    assert given.status_code == 200, given.text
    assert {name: one.get("load_kg") for name, one in given.json()["sets"].items()} == {"before": None, "today": 75}
