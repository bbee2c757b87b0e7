"""Check-ins over REST: the athlete reports, the coach answers, and everyone writes only what is theirs."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from apex_server.db import Database
from tests.server.accounts_app import problem
from tests.server.rest_app import Device, Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio

REPORT: dict[str, Any] = {
    "date": "2026-03-01",
    "week_number": 4,
    "weight": 180.5,
    "weight_unit": "lb",
    "responses": {"energy": 7, "sleep": 6},
    "measurements": {"waist_cm": 84.5},
    "photos": [{"media_id": "m1", "type": "front"}, {"media_id": "m2", "type": "back"}],
    "questionnaire": {"Did you travel?": "no"},
    "notes": "Slept badly.",
}


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def submit(person: Person, **changes: Any) -> tuple[dict[str, Any], str]:
    """Submit a check-in that must be taken; give its view and ETag."""
    answer = await person("POST", "/api/checkins", REPORT | changes)
    assert answer.status_code == 201, answer.text
    return answer.json(), answer.headers["etag"]


async def test_a_submitted_check_in_reads_back(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    checkin, _ = await submit(athlete)

    again = (await athlete("GET", f"/api/checkins/{checkin['id']}")).json()

    assert again == checkin
    assert (again["weight"], again["weight_unit"], again["weight_kg"]) == (180.5, "lb", 81.873423)
    assert [photo["media_id"] for photo in again["photos"]] == ["m1", "m2"]
    assert again["responses"] == {"energy": 7, "sleep": 6}
    assert again["questionnaire"] == {"Did you travel?": "no"}
    assert again["submitted_at"] is not None and not again["needs_review"]


async def test_a_check_in_with_submitted_at_null_is_a_draft(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    checkin, _ = await submit(athlete, submitted_at=None)
    assert checkin["submitted_at"] is None
    assert (await coach("GET", "/api/checkins/pending")).json() == {"pending": [], "more": False}


async def test_a_check_in_sent_again_is_there_once(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    body = REPORT | {"id": new_id()}
    answers = [await athlete("POST", "/api/checkins", body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()


async def test_a_body_that_names_an_athlete_of_somebody_else_is_told_so(rest: RestServer) -> None:
    coach, stranger = await rest.person("coach"), await rest.person("athlete")
    for path, body in (("/api/programs", {"name": "Base"}), ("/api/workouts", {"date": "2026-03-01"})):
        refused = await coach("POST", path, body | {"athlete_id": stranger.id})
        assert problem(refused) == (404, "not_found")
        assert refused.json()["detail"] == "There is no such athlete."


async def test_only_athletes_submit(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    refused = await coach("POST", "/api/checkins", REPORT | {"athlete_id": athlete.id})
    assert problem(refused) == (403, "role_required")


async def test_a_coach_sends_the_whole_check_in_back_with_their_answer(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    checkin, etag = await submit(athlete)
    body = checkin | {"coach_feedback": "Well done."}

    answer = await coach("PUT", f"/api/checkins/{checkin['id']}", body, if_match=etag)

    assert answer.json()["coach_feedback"] == "Well done."
    assert answer.json()["responses"] == checkin["responses"]


async def test_leaving_out_a_field_of_another_role_empties_nothing(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    checkin, _ = await submit(athlete)
    await coach("POST", f"/api/checkins/{checkin['id']}/review", {"coach_feedback": "Well done."})
    etag = (await athlete("GET", f"/api/checkins/{checkin['id']}")).headers["etag"]

    answer = await athlete("PUT", f"/api/checkins/{checkin['id']}", REPORT | {"notes": "Slept well."}, if_match=etag)

    assert (answer.json()["notes"], answer.json()["coach_feedback"]) == ("Slept well.", "Well done.")
    assert answer.json()["submitted_at"] is None


@pytest.mark.parametrize(
    ("who", "change", "field"),
    [
        ("coach", {"responses": {"energy": 1}}, "responses"),
        ("coach", {"ai_summary": "Fine."}, "ai_summary"),
        ("athlete", {"coach_feedback": "Well done."}, "coach_feedback"),
        ("athlete", {"ai_flags": [{"type": "positive", "message": "!"}]}, "ai_flags"),
    ],
)
async def test_a_field_of_another_role_is_forbidden(
    rest: RestServer, who: str, change: dict[str, Any], field: str
) -> None:
    coach, athlete = await rest.coach_and_athlete()
    checkin, etag = await submit(athlete)
    person = coach if who == "coach" else athlete
    path = f"/api/checkins/{checkin['id']}"
    for refused in (await person("PATCH", path, change), await person("PUT", path, checkin | change, if_match=etag)):
        assert problem(refused) == (403, "field_forbidden")
        assert refused.json()["fields"] == [field]


async def test_energy_of_fourteen_is_refused(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    refused = await athlete("POST", "/api/checkins", REPORT | {"responses": {"energy": 14, "sleep": 0}, "weight": -3})
    assert problem(refused) == (422, "invalid_fields")
    assert {error["field"] for error in refused.json()["errors"]} >= {"responses.energy", "responses.sleep"}
    checkin, _ = await submit(athlete)
    assert problem(await athlete("PATCH", f"/api/checkins/{checkin['id']}", {"responses": {"energy": 14}})) == (
        422,
        "invalid_fields",
    )


async def test_energy_of_fourteen_by_sync_is_marked_for_review(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    record_id = new_id()
    phone = Device(rest, athlete, "Phone", "phone")
    await phone.push(record_id, {"date": "2026-03-01", "responses": {"energy": 14}}, collection="check_ins")
    shown = (await coach("GET", f"/api/checkins/{record_id}")).json()
    assert (shown["needs_review"], shown["problems"][0]["field"]) == (True, "responses.energy")


async def test_a_review_takes_a_check_in_from_the_pending_ones(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    checkin, _ = await submit(athlete)
    [pending] = (await coach("GET", "/api/checkins/pending")).json()["pending"]
    assert pending["checkin"]["id"] == checkin["id"]

    answer = await coach("POST", f"/api/checkins/{checkin['id']}/review", {"coach_feedback": "Rest on Friday."})

    reviewed = answer.json()
    assert (reviewed["coach_feedback"], reviewed["coach_reviewed"]) == ("Rest on Friday.", True)
    assert reviewed["reviewed_at"] is not None
    assert (await coach("GET", "/api/checkins/pending")).json()["pending"] == []
    assert (await athlete("GET", f"/api/checkins/{checkin['id']}")).json()["coach_feedback"] == "Rest on Friday."


async def test_an_answer_that_changes_after_the_review_waits_for_the_coach_again(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    checkin, etag = await submit(athlete)
    path = f"/api/checkins/{checkin['id']}"

    async def stands() -> tuple[bool, list[str]]:
        pending = (await coach("GET", "/api/checkins/pending")).json()["pending"]
        return (await coach("GET", path)).json()["edited_since_review"], [one["checkin"]["id"] for one in pending]

    await coach("POST", f"{path}/review", {"coach_feedback": "Well done."})
    await athlete("PATCH", path, {"submitted_at": "2026-03-01T20:00:00"})
    assert await stands() == (False, []), "handing it in again says nothing new"
    await athlete("PATCH", path, {"responses": {"sleep": 2}})
    assert await stands() == (True, [checkin["id"]])
    await coach("POST", f"{path}/review", {"coach_feedback": "Sleep first."}, if_match=etag)
    assert await stands() == (True, [checkin["id"]]), "what was reviewed is the version that the coach had"
    await coach("PATCH", path, {"coach_reviewed": True})
    assert await stands() == (False, [])


async def test_two_check_ins_for_a_day_name_each_other_and_stay_two(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    one, two, other = [(await submit(athlete, date=day))[0]["id"] for day in ("2026-03-01", "2026-03-01", "2026-03-08")]
    pending = (await coach("GET", "/api/checkins/pending")).json()["pending"]
    listed = (await coach("GET", "/api/checkins")).json()["checkins"]
    for shown in ([one["checkin"] for one in pending], listed):
        assert {view["id"]: view["same_day"] for view in shown} == {one: [two], two: [one], other: []}


async def test_pending_check_ins_of_one_id_are_each_their_own_athletes(rest: RestServer) -> None:
    coach, first = await rest.coach_and_athlete()
    second = await rest.person("athlete")
    await rest.link(coach, second)
    record_id = new_id()
    for athlete in (first, second):
        await submit(athlete, id=record_id, notes=f"written by {athlete.id}")

    pending = (await coach("GET", "/api/checkins/pending")).json()["pending"]

    assert {(entry["checkin"]["athlete_id"], entry["checkin"]["notes"]) for entry in pending} == {
        (athlete.id, f"written by {athlete.id}") for athlete in (first, second)
    }


async def test_pending_check_ins_come_by_urgency_and_then_by_age(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    ids = {
        day: (await submit(athlete, date=day, submitted_at=f"{day}T10:00:00Z"))[0]["id"]
        for day in ("2026-03-15", "2026-03-01", "2026-03-08")
    }
    await draft_insight(rest, coach, athlete, ids["2026-03-15"], "high")
    await draft_insight(rest, coach, athlete, ids["2026-03-15"], "low")

    pending = (await coach("GET", "/api/checkins/pending")).json()["pending"]

    assert [entry["checkin"]["date"] for entry in pending] == ["2026-03-15", "2026-03-01", "2026-03-08"]
    assert [entry["priority"] for entry in pending] == ["high", None, None]


async def draft_insight(rest: RestServer, coach: Person, athlete: Person, about: str, priority: str) -> None:
    patch = {"athlete_id": athlete.id, "kind": "check_in", "about_id": about, "priority": priority, "status": "draft"}
    await rest.committer.write(None, f"private:{coach.id}:{athlete.id}", "insights", new_id(), patch)


async def test_review_pending_and_analysis_are_for_coaches(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    checkin, _ = await submit(athlete)
    path = f"/api/checkins/{checkin['id']}"
    for method, address, body in (
        ("GET", "/api/checkins/pending", None),
        ("POST", f"{path}/review", {"coach_feedback": "!"}),
        ("POST", f"{path}/ai-analyze", None),
    ):
        assert problem(await athlete(method, address, body)) == (403, "role_required")


async def test_asking_for_analysis_makes_it_due_at_once(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    checkin, _ = await submit(athlete)

    answer = await coach("POST", f"/api/checkins/{checkin['id']}/ai-analyze")

    assert answer.status_code == 202
    async with rest.database.commit_connection() as connection:
        age = await connection.fetchval(
            "SELECT now() - first_marked_at FROM dirty WHERE athlete_id = $1 AND kind = 'check_in'", UUID(athlete.id)
        )
    assert age > timedelta(days=1)


async def test_foreign_check_ins_look_like_absent_ones(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    checkin, etag = await submit(athlete)
    path = f"/api/checkins/{checkin['id']}"
    coach, stranger = await rest.person("coach"), await rest.person("athlete")
    for person, method, address, body in (
        (stranger, "GET", path, None),
        (stranger, "PUT", path, REPORT),
        (stranger, "PATCH", path, {"notes": "!"}),
        (stranger, "DELETE", path, None),
        (coach, "GET", path, None),
        (coach, "POST", f"{path}/review", {"coach_feedback": "!"}),
        (coach, "POST", f"{path}/ai-analyze", None),
    ):
        assert problem(await person(method, address, body, if_match=etag)) == (404, "not_found"), (method, address)
    assert (await coach("GET", f"/api/checkins/client/{athlete.id}")).json() == {"checkins": [], "next": None}
    assert (await coach("GET", "/api/checkins/pending")).json()["pending"] == []


async def test_coach_and_athlete_edit_different_fields_from_one_version(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    checkin, etag = await submit(athlete)
    path = f"/api/checkins/{checkin['id']}"
    await athlete("PUT", path, checkin | {"notes": "Slept well."}, if_match=etag)

    answer = await coach("PUT", path, checkin | {"coach_feedback": "Go on."}, if_match=etag)

    assert (answer.json()["notes"], answer.json()["coach_feedback"]) == ("Slept well.", "Go on.")
    assert "conflicts" not in answer.json()


async def test_photos_are_added_moved_and_removed_one_by_one(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    checkin, etag = await submit(athlete)
    front, back = checkin["photos"]
    photos = [back, {"media_id": "m3", "type": "other"}]

    answer = await athlete("PUT", f"/api/checkins/{checkin['id']}", checkin | {"photos": photos}, if_match=etag)

    assert [photo["media_id"] for photo in answer.json()["photos"]] == ["m2", "m3"]
    assert answer.json()["photos"][0]["id"] == back["id"] != front["id"]


async def test_pages_of_check_ins_follow_each_other(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    for day in ("2026-03-01", "2026-03-08", "2026-03-15"):
        await submit(athlete, date=day)
    first = (await athlete("GET", "/api/checkins?limit=2")).json()
    rest_of_it = (await athlete("GET", f"/api/checkins?limit=2&after={first['next']}")).json()
    days = [checkin["date"] for page in (first, rest_of_it) for checkin in page["checkins"]]
    assert days == ["2026-03-15", "2026-03-08", "2026-03-01"]
    assert rest_of_it["next"] is None
