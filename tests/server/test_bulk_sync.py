"""Bulk sync: offline logs of an app without the SDK, each judged alone, sent as often as it takes, and no edit lost."""

import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import zstandard

from apex_server.db import Database
from tests.server.accounts_app import problem
from tests.server.rest_app import Device, Person, RestServer, new_id, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def rest(db: Database) -> AsyncIterator[RestServer]:
    async with rest_server(db) as server:
        yield server


@pytest.fixture
async def athlete(rest: RestServer) -> Person:
    return await rest.person("athlete")


def workout(**changes: Any) -> dict[str, Any]:
    sets = [{"reps": 8, "load": 100}, {"reps": 8, "load": 100}]
    return {"id": new_id(), "date": "2026-03-01", "exercises": [{"name": "Bench", "sets": sets}], **changes}


async def send(person: Person, *items: Any) -> list[dict[str, Any]]:
    answer = await person("POST", "/api/workouts/bulk-sync", list(items))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [result["status"] for result in results]


async def shown(person: Person, item: dict[str, Any]) -> dict[str, Any]:
    return dict((await person("GET", f"/api/workouts/{item['id']}?include=conflicts")).json())


async def test_logs_are_created_once_however_often_they_are_sent(athlete: Person) -> None:
    items = [workout() for _ in range(3)]
    assert statuses(await send(athlete, *items)) == ["created"] * 3
    assert statuses(await send(athlete, *items)) == ["unchanged"] * 3
    found = (await athlete("GET", "/api/workouts")).json()["workouts"]
    assert sorted(w["id"] for w in found) == sorted(item["id"] for item in items)
    assert [len(w["exercises"][0]["sets"]) for w in found] == [2, 2, 2]


async def test_each_item_is_judged_alone(athlete: Person) -> None:
    bad = workout(exercises=[{"name": "Bench", "sets": [{"reps": -1, "rpe": 12}]}])
    results = await send(athlete, workout(), bad, 7, {"date": "2026-03-01"}, {"id": "x"}, workout(fatige=3), workout())
    assert statuses(results) == ["created", *["rejected"] * 5, "created"]
    assert results[1]["code"] == "invalid_fields"
    assert results[1]["fields"] == ["exercises[0].sets[0].reps", "exercises[0].sets[0].rpe"]
    assert (results[3]["field"], results[5]["field"]) == ("id", "fatige")


async def test_an_edited_log_brings_in_only_what_was_edited(rest: RestServer, athlete: Person) -> None:
    item = workout()
    await send(athlete, item)
    watch = Device(rest, athlete, "Watch", "watch")
    await watch.push(item["id"], {"mood": 9}, base=await rest.document(item["id"]))

    results = await send(athlete, item | {"fatigue": 7})

    assert statuses(results) == ["updated"]
    after = await shown(athlete, item)
    assert (after["fatigue"], after["mood"], after["conflicts"]) == (7, 9, [])


async def test_an_old_log_sent_again_undoes_nothing(rest: RestServer, athlete: Person) -> None:
    item = workout()
    await send(athlete, item)
    await send(athlete, item | {"fatigue": 7})
    watch = Device(rest, athlete, "Watch", "watch")
    await watch.push(item["id"], {"date": "2026-03-02"}, base=await rest.document(item["id"]))

    assert statuses(await send(athlete, item, item | {"fatigue": 7})) == ["unchanged", "unchanged"]

    after = await shown(athlete, item)
    assert (after["fatigue"], after["date"]) == (7, "2026-03-02")


async def test_a_value_changed_on_both_sides_is_kept_and_the_other_listed(rest: RestServer, athlete: Person) -> None:
    item = workout(fatigue=3)
    await send(athlete, item)
    watch = Device(rest, athlete, "Watch", "watch")
    await watch.push(item["id"], {"fatigue": 9}, base=await rest.document(item["id"]))

    [result] = await send(athlete, item | {"fatigue": 7})

    assert (result["status"], result["code"], result["fields"]) == ("conflict", "conflict", ["fatigue"])
    [conflict] = (await shown(athlete, item))["conflicts"]
    assert (conflict["kept"]["value"], conflict["discarded"][0]["value"]) == (7, 9)


async def test_values_newer_than_the_log_are_kept_and_named(rest: RestServer, athlete: Person) -> None:
    item = workout(fatigue=3)
    await send(athlete, item)
    edited_at = datetime.now(UTC) - timedelta(hours=1)
    watch = Device(rest, athlete, "Watch", "watch")
    await watch.push(item["id"], {"fatigue": 9}, base=await rest.document(item["id"]))

    [result] = await send(athlete, item | {"fatigue": 7, "mood": 5, "updated_at": edited_at.isoformat()})

    assert (result["status"], result["code"], result["fields"]) == ("conflict", "newer_values_kept", ["fatigue"])
    after = await shown(athlete, item)
    assert (after["fatigue"], after["mood"]) == (9, 5)


