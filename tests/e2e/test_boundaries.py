"""What can go wrong between a device and a server, over real HTTP: each gives a typed error and loses nothing."""

import pytest

from apex_client import Replica
from tests.e2e.whole_server import Athlete, WholeServer, assert_one_digest

pytestmark = pytest.mark.anyio


async def test_records_made_before_the_first_login_are_pushed_after_it(server: WholeServer, athlete: Athlete) -> None:
    async with Replica.open(athlete.folder / "phone.db") as phone:
        log = await phone.workouts.start(title="Push")
        await log.add_set("Bench Press", reps=8, load=225, unit="lb", rpe=8)
        await athlete.register(phone)
        report = await phone.sync()
        assert (report.acknowledged, report.pending) == (1, 0)
        (row,) = await athlete.sets_in_postgres()
        assert (str(row["record_id"]), row["reps"], row["load"], row["load_unit"]) == (log.id, 8, 225.0, "lb")
        await assert_one_digest(server, athlete.scope, phone)
