"""The trend of body weight: irregular weigh-ins, slips of unit, rates, flags."""

import csv
import datetime
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.bodyweight import (
    WeighIn,
    goal_direction,
    is_likely_weight,
    latest_rate,
    on_course,
    rate_as_shown,
    readings_beside,
    trend_as_shown,
    weigh_ins_of,
    weight_flags,
    weight_rate,
    weight_trend,
)
from apex_sync.coaching.trend import rate_per_week, slope_per_week
from apex_sync.models import CHECK_INS, CheckIn
from tests.engine.coaching.garbage import check_in_states
from tests.engine.coaching.logs import MONDAY, check_in, day

KG_PER_LB = 0.45359237


def readings(*weights: float, every: int = 1, start: int = 0) -> list[WeighIn]:
    return [
        WeighIn(record_id=f"c{start + every * n}", date=day(start + every * n), weight_kg=kg)
        for n, kg in enumerate(weights)
    ]


def test_a_slip_among_the_readings_makes_no_right_weight_unlikely() -> None:
    slip_first = weight_trend(readings(181.0, 82.4, 82.5))
    slip_last = weight_trend(readings(82.4, 82.5, 181.0))
    for days, on in ((slip_first, day(3)), (slip_last, day(3))):
        assert is_likely_weight(82.0, on, readings_beside(days, on))
        assert not is_likely_weight(500.0, on, readings_beside(days, on))
    alone = weight_trend(readings(82.4))
    assert not is_likely_weight(92.4, day(0), readings_beside(alone, day(0)))
    assert is_likely_weight(92.4, day(70), readings_beside(alone, day(70)))
    assert not is_likely_weight(181.0, day(3000), readings_beside(alone, day(3000)))


def steady(percent_per_week: float, *, days: int = 43, kg: float = 100.0) -> list[WeighIn]:
    """Weigh daily with a straight change of so many per cent of the first weight a week."""
    return readings(*(kg * (1 + percent_per_week / 100 * n / 7) for n in range(days)))


def last(weigh_ins: list[WeighIn]) -> datetime.date:
    return weigh_ins[-1].date


def test_the_trend_starts_at_the_first_weight_and_follows_by_a_tenth_a_day() -> None:
    trend = [d.trend_kg for d in weight_trend(readings(80.0, 81.0, 81.0))]
    assert trend == pytest.approx([80.0, 80.1, 80.19])


def test_a_gap_gives_a_reading_the_weight_of_its_days() -> None:
    (_, after) = weight_trend(readings(80.0, 81.0, every=7))
    assert after.trend_kg == pytest.approx(80 + (1 - 0.9**7))


def test_weigh_ins_of_a_day_count_as_their_mean() -> None:
    twice = [*readings(80.0), WeighIn(record_id="evening", date=day(0), weight_kg=81.0)]
    (only,) = weight_trend(twice)
    assert (only.weight_kg, only.trend_kg, len(only.weigh_ins)) == (80.5, 80.5, 2)


@pytest.mark.parametrize(
    ("weight", "held_out"),
    [
        (83.19, None),
        (83.21, "outlier"),
        (76.81, None),
        (76.79, "outlier"),
        (80.0 / KG_PER_LB, "unit_slip"),
        (80.0 * KG_PER_LB, "unit_slip"),
        (81.5 / KG_PER_LB, "unit_slip"),
        (120.0, "outlier"),
    ],
)
def test_a_reading_more_than_four_per_cent_off_is_held_out(weight: float, held_out: str | None) -> None:
    trend = weight_trend(readings(80.0, 80.0, 80.0, weight))
    assert trend[-1].held_out == held_out
    if held_out:
        assert trend[-1].trend_kg == 80.0


def test_a_slip_takes_no_right_reading_of_its_day_with_it() -> None:
    slip = WeighIn(record_id="slip", date=day(2), weight_kg=173.9)
    known = readings(79.0, 79.1, 78.9)
    last_day = weight_trend([*known, slip])[-1]
    assert (last_day.weight_kg, last_day.held_out) == (78.9, None)
    assert weight_trend([*known, slip]) == weight_trend(known)
    assert weight_trend([*known[:2], slip])[-1].held_out == "unit_slip"


