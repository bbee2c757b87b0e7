"""Projections: any record gives rows, the tables hold exactly those, and they can be made anew at any time."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, get_type_hints

import asyncpg
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from apex_client import rows
from apex_server.db import Database
from apex_server.resources.history import totals_of_row
from apex_server.sync import projections_are_current, rebuild_projections
from apex_server.sync.postgres_rows import pack_projections
from apex_server.sync.projection_tables import TABLES
from apex_server.sync.projections import project
from apex_server.sync.sealing import DocumentSeal
from apex_server.vault import UserKey
from apex_sync.coaching.exercise_totals import exercise_totals, hard_set_of
from apex_sync.coaching.sets import WARMUP, performed_sets
from apex_sync.collection import Entry, Record
from apex_sync.models import CHECK_INS, COLLECTIONS, WORKOUT_LOGS
from apex_sync.models.body import Measurements
from apex_sync.models.checkin import Responses
from apex_sync.models.workout import LoggedExercise, LoggedSet
from apex_sync.op import Patch
from tests.server.sync_world import World, assert_consistent, workout

pytestmark = pytest.mark.anyio

SEAL = DocumentSeal("athlete:00000000-0000-0000-0000-000000000001", UserKey(bytes(32)))

TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "sealed": (str,),
    "bigint": (int,),
    "integer": (int,),
    "double precision": (float,),
    "boolean": (bool,),
    "date": (date,),
    "timestamp": (datetime,),
}

garbage = st.recursive(
    st.none()
    | st.just(UNSET)
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["2026-02-31", "2026-02-28", "2026-02-28T25:00:00", "2026-02-28T23:59:59.5+05:30", "\ud800", "a\0b"]
    )
    | st.dates().map(str)
    | st.datetimes().map(datetime.isoformat)
    | st.text(min_size=190, max_size=220),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def entries(model: type[Record], name: str) -> st.SearchStrategy[Any]:
    """Fill a field with what its type expects in kind, and garbage in its leaves."""
    hint = get_type_hints(model)[name]
    for arm in getattr(hint, "__args__", ()):
        inner: tuple[Any, ...] = getattr(arm, "__args__", ())
        if len(inner) == 2 and isinstance(inner[1], type) and issubclass(inner[1], Entry):
            return st.dictionaries(st.text(max_size=220), structs(inner[1]) | garbage, max_size=4)
        if arm in (Measurements, Responses):
            return structs(arm)
    return garbage


def structs(model: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional={name: garbage for name in model.__struct_fields__}).map(
        lambda leaves: model(**leaves)
    )


def records(model: type[Record]) -> st.SearchStrategy[Record]:
    fields = {name: entries(model, name) for name in model.__struct_fields__}
    return st.fixed_dictionaries({}, optional=fields).map(lambda leaves: model(**leaves))


@pytest.mark.parametrize("name", sorted(COLLECTIONS))
def test_any_record_gives_rows_that_postgres_takes(name: str) -> None:
    """Total: whatever the leaves hold, each value is of its column's type, finite and exact."""

    @given(records(COLLECTIONS[name].model) | records(COLLECTIONS[name].loose_model))
    @settings(max_examples=150)
    def check(record: Record) -> None:
        rows = project(name, record)
        for table, column, value in values_of(rows):
            assert value is None or type(value) in TYPES[column.kind], (table, column, value)
        again = project(name, record)
        assert rows == again
        pack_projections(bytes(16), bytes(16), SEAL.seal_rows(rows))

    check()


def values_of(rows: Any) -> Iterator[tuple[str, Any, Any]]:
    for table, table_rows in rows.items():
        for row in table_rows:
            assert len(row) == len(TABLES[table].columns)
            yield from ((table, column, value) for column, value in zip(TABLES[table].columns, row, strict=True))


KEYS = st.text("ab", min_size=1, max_size=2)
ORDERS = st.text("12", max_size=2) | st.none()
FLAGS = st.booleans() | st.none() | st.just(UNSET)
LOGS = st.builds(
    WORKOUT_LOGS.model,
    exercises=st.dictionaries(KEYS, st.builds(LoggedExercise, order=ORDERS, skipped=FLAGS, deleted=FLAGS)),
    sets=st.dictionaries(
        KEYS,
        st.builds(
            LoggedSet,
            order=ORDERS,
            completed=FLAGS,
            deleted=FLAGS,
            exercise=KEYS | st.none(),
        ),
    ),
)


@given(LOGS)
@settings(max_examples=300)
def test_sets_stand_in_the_order_that_coaching_and_readers_see(log: Record) -> None:
    """One order everywhere: rows and rules agree on which sets there are, on their places and on what was done."""
    rows = project("workout_logs", log).get("logged_sets", [])
    performed = performed_sets("w", log)
    assert [row[0] for row in rows] == [entry.set_key for entry in performed]
    assert [row[10] for row in rows] == [entry.completed for entry in performed]
    assert [row[14] for row in rows] == [entry.later_drop for entry in performed]


