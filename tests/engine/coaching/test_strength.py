"""Estimated one-repetition maxima against hand-computed and published values."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.exposures import day_bests, trend_formula
from apex_sync.coaching.strength import (
    RPE_PERCENT,
    OutsideFormula,
    brzycki_kg,
    epley_kg,
    estimate,
    estimate_by,
    lombardi_kg,
    rpe_percent,
    rpe_table_kg,
    set_estimate,
)
from tests.engine.coaching.logs import Set, day, line, performed_on, sets


@pytest.mark.parametrize(
    ("formula", "reps", "expected"),
    [
        (epley_kg, 1, 100.0),
        (epley_kg, 5, 116.667),
        (epley_kg, 10, 133.333),
        (epley_kg, 12, 140.0),
        (brzycki_kg, 1, 100.0),
        (brzycki_kg, 5, 112.5),
        (brzycki_kg, 10, 133.333),
        (brzycki_kg, 12, 144.0),
        (lombardi_kg, 1, 100.0),
        (lombardi_kg, 10, 125.893),
    ],
)
def test_formulas_give_their_published_values(
    formula: Callable[[float, int], float], reps: int, expected: float
) -> None:
    assert formula(100.0, reps) == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(("formula", "most"), [(epley_kg, 12), (brzycki_kg, 12), (lombardi_kg, 10)])
def test_a_formula_refuses_reps_it_is_not_used_for(formula: Callable[[float, int], float], most: int) -> None:
    formula(100.0, most)
    for reps in (0, -1, most + 1, 37):
        with pytest.raises(OutsideFormula) as refused:
            formula(100.0, reps)
        assert (refused.value.quantity, refused.value.value) == ("reps", reps)


@pytest.mark.parametrize("load_kg", [0.0, -20.0, float("inf"), float("nan")])
def test_a_formula_refuses_a_load_that_is_none(load_kg: float) -> None:
    with pytest.raises(OutsideFormula, match="load_kg"):
        epley_kg(load_kg, 5)


@pytest.mark.parametrize(
    ("reps", "rpe", "percent"),
    [
        (1, 10, 100),
        (1, 9.5, 97.8),
        (5, 8, 81.1),
        (5, 9, 83.7),
        (3, 9, 89.2),
        (8, 10, 78.6),
        (12, 10, 68.0),
        (12, 7, 59.9),
    ],
)
def test_the_rpe_table_is_the_chart_of_reactive_training_systems(reps: int, rpe: float, percent: float) -> None:
    assert rpe_percent(reps, rpe) == percent
    assert rpe_table_kg(100.0, reps, rpe) == pytest.approx(10_000 / percent)


def test_the_rpe_table_has_a_value_for_every_half_from_1_to_15_and_falls() -> None:
    assert len(RPE_PERCENT) == 29
    assert list(RPE_PERCENT) == sorted(RPE_PERCENT, reverse=True)


def test_between_half_points_the_table_is_read_linearly() -> None:
    assert rpe_percent(5, 8.25) == pytest.approx((81.1 + 82.4) / 2)


@pytest.mark.parametrize(("reps", "rpe"), [(12, 6.5), (12, 6), (5, 5.9), (5, 10.1), (13, 10), (0, 8)])
def test_outside_the_table_there_is_no_value(reps: int, rpe: float) -> None:
    with pytest.raises(OutsideFormula):
        rpe_percent(reps, rpe)


@given(st.floats(1, 1000), st.integers(1, 12), st.floats(6, 10))
def test_an_estimate_is_never_below_the_load_and_rises_with_it(load_kg: float, reps: int, rpe: float) -> None:
    found = estimate(load_kg, reps, rpe)
    assert found.e1rm_kg >= load_kg
    assert estimate(load_kg * 1.1, reps, rpe).e1rm_kg > found.e1rm_kg


@given(st.integers(1, 11), st.floats(6, 10))
def test_more_reps_or_less_effort_at_one_load_mean_more_strength(reps: int, rpe: float) -> None:
    assert epley_kg(100.0, reps + 1) > epley_kg(100.0, reps)
    if reps + 1 + 10 - rpe <= 15:
        assert rpe_table_kg(100.0, reps + 1, rpe) > rpe_table_kg(100.0, reps, rpe)
    if rpe >= 7 and reps + 11 - rpe <= 15:
        assert rpe_table_kg(100.0, reps, rpe - 1) > rpe_table_kg(100.0, reps, rpe)


def test_the_rpe_table_is_preferred_where_effort_is_within_it() -> None:
    assert estimate(100.0, 5, 8.0).formula == "rpe_table"
    assert estimate(100.0, 5, 5.5).formula == "epley"
    assert estimate(100.0, 12, 6.0).formula == "epley"
    assert estimate(100.0, 5).formula == "epley"


@pytest.mark.parametrize(
    ("reps", "rpe", "low"), [(10, None, False), (11, None, True), (5, 7.0, False), (5, 6.9, True), (11, 9.0, True)]
)
def test_many_reps_or_little_effort_make_low_confidence(reps: int, rpe: float | None, low: bool) -> None:
    assert estimate(100.0, reps, rpe).low_confidence is low


def test_the_table_without_effort_is_refused() -> None:
    with pytest.raises(OutsideFormula, match="rpe"):
        estimate_by("rpe_table", 100.0, 5)


def test_of_a_set_there_is_an_estimate_only_if_it_counts_and_moved_a_load() -> None:
    logged: list[Set] = [
        {"load_kg": 100.0, "reps": 5},
        {"load_kg": 100.0, "reps": 5, "type": "warmup"},
        {"load_kg": 100.0, "reps": 5, "rpe": 5},
        {"load_kg": -20.0, "reps": 5},
        {"reps": 5},
        {"load_kg": 100.0, "reps": 13},
    ]
    assert [set_estimate(s) is not None for s in performed_on(day(0), logged)] == [True, *[False] * 5]


def test_effort_logged_as_reps_in_reserve_reaches_the_table() -> None:
    (performed,) = performed_on(day(0), sets((100.0, 5), rir=2))
    found = set_estimate(performed)
    assert found is not None
    assert (found.formula, round(found.e1rm_kg, 1)) == ("rpe_table", 123.3)


def test_a_trend_line_uses_one_formula_throughout() -> None:
    rated = (day(0), sets((100, 5), rpe=8))
    bare = (day(7), sets((105, 5)))
    assert trend_formula(line(rated)) == "rpe_table"
    assert {best.estimate.formula for best in day_bests(line(rated, bare))} == {"epley"}


def test_a_session_is_worth_its_best_set() -> None:
    (best,) = day_bests(line((day(0), sets((100, 5), (110, 3), (90, 6)))))
    assert best.performed.load_kg == 110.0


def test_a_light_session_in_the_evening_takes_nothing_from_the_day() -> None:
    heavy, light = (day(0), sets((100, 5), rpe=8)), (day(0), sets((60, 8)))
    for sessions in ((heavy, light), (light, heavy)):
        (best,) = day_bests(line(*sessions))
        assert (best.performed.load_kg, best.estimate.formula) == (100.0, "rpe_table")
