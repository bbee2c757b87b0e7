"""Strain from check-in answers, and answers against the athlete's own last weeks."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.strain import Answers, answers_of, comparisons, is_submitted, strain_of, strain_value
from apex_sync.models import CHECK_INS
from tests.engine.coaching.garbage import check_in_states
from tests.engine.coaching.logs import check_in, day


def answers(offset: int, **scores: int) -> Answers:
    return Answers(check_in_id=f"c{offset}", date=day(offset), scores=scores)


def strained(value: int) -> Mapping[str, int]:
    """Give answers whose strain is the value."""
    return {"stress": value, "soreness": value, "sleep": 11 - value, "energy": 11 - value}


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"stress": 8, "soreness": 7, "sleep": 4, "energy": 3}, 7.5),
        ({"stress": 1, "soreness": 1, "sleep": 10, "energy": 10}, 1.0),
        ({"stress": 6, "soreness": 6, "sleep": 5}, 6.0),
        ({"stress": 6, "soreness": 6}, None),
        ({"hunger": 9, "motivation": 9, "adherence": 9}, None),
    ],
)
def test_strain_is_the_mean_of_four_answers_turned_one_way(scores: dict[str, int], expected: float | None) -> None:
    assert strain_value(scores) == expected


@pytest.mark.parametrize(
    ("scores", "level"),
    [
        ({"stress": 8, "soreness": 8, "sleep": 4, "energy": 4}, "red"),
        ({"stress": 8, "soreness": 7, "sleep": 4, "energy": 4}, "yellow"),
        ({"stress": 6, "soreness": 6, "sleep": 5, "energy": 5}, "yellow"),
        ({"stress": 6, "soreness": 6, "sleep": 5, "energy": 6}, "normal"),
        ({"stress": 4, "soreness": 3, "sleep": 7, "energy": 8}, "low"),
        ({"stress": 4, "soreness": 4, "sleep": 7, "energy": 8}, "normal"),
    ],
)
def test_levels_begin_at_six_and_seven_and_a_half(scores: dict[str, int], level: str) -> None:
    strain = strain_of(answers(0, **scores), [])
    assert strain is not None
    assert strain.level == level


def test_strain_far_above_the_athletes_own_mean_is_yellow() -> None:
    calm = [answers(-7 * week, **strained(2)) for week in (1, 2, 3, 4)]
    slightly = {"stress": 3, "soreness": 3, "sleep": 9, "energy": 9}  # 2.5
    clearly = {"stress": 3, "soreness": 3, "sleep": 9, "energy": 8}  # 2.75, which is 2 + 1.5 * 0.5
    assert [s.level for scores in (slightly, clearly) if (s := strain_of(answers(0, **scores), calm))] == [
        "low",
        "yellow",
    ]
    assert (three := strain_of(answers(0, **clearly), calm[:3])) is not None
    assert three.baseline is None
    assert three.level == "low"


def test_a_wide_spread_of_earlier_answers_asks_for_more() -> None:
    varied = [answers(-7 * week, **strained(value)) for week, value in ((1, 2), (2, 4), (3, 2), (4, 4))]  # 3 +- 1.15
    levels = [strain_of(answers(0, **scores), varied) for scores in (strained(5), {**strained(5), "sleep": 8})]
    assert [strain.level for strain in levels if strain] == ["yellow", "normal"]


def test_the_baseline_is_of_the_28_days_before() -> None:
    history = [answers(-offset, **strained(2)) for offset in (1, 10, 20, 28)]
    assert (strain := strain_of(answers(0, **strained(5)), history)) is not None
    assert strain.baseline is not None
    older = [answers(-offset, **strained(2)) for offset in (1, 10, 20, 29)]
    assert (strain := strain_of(answers(0, **strained(5)), older)) is not None
    assert strain.baseline is None


def test_an_answer_is_compared_with_the_athletes_own_mean() -> None:
    history = [answers(-7, sleep=8, stress=3, hunger=5), answers(-14, sleep=8, stress=4, hunger=5)]
    found = {c.field: c for c in comparisons(answers(0, sleep=5, stress=2, hunger=9, energy=5), history)}
    assert (found["sleep"].difference, found["sleep"].direction, found["sleep"].notable) == (-3.0, "worse", True)
    assert (found["stress"].difference, found["stress"].direction, found["stress"].notable) == (-1.5, "better", False)
    assert found["hunger"].direction == "neutral"
    assert "energy" not in found, "nothing to compare it with"


def test_two_points_are_notable_and_less_is_not() -> None:
    history = [answers(-7, sleep=7), answers(-14, sleep=7)]
    assert [comparisons(answers(0, sleep=value), history)[0].notable for value in (6, 5)] == [False, True]


def test_a_check_in_is_not_compared_with_itself() -> None:
    own = answers(0, sleep=5)
    assert comparisons(own, [own, answers(0, sleep=9)]) == []


def test_answers_out_of_bounds_count_as_not_given() -> None:
    read = answers_of("c", check_in(day(0), energy=14, sleep=0, stress=10))
    assert read is not None
    assert read.scores == {"stress": 10}


def test_a_check_in_without_a_date_is_of_the_day_it_was_handed_in() -> None:
    record = CHECK_INS.read({"submitted_at": "2026-03-02T23:30:00-08:00", "responses": {"sleep": 5}})[0]
    assert (read := answers_of("c", record)) is not None
    assert read.date == day(0)


def test_a_draft_is_nobodys_business() -> None:
    assert is_submitted(check_in(day(0)))
    assert not is_submitted(check_in(day(0), submitted=False))


@given(check_in_states())
def test_reading_answers_never_raises(state: dict[str, Any]) -> None:
    read = answers_of("c", CHECK_INS.read(state)[0])
    if read is not None and (value := strain_value(read.scores)) is not None:
        assert 1 <= value <= 10


@given(st.dictionaries(st.sampled_from(["stress", "soreness"]), st.integers(1, 9), min_size=2), st.integers(2, 10))
def test_more_stress_or_less_sleep_is_more_strain(scores: dict[str, int], sleep: int) -> None:
    base = strain_value({**scores, "sleep": sleep})
    worse = strain_value({**{key: value + 1 for key, value in scores.items()}, "sleep": sleep - 1})
    assert base is not None
    assert worse is not None
    assert worse > base
