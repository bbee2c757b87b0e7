"""The real server logic over the store in memory: what a simulation stands on."""

from random import Random

import anyio
import pytest
from anyio.lowlevel import checkpoint

from apex_server.db import DatabaseUnavailable
from tests.server.sync_world import Device, workout
from tests.simulation.memory_commits import Moment
from tests.simulation.memory_consistency import assert_consistent
from tests.simulation.memory_world import MemoryWorld

pytestmark = pytest.mark.anyio


async def test_what_one_device_pushes_the_other_pulls() -> None:
    """By the batch and by the single op, through the real committer, feed and exchange."""
    world = await MemoryWorld().open()
    athlete = await world.athlete()
    phone, watch = await world.device(athlete), await world.device(athlete)
    record_ids = [phone.write(workout()) for _ in range(3)]
    await phone.sync()
    await watch.sync()
    watch.write({"fatigue": 7}, record_ids[1])
    await watch.sync()
    await phone.sync()
    assert phone.state(record_ids[1]).state["fatigue"] == 7
    assert phone.digest(phone.scope) == watch.digest(watch.scope)
    assert_consistent(world.database)


class Weather:
    """Lets tasks take turns at every moment, and the database fail at some."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.failures: set[Moment] = set()
        self.is_calm = False

    async def __call__(self, moment: Moment) -> None:
        await checkpoint()
        if not self.is_calm and self.dice.random() < 0.1:
            self.failures.add(moment)
            raise DatabaseUnavailable(moment)


async def edit_and_sync(device: Device, dice: Random) -> None:
    held = [record_id for _, record_id in device.docs]
    device.write({"mood": dice.randint(1, 10)}, dice.choice(held)) if held else device.write(workout())
    keys = device.outbox()
    try:
        device.take(keys, await device.send(device.request(keys)))
    except DatabaseUnavailable:
        return


@pytest.mark.parametrize("seed", range(5))
async def test_devices_agree_whenever_the_database_has_failed(seed: int) -> None:
    """Before the lock and with it, and with the commit done and its answer lost."""
    weather = Weather(Random(seed))
    world = await MemoryWorld(seed, weather).open()
    athlete = await world.athlete()
    devices = [await world.device(athlete) for _ in range(3)]
    devices[0].write(workout())

    async def live(device: Device) -> None:
        for _ in range(30):
            await edit_and_sync(device, weather.dice)

    async with anyio.create_task_group() as tasks:
        for device in devices:
            tasks.start_soon(live, device)
    assert {"connect", "view", "lock", "locked", "commit", "committed", "snapshot", "read"} <= weather.failures
    weather.is_calm = True
    for device in (*devices, *devices):
        await device.sync()
    assert len({device.digest(device.scope) for device in devices}) == 1
    assert_consistent(world.database)