TRAINED = st.builds(
    WORKOUT_LOGS.model,
    exercises=st.just({"a": LoggedExercise(), "b": LoggedExercise(skipped=True)}),
    sets=st.lists(
        st.builds(
            LoggedSet,
            exercise=st.sampled_from(["a", "a", "a", "b", "gone"]),
            completed=FLAGS,
            type=st.sampled_from(["working", "warmup", "dropset", "dropset", "unheard of"]) | st.just(UNSET),
            reps=st.sampled_from([UNSET, None, 0, 1, 5, 5, 11, 12, 13, 1000, 1001]),
            load_kg=st.sampled_from([UNSET, None, -20.0, 0.0, 100, 100.0, 102.5, 2000.5]),
            rpe=st.sampled_from([UNSET, None, 5.5, 6.0, 6.5, 8.0, 9.25, 11]),
            rir=st.sampled_from([UNSET, None, 0, 2.0, 5.0, 31]),
        ),
        max_size=12,
    ).map(lambda sets: {f"s{place:02d}": each for place, each in enumerate(sets)}),
)


@given(TRAINED)
@settings(max_examples=300)
def test_what_sets_come_to_is_what_coaching_finds_in_the_record(log: Record) -> None:
    """Session and exercises: the columns that analytics add up are the arithmetic of devices, whatever was logged."""
    rows, performed = project("workout_logs", log), performed_sets("w", log)
    hard = [each for entry in performed if (each := hard_set_of(entry)) is not None]
    done = sum(entry.completed and entry.type != WARMUP for entry in performed)
    totals = exercise_totals(hard)
    assert rows["workout_logs"][0][-3:] == (done, totals.hard_sets, totals.volume_load_kg)
    for key, _, *found in rows["logged_exercises"]:
        of_exercise = [entry for entry in performed if entry.exercise_key == key]
        expected = exercise_totals([each for entry in of_exercise if (each := hard_set_of(entry)) is not None])
        assert totals_of_row(*found[:9]) == expected


def test_wall_clock_and_offset_are_kept_apart() -> None:
    log = WORKOUT_LOGS.model(start_time="2026-03-01T23:30:00+05:30", end_time="2026-03-02T00:40:00+05:30")  # type: ignore[call-arg]
    [row] = project("workout_logs", log)["workout_logs"]
    assert row[:4] == (date(2026, 3, 1), datetime(2026, 3, 1, 23, 30), datetime(2026, 3, 2, 0, 40), 330)  # noqa: DTZ001
    imported = WORKOUT_LOGS.model(start_time="2026-03-01T23:30:00")  # type: ignore[call-arg]
    assert project("workout_logs", imported)["workout_logs"][0][3] is None


@pytest.mark.parametrize(
    ("leaves", "minutes"),
    [
        ({"end_time": "2026-03-01T19:05:00"}, 65.0),
        ({"end_time": "2026-03-01T19:05:00", "duration_minutes": 50}, 50.0),
        ({"end_time": "2026-03-01T19:05:00+01:00"}, None),
        ({"end_time": "2026-03-01T17:00:00"}, None),
        ({"end_time": "2026-03-02T18:00:00"}, None),
        ({}, None),
    ],
)
def test_a_session_lasts_from_its_start_to_its_end_on_server_and_device(leaves: Patch, minutes: float | None) -> None:
    state = {"start_time": "2026-03-01T18:00:00", **leaves}
    [row] = project("workout_logs", WORKOUT_LOGS.read(state)[0])["workout_logs"]
    assert row[4] == minutes
    [on_device] = rows.project("workout_logs", (1, 1, "w"), state)[0]["workout_log_rows"]
    assert on_device[6] == minutes


def test_there_is_one_zero() -> None:
    """Rows that recur are remembered by value, and minus zero equals zero."""
    log = WORKOUT_LOGS.model(sets={"a": LoggedSet(load_kg=-0.0)})  # type: ignore[call-arg]
    assert repr(project("workout_logs", log)["logged_sets"][0][5]) == "0.0"


def test_a_deleted_record_has_no_rows() -> None:
    assert project("check_ins", CHECK_INS.model(deleted=True, date="2026-03-01")) == {}  # type: ignore[call-arg]


def test_free_text_does_not_stand_in_rows() -> None:
    """What a person writes freely stays in the document."""
    free = {
        "notes",
        "title",
        "description",
        "summary",
        "coach_feedback",
        "instructions",
        "nutrition_habits",
        "questionnaire",
    }
    for table in TABLES.values():
        assert not free & {column.name for column in table.columns}