def test_a_jump_of_more_than_five_kilograms_in_a_day_is_held_out() -> None:
    assert weight_trend(readings(150.0, 155.0))[-1].held_out is None
    assert weight_trend(readings(150.0, 155.1))[-1].held_out == "outlier"
    assert weight_trend(readings(150.0, 155.1, every=2))[-1].held_out is None


def test_three_readings_that_agree_start_a_new_trend() -> None:
    trend = weight_trend(readings(180.0, 81.6, 81.7, 81.8, 81.8))
    assert [d.held_out for d in trend] == [None, "unit_slip", "unit_slip", None, None]
    assert trend[3].trend_kg == pytest.approx((81.6 + 81.7 + 81.8) / 3)


def test_readings_before_a_new_trend_do_not_make_its_rate() -> None:
    weigh_ins = readings(180.0, *[81.6] * 7)
    rate = weight_rate(weight_trend(weigh_ins), last(weigh_ins))
    assert rate is not None
    assert rate.percent_per_week == pytest.approx(0, abs=1e-9)


def test_the_rate_needs_four_weigh_ins() -> None:
    assert weight_rate(weight_trend(readings(80.0, 80.0, 80.0)), day(2)) is None
    rate = weight_rate(weight_trend(readings(80.0, 80.0, 80.0, 80.0)), day(3))
    assert rate is not None
    assert (rate.percent_per_week, rate.n, rate.low_confidence) == (0.0, 4, False)


def test_readings_held_out_and_readings_to_come_make_no_rate() -> None:
    trend = weight_trend(readings(80.0, 80.0, 120.0, 80.0, 81.0))
    assert weight_rate(trend, day(3)) is None
    assert (rate := weight_rate(trend, day(4))) is not None
    assert rate.n == 4


def test_weekly_check_ins_are_read_over_four_weeks_at_low_confidence() -> None:
    weekly = readings(80.0, 79.6, 79.2, 78.8, 78.4, every=7)
    rate = weight_rate(weight_trend(weekly), last(weekly))
    assert rate is not None
    assert (rate.window_days, rate.n, rate.low_confidence) == (28, 5, True)
    assert rate.percent_per_week == pytest.approx(-0.5, abs=0.15)


def test_a_line_needs_two_days() -> None:
    assert slope_per_week([(day(0), 80.0), (day(0), 90.0)]) is None
    assert slope_per_week([(day(0), 80.0), (day(14), 81.0)]) == pytest.approx(0.5)


def test_a_steady_change_is_found_again_in_the_rate() -> None:
    rate = weight_rate(weight_trend(steady(-0.7)), day(42))
    assert rate is not None
    assert rate.percent_per_week == pytest.approx(-0.7, abs=0.1)
    assert rate.kg_per_week == pytest.approx(-0.7, abs=0.1)


def flags(weigh_ins: list[WeighIn], target: float | None = None) -> list[tuple[str, str]]:
    return [(flag.kind, flag.level) for flag in weight_flags(weight_trend(weigh_ins), last(weigh_ins), target)]


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (-0.8, []),
        (-1.15, [("fast_loss", "yellow")]),
        (-2.0, [("fast_loss", "red")]),
        (0.3, []),
        (0.7, [("fast_gain", "yellow")]),
        (1.3, [("fast_gain", "red")]),
    ],
)
def test_a_fast_change_is_flagged(percent: float, expected: list[tuple[str, str]]) -> None:
    assert flags(steady(percent)) == expected


def test_a_fast_loss_is_red_only_when_it_lasts_two_weeks() -> None:
    sudden = [*readings(*[100.0] * 28), *readings(*(100 - 0.5 * n for n in range(1, 16)), start=28)]
    assert flags(sudden) == [("fast_loss", "yellow")]


def test_three_weeks_against_the_goal_are_flagged() -> None:
    assert flags(steady(0.3), target=90.0) == [("against_goal", "yellow")]
    assert flags(steady(0.3), target=120.0) == []
    assert flags(steady(-0.3), target=120.0) == [("against_goal", "yellow")]
    assert flags(steady(0.08), target=90.0) == flags(steady(-0.08), target=120.0) == []
    two_weeks = [*readings(*[100.0] * 28), *readings(*(100 + 0.05 * n for n in range(1, 15)), start=28)]
    assert flags(two_weeks, target=90.0) == []


