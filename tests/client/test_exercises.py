"""The library on a device: it comes by the ordinary sync, and is searched without a network, alike everywhere."""

import json
from collections import Counter
from pathlib import Path

import pytest

from apex_client import Replica
from apex_client.importers import FileUnreadable, NotAnExport
from apex_sync.errors import ForbiddenField
from tests.client.built_in import give_library
from tests.client.conftest import OpenReplica
from tests.client.fleet import assert_sound
from tests.client.loopback import LoopbackServer
from tests.exercise_queries import NOTHING, QUERIES

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


@pytest.fixture
async def athlete(open_replica: OpenReplica, server: LoopbackServer) -> Replica:
    """Give an athlete's replica that has the built-in library, and is offline from now on."""
    replica: Replica = await open_replica("athlete", ANNA)
    give_library(server, ANNA, "exercises")
    await replica.sync()
    server.version = 0
    return replica


async def names(replica: Replica, text: str = "", **narrowed: str) -> list[str]:
    return [exercise["name"] for exercise in await replica.exercises.search(text, **narrowed, limit=3)]


async def test_what_was_meant_comes_first(athlete: Replica) -> None:
    for query, meant in QUERIES.items():
        assert (await names(athlete, query))[0] == meant, query
    for query in NOTHING:
        assert await names(athlete, query) in ([], await names(athlete)), query
    assert_sound(athlete._open)


async def test_before_the_first_sync_the_same_is_found(athlete: Replica, open_replica: OpenReplica) -> None:
    """Under the same ids, so what is logged today means the same once the library has come."""
    new: Replica = await open_replica("new")
    for query in [*QUERIES, *NOTHING]:
        before, after = await new.exercises.search(query, limit=3), await athlete.exercises.search(query, limit=3)
        assert [each.id for each in before] == [each.id for each in after], query
    [one] = await new.exercises.search(next(iter(QUERIES)), limit=1)
    [held] = await athlete.exercises.search(next(iter(QUERIES)), limit=1)
    assert {name: value for name, value in one.state.items() if value is not None} == held.state
    assert await new.query("SELECT 1 FROM exercises") == []


async def test_muscle_and_equipment_narrow_it(athlete: Replica) -> None:
    assert await names(athlete, muscle="neck") == ["Neck Extension", "Neck Flexion", "Neck Lateral Flexion"]
    assert sorted(await names(athlete, "row", muscle="lats", equipment="kettlebell")) == [
        "Gorilla Row",
        "Kettlebell Row",
    ]
    assert await names(athlete, "row", equipment="piano") == []


async def test_a_name_means_one_exercise_or_none(athlete: Replica) -> None:
    assert [found["name"] for found in await athlete.exercises.named("bench press (barbell)")] == [
        "Barbell Bench Press"
    ]
    assert [found["name"] for found in await athlete.exercises.named("Chin Ups")] == ["Chin-Up"]
    assert await athlete.exercises.named("press") == await athlete.exercises.named("benchpres") == []


async def own(coach: Replica, text: str = "") -> list[str]:
    return [each["name"] for each in await coach.exercises.search(text, limit=1000) if each.scope != "global"]


async def test_a_coachs_own_are_found_as_they_are_now(open_replica: OpenReplica) -> None:
    coach: Replica = await open_replica("coach", COACH, role="coach")
    await coach.login("https://coach.example", COACH, "secret")
    made = await coach.exercises.create(
        {"name": "Zottmans Favourite", "aliases": ["Mara's Curl"], "equipment": ["bar"]}
    )
    assert await own(coach, "zotman favorite") == await own(coach, "maras curls") == ["Zottmans Favourite"]
    await made.edit(name="Larsen Press", aliases=None)
    assert (await own(coach, "larsen"), await own(coach, "zottmans favourite")) == (["Larsen Press"], [])
    await made.delete()
    assert await own(coach) == []
    await made.restore()
    assert await own(coach, "press bar") == ["Larsen Press"]
    coach._open.store.sql.execute("INSERT INTO exercise_trigrams (exercise_trigrams) VALUES ('integrity-check')")


async def test_who_signs_out_leaves_no_exercise_behind(athlete: Replica, server: LoopbackServer) -> None:
    await athlete.logout(discard_unsent=True)
    assert await athlete.query("SELECT 1 FROM exercises") == []


