"""Programs and exercises over REST: who writes and reads them, and what a coach's plan says of what was done."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from apex_server.db import Database
from tests.server.accounts_app import problem
from tests.server.program_bodies import PERCENT, PLAN, bench, make
from tests.server.rest_app import Device, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


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


async def test_programs_are_the_coachs_to_write(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    assert problem(await athlete("POST", "/api/programs", PLAN)) == (403, "role_required")
    program, _ = await make(coach, athlete_id=athlete.id, start_date="2026-03-02", status="active")
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


async def test_what_an_athlete_follows_has_a_first_day_unless_an_old_app_synced_it(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    undated = PLAN | {"athlete_id": athlete.id, "status": "active"}
    refused = await coach("POST", "/api/programs", undated)
    assert (problem(refused), refused.json()["errors"][0]["field"]) == ((422, "invalid_fields"), "start_date")
    assert "assign a template" in refused.json()["errors"][0]["message"]
    program, etag = await make(coach, **undated, start_date="2026-03-02")
    path = f"/api/programs/{program['id']}"
    for answer in (
        await coach("PATCH", path, {"start_date": None}),
        await coach("PUT", path, PLAN | {"status": "active"}, if_match=etag),
    ):
        assert (problem(answer), answer.json()["errors"][0]["field"]) == ((422, "invalid_fields"), "start_date")
    over = await coach("PATCH", path, {"status": "archived", "start_date": None})
    assert over.status_code == 200, over.text
    assert problem(await coach("PATCH", path, {"status": "active"})) == (422, "invalid_fields")
    template, _ = await make(coach, status="active")
    assert template["athlete_id"] is None, "nobody follows a template, whatever its status"

    old_app, synced = Device(rest, coach, "Tablet", "phone"), new_id()
    scope = f"athlete:{athlete.id}"
    await old_app.push(synced, {"name": "Old", "status": "active"}, collection="programs", scope=scope)
    renamed = await coach("PATCH", f"/api/programs/{synced}", {"name": "Mended"})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Mended"), "what stands is no hindrance"
    dated = await coach("PATCH", f"/api/programs/{synced}", {"start_date": "2026-03-02"})
    assert dated.status_code == 200, dated.text


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
