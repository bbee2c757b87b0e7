"""Everybody has the built-in library: written by the system once, by the ordinary way, and kept at the file."""

import asyncio
import hashlib
from uuid import UUID

import msgspec
import pytest

from apex_server.db import Database
from apex_server.jobs.builtin_library import LIBRARY_VERSION, keep_builtin_library, shipped
from apex_sync.coaching.exercise_library import BuiltinExercise, builtin_exercises
from apex_sync.coaching.food_library import BuiltinFood, builtin_foods
from tests.server.sync_world import World, assert_consistent

pytestmark = pytest.mark.anyio

BENCH = BuiltinExercise(slug="bench", name="Bench", muscle_group="chest", aliases=("Flat Bench",))
SQUAT = BuiltinExercise(slug="squat", name="Squat", muscle_group="quads")
EGG = BuiltinFood(
    slug="egg", name="Egg", category="egg", energy_kcal=155, protein_g=13, carbs_g=1, fat_g=11, usda="01129",
    servings=(("1 egg", 50), ("1 cup", 136)),
)  # fmt: skip


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


async def kept(world: World, *exercises: BuiltinExercise) -> int:
    return await keep_builtin_library(world.db, world.committer, {"exercises": exercises})


async def ops(world: World) -> int:
    [row] = await world.sql("SELECT coalesce(sum(next_clock - first_clock), 0) AS ops FROM audit")
    return int(row["ops"])


async def test_the_whole_library_reaches_a_device(world: World) -> None:
    phone = await world.device(await world.athlete())
    shipped = len(builtin_exercises()) + len(builtin_foods())
    assert await keep_builtin_library(world.db, world.committer) == shipped
    await phone.sync()
    for exercise in builtin_exercises():
        state = phone.state(UUID(exercise.id).bytes, "global").state
        assert (state["name"], state["muscle_group"]) == (exercise.name, exercise.muscle_group)
    for food in builtin_foods():
        state = phone.state(UUID(food.id).bytes, "global").state
        assert (state["name"], state["per_100g"]["energy_kcal"]) == (food.name, food.energy_kcal)
    assert await keep_builtin_library(world.db, world.committer) == 0
    await assert_consistent(world)


async def test_a_second_start_writes_nothing(world: World) -> None:
    assert await kept(world, BENCH, SQUAT) == 2
    assert await kept(world, BENCH, SQUAT) == 0
    assert await ops(world) == 2


async def test_two_starts_at_once_write_once(world: World) -> None:
    counts = await asyncio.gather(kept(world, BENCH, SQUAT), kept(world, BENCH, SQUAT))
    assert sorted(counts) == [0, 2]
    assert await ops(world) == 2


async def test_of_two_versions_side_by_side_the_newer_has_its_way(world: World) -> None:
    newer = msgspec.structs.replace(BENCH, name="Barbell Bench")
    counts = [
        await keep_builtin_library(world.db, world.committer, {"exercises": exercises}, version)
        for version, exercises in ((1, (BENCH,)), (2, (newer, SQUAT)), (1, (BENCH,)), (2, (newer, SQUAT)))
    ]
    assert counts == [1, 2, 0, 0]
    assert await ops(world) == 3


def test_a_changed_library_has_a_version_of_its_own() -> None:
    lines = [each.patch | {"id": each.id} for library in shipped().values() for each in library]
    digest = hashlib.sha256(msgspec.json.encode(lines, order="deterministic")).hexdigest()[:16]
    assert (LIBRARY_VERSION, digest) == (1, "375697ca58da0300"), (
        "the library has changed: raise LIBRARY_VERSION, and note both"
    )


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


async def test_a_figure_and_a_serving_of_a_food_are_edited_alone(world: World) -> None:
    phone = await world.device(await world.athlete())
    for food, changed in (
        (EGG, 1),
        (EGG, 0),
        (msgspec.structs.replace(EGG, fat_g=10.6, sodium_mg=124, servings=(("1 large egg", 50),)), 1),
    ):
        assert await keep_builtin_library(world.db, world.committer, {"foods": [food]}) == changed
    assert await ops(world) == 2
    await phone.sync()
    state = phone.state(UUID(EGG.id).bytes, "global").state
    assert (state["per_100g"]["fat_g"], state["per_100g"]["sodium_mg"], state["per_100g"]["protein_g"]) == (
        10.6,
        124,
        13,
    )
    assert state["servings"]["1"]["name"] == "1 large egg" and state["servings"]["2"]["deleted"] is True
    assert await keep_builtin_library(world.db, world.committer, {"foods": [EGG]}) == 1
    await phone.sync()
    assert phone.state(UUID(EGG.id).bytes, "global").state["servings"]["2"]["deleted"] is False
    assert await keep_builtin_library(world.db, world.committer, {"foods": [EGG]}) == 0
