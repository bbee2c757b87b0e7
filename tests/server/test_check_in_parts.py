"""What stands beside a check-in: the coach's questions with its answers, and the photos that name it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from apex_server.db import Database
from tests.server.accounts_app import problem
from tests.server.rest_app import Device, Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio

WEEKLY: dict[str, Any] = {
    "name": "Weekly",
    "questions": {
        "q1": {
            "text": "How is your knee?", "type": "scale", "minimum": 0, "maximum": 10, "required": True, "order": "a",
        },
        "q2": {"text": "Steps a day?", "type": "number", "unit": "steps", "order": "b"},
    },
}  # fmt: skip
SCALE = "Expected a whole number from 0 to 10"


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


async def asked(rest: RestServer) -> tuple[Person, Person, str]:
    """Give a coach, an athlete, and the coach's questionnaire."""
    coach, athlete = await rest.coach_and_athlete()
    return coach, athlete, (await coach("POST", "/api/questionnaires", WEEKLY)).json()["id"]


def refused_fields(answer: Any) -> list[tuple[str, str]]:
    assert problem(answer) == (422, "invalid_fields"), answer.text
    return [(each["field"], each["message"]) for each in answer.json()["errors"]]


async def test_what_a_questionnaire_forbids_is_refused_when_it_is_handed_in_and_not_before(rest: RestServer) -> None:
    _, athlete, questionnaire_id = await asked(rest)
    report: dict[str, Any] = {"date": "2026-03-01", "questionnaire_id": questionnaire_id, "questionnaire": {"q2": "x"}}
    wrong = [
        ("questionnaire.q1", "Expected an answer: How is your knee?"),
        ("questionnaire.q2", "Expected a number: Steps a day?"),
    ]
    assert refused_fields(await athlete("POST", "/api/checkins", report)) == wrong
    draft = await athlete("POST", "/api/checkins", report | {"submitted_at": None})
    assert draft.status_code == 201, draft.text
    path, submitted = f"/api/checkins/{draft.json()['id']}", {"submitted_at": "2026-03-01T18:00:00"}
    assert refused_fields(await athlete("PATCH", path, submitted)) == wrong
    answers = {"questionnaire": {"q1": 7, "q2": 9000.5}}
    handed_in = await athlete("PATCH", path, submitted | answers)
    assert handed_in.status_code == 200, handed_in.text
    for answer, message in (("banana", SCALE), (None, "Expected an answer")):
        refused = await athlete("PATCH", path, {"questionnaire": {"q1": answer}})
        assert refused_fields(refused) == [("questionnaire.q1", f"{message}: How is your knee?")]


async def test_what_devices_answered_is_shown_with_its_problem_and_in_the_way_of_nothing(rest: RestServer) -> None:
    coach, athlete, questionnaire_id = await asked(rest)
    checkin_id, device = new_id(), Device(rest, athlete, "phone", "phone")
    report = {
        "date": "2026-03-01",
        "submitted_at": "2026-03-01T18:00:00",
        "questionnaire_id": questionnaire_id,
        "questionnaire": {"q1": "banana", "q2": 9000},
    }
    await device.push(checkin_id, report, collection="check_ins")
    assert (await coach("DELETE", f"/api/questionnaires/{questionnaire_id}")).status_code == 204
    shown = (await coach("GET", f"/api/checkins/{checkin_id}")).json()
    assert shown["questions"] == [
        {"key": "q1", "text": "How is your knee?", "answer": "banana", "unit": None, "problem": SCALE},
        {"key": "q2", "text": "Steps a day?", "answer": 9000, "unit": "steps", "problem": None},
    ]
    edited = await athlete("PATCH", f"/api/checkins/{checkin_id}", {"questionnaire": {"q2": 9100}, "notes": "Fine."})
    assert edited.status_code == 200 and edited.json()["questions"][1]["answer"] == 9100


