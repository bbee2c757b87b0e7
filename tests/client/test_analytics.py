"""What training adds up to on a device: offline, by the arithmetic of the server, for the athlete and their coach."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from apex_client import Replica
from apex_client.errors import AthleteNeeded
from apex_sync.coaching.analytics import MuscleWeek
from tests.client.apex_command import Terminal
from tests.client.conftest import OpenReplica
from tests.client.fleet import Clock
from tests.client.loopback import LoopbackServer

pytestmark = pytest.mark.anyio

ANNA, COACH = "anna@example.com", "coach@example.com"


async def train(replica: Replica, on: date, name: str, *loads: float, hour: int = 10) -> None:
    log = await replica.workouts.start(start_time=f"{on}T{hour}:00:00")
    for load in loads:
        await log.add_set(name, reps=8, load=load)
    await log.finish(end_time=f"{on}T{hour + 1}:00:00")


def monday(replica: Replica, weeks_ago: int) -> date:
    today = replica.analytics._today()
    return today - timedelta(days=today.weekday() + 7 * weeks_ago)


async def test_volume_and_progress_need_no_server(open_replica: OpenReplica) -> None:
    replica = await open_replica()
    for weeks_ago, load in ((3, 100.0), (2, 102.5), (1, 105.0)):
        await train(replica, monday(replica, weeks_ago), "Barbell Bench Press", load, load)
    await train(replica, monday(replica, 1), "Wonder Machine", 40)
    week = monday(replica, 1)

    volume = await replica.analytics.volume(weeks=4)
    assert MuscleWeek(week=week, muscle="chest", direct_sets=2, fractional_sets=2) in volume.muscles
    assert MuscleWeek(week=week, muscle="triceps", direct_sets=0, fractional_sets=1) in volume.muscles
    assert [each.name for each in volume.exercises if each.muscles is None] == ["Wonder Machine"]

    [bench] = await replica.analytics.progression("barbell bench press")
    assert [point.top_load_kg for point in bench.points] == [100, 102.5, 105]
    assert bench.percent_per_week is not None and bench.percent_per_week > 0 and bench.percent_per_week_missing is None
    assert {record.date for record in bench.records} == {monday(replica, 2), week}
    assert len(await replica.analytics.progression()) == 2


async def test_an_exercise_that_is_called_two_ways_has_one_line(open_replica: OpenReplica) -> None:
    replica = await open_replica()
    await train(replica, monday(replica, 3), "RDL", 100)
    await train(replica, monday(replica, 2), "Romanian Deadlift", 110)
    [line] = await replica.analytics.progression()
    assert [point.top_load_kg for point in line.points] == [100, 110]
    assert "load_pr" in {record.kind for record in line.records}
    assert (
        await replica.analytics.progression("RDL") == await replica.analytics.progression("romanian deadlift") == [line]
    )
    assert len((await replica.analytics.volume(weeks=4)).exercises) == 2, "one exercise in each of two weeks"


async def test_records_and_top_sets_of_odd_loads_are_shown_to_the_gram(open_replica: OpenReplica) -> None:
    replica = await open_replica()
    for weeks_ago, load in ((2, 102.058283), (1, 104.326246)):
        await train(replica, monday(replica, weeks_ago), "Squat", load)
    [squat] = await replica.analytics.progression()
    assert [point.top_load_kg for point in squat.points] == [102.058, 104.326]
    shown = [figure for record in squat.records for figure in (record.value, record.previous)]
    assert shown and shown == [round(figure, 3) for figure in shown]


async def test_a_light_session_in_the_evening_takes_nothing_from_the_day(open_replica: OpenReplica) -> None:
    replica = await open_replica()
    for weeks_ago in (3, 2, 1):
        await train(replica, monday(replica, weeks_ago), "Squat", 100)
    [before] = await replica.analytics.progression()
    await train(replica, monday(replica, 1), "Squat", 60, 60, hour=18)
    [squat] = await replica.analytics.progression()
    assert [point.sets for point in squat.points] == [1, 1, 3]
    assert [point.e1rm_kg for point in squat.points] == [point.e1rm_kg for point in before.points]
    assert squat.percent_per_week == before.percent_per_week == 0
    assert squat.points[-1].workout_id == before.points[-1].workout_id


async def test_a_lift_goes_on_where_the_app_before_left_off(open_replica: OpenReplica, tmp_path: Path) -> None:
    replica = await open_replica()
    before, after = monday(replica, 2), monday(replica, 1)
    export = tmp_path / "fitnotes.csv"
    export.write_text(
        "Date,Exercise,Category,Weight (kgs),Reps,Distance,Distance Unit,Time\n"
        f"{before},Bench Press (Barbell),Chest,100,8,,,\n"
    )
    await replica.import_file(export)
    [known] = await replica.exercises.named("Barbell Bench Press")
    log = await replica.workouts.start(start_time=f"{after}T10:00:00")
    bench = await log.add_exercise(known["name"], exercise_id=known.id)
    await log.add_set(bench, reps=8, load=102.5)
    [line] = await replica.analytics.progression()
    assert [point.top_load_kg for point in line.points] == [100, 102.5]


async def test_adherence_is_to_the_program_that_is_followed(open_replica: OpenReplica, server: LoopbackServer) -> None:
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    await train(athlete, monday(athlete, 2), "Squat", 100)
    await athlete.sync()
    await coach.sync()
    anna = coach.athlete(server.accounts[ANNA].id)
    assert [each.due for each in await anna.analytics.adherence(weeks=3)] == [0, 0, 0]
    weeks = {f"w{n}": {"week_number": n} for n in range(1, 5)}
    days = {f"d{n}": {"week": f"w{n}", "day_number": 1} for n in range(1, 5)}
    exercises = {f"e{n}": {"day": f"d{n}", "name": "Squat"} for n in range(1, 5)}
    start = str(monday(athlete, 2))
    await anna.programs.create(
        name="Base", status="active", start_date=start, weeks=weeks, days=days, exercises=exercises
    )
    seen = await anna.analytics.adherence(weeks=3)
    assert [(each.due, each.percent) for each in seen] == [(0, None), (1, 100), (1, 0)]
    await coach.sync()
    await athlete.sync()
    assert await athlete.analytics.adherence(weeks=3) == seen
    with pytest.raises(AthleteNeeded):
        await coach.analytics.volume()


async def test_a_week_is_judged_by_the_program_that_was_followed_in_it(
    open_replica: OpenReplica, server: LoopbackServer
) -> None:
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    await train(athlete, monday(athlete, 2), "Squat", 100)
    await athlete.sync()
    await coach.sync()
    plan = {
        "weeks": {f"w{n}": {"week_number": n} for n in range(1, 5)},
        "days": {f"d{n}": {"week": f"w{n}", "day_number": 1} for n in range(1, 5)},
        "exercises": {f"e{n}": {"day": f"d{n}", "name": "Squat"} for n in range(1, 5)},
    }
    anna = server.accounts[ANNA].id
    for name, weeks_ago in (("Old", 3), ("New", 0)):
        template = await coach.programs.create(name=name, **plan)
        await coach.programs.assign(template, anna, start_date=monday(coach, weeks_ago))
    seen = await coach.athlete(anna).analytics.adherence(weeks=4)
    assert [(each.due, each.percent) for each in seen] == [(0, None), (1, 0), (1, 100), (1, 0)]


async def test_an_edit_to_a_program_says_nothing_about_the_weeks_before_it(
    open_replica: OpenReplica, server: LoopbackServer, clock: Clock
) -> None:
    athlete = await open_replica("athlete", ANNA)
    coach = await open_replica("coach", COACH, role="coach")
    server.link(server.accounts[COACH], server.accounts[ANNA])
    await coach.sync()
    program = await coach.athlete(server.accounts[ANNA].id).programs.create(
        status="active",
        start_date=str(monday(coach, -1)),
        weeks={f"w{n}": {"week_number": n} for n in range(1, 5)},
        days={f"d{n}": {"week": f"w{n}", "day_number": 1} for n in range(1, 5)},
        exercises={f"e{n}": {"day": f"d{n}", "name": "Squat"} for n in range(1, 5)},
        sets={f"s{n}": {"exercise": f"e{n}"} for n in range(1, 5)},
    )
    clock.pass_seconds(14 * 86_400)
    for weeks_ago in (1, 0):
        await train(athlete, monday(athlete, weeks_ago), "Squat", 100)
    await athlete.sync()
    clock.pass_seconds(7 * 86_400)
    more = {f"t{n}": {"exercise": f"e{n}"} for n in range(1, 5)}
    await program.edit(days={"d2": {"deleted": True}}, sets=more)
    await coach.sync()
    [anna] = await coach.clients.standing()
    assert anna.adherence.workouts == 100, "the day that is gone now was due in these two weeks"
    clock.pass_seconds(14 * 86_400)
    await coach.sync()
    await athlete.sync()
    seen = await athlete.analytics.adherence(weeks=4)
    assert [(each.due, each.percent) for each in seen] == [(1, 100), (1, 100), (1, 0), (1, 0)]
    assert await coach.athlete(server.accounts[ANNA].id).analytics.adherence(weeks=4) == seen


def test_a_terminal_shows_volume_and_progress(apex: Terminal) -> None:
    apex("log", "set", "Barbell Bench Press", "8x100kg@8", "8x100kg@9").ok()
    apex("log", "set", "Wonder Machine", "8x40kg@8", "--new").ok()
    shown = apex("volume").ok()
    assert "chest" in shown.out and "triceps" in shown.out
    assert "Wonder Machine" in shown.err
    progress = apex("progress").ok()
    assert "Barbell Bench Press" in progress.out and "RPE table" in progress.out
    assert "no % a week: not enough data" in progress.err
    refused = apex("progress", "Barbell Bnech Press")
    assert refused.code == 1 and "is it 'Barbell Bench Press'" in refused.err


async def test_a_coach_names_whose_figures_they_are(
    open_replica: OpenReplica, server: LoopbackServer, tmp_path: Path
) -> None:
    coach = await open_replica("coach", COACH, role="coach")
    athlete = server.add_user(ANNA)
    server.link(server.accounts[COACH], athlete)
    await coach.sync()
    [anna] = await coach.athletes.list()
    await coach.aclose()
    apex = Terminal(tmp_path, "coach")
    apex("log", "set", "Barbell Bench Press", "8x100kg@8", "--athlete", anna.id).ok()
    for words in (("volume",), ("progress",)):
        assert apex(*words, "--athlete", str(anna.name or anna.id)).ok().out
        assert "not one of your athletes" in apex(*words, "--athlete", "Nobody").err
        assert "--athlete NAME" in apex(*words).err
