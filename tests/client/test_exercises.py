"""The library on a device: it comes by the ordinary sync, and is searched without a network, alike everywhere."""

from uuid import UUID

import pytest

from apex_client import Replica
from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.document import Document
from apex_sync.op import Write, encode_op
from tests.client.conftest import OpenReplica
from tests.client.fleet import assert_sound
from tests.client.loopback import LoopbackServer, Span, StoredRecord, StoredScope
from tests.exercise_queries import NOTHING, QUERIES

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


@pytest.fixture
async def athlete(open_replica: OpenReplica, server: LoopbackServer) -> Replica:
    """Give an athlete's replica that has the built-in library, and is offline from now on."""
    replica: Replica = await open_replica("athlete", ANNA)
    give_library(server, ANNA)
    await replica.sync()
    server.version = 0
    return replica


def give_library(server: LoopbackServer, email: str) -> None:
    """Put the built-in library into everybody's scope, as a server does when it starts."""
    server.grants[server.accounts[email].id]["global"] = "reader"
    scope = server.scopes["global"] = StoredScope()
    for exercise in builtin_exercises():
        document = Document()
        leaves = {name: value for name, value in exercise.patch.items() if value is not None}
        document.append(7, encode_op([Write(server.now_us(), [], leaves)]))
        key = UUID(exercise.id).bytes
        server._commit(scope, key, scope.records.setdefault(key, StoredRecord("exercises")), document, [Span(0, 7, 0)])


async def names(replica: Replica, text: str = "", **narrowed: str) -> list[str]:
    return [exercise["name"] for exercise in await replica.exercises.search(text, **narrowed, limit=3)]


async def test_what_was_meant_comes_first(athlete: Replica) -> None:
    for query, meant in QUERIES.items():
        assert (await names(athlete, query))[0] == meant, query
    for query in NOTHING:
        assert await names(athlete, query) in ([], await names(athlete)), query
    assert_sound(athlete._open)


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


async def test_a_coachs_own_are_found_as_they_are_now(open_replica: OpenReplica) -> None:
    coach: Replica = await open_replica("coach", COACH, role="coach")
    await coach.login("https://coach.example", COACH, "secret")
    made = await coach.exercises.create(
        {"name": "Zottmans Favourite", "aliases": ["Mara's Curl"], "equipment": ["bar"]}
    )
    assert await names(coach, "zotman favorite") == await names(coach, "maras curls") == ["Zottmans Favourite"]
    await made.edit(name="Larsen Press", aliases=None)
    assert (await names(coach, "larsen"), await names(coach, "zottmans favourite")) == (["Larsen Press"], [])
    await made.delete()
    assert await names(coach) == []
    await made.restore()
    assert await names(coach, "press bar") == ["Larsen Press"]
    coach._open.store.sql.execute("INSERT INTO exercise_trigrams (exercise_trigrams) VALUES ('integrity-check')")


async def test_who_signs_out_leaves_no_exercise_behind(athlete: Replica, server: LoopbackServer) -> None:
    await athlete.logout(discard_unsent=True)
    assert await names(athlete, "bench press") == []
    assert await athlete.query("SELECT 1 FROM exercises") == []