async def test_the_etag_of_an_answer_is_the_version_to_go_on_from(athlete: Person) -> None:
    item = workout()
    [first] = await send(athlete, item)
    [second] = await send(athlete, item | {"mood": 5, "etag": first["etag"]})
    [stale] = await send(athlete, item | {"mood": 6, "etag": first["etag"]})
    assert second["status"] == "updated"
    assert (stale["status"], stale["code"]) == ("conflict", "version_stale")
    assert (await shown(athlete, item))["mood"] == 5


async def test_a_log_of_another_device_is_not_overwritten_blindly(rest: RestServer, athlete: Person) -> None:
    item = workout()
    await Device(rest, athlete, "Phone", "phone").push(item["id"], {"title": "Mine"})
    [result] = await send(athlete, item)
    assert (result["status"], result["code"]) == ("conflict", "already_exists")
    etag = (await athlete("GET", f"/api/workouts/{item['id']}")).headers["etag"]
    [result] = await send(athlete, {"id": item["id"], "title": "Mine", "mood": 4, "etag": etag})
    assert result["status"] == "updated"


async def test_a_log_of_somebody_else_stays_theirs(rest: RestServer, athlete: Person) -> None:
    item = workout()
    await send(athlete, item)
    other = await rest.person("athlete")
    await send(other, item | {"title": "Not yours"})
    assert "title" not in (await shown(athlete, item)) or (await shown(athlete, item))["title"] is None


async def test_a_log_is_deleted_by_saying_so(athlete: Person) -> None:
    item = workout()
    await send(athlete, item)
    assert statuses(await send(athlete, {"id": item["id"], "deleted": True})) == ["updated"]
    assert statuses(await send(athlete, {"id": item["id"], "deleted": True})) == ["unchanged"]
    assert (await athlete("GET", f"/api/workouts/{item['id']}")).status_code == 404


async def test_a_set_added_elsewhere_survives_a_log_that_does_not_know_it(rest: RestServer, athlete: Person) -> None:
    item = workout()
    await send(athlete, item)
    [exercise] = (await shown(athlete, item))["exercises"]
    watch = Device(rest, athlete, "Watch", "watch")
    extra = {"sets": {"w1": {"exercise": exercise["id"], "order": "z", "reps": 12}}}
    await watch.push(item["id"], extra, base=await rest.document(item["id"]))
    bench = {"name": "Bench", "sets": [{"reps": 8, "load": 105}, {"reps": 8, "load": 100}, {"reps": 5, "load": 110}]}

    await send(athlete, item | {"exercises": [bench]})

    [exercise] = (await shown(athlete, item))["exercises"]
    assert sorted((s["reps"], s["load_kg"]) for s in exercise["sets"] if s["load_kg"]) == [(5, 110), (8, 100), (8, 105)]
    assert [s["reps"] for s in exercise["sets"] if s["id"] == "w1"] == [12]


async def test_a_coach_syncs_for_an_athlete(rest: RestServer) -> None:
    coach, athlete = await rest.coach_and_athlete()
    item = workout(athlete_id=athlete.id)
    assert statuses(await send(coach, item, workout())) == ["created", "rejected"]
    assert (await shown(athlete, item))["id"] == item["id"]


async def test_the_number_of_items_and_the_size_are_bounded(athlete: Person) -> None:
    assert problem(await athlete("POST", "/api/workouts/bulk-sync", [{}] * 1001)) == (422, "invalid_fields")
    assert problem(await athlete("POST", "/api/workouts/bulk-sync", {"id": 3})) == (422, "invalid_fields")
    big = [workout(notes="x" * 9_000_000)]
    assert problem(await athlete("POST", "/api/workouts/bulk-sync", big)) == (413, "body_too_large")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_logs_may_come_packed(rest: RestServer, athlete: Person, encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zstandard.ZstdCompressor().compress
    address = "/api/workouts/bulk-sync"

    async def post(body: bytes, named: str = encoding) -> httpx.Response:
        headers = athlete.headers | {"content-encoding": named, "content-type": "application/json"}
        return await rest.client.post(address, content=body, headers=headers)

    good = pack(json.dumps([workout()]).encode())
    assert statuses((await post(good)).json()["results"]) == ["created"]
    assert problem(await post(good[:-9])) == (400, "malformed_request")
    assert problem(await post(b"nonsense")) == (400, "malformed_request")
    assert problem(await post(good, "br")) == (415, "unsupported_media_type")
    assert problem(await post(pack(b" " * 9_000_000 + b"[]"))) == (413, "body_too_large")
