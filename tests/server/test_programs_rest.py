"""Programs and exercises over REST: enough for a coach to write a plan, assign it, and for a workout to name it."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from apex_server.db import Database
from apex_sync.coaching.assigning import assignment_id
from tests.server.accounts_app import problem
from tests.server.rest_app import Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio

PLAN: dict[str, Any] = {
    "name": "Hypertrophy",
    "type": "hypertrophy",
    "status": "draft",
    "weeks": {"w1": {"week_number": 1}},
    "days": {"d1": {"week": "w1", "day_number": 1, "name": "Push"}},
    "exercises": {"e1": {"day": "d1", "name": "Bench Press"}},
    "sets": {"s1": {"exercise": "e1", "reps_min": 8, "reps_max": 10, "rpe": 8}},
}


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def make(coach: Person, **changes: Any) -> tuple[dict[str, Any], str]:
    answer = await coach("POST", "/api/programs", PLAN | changes)
    assert answer.status_code == 201, answer.text
    return answer.json(), answer.headers["etag"]


async def test_a_template_is_its_coachs_alone(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    program, _ = await make(coach)
    assert program["athlete_id"] is None
    assert program["sets"] == PLAN["sets"]
    assert problem(await athlete("GET", f"/api/programs/{program['id']}")) == (404, "not_found")
    assert (await athlete("GET", "/api/programs")).json() == {"programs": [], "next": None}


def block(weeks: int) -> dict[str, Any]:
    """Give the parts of a program of five days a week, seven exercises a day and four sets each."""
    days = {
        f"w{week}d{day}": {"week": f"w{week}", "day_number": day} for week in range(1, weeks + 1) for day in range(1, 6)
    }
    exercises = {f"{day}e{place}": {"day": day, "name": f"Lift {place}"} for day in days for place in range(7)}
    return {
        "weeks": {f"w{week}": {"week_number": week} for week in range(1, weeks + 1)},
        "days": days,
        "exercises": exercises,
        "sets": {
            f"{exercise}s{place}": {"exercise": exercise, "order": str(place), "reps_min": 8, "reps_max": 10, "rpe": 8}
            for exercise in exercises
            for place in range(4)
        },
    }


async def test_a_block_of_twenty_weeks_is_made_assigned_cloned_and_changed(rest: RestServer) -> None:
    """It takes several ops, and one request."""
    coach, athlete = await rest.coach_and_athlete()
    parts = block(20)
    template, etag = await make(coach, **parts)
    assert len(template["sets"]) == 2800
    changed = {key: entry | {"rpe": 9} for key, entry in parts["sets"].items()}
    path = f"/api/programs/{template['id']}"
    put = await coach("PUT", path, PLAN | parts | {"sets": changed}, if_match=etag)
    assert put.status_code == 200, put.text
    clone = await coach("POST", f"{path}/clone", {"name": "Again"})
    assigned = await coach("POST", f"{path}/assign", {"athlete_id": athlete.id, "start_date": "2026-03-02"})
    for answer in (clone, assigned):
        assert answer.status_code == 201, answer.text
        assert answer.json()["sets"] == put.json()["sets"] == changed


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


async def test_programs_are_the_coachs_to_write(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    assert problem(await athlete("POST", "/api/programs", PLAN)) == (403, "role_required")
    program, _ = await make(coach, athlete_id=athlete.id, status="active")
    refused = await athlete("PATCH", f"/api/programs/{program['id']}", {"name": "Mine"})
    assert problem(refused) == (403, "field_forbidden")
    assert problem(await athlete("DELETE", f"/api/programs/{program['id']}")) == (403, "field_forbidden")
    stranger = await rest.person("coach")
    assert problem(await stranger("POST", "/api/programs", PLAN | {"athlete_id": athlete.id})) == (404, "not_found")
    body = {"athlete_id": (await rest.person("athlete")).id}
    assert problem(await coach("POST", f"/api/programs/{program['id']}/assign", body)) == (404, "not_found")


async def test_a_draft_for_an_athlete_is_unseen_by_them_until_it_is_assigned(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    draft, _ = await make(coach, athlete_id=athlete.id)
    path = f"/api/programs/{draft['id']}"
    assert (draft["athlete_id"], draft["status"]) == (athlete.id, "draft")

    assert problem(await athlete("GET", path)) == (404, "not_found")
    assert (await athlete("GET", "/api/programs")).json()["programs"] == []
    for listed in (f"/api/programs?athlete_id={athlete.id}", f"/api/programs/client/{athlete.id}?status=draft"):
        assert [one["id"] for one in (await coach("GET", listed)).json()["programs"]] == [draft["id"]]
    assert (await coach("GET", "/api/programs/templates")).json()["programs"] == []
    assert "analytics" not in (await coach("GET", f"{path}?include=analytics")).json()
    refused = await coach("PATCH", path, {"status": "active"})
    assert (problem(refused), refused.json()["errors"][0]["field"]) == ((422, "invalid_fields"), "status")

    body = {"athlete_id": athlete.id, "start_date": "2026-03-02"}
    followed = (await coach("POST", f"{path}/assign", body)).json()
    [seen] = (await athlete("GET", "/api/programs")).json()["programs"]
    assert (seen["id"], seen["status"], seen["source_id"]) == (followed["id"], "active", draft["id"])
    for change in ({"status": "draft"}, PLAN):
        refused = await coach("PATCH", f"/api/programs/{followed['id']}", change)
        assert problem(refused) == (422, "invalid_fields"), "what was read is not taken back by a word"

    assert (await coach("DELETE", path)).status_code == 204
    deleted = (await coach("GET", f"/api/programs?athlete_id={athlete.id}&deleted=only")).json()["programs"]
    assert [one["id"] for one in deleted] == [draft["id"]]
    assert (await athlete("GET", "/api/programs?deleted=only")).json()["programs"] == []


async def test_put_removes_what_is_left_out_and_keeps_the_rest(rest: RestServer) -> None:
    coach = await rest.person("coach")
    program, etag = await make(coach)
    body = PLAN | {"sets": PLAN["sets"] | {"s2": {"exercise": "e1", "reps_min": 5}}, "exercises": {}}

    answer = await coach("PUT", f"/api/programs/{program['id']}", body, if_match=etag)

    assert answer.json()["exercises"]["e1"]["deleted"] is True
    assert answer.json()["sets"].keys() == {"s1", "s2"}
    refused = await coach(
        "PUT", f"/api/programs/{program['id']}", PLAN | {"weeks": {"w1": {"week_number": 0}}}, if_match="*"
    )
    assert problem(refused) == (422, "invalid_fields")
    assert refused.json()["errors"][0]["field"] == "weeks.w1.week_number"


async def test_an_assignment_that_names_no_athlete_is_refused(rest: RestServer) -> None:
    coach = await rest.person("coach")
    for wrong in ("x", 3, ""):
        assert problem(await coach("POST", "/api/programs", PLAN | {"athlete_id": wrong})) == (422, "invalid_fields")


async def test_a_coachs_exercise_is_seen_by_their_athletes_alone(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    stranger = await rest.person("athlete")
    body = {"id": new_id(), "name": "Larsen Press", "muscle_group": "chest", "movement_pattern": "push"}
    made = await coach("POST", "/api/exercises", body)
    assert (made.status_code, made.json()["is_custom"]) == (201, True)
    path = f"/api/exercises/{body['id']}"

    assert (await athlete("GET", path)).json()["name"] == "Larsen Press"
    for query in ("q=larsen", "q=CHEST", ""):
        found = (await athlete("GET", f"/api/exercises/search?{query}")).json()["exercises"]
        assert [exercise["id"] for exercise in found] == [body["id"]]
    assert (await athlete("GET", "/api/exercises?q=squat")).json()["exercises"] == []
    assert problem(await stranger("GET", path)) == (404, "not_found")
    assert problem(await athlete("PATCH", path, {"name": "Mine"})) == (403, "field_forbidden")
    assert (await coach("PATCH", path, {"coaching_cues": ["Feet up"]})).json()["coaching_cues"] == ["Feet up"]
    assert (await coach("DELETE", path)).status_code == 204
    assert problem(await athlete("GET", path)) == (404, "not_found")


async def test_exercises_are_paged_by_name(rest: RestServer) -> None:
    coach = await rest.person("coach")
    for name in ("Row", "Bench", "Curl"):
        await coach("POST", "/api/exercises", {"name": name})
    first = (await coach("GET", "/api/exercises?limit=2")).json()
    second = (await coach("GET", f"/api/exercises?limit=2&after={first['next']}")).json()
    assert [e["name"] for page in (first, second) for e in page["exercises"]] == ["Bench", "Curl", "Row"]
    assert second["next"] is None


PERCENT: dict[str, Any] = PLAN | {
    "duration_weeks": 2,
    "weeks": {"w1": {"week_number": 1}, "w2": {"week_number": 2}},
    "days": {"d1": {"week": "w1", "day_number": 1}, "d2": {"week": "w2", "day_number": 1}},
    "exercises": {"e1": {"day": "d1", "name": "bench press"}, "e2": {"day": "d2", "name": "Rack Pull"}},
    "sets": {
        "s1": {"exercise": "e1", "load_percent": 75},
        "s2": {"exercise": "e1", "load_percent": 80, "load_kg": 60},
        "s3": {"exercise": "e2", "load_percent": 90},
    },
}


def bench(day: date, load: float, **more: Any) -> dict[str, Any]:
    exercise = {"name": "Bench Press", "sets": [{"reps": 5, "load": load, "rpe": 10}]}
    return {"date": day.isoformat(), "exercises": [exercise], **more}


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


@pytest.mark.parametrize("hours", [-11, 14])
async def test_without_a_first_day_a_program_begins_on_the_next_monday_by_the_clock_of_the_athlete(
    rest: RestServer, hours: int
) -> None:
    coach, athlete = await rest.coach_and_athlete()
    template, _ = await make(coach, duration_weeks=4)
    now = datetime.now(timezone(timedelta(hours=hours)))
    trained = (now - timedelta(days=3)).isoformat(timespec="seconds")
    logged = await athlete("POST", "/api/workouts", {"date": trained[:10], "start_time": trained})
    assert logged.status_code == 201, logged.text

    body = {"athlete_id": athlete.id}
    answers = [await coach("POST", f"/api/programs/{template['id']}/assign", body) for _ in range(2)]

    assert [one.status_code for one in answers] == [201, 200] and answers[0].json()["id"] == answers[1].json()["id"]
    assigned = answers[0].json()
    first = date.fromisoformat(assigned["start_date"])
    assert first.isoweekday() == 1 and 0 <= (first - now.date()).days < 7
    assert date.fromisoformat(assigned["end_date"]) == first + timedelta(days=27)


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

    await assign(first, "2026-01-05")
    await assign(second, "2026-03-02", end_date="2026-03-29")
    assert await standing() == {"One": ("active", "2026-03-01"), "Two": ("active", "2026-03-29")}
    kept = await assign(third, "2026-03-09", keep=True)
    assert (await standing())["Two"] == ("active", "2026-03-29")

    await coach("DELETE", f"/api/programs/{kept['id']}")
    await coach("PATCH", f"/api/programs/{third}", {"sets": {"s1": {"deleted": True}, "s9": {"exercise": "e1"}}})
    again = await assign(third, "2026-03-09")
    live = [key for key, planned in again["sets"].items() if not planned.get("deleted")]
    assert (again["id"], again["status"], live) == (kept["id"], "active", ["s9"])
    assert (await standing())["Two"] == ("active", "2026-03-08")


async def test_an_assignment_that_comes_again_ends_what_the_first_left_undone(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    old, _ = await make(coach, athlete_id=athlete.id, start_date="2026-01-05", status="active")
    template, _ = await make(coach)
    body = {"athlete_id": athlete.id, "start_date": "2026-03-02"}
    path = f"/api/programs/{template['id']}/assign"
    assert (await coach("POST", path, body | {"keep": True})).status_code == 201, "as if it had died in between"
    assert "end_date" not in (await coach("GET", f"/api/programs/{old['id']}")).json()

    assert (await coach("POST", path, body)).status_code == 200
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


async def test_an_edit_to_a_program_rewrites_nothing_that_was_logged_with_it(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    program, etag = await make(coach, athlete_id=athlete.id, start_date="2026-03-02", status="active")
    body = bench(date(2026, 3, 2), 100, program_id=program["id"], week_number=1, day_number=1)
    logged = await athlete("POST", "/api/workouts", body)
    path = f"/api/workouts/{logged.json()['id']}"

    changed = PLAN | {
        "status": "active",
        "start_date": "2026-03-02",
        "exercises": {"e9": {"name": "Squat"}},
        "sets": {},
    }
    assert (await coach("PUT", f"/api/programs/{program['id']}", changed, if_match=etag)).status_code == 200
    edited = await athlete("GET", path)
    assert (await coach("DELETE", f"/api/programs/{program['id']}")).status_code == 204
    without = await athlete("GET", path)

    assert edited.json() == without.json() == logged.json()
    assert edited.headers["etag"] == without.headers["etag"] == logged.headers["etag"]


async def test_one_id_names_one_program_of_a_coach(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    draft, _ = await make(coach, athlete_id=athlete.id)
    body = {**PLAN, "id": draft["id"]}

    for refused in ({"athlete_id": athlete.id, "status": "active", "start_date": "2026-03-02"}, {"athlete_id": None}):
        assert problem(await coach("POST", "/api/programs", body | refused)) == (409, "already_exists")
    assert (await athlete("GET", "/api/programs")).json()["programs"] == []
    again = await coach("POST", "/api/programs", body | {"athlete_id": athlete.id})
    assert (again.status_code, again.json()["id"]) == (200, draft["id"]), "what was sent before is no second one"
    await coach("DELETE", f"/api/programs/{draft['id']}")
    assert problem(await coach("POST", "/api/programs", body)) == (409, "already_exists")


async def test_a_clone_is_a_draft_of_the_coachs_own(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    followed, _ = await make(coach, athlete_id=athlete.id, start_date="2026-03-02", status="active")
    for person, edit in ((athlete, {"athlete_feedback": "hard"}), (coach, {"sets": {"s1": {"deleted": True}}})):
        assert (await person("PATCH", f"/api/programs/{followed['id']}", edit)).status_code == 200

    path = f"/api/programs/{followed['id']}/clone"
    answers = [await coach("POST", path, {"name": "Base II"}, idempotency_key="k") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 200]
    clone = answers[0].json()
    assert (clone["name"], clone["status"], clone["athlete_id"]) == ("Base II", "draft", None)
    assert (clone["source_id"], clone["weeks"]) == (followed["id"], PLAN["weeks"])
    assert clone.keys().isdisjoint({"sets", "start_date", "athlete_feedback"})
    [template] = (await coach("GET", "/api/programs/templates")).json()["programs"]
    assert template["id"] == clone["id"]
    assert problem(await athlete("GET", "/api/programs/templates")) == (403, "role_required")


async def test_completion_is_of_the_sessions_logged_and_changes_when_one_arrives_late(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    monday = datetime.now(UTC).date() - timedelta(days=datetime.now(UTC).weekday() + 14)
    template, _ = await make(coach, **PERCENT)
    body = {"athlete_id": athlete.id, "start_date": monday.isoformat()}
    assigned = (await coach("POST", f"/api/programs/{template['id']}/assign", body)).json()
    path = f"/api/programs/{assigned['id']}?include=analytics&fields=analytics"
    place = {"program_id": assigned["id"], "day_number": 1}

    assert (await athlete("GET", path)).json()["analytics"]["completion_percent"] == 0
    await athlete("POST", "/api/workouts", bench(monday, 80, **place, week_number=1))
    # One of two sets, in the first of two sessions.
    half = (await athlete("GET", path)).json()["analytics"]
    await athlete("POST", "/api/workouts", bench(monday + timedelta(days=7), 80, **place, week_number=2))
    whole = (await athlete("GET", path)).json()["analytics"]

    assert (half["completion_percent"], half["sessions_due"], half["sessions_in_program"]) == (25, 2, 2), (
        "one set of two, of the first of two sessions"
    )
    assert (whole["completion_percent"], whole["total_volume_load_kg"], whole["average_rpe"]) == (75, 800, 10)
    assert "analytics" not in (await coach("GET", f"/api/programs/{template['id']}?include=analytics")).json()


async def test_a_program_that_is_completed_early_expects_nobody_to_train_after_that_day(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday() + 14)
    weeks = {f"w{n}": {"week_number": n} for n in range(1, 9)}
    days = {f"d{n}": {"week": f"w{n}", "day_number": 1} for n in range(1, 9)}
    template, _ = await make(coach, weeks=weeks, days=days, exercises={}, sets={})
    body = {"athlete_id": athlete.id, "start_date": monday.isoformat(), "end_date": str(monday + timedelta(weeks=8))}
    assigned = (await coach("POST", f"/api/programs/{template['id']}/assign", body)).json()
    path = f"/api/programs/{assigned['id']}"

    by_patch = (await coach("PATCH", path, {"status": "completed"})).json()
    assert (by_patch["status"], by_patch["end_date"]) == ("completed", today.isoformat())
    assert (await athlete("GET", f"{path}?include=analytics")).json()["analytics"]["sessions_in_program"] == 3

    again = await coach("PATCH", path, {"status": "active", "end_date": body["end_date"]})
    by_put = await coach("PUT", path, again.json() | {"status": "completed"}, if_match=again.headers["etag"])
    assert (by_put.json()["status"], by_put.json()["end_date"]) == ("completed", today.isoformat())

    await coach("PATCH", path, {"status": "active", "end_date": body["end_date"]})
    told = (await coach("PATCH", path, {"status": "completed", "end_date": "2026-03-01"})).json()
    assert told["end_date"] == "2026-03-01", "whoever says when is believed"


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
