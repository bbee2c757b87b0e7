"""Plateaus and regressions of one exercise, at the boundaries of every condition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.exposures import Exposure
from apex_sync.coaching.plateau import Stagnation, find_stagnation
from tests.engine.coaching.logs import day, line, sets


def at_loads(*loads: float, every: int = 7, reps: int = 5) -> list[Exposure]:
    return line(*((day(every * number), sets((load, reps))) for number, load in enumerate(loads)))


def found(exposures: list[Exposure], **options: float) -> Stagnation | None:
    return find_stagnation(exposures, as_of=exposures[-1].date, **options)


def test_three_weeks_without_gain_after_a_history_are_a_plateau() -> None:
    stagnation = found(at_loads(95, 100, 100, 100, 100, 100))
    assert stagnation is not None
    assert (stagnation.kind, stagnation.n, len(stagnation.window), stagnation.window_days) == ("plateau", 6, 4, 21)
    assert stagnation.gain == 0
    assert stagnation.slope_per_week == 0


def test_five_exposures_are_too_short_a_history() -> None:
    assert found(at_loads(100, 100, 100, 100, 100)) is None


def test_a_gain_of_one_per_cent_is_no_plateau() -> None:
    assert found(at_loads(100, 100, 101, 101, 101, 101)) is None
    assert found(at_loads(100, 100, 100.9, 100.9, 100.9, 100.9)) is not None


def test_a_line_that_rises_is_no_plateau() -> None:
    assert found(at_loads(100, 100, 99, 99.5, 100, 100.5)) is None


def test_a_line_that_falls_by_a_per_cent_a_week_is_a_regression() -> None:
    stagnation = found(at_loads(100, 100, 100, 98, 96, 94))
    assert stagnation is not None
    assert stagnation.kind == "regression"
    assert stagnation.slope_per_week == pytest.approx(-2 / 97, abs=1e-4)


def test_a_slower_fall_is_a_plateau() -> None:
    stagnation = found(at_loads(100, 100, 100, 99.5, 99, 98.5))
    assert stagnation is not None
    assert stagnation.kind == "plateau"


def test_a_regression_needs_three_exposures_over_the_window() -> None:
    assert found(at_loads(100, 95)) is None
    short = found(at_loads(100, 97, 94))
    assert short is None, "fourteen days are too few"
    assert found(at_loads(100, 97, 94, 91)) is not None


def test_exposures_too_far_apart_show_no_trend() -> None:
    assert found(at_loads(100, 100, 100, 100, 100, 100, every=22)) is None
    assert found(at_loads(100, 100, 100, 100, 100, 100, every=21)) is not None


def test_an_exercise_no_longer_trained_is_not_judged() -> None:
    exposures = at_loads(100, 100, 100, 100, 100, 100)
    last = exposures[-1].date.toordinal()
    for days, expected in ((21, True), (22, False)):
        as_of = exposures[-1].date.fromordinal(last + days)
        assert (find_stagnation(exposures, as_of=as_of) is not None) is expected


@pytest.mark.parametrize(("years", "exposures", "expected"), [(0.9, 6, True), (None, 6, False), (0.9, 5, False)])
def test_a_beginner_is_judged_sooner(years: float | None, exposures: int, expected: bool) -> None:
    four_days_apart = at_loads(*[100.0] * exposures, every=4)
    stagnation = find_stagnation(four_days_apart, as_of=four_days_apart[-1].date, training_age_years=years)
    assert (stagnation is not None) is expected


def test_an_advanced_athlete_is_judged_later() -> None:
    weekly = at_loads(*[100.0] * 6)
    assert found(weekly, training_age_years=5.0) is not None
    assert found(weekly, training_age_years=5.1) is None
    assert found(at_loads(*[100.0] * 8), training_age_years=5.1) is not None


def test_with_low_adherence_standing_still_says_nothing() -> None:
    flat = at_loads(*[100.0] * 6)
    assert found(flat, adherence=0.70) is not None
    assert found(flat, adherence=0.69) is None


def test_a_window_that_is_the_whole_history_has_nothing_to_be_compared_with() -> None:
    assert found(at_loads(*[100.0] * 6, every=4)) is None


def test_without_estimable_sets_there_is_no_line() -> None:
    assert find_stagnation(at_loads(*[0.0] * 6), as_of=day(35)) is None
    assert find_stagnation(at_loads(*[100.0] * 6, reps=20), as_of=day(35)) is None


@given(st.lists(st.floats(20, 300), min_size=6, max_size=12), st.floats(0.5, 2.0))
def test_the_unit_of_load_changes_no_verdict(loads: list[float], factor: float) -> None:
    one, other = found(at_loads(*loads)), found(at_loads(*(load * factor for load in loads)))
    if one is not None and abs(one.slope_per_week + 0.01) > 1e-6 and abs((one.gain or 0) - 0.01) > 1e-6:
        assert other is not None
        assert other.kind == one.kind
