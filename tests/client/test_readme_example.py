"""The SDK in ten lines, as the README shows it."""

from pathlib import Path

import pytest

from apex_client import Credentials, Replica
from tests.client.loopback import LoopbackServer
from tests.client.loopback_transport import LoopbackTransport

pytestmark = pytest.mark.anyio


async def test_a_session_is_logged_offline_and_synced(tmp_path: Path) -> None:
    server = LoopbackServer(lambda: 1_772_388_300_000_000)
    athlete = server.add_user("anna@example.com")
    async with Replica.open(
        tmp_path / "athlete.db",
        server="https://coach.example",
        credentials=Credentials("anna@example.com", "secret"),
        transport=LoopbackTransport(server),
        now_us=server.now_us,
    ) as replica:
        log = await replica.workouts.start(title="Push", week_number=3, day_number=2)
        await log.add_set("Bench Press", reps=8, load=225, unit="lb", rpe=8)
        await log.finish()
        report = await replica.sync()
        assert (report.acknowledged, report.pending) == (1, 0)
        rows = await replica.query("SELECT reps, load, load_unit, load_kg FROM logged_sets")
        assert rows == [{"reps": 8, "load": 225.0, "load_unit": "lb", "load_kg": 102.058283}]
        assert (await log.refresh()).athlete_id == athlete.id
