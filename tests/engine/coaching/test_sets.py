"""Which sets a record holds, in which order, and which of them count."""

import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching import sets as rules
from apex_sync.coaching.exercise_library import builtin_id
from apex_sync.coaching.sets import (
    counts_as_working,
    effort_conflicts,
    effort_rpe,
    exercise_identity,
    identities_of,
    performed_sets,
    sets_by_exercise,
    working_share,
)
from apex_sync.models.workout import LoggedSet
from tests.engine.coaching.garbage import hostile_values, workout_states
from tests.engine.coaching.logs import day, performed_on, read_workout, sets, workout


def one(**leaves: Any) -> rules.PerformedSet:
    return performed_on(day(0), [{"load_kg": 100.0, "reps": 8, **leaves}])[0]


def test_sets_come_in_reading_order_whatever_the_order_of_the_map() -> None:
    state = {
        "date": "2026-03-02",
        "exercises": {"a": {"name": "Squat", "order": "2"}, "b": {"name": "Bench", "order": "1"}},
        "sets": {
            "z": {"exercise": "a", "order": "1", "reps": 3},
            "x": {"exercise": "b", "order": "2", "reps": 2},
            "y": {"exercise": "b", "order": "1", "reps": 1},
        },
    }
    read = performed_sets("w", read_workout(state))
    assert [(s.exercise_name, s.reps, s.position) for s in read] == [("Bench", 1, 0), ("Bench", 2, 1), ("Squat", 3, 2)]


def test_sets_with_one_order_key_are_ordered_by_their_own_key() -> None:
    entries = {key: {"exercise": "a", "order": "i", "reps": 1} for key in ("b", "a", "c")}
    read = performed_sets("w", read_workout({"date": "2026-03-02", "exercises": {"a": {"name": "X"}}, "sets": entries}))
    assert [s.set_key for s in read] == ["a", "b", "c"]


def test_deleted_sets_and_sets_of_deleted_exercises_are_left_out() -> None:
    state = {
        "date": "2026-03-02",
        "exercises": {"a": {"name": "Bench"}, "gone": {"name": "Squat", "deleted": True}},
        "sets": {
            "1": {"exercise": "a", "reps": 5},
            "2": {"exercise": "a", "reps": 6, "deleted": True},
            "3": {"exercise": "gone", "reps": 7},
        },
    }
    assert [s.reps for s in performed_sets("w", read_workout(state))] == [5]


def test_a_deleted_workout_has_no_sets() -> None:
    assert performed_sets("w", workout(day(0), {"Bench": sets((100, 5))}, deleted=True)) == []


def test_a_set_whose_exercise_is_missing_is_kept_without_a_name() -> None:
    read = performed_sets("w", read_workout({"date": "2026-03-02", "sets": {"1": {"exercise": "zz", "reps": 5}}}))
    assert [(s.exercise_key, s.exercise_name, s.exercise) for s in read] == [("zz", None, None)]


def test_a_logged_set_was_done_unless_it_says_otherwise() -> None:
    assert one().completed
    assert not one(completed=False).completed


def test_of_a_skipped_exercise_only_sets_explicitly_completed_were_done() -> None:
    state = {
        "date": "2026-03-02",
        "exercises": {"a": {"name": "Bench", "skipped": True}},
        "sets": {"1": {"exercise": "a", "reps": 5}, "2": {"exercise": "a", "reps": 5, "completed": True}},
    }
    assert [s.completed for s in performed_sets("w", read_workout(state))] == [False, True]


@pytest.mark.parametrize(
    ("leaves", "counts"),
    [
        ({}, True),
        ({"type": "warmup"}, False),
        ({"completed": False}, False),
        ({"reps": 0}, False),
        ({"reps": 1}, True),
        ({"rpe": 5.5}, False),
        ({"rpe": 6}, True),
        ({"rir": 4}, True),
        ({"rir": 4.5}, False),
        ({"type": "amrap"}, True),
        ({"type": "a newer app's kind"}, True),
        ({"load_kg": None}, True),
    ],
)
def test_a_hard_set_is_completed_no_warm_up_and_hard_enough(leaves: dict[str, Any], counts: bool) -> None:
    assert counts_as_working(one(**leaves)) is counts


def test_the_first_drop_is_a_whole_set_and_later_ones_are_halves() -> None:
    logged = [
        {"reps": 8, "load_kg": 80.0, "type": kind} for kind in ("working", *["dropset"] * 3, "working", "dropset")
    ]
    assert [working_share(s) for s in performed_on(day(0), logged)] == [1, 1, 0.5, 0.5, 1, 1]


def test_a_drop_that_was_not_done_leaves_the_next_one_whole() -> None:
    logged = [{"reps": 8, "type": "dropset", "completed": done} for done in (False, True, True)]
    assert [working_share(s) for s in performed_on(day(0), logged)] == [0, 1, 0.5]


def test_drops_of_two_exercises_do_not_run_together() -> None:
    both = workout(day(0), {"A": [{"reps": 8, "type": "dropset"}], "B": [{"reps": 8, "type": "dropset"}]})
    assert [working_share(s) for s in performed_sets("w", both)] == [1, 1]


@pytest.mark.parametrize(
    ("rpe", "rir", "effort", "conflict"),
    [
        (8, None, 8, False),
        (None, 2, 8, False),
        (8, 2, 8, False),
        (8.5, 2, 8.5, False),
        (8.6, 2, 8, True),
        (7.4, 2, 8, True),
        (None, None, None, False),
        (None, 30, 1, False),
    ],
)
def test_effort_comes_from_rpe_or_rir_and_rir_is_believed_where_they_contradict(
    rpe: float | None, rir: float | None, effort: float | None, conflict: bool
) -> None:
    performed = one(rpe=rpe, rir=rir)
    assert effort_rpe(performed) == effort
    assert effort_conflicts(performed) is conflict


