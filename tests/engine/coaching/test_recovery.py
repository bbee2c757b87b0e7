"""Signs of fatigue, the risk they make together, and when a deload is due."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.exposures import Exposure
from apex_sync.coaching.recovery import (
    FatigueSign,
    HardWeeks,
    SignKind,
    deload_reasons,
    find_performance_drops,
    find_rpe_drift,
    hard_weeks,
    main_lifts,
    overtraining_risk,
    recent_signs,
)
from apex_sync.coaching.sets import PerformedSet
from tests.engine.coaching.logs import day, line, performed_on, sets


def at_efforts(*efforts: float, load: float = 100.0, reps: int = 5) -> list[Exposure]:
    return line(*((day(3 * n), sets((load, reps), rpe=rpe)) for n, rpe in enumerate(efforts)))


def drifts(exposures: list[Exposure]) -> bool:
    return find_rpe_drift(exposures, exposures[-1].date) is not None


@pytest.mark.parametrize(
    ("efforts", "expected"),
    [
        ((8, 8, 8, 9, 9), True),
        ((8, 8, 8, 9, 8.5), False),
        ((8, 8, 8, 8.5, 9.5), True),
        ((7, 8, 9, 9, 9), True),
        ((8, 8, 9, 9), False),
        ((6, 6, 8, 8, 8, 9, 9), True),
        ((9, 9, 9, 8, 8), False),
    ],
)
def test_drift_is_a_rise_of_one_rpe_between_the_last_two_and_the_three_before(
    efforts: tuple[float, ...], expected: bool
) -> None:
    assert drifts(at_efforts(*efforts)) is expected


def test_only_the_same_work_is_compared() -> None:
    heavier = line(
        *((day(3 * n), sets((100.0, 5), rpe=8)) for n in range(3)),
        *((day(9 + 3 * n), sets((103.0, 5), rpe=9)) for n in range(2)),
    )
    assert not drifts(heavier)
    within = line(
        *((day(3 * n), sets((100.0, 4), rpe=8)) for n in range(3)),
        *((day(9 + 3 * n), sets((102.5, 5), rpe=9)) for n in range(2)),
    )
    assert drifts(within)


def test_work_of_two_months_ago_is_not_compared() -> None:
    exposures = line(
        *((day(offset), sets((100, 5), rpe=8)) for offset in (0, 1, 2)),
        *((day(offset), sets((100, 5), rpe=9)) for offset in (57, 59)),
    )
    assert not drifts(exposures)


def test_drift_is_not_read_from_sets_without_effort_or_load() -> None:
    assert find_rpe_drift(line(*((day(n), sets((100, 5))) for n in range(6))), day(5)) is None
    assert find_rpe_drift(line(*((day(n), sets((None, 5), rpe=8)) for n in range(6))), day(5)) is None
    assert find_rpe_drift([], day(5)) is None


def lifts(**loads_by_offset: dict[int, float]) -> dict[str, list[Exposure]]:
    return {
        name: line(*((day(offset), sets((load, 5))) for offset, load in loads.items()))
        for name, loads in loads_by_offset.items()
    }


def test_two_main_lifts_below_95_per_cent_of_their_best_are_a_drop() -> None:
    history = lifts(squat={0: 100.0, 27: 94.9}, bench={5: 100.0, 21: 94.9})
    assert [drop.exercise for drop in find_performance_drops(history, history, day(27))] == ["bench", "squat"]
    at_limit = lifts(squat={0: 100.0, 27: 95.0}, bench={5: 100.0, 21: 94.9})
    assert find_performance_drops(at_limit, at_limit, day(27)) == []


def test_one_lift_alone_is_no_drop() -> None:
    history = lifts(squat={0: 100.0, 27: 80.0}, bench={0: 100.0, 27: 100.0})
    assert find_performance_drops(history, history, day(27)) == []
    assert find_performance_drops(history, ["squat", "unknown"], day(27)) == []


def test_the_best_is_of_four_weeks_and_the_drop_of_one() -> None:
    too_old = lifts(squat={-1: 100.0, 27: 80.0}, bench={-1: 100.0, 27: 80.0})
    assert find_performance_drops(too_old, too_old, day(27)) == []
    last_week = lifts(squat={0: 100.0, 20: 80.0}, bench={0: 100.0, 20: 80.0})
    assert find_performance_drops(last_week, last_week, day(27)) == []


def test_a_light_day_beside_a_heavy_one_is_no_drop() -> None:
    history = lifts(squat={0: 100.0, 23: 100.0, 26: 70.0}, bench={0: 100.0, 23: 100.0, 26: 70.0})
    assert find_performance_drops(history, history, day(27)) == []


def test_where_none_are_named_the_most_trained_lifts_stand_for_the_main_ones() -> None:
    history = lifts(
        **{name: {7 * n: 100.0 for n in range(count)} for name, count in (("a", 3), ("b", 5), ("c", 2), ("d", 4))}
    )
    assert main_lifts(history, day(28)) == ("b", "d", "a")
    assert main_lifts(history, day(28 + 56)) == ()


def sign(kind: SignKind, offset: int, *record_ids: str, subject: str = "x") -> FatigueSign:
    return FatigueSign(kind=kind, level="yellow", date=day(offset), subject=subject, record_ids=record_ids)


def test_two_different_signs_within_fourteen_days_are_a_risk() -> None:
    drift, strain = sign("rpe_drift", 0, "w"), sign("strain", 13, "c")
    assert {s.kind for s in overtraining_risk([drift, strain], day(13))} == {"rpe_drift", "strain"}
    assert overtraining_risk([drift, strain], day(14)) == ()


def test_signs_of_one_kind_are_no_risk() -> None:
    assert overtraining_risk([sign("strain", 0, "c1"), sign("strain", 7, "c2", subject="y")], day(7)) == ()


def test_one_record_alone_is_no_risk() -> None:
    assert overtraining_risk([sign("strain", 0, "c"), sign("volume", 0, "c")], day(0)) == ()


def test_a_sign_from_the_future_does_not_count() -> None:
    assert recent_signs([sign("strain", 1, "c")], day(0)) == ()


@given(st.lists(st.tuples(st.sampled_from(get_args(SignKind)), st.integers(0, 30), st.sampled_from("abc")), max_size=6))
def test_a_risk_never_goes_away_by_another_sign(signs: list[tuple[SignKind, int, str]]) -> None:
    made = [sign(kind, offset, record_id) for kind, offset, record_id in signs]
    if overtraining_risk(made, day(20)):
        assert overtraining_risk([*made, sign("strain", 20, "new")], day(20))


def weeks_of(*sets_per_session: int, first: int = 0) -> list[PerformedSet]:
    """Train twice a week, with so many sets a session."""
    return [
        performed
        for week, count in enumerate(sets_per_session)
        for offset in (0, 3)
        for performed in performed_on(day(7 * (week + first) + offset), sets(*[(100.0, 5)] * count))
    ]


def test_hard_weeks_are_counted_up_to_the_last_complete_one() -> None:
    trained = weeks_of(10, 10, 10)
    assert hard_weeks(trained, day(20)).weeks == 2
    assert hard_weeks(trained, day(21)).weeks == 3


@pytest.mark.parametrize(("light", "expected"), [(6, 2), (7, 5)])
def test_a_week_of_three_fifths_of_the_usual_sets_is_light(light: int, expected: int) -> None:
    found = hard_weeks(weeks_of(10, 10, light, 10, 10), day(35))
    assert found.weeks == expected
    assert found.light_week == (day(14) if expected == 2 else day(-7))


def test_a_week_with_one_session_or_none_is_light() -> None:
    one_session = [s for s in weeks_of(10, 10, 10, 10) if s.date != day(17)]
    assert hard_weeks(one_session, day(28)).weeks == 1
    assert hard_weeks([], day(28)) == HardWeeks(weeks=0, first_week=None, light_week=day(21))


def test_a_planned_deload_is_light_however_much_was_done() -> None:
    assert hard_weeks(weeks_of(10, 10, 10, 10), day(28), [day(14)]).weeks == 1


def test_a_lasting_cut_of_volume_becomes_the_usual() -> None:
    assert hard_weeks(weeks_of(*[20] * 5, *[10] * 8), day(7 * 13)).weeks >= 5


def test_a_deload_is_suggested_after_six_hard_weeks_or_two_signs() -> None:
    def weeks(count: int) -> HardWeeks:
        return HardWeeks(weeks=count, first_week=None, light_week=None)

    two = (sign("rpe_drift", 0, "w", subject="a"), sign("rpe_drift", 0, "w", subject="b"))
    assert deload_reasons(weeks(5), two[:1]) == ()
    assert deload_reasons(weeks(6), two[:1]) == ("hard_weeks",)
    assert deload_reasons(weeks(5), two) == ("fatigue_signs",)
    assert deload_reasons(weeks(6), two) == ("hard_weeks", "fatigue_signs")
