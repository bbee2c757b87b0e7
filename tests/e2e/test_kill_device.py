"""kill -9 of a device that logs and pushes, at random moments: nothing acknowledged is lost, nothing is doubled.

Two things are acknowledged: a save that returned is on the device for good, a sync that returned is in Postgres for
good. A number that was neither may be there or not, once.
"""

import os
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from apex_client import Replica
from tests.e2e.logging_device import logging_device
from tests.e2e.whole_server import PASSWORD, Athlete, WholeServer, assert_one_digest, number_of, sync_until_done

pytestmark = pytest.mark.anyio

KILLS = 60
LIFE_SECONDS_MAX = 0.35
"""From its first save on; a save and a sync take about 5 and 30 ms."""
SEED = int(os.environ.get("APEX_TEST_SEED", "9"))


async def test_a_device_killed_at_any_moment_loses_nothing_acknowledged(server: WholeServer, athlete: Athlete) -> None:
    print(f"seed {SEED}")
    dice = Random(SEED)
    path = athlete.folder / "phone.db"
    async with Replica.open(path) as phone:
        await athlete.register(phone)
    next_number, synced = 1, 0
    saved: set[int] = set()
    for _ in range(KILLS):
        with logging_device(path, next_number, dice.getrandbits(32)) as device:
            time.sleep(dice.uniform(0, LIFE_SECONDS_MAX))  # noqa: ASYNC251 - nothing else runs in this loop.
        saved |= device.saved
        synced = max(synced, device.synced)
        next_number = max({next_number, *device.saved}) + 2  # One more may have been saved and not told.
        in_postgres = await athlete.numbers_in_postgres()
        assert max(in_postgres.values(), default=1) == 1
        assert in_postgres.keys() >= {number for number in saved if number <= synced}
    print(f"{KILLS} kills, {len(saved)} sets saved, {synced} synced before the last kill")
    assert synced and len(saved) > KILLS
    assert await numbers_on(path) >= Counter(saved)
    async with Replica.open(path) as phone:
        await sync_until_done(phone, seconds=20.0)
        assert await athlete.numbers_in_postgres() == await numbers_on_replica(phone)
        assert max((await athlete.numbers_in_postgres()).values()) == 1
        await assert_one_digest(server, athlete.scope, phone)
        assert (await phone.status()).rejected == 0
    async with Replica.open(athlete.folder / "watch.db") as watch:
        await watch.login(server.address, athlete.email, PASSWORD)
        await watch.sync()
        await assert_one_digest(server, athlete.scope, watch)


async def numbers_on(path: Path) -> Counter[int]:
    async with Replica.open(path) as replica:
        return await numbers_on_replica(replica)


async def numbers_on_replica(replica: Replica) -> Counter[int]:
    return Counter(number_of(row) for row in await replica.query("SELECT load_kg FROM logged_sets"))
