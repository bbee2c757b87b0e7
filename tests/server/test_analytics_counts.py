"""What Postgres counts is what `apex_sync.coaching` counts, on random histories; and it goes by indexes."""

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import astuple, replace

from apex_server.analytics.figures import progression_of, totals_by_week, volume_by_week
from apex_server.db import Database, load_queries
from apex_server.resources import library_for, performed_sets_of_workouts, personal_records_of
from apex_server.standing import standings_of
from apex_sync.coaching.analytics import (
    ExerciseProgress,
    ProgressPoint,
    progress_of,
    tallies_of,
    trained_sessions,
    volume_of,
)
from apex_sync.coaching.body_weight_lifts import BodyWeights, body_weights
from apex_sync.coaching.bodyweight import weigh_ins_of
from apex_sync.coaching.client_standing import first_day_needed
from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.coaching.plan_history import history_of_record, plan_history, sessions_due
from apex_sync.coaching.records import PersonalRecord, personal_records
from apex_sync.coaching.session import session_totals
from apex_sync.coaching.sets import PerformedSet, performed_sets, sets_by_exercise
from apex_sync.coaching.weeks import monday_of
from apex_sync.collection import Collection
from apex_sync.models import BODY_METRICS, CHECK_INS, PROGRAMS, WORKOUT_LOGS
from apex_sync.op import Patch
from tests.server.sync_world import World
from tests.server.test_sync_plans import explain, fill

pytestmark = pytest.mark.anyio

FIRST, LAST = date(2026, 1, 5), date(2026, 3, 1)
WORKOUTS = 120
NAMES = (
    "Bench Press", "bench  press", "Barbell Squat", "Something of My Own", " ", None, "Pull Up", "pull-ups",
    "Dip (Assisted)",
    "RDL", "Romanian Deadlift",
)  # fmt: skip
LIBRARY_IDS = (
    *(exercise.id for exercise in builtin_exercises()[:4]),
    *(exercise.id for exercise in builtin_exercises() if exercise.slug in ("chin_up", "assisted_dip")),
    "00000000-0000-7000-8000-000000000001",
)


def random_workout(random: Random) -> Patch:
    """Make a log with everything that decides whether a set counts, within bounds and beyond them."""
    exercises = {f"e{n}": random_exercise(random, n) for n in range(random.randint(0, 4))}
    keys = [*exercises, "gone"]
    patch: Patch = {
        "date": str(FIRST + timedelta(days=random.randint(-3, 60))),
        "exercises": exercises,
        "sets": {f"s{n:02d}": random_set(random, keys, n) for n in range(random.randint(0, 24))},
    }
    if random.random() < 0.1:
        patch["date"] = random.choice(["2026-02-31", None])
        patch["start_time"] = random.choice([None, "2026-02-01T23:30:00-05:00"])
    return patch


def random_exercise(random: Random, number: int) -> Patch:
    entry: Patch = {"order": f"a{number}"}
    if random.random() < 0.9:
        entry["name"] = random.choice(NAMES)
    if random.random() < 0.5:
        entry["exercise_id"] = random.choice(LIBRARY_IDS)
    for flag in ("skipped", "deleted"):
        if random.random() < 0.1:
            entry[flag] = True
    return entry


def random_set(random: Random, exercises: list[str], number: int) -> Patch:
    entry: Patch = {
        "exercise": random.choice(exercises),
        "order": f"a{number:02d}",
        "type": random.choice(["working", "warmup", "dropset", "dropset", "dropset", "backoff"]),
        "reps": random.choice([0, 1, 5, 8, 12, 1000, 1001, -3]),
        "load_kg": random.choice([None, 0.0, -20.0, 60.0, 102.5, 2000.0, 2000.5]),
        "rpe": random.choice([None, None, 5.5, 6.0, 8.0, 8.5, 10.0, 10.5, 0.5]),
        "rir": random.choice([None, None, None, 0.0, 1.5, 2.0, 2.5, 4.0, 4.5, 30.0, 31.0]),
    }
    if random.random() < 0.2:
        entry["completed"] = random.choice([True, False])
    if random.random() < 0.1:
        entry["deleted"] = True
    return entry


