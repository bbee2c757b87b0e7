"""At a terminal: what assigning a program says of its loads and of what gives way to it, and giving loads later."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.client.apex_command import Terminal
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"
TODAY = date.today()  # noqa: DTZ011 - the day of the person at the terminal.


@pytest.fixture
async def desk(open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path) -> Terminal:
    """The terminal of a coach, whose athlete Anna has benched, and has two templates of which one has per cents."""
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    log = await athlete.workouts.start(start_time=f"{TODAY - timedelta(days=1)}T10:00:00+00:00")
    await log.add_set("Bench Press", reps=5, load=100, rpe=10)
    await athlete.sync()
    await coach.sync()
    exercises = {f"e{n}": {"name": name, "day": "d"} for n, name in enumerate(("Bench Press", "Pin Squat", "Row"), 1)}
    sets = {
        f"s{number}": {"exercise": exercise, "load_percent": 75.0, "reps_min": 5}
        for number, exercise in enumerate(("e1", "e2", "e2", "e3"))
    }
    weeks, days = {"w": {"week_number": 1}}, {"d": {"week": "w", "day_number": 7}}
    await coach.programs.create(name="Base", duration_weeks=4, weeks=weeks, days=days, exercises=exercises, sets=sets)
    await coach.programs.create(name="Peak week", duration_weeks=4)
    for replica in (athlete, coach):
        await replica.aclose()
    return Terminal(tmp_path, "coach")


async def test_assigning_names_the_lifts_that_lack_a_maximum_and_what_gives_way(desk: Terminal) -> None:
    monday = TODAY - timedelta(days=TODAY.weekday())
    first = desk("program", "assign", "Base", "--athlete", "anna", "--start", str(monday)).ok().err
    assert "without a load: Pin Squat (2 sets), Row (1 set); no set of twelve weeks shows a maximum" in first
    assert "apex program loads Base --athlete anna --max 'Pin Squat=100kg'" in first
    assert "Bench" not in first and "gives way" not in first

    later = monday + timedelta(days=14)
    second = desk("program", "assign", "Peak", "--athlete", "anna", "--start", str(later)).ok().err
    assert f"Base, begun on {monday}, gives way to it and ends on {later - timedelta(days=1)}" in second
    assert "without a load" not in second
    desk("program", "clone", "Peak", "--name", "Deload").ok()
    third = desk("program", "assign", "Deload", "--athlete", "anna", "--start", str(later)).ok().err
    assert f"Peak week (from {later} on) gives way to it and never begins" in third
    kept = desk("program", "assign", "Base", "--athlete", "anna", "--start", str(later), "--keep").ok().err
    assert "gives way" not in kept


async def test_a_lift_without_a_maximum_gets_its_loads_once_one_is_stated(desk: Terminal) -> None:
    monday = TODAY - timedelta(days=TODAY.weekday())
    desk("program", "assign", "Base", "--athlete", "anna", "--start", str(monday)).ok()
    of_anna = ("--athlete", "anna")
    unchanged = desk("program", "loads", "Base", *of_anna).ok().err
    assert "Base: 0 sets with a new load" in unchanged and "Pin Squat (2 sets), Row (1 set)" in unchanged
    given = desk("program", "loads", "Base", *of_anna, "--max", "pin squat = 140 kg").ok().err
    assert "Base: 2 sets with a new load" in given and "without a load: Row (1 set)" in given
    last = desk("program", "loads", "Base", *of_anna, "--max", "Row=220lb").ok().err
    assert "1 set with a new load" in last and "without a load" not in last
    assert "0 sets" not in desk("program", "loads", "Base", *of_anna, "--anew", "--max", "Row=130").ok().err
    assert "'Row' is no maximum" in desk("program", "loads", "Base", *of_anna, "--max", "Row").err
    unknown = desk("program", "loads", "Base", *of_anna, "--max", "Curl=50kg")
    assert unknown.code == 1 and "an exercise of this program" in unknown.err
