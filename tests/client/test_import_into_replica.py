"""Importing an export into a replica: many workouts at once, twice without doubling, and alike on every device."""

from pathlib import Path

import pytest

from apex_client.errors import AthleteNeeded
from apex_client.importers import NotAnExport, UnitNeeded
from apex_client.importing import ImportProgress
from tests.client.conftest import OpenReplica
from tests.client.fleet import assert_sound
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

HEADER = "Date,Workout Name,Duration,Exercise Name,Set Order,Weight,Reps,Distance,Seconds,Notes,Workout Notes,RPE\n"


def export(path: Path, workouts: int = 3, sets: int = 2) -> Path:
    rows = [
        f'2026-01-{day + 1:02} 18:00:00,"Push",1h,"Bench Press",{number + 1},{60 + number},8,0,0,"","",\n'
        for day in range(workouts)
        for number in range(sets)
    ]
    path.write_text(HEADER + "".join(rows))
    return path


async def test_an_export_is_imported_once_and_a_longer_one_adds_what_is_new(
    open_replica: OpenReplica, tmp_path: Path
) -> None:
    replica = await open_replica()
    steps: list[ImportProgress] = []
    report = await replica.import_file(export(tmp_path / "a.csv"), unit="kg", progress=steps.append)
    assert (report.workouts_imported, report.rows_imported) == (3, 6)
    assert steps == [ImportProgress(3, 3)]
    again = await replica.import_file(export(tmp_path / "a.csv"), unit="kg")
    assert (again.workouts_already_there, again.rows_already_there, again.rows_imported) == (3, 6, 0)
    longer = await replica.import_file(export(tmp_path / "b.csv", 4, 3), unit="kg")
    assert (longer.workouts_imported, longer.workouts_extended, longer.rows_imported) == (1, 3, 6)
    rows = await replica.query("SELECT date, set_count, source FROM workout_logs ORDER BY date")
    assert [row["set_count"] for row in rows] == [3, 3, 3, 3] and rows[0]["source"] == "strong"
    assert_sound(replica._open)


async def test_what_is_no_export_or_has_no_unit_is_named_and_changes_nothing(
    open_replica: OpenReplica, tmp_path: Path
) -> None:
    replica = await open_replica()
    with pytest.raises(UnitNeeded):
        await replica.import_file(export(tmp_path / "a.csv"))
    (tmp_path / "b.csv").write_text("a,b\n1,2\n")
    with pytest.raises(NotAnExport):
        await replica.import_file(tmp_path / "b.csv")
    assert (await replica.status()).pending == 0


async def test_two_devices_that_import_one_file_agree_without_conflicts(
    open_replica: OpenReplica, tmp_path: Path
) -> None:
    phone, watch = await open_replica("phone", "anna@example.com"), await open_replica("watch", "anna@example.com")
    for replica in (phone, watch):
        await replica.import_file(export(tmp_path / "a.csv"), unit="kg")
    for replica in (phone, watch, phone):
        await replica.sync()
    for replica in (phone, watch):
        assert await replica.conflicts.list() == []
        assert len(await replica.workouts.list()) == 3
        assert_sound(replica._open)


async def test_athletes_who_imported_alike_stay_apart_on_their_coachs_replica(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    """The id of an imported session depends on the session alone, so two athletes may have the same."""
    coach = await open_replica("coach", "coach@example.com", role="coach")
    ids = []
    for name in ("anna", "bert"):
        athlete = await open_replica(name, f"{name}@example.com")
        server.link(server.accounts["coach@example.com"], server.accounts[f"{name}@example.com"])
        await athlete.import_file(export(tmp_path / "a.csv"), unit="kg")
        await athlete.sync()
        ids.append([log.id for log in await athlete.workouts.list()])
    assert ids[0] == ids[1]
    await coach.sync()
    with pytest.raises(AthleteNeeded):
        await coach.workouts.get(ids[0][0])
    anna, bert = (coach.athlete(server.accounts[f"{name}@example.com"].id) for name in ("anna", "bert"))
    await (await anna.workouts.get(ids[0][0])).note("for Anna")
    assert (await bert.workouts.get(ids[0][0])).notes is None
    assert len(await coach.workouts.list()) == 6
    await coach.sync()
    assert_sound(coach._open)