async def test_of_two_coaches_questionnaires_with_one_id_the_answered_one_is_shown_and_holds(rest: RestServer) -> None:
    coach, athlete, questionnaire_id = await asked(rest)
    other = await rest.person("coach")
    await rest.link(other, athlete)
    question = {"text": "Sore?", "type": "yes_no", "required": True, "order": "a"}
    theirs = {"id": questionnaire_id, "name": "Daily", "active": True, "questions": {"sore": question}}
    assert (await other("POST", "/api/questionnaires", theirs)).status_code == 201

    shown: list[list[str]] = []
    for answers in ({"q1": 7}, {"sore": "no"}):
        report = {"date": "2026-03-01", "questionnaire_id": questionnaire_id, "questionnaire": answers}
        made = await athlete("POST", "/api/checkins", report)
        assert made.status_code == 201, made.text
        shown.append([one["text"] for one in made.json()["questions"]])
    assert shown == [["How is your knee?", "Steps a day?"], ["Sore?"]]
    listed = (await athlete("GET", "/api/checkins")).json()["checkins"]
    assert sorted([one["text"] for one in each["questions"]] for each in listed) == shown
    nothing = {"date": "2026-03-02", "questionnaire_id": questionnaire_id, "questionnaire": {}}
    wrong = [("questionnaire.sore", "Expected an answer: Sore?")]
    assert refused_fields(await athlete("POST", "/api/checkins", nothing)) == wrong, "the one that is asked"
    read = await coach("GET", f"/api/checkins/{listed[0]['id']}")
    assert "How is your knee?" in [one["text"] for one in read.json()["questions"]], "a coach reads their own"


async def test_a_stranger_learns_nothing_of_a_questionnaire_by_naming_it(rest: RestServer) -> None:
    _, _, questionnaire_id = await asked(rest)
    stranger = await rest.person("athlete")
    body = {"date": "2026-03-01", "questionnaire_id": questionnaire_id, "questionnaire": {"q1": "x"}}
    made = await stranger("POST", "/api/checkins", body)
    assert made.status_code == 201, made.text
    assert [one["text"] for one in made.json()["questions"]] == ["q1"]


async def test_photos_that_name_a_check_in_are_shown_with_it_once(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    checkin = (
        await athlete("POST", "/api/checkins", {"date": "2026-03-01", "photos": [{"media_id": "m1", "pose": "side"}]})
    ).json()
    named = {"date": "2026-03-01", "check_in_id": checkin["id"]}
    photo = (await athlete("POST", "/api/progress/photos", named | {"media_id": "m2", "type": "back"})).json()
    for other in ({"media_id": "m1"}, {"media_id": "m3", "check_in_id": new_id()}):
        assert (await athlete("POST", "/api/progress/photos", named | other)).status_code == 201
    path = f"/api/checkins/{checkin['id']}"
    answer = await athlete("GET", path)
    assert [(each["media_id"], each["progress_photo_id"]) for each in answer.json()["photos"]] == [
        ("m1", None),
        ("m2", photo["id"]),
    ]
    assert [(each["url"], each["thumbnail_url"]) for each in answer.json()["photos"]] == [
        (f"/api/media/{each}", f"/api/media/{each}/thumbnail") for each in ("m1", "m2")
    ]
    again = await athlete("PUT", path, answer.json(), if_match=answer.headers["etag"])
    assert again.headers["etag"] == answer.headers["etag"], "what is sent back as it was changes nothing"
    timeline = (await coach("GET", f"/api/clients/{athlete.id}/timeline")).json()
    [facts] = [each["facts"] for each in timeline["entries"] if each["kind"] == "check_in"]
    assert facts["photos"] == 2
    assert (await athlete("DELETE", f"/api/progress/photos/{photo['id']}")).status_code == 204
    assert [each["media_id"] for each in (await coach("GET", path)).json()["photos"]] == ["m1"]


async def test_a_check_in_that_thousands_of_photos_name_takes_none_from_the_others(rest: RestServer) -> None:
    athlete = await rest.person("athlete")
    days = ("2026-03-01", "2026-03-02")
    crowded, other = [(await athlete("POST", "/api/checkins", {"date": day})).json()["id"] for day in days]
    phone = Device(rest, athlete, "phone", "phone")
    for _ in range(2):
        await phone.push_new([{"date": days[0], "check_in_id": crowded}] * 1000, collection="progress_photos")
    named = [{"date": days[1], "check_in_id": other, "media_id": f"m{number}"} for number in range(3)]
    await phone.push_new(named, collection="progress_photos")

    listed = {each["id"]: each["photos"] for each in (await athlete("GET", "/api/checkins")).json()["checkins"]}
    assert {each["media_id"] for each in listed[other]} == {"m0", "m1", "m2"}
    assert len(listed[crowded]) == 997
