"""Workouts over REST: one record with phone and watch, whole in and whole out, and no edit lost."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
import pytest

from apex_server.db import Database, load_queries
from apex_server.resources import PageMark
from apex_sync.ids import athlete_scope
from tests.server.accounts_app import problem
from tests.server.rest_app import Device, Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio

PUSH: dict[str, Any] = {
    "title": "Push",
    "date": "2026-03-01",
    "start_time": "2026-03-01T18:05:00+01:00",
    "exercises": [
        {
            "name": "Bench Press",
            "sets": [{"reps": 8, "load": 225, "load_unit": "lb", "rpe": 8}, {"reps": 6, "load": 100}],
        },
        {"name": "Dip", "skipped": True},
    ],
}


ZONED_MARK = PageMark(None, datetime(2026, 3, 1, tzinfo=UTC), UUID(int=1)).encode()


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


@pytest.fixture
async def athlete(rest: RestServer) -> Person:
    return await rest.person("athlete")


async def log(person: Person, **changes: Any) -> tuple[dict[str, Any], str]:
    """Log a workout that must be taken; give its view and ETag."""
    answer = await person("POST", "/api/workouts", PUSH | changes)
    assert answer.status_code == 201, answer.text
    return answer.json(), answer.headers["etag"]


async def read(person: Person, workout_id: str, include: str = "") -> dict[str, Any]:
    answer = await person("GET", f"/api/workouts/{workout_id}?include={include}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def sets_of(workout: dict[str, Any], exercise: int = 0) -> list[dict[str, Any]]:
    return list(workout["exercises"][exercise]["sets"])


async def test_a_logged_workout_reads_back_with_its_derived_figures(athlete: Person) -> None:
    workout, _ = await log(athlete)

    again = await read(athlete, workout["id"])

    assert again == workout
    assert again["athlete_id"] == athlete.id
    assert sets_of(again)[0].items() >= {"set_number": 1, "load": 225, "load_unit": "lb", "load_kg": 102.058283}.items()
    assert again["total_volume_load_kg"] == pytest.approx(8 * 102.058283 + 600, abs=0.01)
    assert (again["average_rpe"], again["skipped_exercises"]) == (8, ["Dip"])
    assert again["synced_at"] is not None and again["created_at"] is not None


async def test_a_workout_sent_again_under_its_id_is_there_once(athlete: Person) -> None:
    body = PUSH | {"id": new_id()}
    answers = [await athlete("POST", "/api/workouts", body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()
    assert len((await athlete("GET", "/api/workouts")).json()["workouts"]) == 1


async def test_the_same_idempotency_key_makes_one_workout(athlete: Person) -> None:
    answers = [await athlete("POST", "/api/workouts", PUSH, idempotency_key="k1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json()["id"] == answers[1].json()["id"]


async def test_another_workout_under_a_taken_id_is_refused(athlete: Person) -> None:
    body = PUSH | {"id": new_id()}
    await athlete("POST", "/api/workouts", body)
    assert problem(await athlete("POST", "/api/workouts", body | {"title": "Pull"})) == (409, "already_exists")


async def test_a_workout_sent_again_after_an_edit_elsewhere_undoes_nothing(rest: RestServer, athlete: Person) -> None:
    body = PUSH | {"id": new_id()}
    await athlete("POST", "/api/workouts", body)
    watch = Device(rest, athlete, "Watch", "watch")
    await watch.push(body["id"], {"fatigue": 9}, base=await rest.document(body["id"]))

    again = await athlete("POST", "/api/workouts", body)

    assert (again.status_code, again.json()["fatigue"]) == (200, 9)


async def test_put_writes_only_what_differs(rest: RestServer, athlete: Person) -> None:
    workout, etag = await log(athlete)
    watch = Device(rest, athlete, "Watch", "watch")
    await watch.push(workout["id"], {"mood": 3}, base=await rest.document(workout["id"]))

    answer = await athlete("PUT", f"/api/workouts/{workout['id']}", workout | {"fatigue": 7}, if_match=etag)

    assert answer.status_code == 200, answer.text
    assert (answer.json()["fatigue"], answer.json()["mood"]) == (7, 3)
    assert "conflicts" not in answer.json()


async def test_a_stale_put_to_the_same_value_lists_a_conflict(rest: RestServer, athlete: Person) -> None:
    workout, etag = await log(athlete)
    [first, _] = sets_of(workout)
    watch = Device(rest, athlete, "Anna's watch", "watch")
    await watch.push(workout["id"], {"sets": {first["id"]: {"reps": 9}}}, base=await rest.document(workout["id"]))
    workout["exercises"][0]["sets"][0]["reps"] = 7

    answer = await athlete("PUT", f"/api/workouts/{workout['id']}", workout, if_match=etag)

    [conflict] = answer.json()["conflicts"]
    assert conflict["path"] == f"sets.{first['id']}.reps"
    assert (conflict["kept"]["value"], conflict["kept"]["by"]["kind"]) == (7, "server")
    [lost] = conflict["discarded"]
    assert (lost["value"], lost["by"]["kind"], lost["by"]["name"]) == (9, "watch", "Anna's watch")


async def test_a_value_that_stands_already_is_not_written_again(rest: RestServer, athlete: Person) -> None:
    workout, etag = await log(athlete)
    watch = Device(rest, athlete, "Watch", "watch")
    await watch.push(workout["id"], {"mood": 3}, base=await rest.document(workout["id"]))
    before = await rest.document(workout["id"])

    answer = await athlete("PUT", f"/api/workouts/{workout['id']}", workout | {"mood": 3}, if_match=etag)

    assert (answer.status_code, answer.json()["mood"]) == (200, 3)
    assert await rest.document(workout["id"]) == before


async def test_a_stale_put_over_ones_own_later_edit_is_refused(athlete: Person) -> None:
    workout, etag = await log(athlete)
    path = f"/api/workouts/{workout['id']}"
    await athlete("PATCH", path, {"fatigue": 5})
    refused = await athlete("PUT", path, workout | {"fatigue": 7}, if_match=etag)
    assert problem(refused) == (412, "version_stale")
    assert refused.json()["fields"] == ["fatigue"]
    assert (await read(athlete, workout["id"]))["fatigue"] == 5


async def test_put_needs_to_know_its_version(athlete: Person) -> None:
    workout, etag = await log(athlete)
    path = f"/api/workouts/{workout['id']}"
    assert problem(await athlete("PUT", path, workout)) == (428, "version_required")
    assert problem(await athlete("PUT", path, workout, if_match='"nonsense"')) == (422, "invalid_fields")
    assert problem(await athlete("PUT", path, workout, if_match='"kgcB"')) == (409, "version_unknown")
    assert (await athlete("PUT", path, workout, if_match=etag)).headers["etag"] == etag
    assert (await athlete("PUT", path, workout | {"mood": 2}, if_match="*")).json()["mood"] == 2


async def test_put_leaves_alone_what_only_a_newer_app_knows(rest: RestServer, athlete: Person) -> None:
    workout_id = new_id()
    phone = Device(rest, athlete, "Phone", "phone")
    await phone.push(workout_id, {"title": "Push", "tempo_plan": "3020"})
    before = await athlete("GET", f"/api/workouts/{workout_id}")

    await athlete("PUT", f"/api/workouts/{workout_id}", before.json() | {"mood": 4}, if_match=before.headers["etag"])

    assert b"tempo_plan" in await rest.document(workout_id)
    assert (await read(athlete, workout_id))["mood"] == 4


async def test_patch_changes_single_values(athlete: Person) -> None:
    workout, _ = await log(athlete)
    [first, second] = sets_of(workout)
    patch = {"sets": {first["id"]: {"load": 230, "load_unit": "lb"}, second["id"]: {"deleted": True}}}

    answer = await athlete("PATCH", f"/api/workouts/{workout['id']}", patch)

    [left] = sets_of(answer.json())
    assert (left["load"], left["load_kg"]) == (230, 104.326245)


async def test_a_deleted_workout_is_gone_until_it_is_restored(athlete: Person) -> None:
    workout, _ = await log(athlete)
    path = f"/api/workouts/{workout['id']}"

    assert (await athlete("DELETE", path)).status_code == 204
    assert problem(await athlete("GET", path)) == (404, "not_found")
    assert problem(await athlete("DELETE", path)) == (404, "not_found")
    assert (await athlete("GET", "/api/workouts")).json()["workouts"] == []

    restored = await athlete("POST", f"{path}/restore")
    assert restored.status_code == 200
    assert restored.json()["exercises"] == workout["exercises"]


async def test_a_coach_reads_and_corrects_the_workouts_of_their_athletes(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    workout, _ = await log(athlete)

    answer = await coach("PATCH", f"/api/workouts/{workout['id']}", {"notes": "Elbows in."})

    assert answer.json()["notes"] == "Elbows in."
    made = await coach("POST", "/api/workouts", {"title": "Together", "date": "2026-03-01", "athlete_id": athlete.id})
    assert made.json()["athlete_id"] == athlete.id
    assert {w["title"] for w in (await coach("GET", f"/api/workouts/client/{athlete.id}")).json()["workouts"]} == {
        "Push",
        "Together",
    }


async def test_foreign_workouts_look_like_absent_ones(rest: RestServer, athlete: Person) -> None:
    workout, etag = await log(athlete)
    strangers = [await rest.person("coach"), await rest.person("athlete")]
    for stranger in strangers:
        for method, path, body in (
            ("GET", f"/api/workouts/{workout['id']}", None),
            ("GET", f"/api/workouts/{new_id()}", None),
            ("PUT", f"/api/workouts/{workout['id']}", PUSH),
            ("PATCH", f"/api/workouts/{workout['id']}", {"mood": 1}),
            ("DELETE", f"/api/workouts/{workout['id']}", None),
            ("POST", f"/api/workouts/{workout['id']}/restore", None),
            ("POST", "/api/workouts", PUSH | {"athlete_id": athlete.id}),
        ):
            assert problem(await stranger(method, path, body, if_match=etag)) == (404, "not_found"), (method, path)
        assert (await stranger("GET", f"/api/workouts/client/{athlete.id}")).json()["workouts"] == []


async def test_every_value_out_of_bounds_is_named(athlete: Person) -> None:
    body = {
        "fatigue": 14,
        "mood": "good",
        "exercises": [{"name": "Squat", "sets": [{"reps": 5}, {"reps": -1, "rpe": 14}]}],
    }
    refused = await athlete("POST", "/api/workouts", body)
    assert problem(refused) == (422, "invalid_fields")
    assert {error["field"] for error in refused.json()["errors"]} == {
        "fatigue",
        "mood",
        "exercises[0].sets[1].reps",
        "exercises[0].sets[1].rpe",
    }
    assert (await athlete("GET", "/api/workouts")).json()["workouts"] == []


@pytest.mark.parametrize("body", [[], 3, "x", None, {"fatige": 3}, {"exercises": 3}, {"id": "x"}, {"id": 3}])
async def test_a_body_of_another_shape_is_refused(athlete: Person, body: Any) -> None:
    status, _ = problem(await athlete("POST", "/api/workouts", body))
    assert status in (400, 422)


async def test_a_value_out_of_bounds_that_came_by_sync_is_marked_and_no_obstacle(
    rest: RestServer, athlete: Person
) -> None:
    workout_id = new_id()
    await Device(rest, athlete, "Phone", "phone").push(workout_id, {"title": "Push", "fatigue": 14})
    answer = await athlete("GET", f"/api/workouts/{workout_id}")
    assert answer.json()["needs_review"]
    assert [p["field"] for p in answer.json()["problems"]] == ["fatigue"]

    changed = await athlete(
        "PUT", f"/api/workouts/{workout_id}", answer.json() | {"mood": 5}, if_match=answer.headers["etag"]
    )

    assert (changed.status_code, changed.json()["fatigue"], changed.json()["mood"]) == (200, 14, 5)


async def test_contributions_name_the_device_of_each_set(rest: RestServer, athlete: Person) -> None:
    workout_id = new_id()
    phone, watch = Device(rest, athlete, "Anna's phone", "phone"), Device(rest, athlete, "Anna's watch", "watch")
    await phone.push(workout_id, {"title": "Push", "sets": {"a": {"reps": 8}}})
    await watch.push(workout_id, {"sets": {"b": {"reps": 6}}}, base=await rest.document(workout_id))
    await athlete("PATCH", f"/api/workouts/{workout_id}", {"sets": {"b": {"rpe": 9}}})

    found = (await read(athlete, workout_id, "contributions"))["contributions"]

    by_path = {entry["path"]: [origin["name"] for origin in entry["by"]] for entry in found}
    assert by_path == {"title": ["Anna's phone"], "sets.a": ["Anna's phone"], "sets.b": ["Anna's watch", "Web"]}


async def test_a_late_offline_set_cancels_a_personal_record(rest: RestServer, athlete: Person) -> None:
    def bench(day: str, load: float) -> dict[str, Any]:
        return {"date": day, "exercises": [{"name": "Bench Press", "sets": [{"reps": 5, "load": load}]}]}

    await athlete("POST", "/api/workouts", bench("2026-03-01", 100))
    second = (await athlete("POST", "/api/workouts", bench("2026-03-15", 110))).json()
    assert "load_pr" in {mark["kind"] for mark in second["personal_records"]}
    assert second["exercises"][0]["personal_record"] is True

    late = {
        "date": "2026-03-08",
        "exercises": {"e": {"name": "Bench Press"}},
        "sets": {"s": {"exercise": "e", "reps": 8, "load_kg": 120}},
    }
    await Device(rest, athlete, "Watch", "watch").push(new_id(), late)

    again = await read(athlete, second["id"])
    assert (again["personal_records"], again["exercises"][0]["personal_record"]) == ([], False)


async def test_pages_follow_each_other_without_gap_or_double(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    other = await rest.person("athlete")
    await rest.link(coach, other)
    for person in (athlete, other):
        for day in ("2026-03-01", "2026-03-02", "2026-03-02", "2026-02-27"):
            await log(person, date=day, start_time=None)
        for older in ({"title": "Sometime"}, {"date": "2026-02-31"}):
            await rest.committer.write(UUID(person.id), athlete_scope(person.id), "workout_logs", new_id(), older)

    async def all_pages(order: str) -> list[tuple[str | None, str]]:
        seen, after = [], ""
        while True:
            page = (await coach("GET", f"/api/workouts?limit=3&sort={order}{after}")).json()
            seen += [(workout["date"], workout["id"]) for workout in page["workouts"]]
            if page["next"] is None:
                return seen
            after = f"&after={page['next']}"

    listed = await all_pages("-date")
    assert len(set(listed)) == len(listed) == 12
    dated = [day for day, _ in listed[:8] if day is not None]
    assert dated == sorted(dated, reverse=True) and len(dated) == 8
    assert {day for day, _ in listed[8:]} == {None, "2026-02-31"}, "what older apps sent without a day comes last"
    assert await all_pages("date") == listed[::-1]


async def test_filters_narrow_the_list(athlete: Person) -> None:
    await log(athlete, program_id="p1")
    await log(athlete, date="2026-04-01", start_time=None, exercises=[{"name": "Squat", "exercise_id": "ex-1"}])

    async def titles(query: str) -> list[str]:
        return [w["date"] for w in (await athlete("GET", f"/api/workouts?{query}")).json()["workouts"]]

    assert await titles("") == ["2026-04-01", "2026-03-01"]
    assert await titles("from=2026-03-02") == ["2026-04-01"]
    assert await titles("to=2026-03-01") == ["2026-03-01"]
    assert await titles("exercise=bench%20press") == ["2026-03-01"]
    assert await titles("exercise=ex-1") == ["2026-04-01"]
    assert await titles("program_id=p1") == ["2026-03-01"]
    assert await titles(f"athlete_id={athlete.id}") == ["2026-04-01", "2026-03-01"]
    assert await titles(f"athlete_id={UUID(int=1)}") == []


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "limit=0",
        "limit=201",
        "from=yesterday",
        "include=secrets",
        "athlete_id=me",
        "exercise=%00",
        "program_id=%00",
        f"after={ZONED_MARK}",
    ],
)
async def test_queries_that_cannot_be_read_are_refused(athlete: Person, query: str) -> None:
    assert problem(await athlete("GET", f"/api/workouts?{query}"))[0] in (400, 422)


@pytest.mark.parametrize("notes", ["a\x00b", "x" * 10_001, "\ud800"])
async def test_text_that_cannot_be_kept_is_refused(rest: RestServer, athlete: Person, notes: str) -> None:
    body = json.dumps({"notes": notes})
    headers = athlete.headers | {"content-type": "application/json"}
    status, _ = problem(await rest.client.post("/api/workouts", content=body, headers=headers))
    assert status in (400, 422)


async def test_two_requests_at_once_under_one_id_make_one_workout(athlete: Person) -> None:
    body = PUSH | {"id": new_id()}
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(athlete, "POST", "/api/workouts", body)
    [workout] = (await athlete("GET", "/api/workouts")).json()["workouts"]
    assert [len(exercise["sets"]) for exercise in workout["exercises"]] == [2, 0]


async def test_pages_are_found_by_index(db: Database) -> None:
    queries: list[tuple[str, str, str, list[Any]]] = [
        ("workouts", "list_workouts", "workout_logs_by_date", [*[None] * 5, [], *[None] * 3, 20]),
        ("checkins", "list_check_ins", "check_ins_by_date", [*[None] * 6, 20]),
    ]
    async with db.request(UUID(int=1)) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        for package, name, index, arguments in queries:
            sql = getattr(load_queries(f"apex_server.{package}"), name)
            plan = await connection.fetch(f"EXPLAIN {sql}", *arguments)
            assert any(index in row[0] for row in plan), (name, plan)


async def test_nothing_is_shown_to_who_is_not_signed_in(rest: RestServer) -> None:
    for path in ("/api/workouts", f"/api/workouts/{new_id()}", "/api/checkins", "/api/programs", "/api/exercises"):
        assert problem(await rest.client.get(path)) == (401, "credentials_missing")