def test_the_goal_is_reached_within_a_per_cent() -> None:
    assert [goal_direction(100.0, target) for target in (98.9, 99.0, 101.0, 101.1, None)] == [
        "lose",
        "hold",
        "hold",
        "gain",
        None,
    ]
    rate = weight_rate(weight_trend(steady(-0.5)), day(42))
    assert rate is not None
    assert [on_course(rate, target) for target in (80.0, 120.0, rate.trend_kg, None)] == [True, False, False, False]


@given(st.lists(st.tuples(st.integers(0, 60), st.floats(1, 500)), max_size=30), st.integers(0, 99))
def test_the_order_of_weigh_ins_changes_nothing_and_the_trend_stays_within_them(
    pairs: list[tuple[int, float]], seed: int
) -> None:
    weigh_ins = [WeighIn(record_id=f"c{n}", date=day(at), weight_kg=kg) for n, (at, kg) in enumerate(pairs)]
    trend = weight_trend(weigh_ins)
    assert weight_trend(random.Random(seed).sample(weigh_ins, len(weigh_ins))) == trend
    if pairs:
        low, high = min(kg for _, kg in pairs), max(kg for _, kg in pairs)
        assert all(low - 1e-6 <= d.trend_kg <= high + 1e-6 for d in trend)
        weight_flags(trend, day(60), 80.0)


@given(check_in_states())
def test_reading_weights_never_raises(state: dict[str, Any]) -> None:
    found = weigh_ins_of([("c", CHECK_INS.read(state)[0])])
    assert all(1 <= reading.weight_kg <= 500 for reading in found)
    weight_flags(weight_trend(found), MONDAY, None)


def test_the_weights_of_check_ins_are_read_once_they_are_handed_in() -> None:
    draft = CheckIn(date=day(2).isoformat(), weight_kg=90.0)
    (reading,) = weigh_ins_of([("c", check_in(day(0), weight_kg=81.5)), ("d", check_in(day(1))), ("e", draft)])
    assert (reading.record_id, reading.date, reading.weight_kg) == ("c", day(0), 81.5)


def test_a_real_log_has_a_plausible_trend(data_dir: Path) -> None:
    with (data_dir / "bodyweight_kg_lukaszebedin.csv").open() as file:
        rows = list(csv.DictReader(file))
    weigh_ins = [
        WeighIn(record_id=str(n), date=datetime.date.fromisoformat(row["date"][:10]), weight_kg=float(row["weight"]))
        for n, row in enumerate(rows)
    ]
    trend = weight_trend(weigh_ins)
    assert len(trend) == len({reading.date for reading in weigh_ins})
    assert [d.held_out for d in trend if d.held_out] == []
    rate = weight_rate(trend, trend[-1].date)
    assert rate is not None
    assert -1.5 < rate.percent_per_week < 0.5


def test_a_trend_and_its_rate_are_shown_to_the_gram() -> None:
    days = weight_trend(readings(80.12345, 80.0, 79.9, 79.7, 79.6))
    shown = [kg for d in trend_as_shown(days) for kg in (d.weight_kg, d.trend_kg)]
    assert shown == [round(kg, 3) for d in days for kg in (d.weight_kg, d.trend_kg)]
    assert shown != [kg for d in days for kg in (d.weight_kg, d.trend_kg)]
    rate, exact = rate_as_shown(latest_rate(days)), latest_rate(days)
    assert rate is not None and exact is not None
    assert rate.percent_per_week == round(exact.percent_per_week, 3) != exact.percent_per_week
    assert rate.kg_per_week == round(exact.kg_per_week, 3)
    assert rate_as_shown(None) is None


def test_a_rate_needs_three_days_and_a_week_between_the_first_and_the_last() -> None:
    assert rate_per_week([(day(0), 80.0), (day(14), 81.0)]) is None
    assert rate_per_week([(day(0), 80.0), (day(3), 81.0), (day(6), 82.0)]) is None
    assert rate_per_week([(day(0), 80.0), (day(7), 80.0), (day(7), 81.0)]) is None
    assert rate_per_week([(day(0), 80.0), (day(4), 80.0), (day(7), 80.0)]) == 0
