"""Logging a workout: every operation an app needs, durable at once and readable in order."""

from datetime import date

import pytest

from apex_client import Replica
from apex_client.errors import AthleteNeeded, NoSuchEntry, NoSuchRecord, RecordFull
from apex_sync.errors import OutOfBounds
from tests.client.conftest import OpenReplica
from tests.client.fleet import assert_sound

pytestmark = pytest.mark.anyio


@pytest.fixture
async def replica(open_replica: OpenReplica) -> Replica:
    found: Replica = await open_replica()
    return found


async def test_a_session_starts_now_on_the_athletes_day(replica: Replica) -> None:
    log = await replica.workouts.start(title="Push", program_id="p1", week_number=3, day_number=2)
    assert (log.title, log.date, log.start_time) == ("Push", "2026-03-01", "2026-03-01T18:05:00+00:00")
    assert log.record.program_id == "p1" and log.record.created_at == "2026-03-01T18:05:00.000+00:00"
    assert not log.completed and log.athlete_id == "self"


async def test_finishing_notes_the_end_and_the_duration(replica: Replica) -> None:
    log = await replica.workouts.start(start_time="2026-03-01T17:00:00+00:00")
    await log.finish(notes="solid")
    assert log.completed and log.end_time == "2026-03-01T18:05:00+00:00"
    assert log.record.duration_minutes == 65.0 and log.notes == "solid"


async def test_sets_go_to_the_end_of_their_exercise_which_is_found_or_added(replica: Replica) -> None:
    log = await replica.workouts.start()
    await log.add_set("Bench Press", reps=8, load=100)
    await log.add_set("Squat", reps=5, load=140)
    await log.add_set("bench press ", reps=7, load=100)
    entry = await log.add_exercise("Row", after="Bench Press")
    await log.add_set(entry, reps=10, load=60, type="warmup")
    assert [(entry.name, [logged.reps for logged in entry.sets]) for entry in log.exercises] == [
        ("Bench Press", [8, 7]), ("Row", [10]), ("Squat", [5]),
    ]  # fmt: skip
    assert [logged.reps for logged in log.sets] == [8, 7, 10, 5]


async def test_pounds_show_back_as_pounds_and_kilograms_take_them_away(replica: Replica) -> None:
    log = await replica.workouts.start()
    logged = await log.add_set("Bench Press", reps=8, load=225, unit="lb", rpe=8)
    assert (logged.load, logged.load_unit, logged.load_kg) == (225, "lb", 102.058283)
    logged = await log.edit_set(logged, load=100, unit="kg")
    assert (logged.load, logged.load_unit, logged.load_kg, logged.rpe) == (100, "kg", 100, 8)
    logged = await log.edit_set(logged.key, load=None, reps=None, rpe=None)
    assert (logged.load_kg, logged.reps, logged.rpe) == (None, None, None)


async def test_the_replicas_unit_is_for_loads_without_one(open_replica: OpenReplica) -> None:
    replica = await open_replica("pounds", load_unit="lb")
    log = await replica.workouts.start()
    assert (await log.add_set("Bench Press", reps=8, load=225)).load_kg == 102.058283


async def test_exercises_and_sets_move_skip_go_and_come_back(replica: Replica) -> None:
    log = await replica.workouts.start()
    for name in ("A", "B", "C"):
        for reps in (1, 2, 3):
            await log.add_set(name, reps=reps)
    await log.move_exercise("C", before="A")
    await log.move_exercise("A")
    assert [entry.name for entry in log.exercises] == ["C", "B", "A"]
    first, second, third = log.exercise("B").sets
    await log.move_set(third, before=first)
    assert [logged.reps for logged in log.exercise("B").sets] == [3, 1, 2]
    await log.move_set(third, exercise="A")
    assert [logged.reps for logged in log.exercise("A").sets] == [1, 2, 3, 3]
    await log.move_set(third, after=second)
    assert [logged.reps for logged in log.exercise("B").sets] == [1, 2, 3]
    await log.remove_set(second)
    assert [logged.reps for logged in log.exercise("B").sets] == [1, 3]
    await log.restore_set(second.key)
    assert [logged.reps for logged in log.exercise("B").sets] == [1, 2, 3]
    key = log.exercise("B").key
    await log.remove_exercise("B")
    assert [entry.name for entry in log.exercises] == ["C", "A"] and len(log.sets) == 6
    await log.restore_exercise(key)
    assert len(log.exercise(key).sets) == 3
    assert (await log.skip_exercise("C")).skipped
    assert (await log.edit_exercise("C", notes="machine taken", superset="x")).notes == "machine taken"
    assert [(e.name, e.skipped) for e in log.exercises] == [("C", True), ("B", False), ("A", False)]
    assert_sound(replica._open)


async def test_what_is_not_there_is_named(replica: Replica) -> None:
    log = await replica.workouts.start()
    for call in (
        lambda: log.edit_set("nope", reps=1),
        lambda: log.move_set("nope"),
        lambda: log.edit_exercise("Nope", notes="x"),
        lambda: log.add_exercise("Row", before="Nope"),
    ):
        with pytest.raises(NoSuchEntry):
            await call()
    with pytest.raises(NoSuchRecord):
        await replica.workouts.get("00000000-0000-7000-8000-000000000009")


