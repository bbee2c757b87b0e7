"""Somebody forgot their account, registers beside it and logs: signing in to the first one loses nothing."""

from pathlib import Path

import pytest

from apex_client import Replica
from apex_client.errors import SignedInAlready, WrongCredentials
from tests.e2e.whole_server import PASSWORD, Athlete, WholeServer, assert_one_digest

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "made up at the gym door"


async def test_what_was_logged_in_a_second_account_comes_along_to_the_first(
    server: WholeServer, athlete: Athlete, tmp_path: Path
) -> None:
    old = await athlete.device("old phone")
    await old.workouts.start(title="Years ago")
    await old.checkins.draft(date="2026-03-01", weight=80, unit="kg")
    await old.sync()
    async with Replica.open(tmp_path / "new phone.db", device_name="New phone", device_kind="phone") as new:
        second = await new.register(server.address, athlete.email, NEW_PASSWORD, name="Mara")
        for day in (1, 2, 3):
            log = await new.workouts.start(title=f"Day {day}")
            await log.add_set("Bench Press", reps=8, load=100, unit="kg")
            if day < 3:
                await new.sync()
        with pytest.raises(SignedInAlready):  # It stands: no third one beside it.
            await new.register(server.address, athlete.email, NEW_PASSWORD, name="Mara")
        with pytest.raises(WrongCredentials):
            await new.login(server.address, athlete.email, "neither of the two")

        first = await new.login(server.address, athlete.email, PASSWORD)

        assert (first.id, second.id != first.id) == (athlete.id, True)
        await new.sync()
        await old.sync()
        for device in (old, new):
            titles = sorted(str(log.title) for log in await device.workouts.list())
            assert titles == ["Day 1", "Day 2", "Day 3", "Years ago"]
        assert [row["reps"] for row in await athlete.sets_in_postgres()] == [8, 8, 8]
        assert (await new.status()).rejected == 0
        await assert_one_digest(server, athlete.scope, old, new)
        again = await new.login(server.address, athlete.email, PASSWORD)
        assert again.id == athlete.id
