"""Progress, maintain or deload, with the rule that fired."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.exercise_findings import UNCLAIMED
from apex_sync.coaching.increments import DUMBBELL, Step
from apex_sync.coaching.plan import Target
from apex_sync.coaching.progression import Progression, recommend_progression
from apex_sync.coaching.rules import RULES
from tests.engine.coaching.logs import Set, day, line, sets

TEN = Step(kg=10.0, lb=20.0, grid_kg=10.0, grid_lb=20.0, divisible=False)
RANGE = Target(reps_low=8, reps_high=12, sets=3, rpe=8.0)


def after(*sessions: list[Set], target: Target | None = RANGE, **options: object) -> Progression:
    """Recommend after these sessions, a week apart."""
    exposures = line(*((day(7 * number), logged) for number, logged in enumerate(sessions)))
    return recommend_progression(exposures, target, day(7 * len(sessions)), **options)  # type: ignore[arg-type]


def outcome(found: Progression) -> tuple[str, str, float | None, int | None]:
    return found.action, found.rule_id, found.next_load_kg, found.next_reps


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        (sets((100, 12), (100, 12), (100, 12), rpe=8), ("progress", "range_topped", 102.5, 8)),
        (sets((100, 13), (100, 12), (100, 12), rpe=8.5), ("progress", "range_topped", 102.5, 8)),
        (sets((100, 12), (100, 12), (100, 12)), ("progress", "range_topped", 102.5, 8)),
        (sets((100, 12), (100, 12), (100, 12), rpe=9), ("maintain", "effort_high", 100.0, 12)),
        (sets((100, 12), (100, 12), (100, 11), rpe=8), ("maintain", "in_range", 100.0, 12)),
        (sets((100, 8), (100, 8), (100, 8), rpe=8), ("maintain", "in_range", 100.0, 9)),
        (sets((100, 12), (100, 12), rpe=8), ("maintain", "sets_missing", 100.0, 12)),
        (sets((100, 8), (100, 8), (100, 7), rpe=8), ("maintain", "below_range_once", 100.0, 8)),
    ],
)
def test_double_progression_follows_the_rep_range(logged: list[Set], expected: tuple[str, str, float, int]) -> None:
    action, rule, load, reps = expected
    assert outcome(after(logged)) == (action, f"double_progression.{rule}", load, reps)


def test_two_exposures_below_the_range_lower_the_load() -> None:
    missed = sets((100, 8), (100, 8), (100, 7))
    assert outcome(after(missed, missed)) == ("deload", "double_progression.below_range_twice", 95.0, 8)


def test_a_miss_by_three_reps_lowers_it_by_a_tenth() -> None:
    once, by_two, by_three = sets((100, 7)), sets((100, 6)), sets((100, 5))
    assert after(once, by_two).next_load_kg == 95.0
    assert after(once, by_three).next_load_kg == 90.0


def test_a_good_exposure_between_two_misses_starts_the_count_anew() -> None:
    missed, good = sets((100, 7)), sets((100, 8), (100, 8), (100, 8))
    assert after(missed, good, missed).rule_id == "double_progression.below_range_once"


def test_a_fixed_number_of_reps_is_a_range_of_one() -> None:
    fives = Target(reps_low=5, reps_high=5)
    assert outcome(after(sets((100, 5)), target=fives)) == ("progress", "double_progression.range_topped", 102.5, 5)
    assert after(sets((100, 5)), target=Target(reps_low=5)).rule_id == "double_progression.range_topped"


@pytest.mark.parametrize("target", [Target(reps_low=12, reps_high=8), Target(), None])
def test_without_a_rep_range_that_makes_sense_effort_decides(target: Target | None) -> None:
    assert after(sets((100, 8), rpe=7), target=target).rule_id == "rpe.below_target"


@pytest.mark.parametrize(
    ("rpe", "expected"),
    [
        (6.0, ("progress", "rpe.below_target", 102.5)),
        (7.0, ("progress", "rpe.below_target", 102.5)),
        (7.2, ("maintain", "rpe.near_target", 100.0)),
        (7.5, ("maintain", "rpe.on_target", 100.0)),
        (8.5, ("maintain", "rpe.on_target", 100.0)),
        (8.8, ("maintain", "rpe.near_target", 100.0)),
        (9.0, ("deload", "rpe.above_target", 97.5)),
        (9.9, ("deload", "rpe.above_target", 97.5)),
        (10.0, ("deload", "rpe.above_target", 95.0)),
    ],
)
def test_autoregulation_follows_the_distance_from_the_target(rpe: float, expected: tuple[str, str, float]) -> None:
    found = after(sets((100, 8), rpe=rpe), target=None)
    assert (found.action, found.rule_id, found.next_load_kg) == expected


def test_on_target_one_more_rep_is_aimed_at() -> None:
    assert after(sets((100, 8), rpe=8), target=None).next_reps == 9


def test_with_neither_range_nor_effort_nothing_is_claimed() -> None:
    assert after(sets((100, 8)), target=None).rule_id == "progression.no_basis"
    assert recommend_progression([], RANGE, day(0)).rule_id == "progression.no_exposure"


def test_what_was_last_done_long_ago_says_too_little() -> None:
    exposures = line((day(0), sets((100, 12), (100, 12), (100, 12))))
    assert recommend_progression(exposures, RANGE, day(28)).rule_id == "double_progression.range_topped"
    assert recommend_progression(exposures, RANGE, day(29)).rule_id == "progression.stale"


def test_exposures_after_the_day_asked_for_are_ignored() -> None:
    exposures = line((day(0), sets((100, 8), rpe=7)), (day(7), sets((100, 8), rpe=10)))
    assert recommend_progression(exposures, None, day(6)).rule_id == "rpe.below_target"


def test_a_planned_deload_week_takes_a_tenth_off() -> None:
    found = after(sets((100, 12), (100, 12), (100, 12)), deload_week=True)
    assert outcome(found) == ("deload", "progression.deload_week", 90.0, None)


def test_build_up_drop_and_back_off_sets_judge_nothing() -> None:
    logged = [
        *sets((60, 5), (85, 3)),
        *sets((100, 12), (100, 12), (100, 12)),
        *sets((70, 5), type="backoff"),
        *sets((50, 4), type="dropset"),
    ]
    assert after(logged).rule_id == "double_progression.range_topped"


def test_where_no_step_is_small_enough_reps_rise_instead() -> None:
    found = after(sets((19.0, 12), (19.0, 12), (19.0, 12)), step=DUMBBELL)
    assert found.next_load_kg == 21.0
    found = after(sets((45.0, 12), (45.0, 12), (45.0, 12)), step=TEN)
    assert outcome(found) == ("progress", "double_progression.range_topped", None, 13)


def test_body_weight_work_progresses_by_reps() -> None:
    found = after(sets((None, 12), (None, 12), (None, 12)))
    assert outcome(found) == ("progress", "double_progression.range_topped", None, 13)


def test_a_load_typed_in_pounds_rises_in_pounds() -> None:
    pounds: list[Set] = [{"load_kg": 102.05828325, "load": 225, "load_unit": "lb", "reps": 12}] * 3
    found = after(pounds)
    assert (found.next_load, found.load_unit) == (230.0, "lb")
    assert found.next_load_kg == pytest.approx(230 * 0.45359237, abs=1e-6)


def test_an_effort_that_contradicts_itself_lowers_confidence() -> None:
    assert after(sets((100, 8), rpe=9, rir=4), target=None).low_confidence


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from([-10.0, 0.0, 12.0, 60.0, 100.0]), st.integers(1, 20)), min_size=1, max_size=4
        ),
        max_size=4,
    ),
    st.none() | st.floats(6, 10),
    st.integers(1, 15),
    st.integers(1, 15),
)
def test_a_recommendation_is_always_one_of_three_and_never_raises_by_more_than_a_tenth(
    sessions: list[list[tuple[float, int]]], rpe: float | None, low: int, high: int
) -> None:
    target = Target(reps_low=low, reps_high=high, rpe=8.0)
    leaves = {} if rpe is None else {"rpe": rpe}
    found = after(*(sets(*pairs, **leaves) for pairs in sessions), target=target)
    assert found.action in ("progress", "maintain", "deload")
    assert found.rule_id in RULES.keys() | UNCLAIMED
    assert found.reasons
    if found.next_load_kg is not None and found.load_kg is not None and found.load_kg >= 20:
        assert found.next_load_kg <= found.load_kg * 1.1
    if found.action == "deload" and found.next_load_kg is not None and found.load_kg is not None:
        assert found.next_load_kg < found.load_kg


@given(st.floats(6, 10), st.floats(6, 10))
def test_more_effort_never_earns_a_higher_load(one: float, other: float) -> None:
    low, high = sorted((round(one, 1), round(other, 1)))
    easier, harder = (after(sets((100, 8), rpe=rpe), target=None) for rpe in (low, high))
    assert (easier.next_load_kg or 0) >= (harder.next_load_kg or 0)


def test_the_same_exposures_give_the_same_recommendation() -> None:
    found = [after(sets((100, 12), (100, 11), (100, 9), rpe=8)) for _ in range(2)]
    assert found[0] == found[1]