def random_weigh_in(random: Random) -> tuple[Collection, Patch]:
    """Make a weigh-in in either kind of record: days with none and with several, slips of the unit, drafts."""
    collection = random.choice([BODY_METRICS, CHECK_INS])
    on = FIRST + timedelta(days=random.choice([-70, -10, 3, 5, 12, 13, 14, 30, 31, 33, 50]))
    weight_kg = random.choice([80.0, 80.5, 81.0, 82.0, 178.0, 0.5, 700.0, None])
    patch: Patch = {"date": str(on), "weight_kg": weight_kg}
    if collection is CHECK_INS and random.random() < 0.8:
        patch["submitted_at"] = f"{on}T08:00:00"
    if random.random() < 0.1:
        patch["deleted"] = True
    return collection, patch


async def weighed(world: World, athlete: UUID, seed: int) -> BodyWeights:
    """Push random weigh-ins, and give what they tell as they stand in the records themselves."""
    random, phone = Random(seed), await world.device(athlete)
    records = []
    for collection, patch in (random_weigh_in(random) for _ in range(12)):
        record_id = phone.write(patch, collection=collection.name)
        records.append((str(UUID(bytes=record_id)), collection.read(patch)[0]))
    await phone.sync()
    return body_weights(weigh_ins_of(records))


async def logged(world: World, athlete: UUID, seed: int) -> list[PerformedSet]:
    """Push a random history, and give its sets as they stand in the records themselves."""
    random, phone = Random(seed), await world.device(athlete)
    patches = [random_workout(random) for _ in range(WORKOUTS)]
    ids = [phone.write(patch) for patch in patches]
    await phone.sync()
    records = [
        (str(UUID(bytes=record_id)), WORKOUT_LOGS.read(patch)[0]) for record_id, patch in zip(ids, patches, strict=True)
    ]
    return [performed for workout_id, record in records for performed in performed_sets(workout_id, record)]


def within(sets: list[PerformedSet]) -> list[PerformedSet]:
    return [performed for performed in sets if performed.date and FIRST <= performed.date <= LAST]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_postgres_counts_hard_sets_as_the_arithmetic_does(db: Database, database_url: str, seed: int) -> None:
    world = await World(db, database_url).open()
    athlete = await world.athlete()
    sets = within(await logged(world, athlete, seed))
    weights = await weighed(world, athlete, seed)
    async with db.request(athlete) as connection:
        counted = await volume_by_week(connection, db.vault, athlete, FIRST, LAST)
        library = await library_for(connection, db.vault, {known for each in sets if (known := each.exercise)})
        totals = await totals_by_week(connection, [athlete], FIRST, LAST)
    expected = volume_of(tallies_of(sets, weights), library)
    assert counted.muscles == expected.muscles
    assert [(each.week, each.exercise_id, each.sets, each.muscles) for each in counted.exercises] == [
        (each.week, each.exercise_id, each.sets, each.muscles) for each in expected.exercises
    ]
    assert any(each.muscles is None for each in counted.exercises)
    assert any(each.sets % 1 for each in counted.exercises), "no drop set was counted as a half"
    volumes = [each.volume_load_kg for each in expected.exercises]
    assert [each.volume_load_kg for each in counted.exercises] == pytest.approx(volumes)
    assert [each.body_weight_reps for each in counted.exercises] == [
        each.body_weight_reps for each in expected.exercises
    ]
    alone = volume_of(tallies_of(sets, BodyWeights()), library)
    assert sum(volumes) > sum(each.volume_load_kg for each in alone.exercises), "no body weight was known"
    assert any(each.body_weight_reps for each in counted.exercises), "every body weight was known"
    for week in totals:
        summed = session_totals([each for each in sets if each.date and monday_of(each.date) == week.week])
        assert (week.hard_sets, week.volume_load_kg) == pytest.approx((summed.working_sets, summed.volume_load_kg))


# Worlds differ, for what was found of an athlete is kept by the process.


async def test_sets_are_read_back_as_they_stand_in_the_records(db: Database, database_url: str) -> None:
    world = await World(db, database_url, seed=4).open()
    athlete = await world.athlete()
    sets = [each for each in await logged(world, athlete, seed=4) if each.date]
    async with db.request(athlete) as connection:
        read = await performed_sets_of_workouts(connection, db.vault, athlete)
        records = await personal_records_of(connection, db.vault, athlete)
    assert plain(read) == plain(sets)
    by_exercise = sets_by_exercise(sets).values()
    assert by_date(records) == by_date([each for members in by_exercise for each in personal_records(members)])