async def coach_with_library(open_replica: OpenReplica, server: LoopbackServer) -> Replica:
    coach: Replica = await open_replica("coach", COACH, role="coach")
    server.grants[server.accounts[COACH].id][f"library:{server.accounts[COACH].id}"] = "coach"
    give_library(server, COACH, "exercises")
    await coach.sync()
    return coach


async def test_free_exercise_db_is_imported_once(
    open_replica: OpenReplica, server: LoopbackServer, data_dir: Path
) -> None:
    """The real file: 873 entries, 137 of them stretches and cardio; the built-in library has 191 of the others."""
    coach = await coach_with_library(open_replica, server)
    file = data_dir / "free_exercise_db_exercises.json"
    rehearsed = await coach.exercises.import_file(file, dry_run=True)
    assert len(await coach.query("SELECT 1 FROM exercises WHERE scope <> 'global'")) == 0
    imported = await coach.exercises.import_file(file)
    assert (imported.read, imported.added, len(imported.known)) == (873, 545, 191)
    assert Counter(each.reason for each in imported.skipped) == {
        "stretching, not asked for": 123,
        "cardio, not asked for": 14,
    }
    assert (rehearsed.added, rehearsed.known) == (imported.added, imported.known)
    again = await coach.exercises.import_file(file)
    assert (again.added, again.changed, again.already_there) == (0, 0, 545)
    assert await coach.exercises.named("Adductor/Groin") == [], "a stretch"
    every = await coach.exercises.import_file(file, every_category=True)
    assert (every.added, every.already_there, len(every.known), every.skipped) == (130, 545, 198, [])
    [groin] = await coach.exercises.named("Adductor/Groin")
    assert (groin["muscle_group"], groin.get("equipment")) == ("adductors", None)
    assert all(report.pulled >= 0 for report in [await coach.sync()])
    assert_sound(coach._open)


async def test_one_bad_entry_never_stops_the_rest(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach = await coach_with_library(open_replica, server)
    good = {"id": "Zercher_Carry", "name": "Zercher Carry", "primaryMuscles": ["abdominals"], "equipment": "barbell"}
    squat = {
        "name": "Zercher Hold",
        "primaryMuscles": ["quadriceps", "glutes"],
        "mechanic": "compound",
        "force": "push",
    }
    bad = [
        3,
        None,
        {"name": ""},
        {"name": "x", "primaryMuscles": "chest"},
        {**good, "id": "b", "name": "x" * 201},
        good,
    ]
    file = tmp_path / "exercises.json"
    file.write_text(json.dumps([good, *bad, squat]))
    report = await coach.exercises.import_file(file)
    assert (report.added, [each.number for each in report.skipped]) == (2, [2, 3, 4, 5, 6, 7])
    assert report.skipped[-1].reason == "stands in the file twice"
    [carry], [hold] = await coach.exercises.named("zercher carry"), await coach.exercises.named("zercher hold")
    assert (carry["muscle_group"], carry["equipment"], hold["movement_pattern"]) == ("abs", ["barbell"], "squat")
    await carry.edit(name="My Carry")
    await hold.delete()
    again = await coach.exercises.import_file(file)
    assert (again.added, again.changed, again.already_there) == (0, 0, 2)
    assert (await carry.refresh())["name"] == "My Carry"


@pytest.mark.parametrize("content", [b"", b"{}", b"[", b"\xff", b"name,muscle\nx,y", b"[" * 100_000])
async def test_a_file_of_another_kind_is_refused(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path, content: bytes
) -> None:
    coach = await coach_with_library(open_replica, server)
    file = tmp_path / "exercises.json"
    file.write_bytes(content)
    with pytest.raises(NotAnExport, match="free-exercise-db"):
        await coach.exercises.import_file(file)
    with pytest.raises(FileUnreadable):
        await coach.exercises.import_file(tmp_path / "nothing.json")


async def test_an_athlete_has_no_library_of_their_own(athlete: Replica, tmp_path: Path) -> None:
    file = tmp_path / "exercises.json"
    file.write_text('[{"name": "Zercher Carry", "primaryMuscles": ["abdominals"]}]')
    for dry_run in (True, False):
        with pytest.raises(ForbiddenField):
            await athlete.exercises.import_file(file, dry_run=dry_run)
