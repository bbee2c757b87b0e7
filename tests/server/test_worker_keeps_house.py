"""The worker keeps histories short and relational rows current, by itself and whatever single records are like."""

import anyio
import pytest

from apex_server.db import Database
from apex_server.settings import Settings
from apex_server.sync import compact_long_records, projections_are_current
from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.coaching.food_library import builtin_foods
from apex_sync.compaction import COMPACTION_OPS
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.wire import OPS_MAX, encode_push
from tests.server.analysis_parts import until, working
from tests.server.sync_world import Device, World, assert_consistent, workout

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


async def push_moods(world: World, device: Device, record_id: bytes, first: int, count: int) -> str:
    """Push that many ops of one record at once."""
    ops = [encode_op([Write(world.now_us(), [], {"mood": step % 10})]) for step in range(count)]
    pushed = PushedRecord(device.scope, "workout_logs", record_id, encode_push(device.client_id, first, ops))
    user_id, device_id = device.caller.user_id, device.caller.device_id
    return (await world.committer.push(user_id, device_id, device.client_id, [pushed])).results[0].status


async def long_records(world: World) -> int:
    [row] = await world.sql("SELECT count(*) FROM records WHERE is_long")
    return int(row["count"])


async def test_a_record_goes_on_beyond_its_bound_and_old_devices_sync_on(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many ops as a record may hold, with a device that was away all the time and has an edit to bring."""
    monkeypatch.setattr("apex_server.jobs.worker.COMPACT_SECONDS", 0.2)
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    record_id = phone.write(workout())
    await phone.sync()
    await watch.sync()
    watch.write({"fatigue": 3}, record_id)
    step, clock = OPS_MAX // 4, 1
    async with working(settings):
        await anyio.sleep(1.0)  # PgQueuer listens by then; this loop is about to be busy.
        for _ in range(8):
            assert await push_moods(world, phone, record_id, clock, step) == "applied"
            clock += step

            async def is_short() -> bool:
                return not await long_records(world)

            await until(is_short)
    await watch.sync()
    newcomer = await world.device(athlete)
    await newcomer.sync()
    assert newcomer.state(record_id).state == watch.state(record_id).state
    assert (newcomer.state(record_id).state["mood"], newcomer.state(record_id).state["fatigue"]) == ((step - 1) % 10, 3)
    assert newcomer.digest(newcomer.scope) == watch.digest(watch.scope)
    await assert_consistent(world)


async def test_a_record_that_cannot_be_compacted_holds_up_none_behind_it(world: World, db: Database) -> None:
    phone = await world.device(await world.athlete())
    ids = [phone.write(workout()) for _ in range(3)]
    await phone.sync()
    for record_id in ids:
        assert await push_moods(world, phone, record_id, 1, COMPACTION_OPS) == "applied"
    first, second, _ = sorted(ids)
    await world.sql("UPDATE records SET doc = '\\x00ff' WHERE record_id = encode($1, 'hex')::uuid", first)
    await world.sql("UPDATE records SET collection = 'later' WHERE record_id = encode($1, 'hex')::uuid", second)
    assert await compact_long_records(db, world.committer) == 1
    assert await long_records(world) == 2


async def test_rows_of_another_version_are_made_anew_when_a_worker_starts(
    world: World, db: Database, settings: Settings
) -> None:
    phone = await world.device(await world.athlete())
    for _ in range(5):
        phone.write(workout())
    await phone.sync()
    await world.sql("UPDATE server_identity SET projections_version = 0")
    await world.sql("UPDATE logged_sets SET reps = 99")
    async with working(settings):
        await until(lambda: projections_are_current(db))
    await assert_consistent(world)


async def test_a_worker_that_starts_gives_everybody_the_library(world: World, settings: Settings) -> None:
    async def is_there() -> bool:
        [row] = await world.sql("SELECT count(*) FROM records JOIN scopes USING (scope_id) WHERE name = 'global'")
        return int(row["count"]) == len(builtin_exercises()) + len(builtin_foods())

    async with working(settings):
        await until(is_there)
    await assert_consistent(world)