def plain(sets: list[PerformedSet]) -> list[tuple[Any, ...]]:
    return sorted((s.workout_id, s.set_key, s.exercise or "", s.type, s.reps or 0, s.later_drop) for s in sets)


def by_date(records: list[PersonalRecord]) -> list[PersonalRecord]:
    return sorted(records, key=lambda each: (each.performed_at, each.workout_id, each.kind, each.set_key or ""))


@pytest.mark.parametrize("seed", [5, 6])
async def test_lines_are_drawn_from_what_stands_beside_sessions_as_from_their_sets(
    db: Database, database_url: str, seed: int
) -> None:
    world = await World(db, database_url, seed).open()
    athlete = await world.athlete()
    sets = sets_by_exercise(each for each in await logged(world, athlete, seed) if each.date)
    weights = await weighed(world, athlete, seed)
    async with db.request(athlete) as connection:
        drawn = await progression_of(connection, db.vault, athlete, FIRST, LAST)
    lines = {exercise: trained_sessions(members, weights) for exercise, members in sets.items()}
    records = {exercise: personal_records(members) for exercise, members in sets.items()}
    expected = progress_of(lines, FIRST, LAST, records)
    assert [(each.exercise_id, each.name, each.formula, each.records) for each in drawn] == [
        (each.exercise_id, each.name, each.formula, each.records) for each in expected
    ]
    for found, known in zip(drawn, expected, strict=True):
        volumes = pytest.approx([point.volume_load_kg for point in known.points])
        assert [point.volume_load_kg for point in found.points] == volumes
        assert bare(found) == bare(known)


def bare(line: ExerciseProgress) -> list[ProgressPoint]:
    """Leave out what rounds as it is added up."""
    return [replace(point, volume_load_kg=0.0) for point in line.points]


def random_program(random: Random, today: date) -> Patch:
    """Make a program that is followed for a while, or should be, or no more."""
    start = today + timedelta(days=random.randint(-70, 10))
    weeks = {f"w{n}": {"week_number": n} for n in range(1, random.randint(1, 5))}
    days = {
        f"{week}.{number}": {"week": week, "day_number": number}
        for week in weeks
        for number in random.sample(range(1, 8), 2)
    }
    return {
        "name": "Block",
        "status": random.choice(["active", "active", "completed", "completed", "draft", "archived", None]),
        "start_date": random.choice([str(start)] * 9 + [None]),
        "end_date": random.choice([None, *(str(start + timedelta(days=count)) for count in (-3, 0, 10, 30))]),
        "weeks": weeks,
        "days": days,
        "exercises": {f"e{key}": {"day": key, "name": "Row"} for key in days},
        "sets": {f"s{key}": {"exercise": f"e{key}"} for key in days if random.random() < 0.5},
    }


async def test_postgres_says_what_was_due_as_the_rule_does(db: Database, database_url: str) -> None:
    world = await World(db, database_url, seed=7).open()
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=42), today + timedelta(days=1)
    random = Random(7)
    athletes = [await world.athlete() for _ in range(12)]
    coach = await world.coach(*athletes)
    tablet = await world.device(coach)
    expected = {}
    for athlete in athletes:
        patches = [random_program(random, today) for _ in range(random.randint(0, 5))]
        programs = [
            history_of_record(str(UUID(bytes=record_id)), PROGRAMS.read(patch)[0])
            for patch in patches
            for record_id in [tablet.write(patch, collection="programs", scope=f"athlete:{athlete}")]
        ]
        expected[athlete] = [due for due in sessions_due(programs) if first <= due.date <= last]
    await tablet.sync()
    async with db.request(coach) as connection:
        standings = await standings_of(connection, db.vault, [coach], first_day=first)
    for client, facts in standings:
        assert sorted(map(astuple, facts.scheduled), key=repr) == sorted(map(astuple, expected[client.id]), key=repr)
    assert any(expected.values())