async def test_the_tables_are_as_declared(database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    for table in TABLES.values():
        rows = await owner.fetch(
            "SELECT attname, format_type(atttypid, atttypmod) AS kind FROM pg_attribute "
            "WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            table.name,
        )
        found = [(row["attname"], row["kind"].removesuffix(" without time zone")) for row in rows]
        assert found[:2] == [("scope_id", "uuid"), ("record_id", "uuid")]
        assert sorted(found[2:]) == sorted((column.name, column.type) for column in table.columns), table.name
    await owner.close()


async def test_every_table_of_a_scope_is_under_forced_row_level_security(database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    rows = await owner.fetch(
        "SELECT relname, relforcerowsecurity, "
        "EXISTS (SELECT 1 FROM pg_policy WHERE polrelid = pg_class.oid) AS guarded "
        "FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'scope_id' "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    await owner.close()
    assert {row["relname"] for row in rows} >= {"scopes", "records", "audit", "dead_ops", *TABLES}
    assert all(row["relforcerowsecurity"] and row["guarded"] for row in rows)


async def test_a_coach_reads_rows_of_their_athletes_and_a_stranger_none(db: Database, database_url: str) -> None:
    """Row-level security alone, without any predicate of ours."""
    world = await World(db, database_url).open()
    phone = await world.device(await world.athlete())
    phone.write(workout())
    phone.write({"date": "2026-03-01"}, collection="check_ins")
    await phone.sync()
    coach, stranger = await world.coach(phone.caller.user_id), await world.coach()
    for user_id, expected in ((phone.caller.user_id, 1), (coach, 1), (stranger, 0), (None, 0)):
        async with db.request(user_id) as connection:
            for table in ("workout_logs", "logged_exercises", "check_ins", "scopes"):
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == expected, (user_id, table)
            assert await connection.fetchval("SELECT count(*) FROM logged_sets") == 2 * expected
            assert await connection.fetchval("SELECT count(*) FROM records") == 2 * expected
            assert await connection.fetchval("SELECT count(*) FROM audit") == 2 * expected
            for table in ("dead_ops", "dirty", "server_client_ids"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with connection.transaction():
                        await connection.fetch(f"SELECT 1 FROM {table}")
            for statement in ("DELETE FROM logged_sets", "UPDATE records SET deleted = true"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    async with connection.transaction():
                        await connection.execute(statement)


async def test_rebuilding_gives_the_same_rows(db: Database, database_url: str) -> None:
    world = await World(db, database_url).open()
    athletes = [await world.athlete() for _ in range(2)]
    coach = await world.device(await world.coach(*athletes))
    for athlete in athletes:
        phone = await world.device(athlete)
        for number in range(40):
            record_id = phone.write(workout(sets=number % 7))
            if number % 5 == 0:
                phone.write({"deleted": True}, record_id)
        phone.write({"date": "2026-03-01", "responses": {"energy": 99}}, collection="check_ins")
        await phone.sync()
    coach.write({"name": "Log Press"}, collection="exercises", scope=f"library:{coach.caller.user_id}")
    await coach.sync()
    before = {name: await rows_in(world, name) for name in TABLES}
    await world.sql("UPDATE logged_sets SET reps = 99 WHERE position = 1")
    await world.sql("DELETE FROM workout_logs WHERE fatigue IS NULL")
    await world.sql("INSERT INTO profiles (scope_id, record_id) VALUES ($1, $1)", athletes[0])
    await world.sql("UPDATE records SET needs_review = NOT needs_review")
    await world.sql("UPDATE server_identity SET projections_version = 0")
    assert not await projections_are_current(db)
    assert await rebuild_projections(db) == 83
    assert await projections_are_current(db)
    assert {name: await rows_in(world, name) for name in TABLES} == before
    await assert_consistent(world)


async def rows_in(world: World, table: str) -> list[str]:
    return sorted(repr(tuple(row)) for row in await world.sql(f"SELECT * FROM {table}"))


WORDS_OF_A_PERSON = "my canary, 'tis 8 < 9"


def test_a_projection_holds_no_text_of_a_person_but_names_that_are_sealed() -> None:
    """Whatever leaf the text is in: it is no number, no time, no id and no word of the models, so it is null."""
    kinds: dict[str, type[Any]] = {"exercises": LoggedExercise, "sets": LoggedSet}
    for name, collection in COLLECTIONS.items():
        leaves: dict[str, Any] = dict.fromkeys(set(collection.model.__struct_fields__) - {"deleted"}, WORDS_OF_A_PERSON)
        if name == "workout_logs":
            for field, kind in kinds.items():
                texts: Any = dict.fromkeys(set(kind.__struct_fields__) - {"deleted"}, WORDS_OF_A_PERSON)
                leaves[field] = {WORDS_OF_A_PERSON: kind(**texts)}
        sealed = SEAL.seal_rows(project(name, collection.model(**leaves)))
        assert not [value for _, _, value in values_of(sealed) if "canary" in str(value)]
        if name == "workout_logs":
            assert len(sealed["logged_sets"]) == 1
