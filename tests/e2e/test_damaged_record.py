"""A flipped bit in Postgres, with real devices: all else syncs on, and the device that has the record mends it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal

from apex_server.db import Database
from apex_server.operations import verify
from apex_server.settings import Settings
from tests.e2e.whole_server import SECRET, WholeServer, assert_one_digest, athlete_of, load_of, running_server
from tests.server.sync_world import looked_for_damage

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LOGS = 6


@pytest.fixture
def server(portal: BlockingPortal, tmp_path: Path) -> Iterator[WholeServer]:
    with running_server(portal, Settings(data_dir=tmp_path / "server", secret=SECRET)) as ready:
        yield ready


async def test_the_device_that_has_a_damaged_record_mends_the_server(server: WholeServer, tmp_path: Path) -> None:
    async with athlete_of(server, tmp_path) as athlete:
        phone = await athlete.device("phone")
        logs = []
        for number in range(1, LOGS + 1):
            logs.append(await phone.workouts.start(title=f"Session {number}"))
            await logs[-1].add_set("Squat", reps=5, load=load_of(number), unit="kg")
        await phone.sync()
        await server.rows(
            "UPDATE records SET doc = set_byte(doc, 40, get_byte(doc, 40) # 1) "
            "WHERE (scope_id, record_id) = (SELECT scope_id, record_id FROM logged_sets WHERE load_kg = $1)",
            load_of(3),
        )
        # A new device has everything else, and no cause to look for what nobody can send it.
        watch = await athlete.device("watch", "watch")
        await watch.sync()
        assert len(await watch.workouts.list()) == LOGS - 1
        assert (await watch.sync()).repaired == 0
        # The phone keeps its copy, and one sync of it is enough.
        await phone.sync()
        assert len(await phone.workouts.list()) == LOGS
        await watch.sync()
        assert len(await watch.workouts.list()) == LOGS
        await assert_one_digest(server, athlete.scope, phone, watch)
        # So it is when nobody noticed for long, and everything is damaged: the nightly look finds it.
        await server.rows("UPDATE records SET doc = set_byte(doc, 40, get_byte(doc, 40) # 1)")
        async with Database.open(server.settings) as database:
            assert await looked_for_damage(database) == LOGS
            await logs[0].add_set("Squat", reps=5, load=load_of(LOGS + 1), unit="kg")
            for _ in range(2):  # The edit first, and then what else differs.
                await phone.sync()
            assert (await verify(database)).is_sound
        await watch.sync()
        await assert_one_digest(server, athlete.scope, phone, watch)
        assert sorted(await athlete.numbers_in_postgres()) == list(range(1, LOGS + 2))