@pytest.mark.parametrize(
    ("leaf", "value"),
    [
        ("reps", 1001),
        ("reps", -1),
        ("load_kg", 2000.5),
        ("load_kg", -501.0),
        ("rpe", 14.0),
        ("rpe", 0.5),
        ("rir", 31.0),
    ],
)
def test_a_value_out_of_bounds_counts_as_absent(leaf: str, value: float) -> None:
    assert getattr(one(**{leaf: value}), leaf) is None


def test_the_bounds_are_those_of_the_model() -> None:
    bounds = {
        "reps": (0, rules.REPS_MAX),
        "load_kg": (rules.LOAD_KG_MIN, rules.LOAD_KG_MAX),
        "rpe": (rules.RPE_MIN, rules.RPE_MAX),
        "rir": (0, rules.RIR_MAX),
    }
    fields = {field.name: field.type for field in msgspec.inspect.type_info(LoggedSet).fields}  # type: ignore[attr-defined]
    for name, (low, high) in bounds.items():
        number = next(arm for arm in fields[name].types if hasattr(arm, "ge"))
        assert (number.ge, number.le) == (low, high), name


@pytest.mark.parametrize(
    ("leaves", "date", "performed_at"),
    [
        ({"date": "2026-03-02"}, "2026-03-02", "2026-03-02"),
        ({"date": "2026-03-02", "start_time": "2026-03-02T18:05:00"}, "2026-03-02", "2026-03-02T18:05:00.000000"),
        ({"date": "2026-03-02", "start_time": "2026-03-02T18:05:00+09:00"}, "2026-03-02", "2026-03-02T18:05:00.000000"),
        ({"start_time": "2026-03-02T18:05:00Z"}, "2026-03-02", "2026-03-02T18:05:00.000000"),
        ({"date": "2026-02-31", "start_time": "2026-03-02T18:05:00"}, "2026-03-02", "2026-03-02T18:05:00.000000"),
        ({"date": "2026-02-31"}, None, ""),
        ({}, None, ""),
    ],
)
def test_a_set_is_dated_by_the_athletes_own_clock(leaves: dict[str, str], date: str | None, performed_at: str) -> None:
    performed = performed_sets("w", read_workout({"sets": {"1": {"reps": 5}}, **leaves}))[0]
    assert performed.date == (datetime.date.fromisoformat(date) if date else None)
    assert performed.performed_at == performed_at


def test_a_name_is_one_exercise_whatever_its_case_width_and_spacing() -> None:
    assert exercise_identity(None, "Bench  PRESS") == exercise_identity(None, "\uff42ench press")
    assert exercise_identity("7", "Bench") == exercise_identity("7", "Bankdrücken") == "id:7"
    assert exercise_identity(None, "  ") is exercise_identity(None, None) is None


def test_an_imported_name_joins_the_library_exercise_it_stands_beside() -> None:
    def named(workout_id: str, **exercise: str) -> list[rules.PerformedSet]:
        state = {"date": "2026-03-02", "exercises": {"a": exercise}, "sets": {"1": {"exercise": "a", "reps": 5}}}
        return performed_sets(workout_id, read_workout(state))

    imported, logged = named("w1", name="bench press"), named("w2", name="Bench Press", exercise_id="7")
    assert {key: len(found) for key, found in sets_by_exercise(imported + logged).items()} == {"id:7": 2}
    other = named("w3", name="Bench Press", exercise_id="8")
    assert sets_by_exercise(imported + logged + other).keys() == {"id:7", "id:8", "name:bench press"}


def test_a_name_without_an_id_is_what_the_library_calls_so() -> None:
    """Whoever logs a name alone has one line of it, and one line with whoever names the id."""
    press = builtin_id("Barbell Bench Press")
    named = [
        (None, "RDL"),
        (None, "Romanian Deadlift"),
        (None, "bb bench press"),
        (press, "Bankdrücken"),
        (None, "Mine"),
    ]
    meant = identities_of(named)
    assert meant[None, "RDL"] == meant[None, "Romanian Deadlift"] == f"id:{builtin_id('RDL')}"
    assert meant[None, "bb bench press"] == meant[press, "Bankdrücken"] == f"id:{press}"
    assert meant[None, "Mine"] == "name:mine"
    assert identities_of([(None, "RDL"), ("7", "rdl")])[None, "RDL"] == "id:7", "a coach's own goes first"


@given(state=workout_states())
def test_reading_sets_never_raises(state: dict[str, Any]) -> None:
    read = performed_sets("w", read_workout(state))
    assert [s.position for s in read] == list(range(len(read)))
    assert all(working_share(s) in (0, 0.5, 1) for s in read)


@given(
    st.fixed_dictionaries({name: hostile_values() for name in ("sets", "exercises", "date", "start_time", "deleted")})
)
def test_reading_sets_never_raises_on_what_is_no_record_at_all(leaves: dict[str, Any]) -> None:
    odd: Any = msgspec.defstruct("Odd", list(leaves))(**leaves)
    assert isinstance(performed_sets("w", odd), list)


@given(state=workout_states())
def test_the_order_of_the_maps_changes_nothing(state: dict[str, Any]) -> None:
    turned = {
        field: dict(reversed(value.items())) if isinstance(value, dict) else value
        for field, value in reversed(state.items())
    }
    assert performed_sets("w", read_workout(turned)) == performed_sets("w", read_workout(state))