async def test_postgres_says_what_was_due_as_the_rule_does_when_programs_were_edited(
    db: Database, database_url: str
) -> None:
    world = await World(db, database_url, seed=11).open()
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=42), today + timedelta(days=1)
    random = Random(11)
    athletes = [await world.athlete() for _ in range(8)]
    coach = await world.coach(*athletes)
    tablet = await world.device(coach)
    edits = sorted((random.randint(1, 70), athlete) for athlete in athletes for _ in range(random.randint(1, 6)))
    programs: dict[UUID, list[bytes]] = {athlete: [] for athlete in athletes}
    for days_ago, athlete in reversed(edits):
        world.now = max(world.now, (int(datetime.now(UTC).timestamp()) - 86_400 * days_ago) * 1_000_000)
        known = random.choice([*programs[athlete], None])
        patch = random_program(random, today)
        if known is not None:
            patch = {leaf: patch[leaf] for leaf in random.sample(["status", "start_date", "end_date", "days"], 2)}
        written = tablet.write(patch, known, collection="programs", scope=f"athlete:{athlete}")
        programs[athlete] += [] if known else [written]
        await tablet.sync()
    histories = {
        athlete: [plan_history(str(UUID(bytes=one)), tablet.docs[f"athlete:{athlete}", one]) for one in made]
        for athlete, made in programs.items()
    }
    for _ in range(2):  # The second time what was read is remembered.
        async with db.request(coach) as connection:
            standings = await standings_of(connection, db.vault, [coach], first_day=first)
            narrow = await standings_of(connection, db.vault, [coach])
        for client, facts in standings:
            due = [each for each in sessions_due(histories[client.id]) if first <= each.date <= last]
            assert sorted(map(astuple, facts.scheduled), key=repr) == sorted(map(astuple, due), key=repr)
        for client, facts in narrow:
            due = [each for each in sessions_due(histories[client.id]) if each.date <= last]
            needed = first_day_needed(datetime.now(UTC).date() - timedelta(days=1))
            due = [each for each in due if needed <= each.date]
            assert sorted(map(astuple, facts.scheduled), key=repr) == sorted(map(astuple, due), key=repr)
    assert any(len(each.stages) > 2 for of in histories.values() for each in of)


async def test_the_figures_of_many_go_by_indexes(db: Database, database_url: str) -> None:
    world = await World(db, database_url).open()
    athlete = await fill(world)
    coach = await world.coach(athlete)
    queries = load_queries("apex_server.analytics")
    programs = load_queries("apex_server")
    async with db.request(coach) as connection:
        since = datetime.combine(FIRST, time(), UTC)
        assert await explain(connection, programs.list_programs_since, [athlete], since, FIRST, LAST) == []
        assert await explain(connection, programs.list_program_documents, [athlete], [athlete]) == []
        assert await explain(connection, queries.list_tallies, athlete, FIRST, LAST) == []
        assert await explain(connection, queries.list_week_totals, [athlete], FIRST, LAST) == []
        assert await explain(connection, queries.list_week_totals, None, FIRST, LAST) == []
        resources = load_queries("apex_server.resources")
        assert await explain(connection, resources.list_trained_sessions, athlete, FIRST, LAST) == []
        lifts = ["00000000-0000-7000-8000-000000000001"], [b"sealed"]
        assert await explain(connection, resources.list_sets_of_exercises, athlete, FIRST, LAST, *lifts) == []
        assert await explain(connection, resources.list_weigh_ins, athlete, LAST) == []


async def test_a_workout_of_drop_sets_is_counted_as_fast_as_any_other(db: Database, database_url: str) -> None:
    """Nothing but the size of what is counted may decide how long it takes: an athlete logs what they like."""
    world = await World(db, database_url).open()
    athlete = await world.athlete()
    drops, at_once = 3000, 1000
    kinds = ["dropset"] * drops + ["working"] + ["dropset"] * drops
    sets = [
        (f"s{n:04d}", {"exercise": "e", "order": f"{n:04d}", "type": kind, "reps": 1}) for n, kind in enumerate(kinds)
    ]
    phone = await world.device(athlete)
    record_id = phone.write({"date": str(FIRST), "exercises": {"e": {"name": "Row", "order": "a"}}})
    for n in range(0, len(sets), at_once):
        phone.write({"sets": dict(sets[n : n + at_once])}, record_id)
        await phone.sync()
    async with db.request(athlete) as connection:
        await connection.execute("SET LOCAL statement_timeout = '1s'")
        week, *_ = await totals_by_week(connection, [athlete], FIRST, LAST)
    assert week.hard_sets == 2 * (1 + (drops - 1) / 2) + 1