async def test_values_out_of_bounds_are_refused_before_anything_is_saved(replica: Replica) -> None:
    log = await replica.workouts.start(title="Push")
    for call in (
        lambda: log.add_set("Bench Press", reps=8, load=100, rpe=14),
        lambda: log.add_set("Bench Press", reps=-1),
        lambda: log.add_set("Bench Press", reps=8, load=float("nan")),
        lambda: log.rate(mood=11),
        lambda: log.note("nul \x00"),
        lambda: log.note("x" * 10_001),
        lambda: log.edit(nonsense=1),
        lambda: replica.workouts.start(day_number=8),
    ):
        with pytest.raises(OutOfBounds):
            await call()
    assert (await log.refresh()).exercises == [] and log.title == "Push"
    assert len(await replica.workouts.list()) == 1
    assert_sound(replica._open)


async def test_ratings_and_notes_change_only_what_is_given(replica: Replica) -> None:
    log = await replica.workouts.start()
    await log.rate(fatigue=7, pump=8)
    await log.rate(mood=5, pump=None)
    assert (log.record.fatigue, log.record.pump, log.record.mood) == (7, None, 5)
    await log.note("good")
    assert log.notes == "good"


async def test_a_deleted_workout_is_hidden_and_comes_back(replica: Replica) -> None:
    log = await replica.workouts.start(title="Push")
    await log.add_set("Bench Press", reps=8)
    await log.delete()
    assert await replica.workouts.list() == [] and await replica.query("SELECT key FROM logged_sets") == []
    assert await replica.workouts.search("push") == []
    await log.restore()
    assert [found.id for found in await replica.workouts.list()] == [log.id]
    assert len(await replica.query("SELECT key FROM logged_sets")) == 1
    assert_sound(replica._open)


async def test_workouts_are_listed_by_day_the_latest_first(replica: Replica) -> None:
    for day in ("2026-02-01", "2026-02-03", "2026-02-02"):
        await replica.workouts.start(title=day, start_time=f"{day}T10:00:00+00:00")
    await replica.workouts.start(title="evening", start_time="2026-02-03T20:00:00+00:00")
    titles = [log.title for log in await replica.workouts.list()]
    assert titles == ["evening", "2026-02-03", "2026-02-02", "2026-02-01"]
    since = await replica.workouts.list(since=date(2026, 2, 2), until="2026-02-03", limit=2)
    assert [log.title for log in since] == ["evening", "2026-02-03"]
    assert [log.title for log in await replica.workouts.on("2026-02-01")] == ["2026-02-01"]


async def test_words_find_workouts_by_title_exercise_and_note(replica: Replica) -> None:
    push = await replica.workouts.start(title="Push Day")
    await push.add_set("Überkopfdrücken", reps=8, notes="left shoulder clicks")
    pull = await replica.workouts.start(title="Pull Day")
    for words, found in (
        ("push", [push.id]), ("uberkopf", [push.id]), ("shoulder clicks", [push.id]), ("day", [push.id, pull.id]),
        ('"day" (', [push.id, pull.id]), ("day OR", []), ("", []), ("nothing", []),
    ):  # fmt: skip
        assert sorted(log.id for log in await replica.workouts.search(words)) == sorted(found), words
    (hit,) = await replica.search("shoulder")
    assert hit.record_id == push.id and hit.snippet == "left [shoulder] clicks"


async def test_totals_are_those_of_the_rows(replica: Replica) -> None:
    log = await replica.workouts.start()
    await log.add_set("Bench Press", reps=10, load=60, type="warmup")
    await log.add_set("Bench Press", reps=8, load=100, rpe=8)
    await log.add_set("Bench Press", reps=6, load=100, rir=1)
    await log.add_set("Bench Press", reps=20, load=20, rpe=4)
    assert (log.volume_load_kg, log.average_rpe) == (1400.0, 8.5)
    rows = await replica.query("SELECT volume_load_kg, average_rpe, set_count, exercise_count FROM workout_logs")
    assert rows == [{"volume_load_kg": 1400.0, "average_rpe": 8.5, "set_count": 4, "exercise_count": 1}]


async def test_a_huge_edit_is_split_and_a_record_that_is_full_says_so(replica: Replica) -> None:
    log = await replica.workouts.start()
    sets = {f"k{n:05d}": {"reps": n % 100, "notes": "x" * 100} for n in range(2000)}
    await log.edit(sets=sets)
    assert len(log.sets) == 2000
    for _ in range(10):
        await log.edit(sets={key: {"notes": "y" * 100} for key in sets})
    with pytest.raises(RecordFull):
        await log.edit(sets={key: {"notes": "z" * 1000} for key in sets})
    assert_sound(replica._open)
    assert {entry.notes for entry in (await log.refresh()).sets} == {"y" * 100}


async def test_a_coach_says_whose_workout_it_is(open_replica: OpenReplica) -> None:
    replica = await open_replica("coach", "coach@example.com", role="coach")
    await replica.sync()
    with pytest.raises(AthleteNeeded):
        await replica.workouts.start()


@pytest.mark.parametrize("name", ["", "  \t"])
async def test_an_exercise_has_a_name_that_somebody_can_read(replica: Replica, name: str) -> None:
    log = await replica.workouts.start()
    row = await log.add_exercise("Row")

    for edit in (
        lambda: log.add_set(name, reps=8),
        lambda: log.add_exercise(name),
        lambda: log.edit_exercise(row, name=name),
    ):
        with pytest.raises(OutOfBounds, match="needs a name"):
            await edit()

    assert [entry.name for entry in log.exercises] == ["Row"]
