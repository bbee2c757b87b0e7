"""A record with a long history is shortened, and nobody notices but by its size."""

import pytest

from apex_server.db import Database
from apex_server.sync import compact_long_records
from apex_sync.compaction import COMPACTION_OPS
from apex_sync.op import Write, encode_op
from apex_sync.protocol.messages import PushedRecord
from apex_sync.wire import OPS_MAX, encode_push
from tests.server.sync_world import Device, World, assert_consistent, workout

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(db: Database, database_url: str) -> World:
    return await World(db, database_url).open()


async def push_ops(world: World, device: Device, record_id: bytes, first: int, ops: list[bytes]) -> str:
    pushed = PushedRecord(device.scope, "workout_logs", record_id, encode_push(device.client_id, first, ops))
    user, device_id = device.caller.user_id, device.caller.device_id
    return (await world.committer.push(user, device_id, device.client_id, [pushed])).results[0].status


async def test_a_long_history_is_compacted_and_everyone_goes_on(world: World, db: Database) -> None:
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    record_id = phone.write(workout())
    await phone.sync()
    await watch.sync()
    first = [encode_op([Write(world.now_us(), [], {"fatigue": step % 10})]) for step in range(COMPACTION_OPS)]
    assert await push_ops(world, phone, record_id, 1, first) == "applied"
    await watch.sync()
    watch.write({"mood": 3}, record_id)
    [before] = await world.sql("SELECT octet_length(doc) AS bytes, is_long FROM records")
    assert before["is_long"]
    assert await compact_long_records(db, world.committer) == 1
    assert await compact_long_records(db, world.committer) == 0
    [after] = await world.sql("SELECT octet_length(doc) AS bytes, is_long FROM records")
    assert after["bytes"] * 20 < before["bytes"]
    await watch.sync()
    newcomer = await world.device(athlete)
    await newcomer.sync()
    assert newcomer.state(record_id).state == watch.state(record_id).state
    assert watch.state(record_id).state["fatigue"] == (COMPACTION_OPS - 1) % 10
    assert watch.state(record_id).state["mood"] == 3
    assert newcomer.digest(newcomer.scope) == watch.digest(watch.scope)
    assert await push_ops(world, phone, record_id, 1, first) == "duplicate"
    assert await push_ops(world, phone, record_id, 5, [first[4]]) == "duplicate"
    other = encode_op([Write(world.now_us(), [], {"fatigue": 1})])
    assert await push_ops(world, phone, record_id, 5, [other]) == "forked"
    await assert_consistent(world)


async def test_a_record_that_no_job_compacts_takes_ops_all_the_same(world: World, db: Database) -> None:
    """An answer of `retry` would need somebody to end it, or the device's queue would never drain."""
    phone = await world.device(await world.athlete())
    record_id = phone.write(workout())
    await phone.sync()
    ops = [encode_op([Write(world.now_us(), [], {"fatigue": step % 10})]) for step in range(OPS_MAX)]
    assert await push_ops(world, phone, record_id, 1, ops[:5000]) == "applied"
    assert await push_ops(world, phone, record_id, 5001, ops[5000:]) == "applied"
    [row] = await world.sql(
        "SELECT fatigue, octet_length(doc) AS bytes FROM workout_logs JOIN records USING (record_id)"
    )
    assert row["fatigue"] == (OPS_MAX - 1) % 10
    assert row["bytes"] * 2 < sum(map(len, ops))
    assert await push_ops(world, phone, record_id, 1, ops) == "duplicate"
    await assert_consistent(world)
