"""Everybody has the built-in library: written by the system once, by the ordinary way, and kept at the file."""

import asyncio
from uuid import UUID

import msgspec
import pytest

from apex_server.db import Database
from apex_server.jobs.builtin_library import keep_builtin_library
from apex_sync.coaching.exercise_library import BuiltinExercise, builtin_exercises
from tests.server.sync_world import World, assert_consistent

pytestmark = pytest.mark.anyio

BENCH = BuiltinExercise(slug="bench", name="Bench", muscle_group="chest", aliases=("Flat Bench",))
SQUAT = BuiltinExercise(slug="squat", name="Squat", muscle_group="quads")


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


async def kept(world: World, *exercises: BuiltinExercise) -> int:
    return await keep_builtin_library(world.db, world.committer, exercises)


async def ops(world: World) -> int:
    [row] = await world.sql("SELECT coalesce(sum(next_clock - first_clock), 0) AS ops FROM audit")
    return int(row["ops"])


async def test_the_whole_library_reaches_a_device(world: World) -> None:
    phone = await world.device(await world.athlete())
    assert await keep_builtin_library(world.db, world.committer) == len(builtin_exercises())
    await phone.sync()
    for exercise in builtin_exercises():
        state = phone.state(UUID(exercise.id).bytes, "global").state
        assert (state["name"], state["muscle_group"]) == (exercise.name, exercise.muscle_group)
    await assert_consistent(world)


async def test_a_second_start_writes_nothing(world: World) -> None:
    assert await kept(world, BENCH, SQUAT) == 2
    assert await kept(world, BENCH, SQUAT) == 0
    assert await ops(world) == 2


async def test_two_starts_at_once_write_once(world: World) -> None:
    counts = await asyncio.gather(kept(world, BENCH, SQUAT), kept(world, BENCH, SQUAT))
    assert sorted(counts) == [0, 2]
    assert await ops(world) == 2


async def test_an_edited_line_is_one_op(world: World) -> None:
    phone = await world.device(await world.athlete())
    await kept(world, BENCH, SQUAT)
    edited = msgspec.structs.replace(BENCH, name="Barbell Bench", aliases=())
    assert await kept(world, edited, SQUAT) == 1
    assert await ops(world) == 3
    await phone.sync()
    state = phone.state(UUID(BENCH.id).bytes, "global").state
    assert {name: value for name, value in state.items() if value is not None} == {
        "name": "Barbell Bench",
        "muscle_group": "chest",
    }


async def test_a_line_that_is_gone_is_deleted_and_may_come_back(world: World) -> None:
    await kept(world, BENCH, SQUAT)
    assert [await kept(world, BENCH), await kept(world, BENCH)] == [1, 0]
    [row] = await world.sql("SELECT deleted FROM records WHERE record_id = $1", UUID(SQUAT.id))
    assert row["deleted"]
    assert await kept(world, BENCH, SQUAT) == 1
    await assert_consistent(world)
