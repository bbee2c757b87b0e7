"""An app that logs by a program asks the SDK what is planned, what is done of it, and what comes next."""

from datetime import date, timedelta
from typing import Any

import pytest

from apex_client import Replica
from apex_client.errors import NoSuchEntry
from apex_client.following import Followed
from tests.client.conftest import OpenReplica
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


def plan_of(day_number: int) -> dict[str, Any]:
    return {
        "weeks": {"w1": {"week_number": 1}},
        "days": {"d1": {"week": "w1", "day_number": day_number, "name": "Upper A"}},
        "exercises": {
            "e1": {"day": "d1", "order": "a1", "name": "Incline Press", "superset": "A", "tempo": "3010"},
            "e2": {"day": "d1", "order": "a2", "name": "Cable Row", "superset": "A", "rest_seconds": 90},
            "e3": {"day": "d1", "order": "a3", "name": "Lateral Raise", "exercise_id": "its-id"},
        },
        "sets": {
            "s1": {"exercise": "e1", "order": "a", "type": "warmup", "reps_min": 12},
            "s2": {"exercise": "e1", "order": "b", "reps_min": 10, "reps_max": 12, "rpe": 8},
            "s3": {"exercise": "e1", "order": "c", "type": "amrap"},
            "s4": {"exercise": "e2", "order": "a", "reps_min": 10},
            "s5": {"exercise": "e2", "order": "b", "reps_min": 10},
            "s6": {"exercise": "e3", "order": "a", "reps_min": 15},
            "s7": {"exercise": "e3", "order": "b", "type": "dropset", "reps_min": 15},
        },
    }


@pytest.fixture
async def anna(open_replica: OpenReplica, server: LoopbackServer) -> Replica:
    """Give an athlete who follows a program that began this week, with a session today."""
    athlete: Replica = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    await coach.sync()
    template = await coach.programs.create(name="Base", **plan_of(today(athlete).isoweekday()))
    await coach.programs.assign(template, server.accounts[ANNA].id, start_date=today(athlete))
    await coach.sync()
    await athlete.sync()
    return athlete


def today(replica: Replica) -> date:
    return replica.analytics._today()


async def planned(replica: Replica, **asked: Any) -> Followed:
    found = await replica.workouts.planned(**asked)
    assert found is not None
    return found


async def test_a_session_is_logged_by_its_plan_to_the_end(anna: Replica) -> None:
    found = await planned(anna)
    assert found.day is not None and found.day.name == "Upper A"
    log = await anna.workouts.start(
        program_id=found.program_id, week_number=found.week_number, day_number=found.day_number
    )
    said = []
    while (plan := await log.plan()) is not None and plan.next is not None:
        work = plan.next.work
        assert work.name is not None
        entry = await log.follow(work.name)
        kind = plan.types_of_next(work, 1)[0]
        await log.add_set(entry, reps=10, load=50, type=kind)
        after = await log.plan()
        assert after is not None
        following = after.next_after(work)
        said.append((work.name, kind, following and (following.work.name, following.rest_seconds)))
    assert said == [
        ("Incline Press", None, ("Cable Row", None)),
        ("Cable Row", None, ("Incline Press", 90)),
        ("Incline Press", "amrap", ("Cable Row", None)),
        ("Cable Row", None, ("Lateral Raise", 90)),
        ("Lateral Raise", None, ("Lateral Raise", None)),
        ("Lateral Raise", "dropset", None),
    ]
    assert [(entry.name, entry.superset, len(entry.sets)) for entry in log.exercises] == [
        ("Incline Press", "A", 2), ("Cable Row", "A", 2), ("Lateral Raise", None, 2),
    ]  # fmt: skip
    assert log.exercise("Lateral Raise").exercise_id == "its-id"
    assert plan is not None and plan.done == {"e1": 2, "e2": 2, "e3": 2}
    assert plan.day.groups[0].works[0].tempo == "3010"


async def test_an_exercise_of_the_plan_is_named_by_its_place_and_a_warm_up_is_no_set_of_it(anna: Replica) -> None:
    found = await planned(anna)
    log = await anna.workouts.start(
        program_id=found.program_id, week_number=found.week_number, day_number=found.day_number
    )
    press = await log.follow("a1")
    assert (press.name, (await log.follow("incline press")).key) == ("Incline Press", press.key)
    await log.add_set(press, reps=12, load=20, type="warmup")
    plan = await log.plan()
    assert plan is not None and plan.done["e1"] == 0 and plan.next is not None
    assert plan.types_of_next(plan.next.work, 4) == [None, "amrap", None, None]
    with pytest.raises(NoSuchEntry):
        await log.follow("A3")


async def test_what_follows_nothing_has_no_plan(anna: Replica, open_replica: OpenReplica) -> None:
    assert await (await anna.workouts.start(title="My own")).plan() is None
    assert await (await anna.workouts.start(program_id="gone", week_number=1, day_number=1)).plan() is None
    later = today(anna) + timedelta(days=7)
    assert (await planned(anna, on=later)).day is None
    assert (await planned(anna, on=later, week_number=1)).day is not None
    assert await anna.workouts.planned(today(anna) - timedelta(days=1)) is None
    assert await (await open_replica("fresh")).workouts.planned() is None
    with pytest.raises(NoSuchEntry):
        await (await anna.workouts.start()).follow("Squat")
