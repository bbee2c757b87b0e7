"""Totals of a session, and that the order of its sets does not matter."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.body_weight_lifts import BodyWeights
from apex_sync.coaching.session import session_totals
from apex_sync.coaching.sets import performed_sets
from tests.engine.coaching.garbage import workout_states
from tests.engine.coaching.logs import Set, day, performed_on, read_workout, sets, weighing, workout


def test_volume_load_is_load_times_reps_of_the_sets_that_count() -> None:
    logged: list[Set] = [
        *sets((60.0, 10), type="warmup"),
        *sets((100.0, 8), (100.0, 7), rpe=8),
        *sets((100.0, 6), completed=False),
        *sets((50.0, 10), rpe=5),
    ]
    totals = session_totals(performed_on(day(0), logged))
    assert totals.volume_load_kg == 1500.0
    assert (totals.reps, totals.sets_logged, totals.sets_completed, totals.working_sets) == (15, 5, 4, 2.0)


def test_average_rpe_is_over_hard_sets_with_logged_effort() -> None:
    logged: list[Set] = [
        {"reps": 5, "rpe": 8},
        {"reps": 5, "rir": 1},
        {"reps": 5},
        {"reps": 5, "rpe": 7, "type": "warmup"},
    ]
    assert session_totals(performed_on(day(0), logged)).average_rpe == 8.5
    assert session_totals(performed_on(day(0), sets((100, 5)))).average_rpe is None


def test_later_drops_count_as_halves_of_a_set_and_whole_in_volume() -> None:
    totals = session_totals(performed_on(day(0), sets((100, 8), (80, 8), (60, 8), type="dropset")))
    assert (totals.working_sets, totals.volume_load_kg) == (2.0, 1920.0)


def test_body_weight_moves_count_only_with_a_known_body_weight() -> None:
    exercises = {"Pull Up": sets((None, 8), (10.0, 5), (-20.0, 8)), "Push Up": sets((None, 30))}
    performed = performed_sets("w", workout(day(0), exercises))
    unknown = session_totals(performed, weights=BodyWeights())
    assert (unknown.volume_load_kg, unknown.reps_without_load, unknown.body_weight_reps) == (0.0, 51, 21)
    known = session_totals(performed, weights=weighing(80.0))
    assert (known.volume_load_kg, known.reps_without_load, known.body_weight_reps) == (80 * 8 + 90 * 5 + 60 * 8, 30, 0)


def test_a_record_by_itself_counts_what_was_logged_as_its_load() -> None:
    totals = session_totals(performed_sets("w", workout(day(0), {"Pull Up": sets((None, 8), (10.0, 5))})))
    assert (totals.volume_load_kg, totals.reps_without_load, totals.body_weight_reps) == (50.0, 8, 0)


def test_without_a_known_load_reps_are_reported_apart() -> None:
    totals = session_totals(performed_on(day(0), sets((None, 12), (-20.0, 8), (0.0, 5), (100.0, 5))))
    assert (totals.reps, totals.reps_without_load, totals.volume_load_kg) == (30, 25, 500.0)


def test_a_muscle_gets_whole_direct_and_half_indirect_sets() -> None:
    performed = performed_sets("w", workout(day(0), {"Bench": sets((100, 8), (100, 8)), "Curl": sets((20, 10))}))
    muscles = {"name:bench": {"chest": 1.0, "triceps": 0.5}, "name:curl": {"biceps": 1.0}}
    found = {m.muscle: m for m in session_totals(performed, muscles=muscles).muscles}
    assert {name: (m.direct_sets, m.fractional_sets) for name, m in found.items()} == {
        "biceps": (1.0, 1.0),
        "chest": (2.0, 2.0),
        "triceps": (0.0, 1.0),
    }
    assert (found["chest"].volume_load_kg, found["triceps"].volume_load_kg) == (1600.0, 0.0)


def test_an_effort_that_contradicts_itself_is_counted() -> None:
    assert session_totals(performed_on(day(0), sets((100, 5), rpe=9, rir=4))).effort_conflicts == 1


@given(state=workout_states(), seed=st.integers(0, 9))
def test_totals_do_not_depend_on_the_order_of_the_sets(state: dict[str, Any], seed: int) -> None:
    performed = performed_sets("w", read_workout(state))
    shuffled = random.Random(seed).sample(performed, len(performed))
    assert session_totals(shuffled) == session_totals(performed)


@given(state=workout_states())
def test_totals_are_finite_and_never_negative(state: dict[str, Any]) -> None:
    totals = session_totals(performed_sets("w", read_workout(state)), weights=weighing(80.0))
    assert 0 <= totals.volume_load_kg < 1e12
    assert totals.reps_without_load <= totals.reps
    assert totals.average_rpe is None or 6 <= totals.average_rpe <= 10


@given(st.floats(1, 500), st.integers(1, 100))
def test_one_more_set_adds_its_own_volume(load_kg: float, reps: int) -> None:
    one = session_totals(performed_on(day(0), sets((load_kg, reps))))
    two = session_totals(performed_on(day(0), sets((load_kg, reps), (load_kg, reps))))
    assert two.volume_load_kg == pytest.approx(2 * one.volume_load_kg)
