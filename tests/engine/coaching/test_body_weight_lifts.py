"""Lifts in which the whole body moves: which they are, what they move on which day, and what they are worth."""

from datetime import date, timedelta
from typing import Any

import pytest

from apex_sync.coaching.analytics import progress_of, tallies_of, trained_sessions, volume_of
from apex_sync.coaching.body_weight_lifts import (
    BODY_WEIGHT_DAYS_MAX,
    BodyWeights,
    body_weight_lift,
    body_weights,
    moved_kg,
)
from apex_sync.coaching.bodyweight import WeighIn
from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.coaching.records import personal_records
from apex_sync.coaching.sets import PerformedSet, performed_sets
from apex_sync.coaching.strength import estimate
from tests.engine.coaching.logs import MONDAY, Set, day, sets, weighing, workout

FREE = {
    "archer_pull_up", "chest_dip", "chin_up", "commando_pull_up", "muscle_up", "negative_pull_up",
    "neutral_grip_pull_up", "pull_up", "ring_dip", "ring_muscle_up", "ring_pull_up", "triceps_dip", "weighted_chin_up",
    "weighted_dip", "weighted_pull_up", "wide_grip_pull_up",
}  # fmt: skip
ASSISTED = {"assisted_chin_up", "assisted_dip", "assisted_pull_up", "band_assisted_dip", "band_assisted_pull_up"}


def test_the_library_has_these_lifts_by_id_by_name_and_by_alias() -> None:
    lifts = {slug: "free" for slug in FREE} | {slug: "assisted" for slug in ASSISTED}
    for exercise in builtin_exercises():
        expected = lifts.get(exercise.slug)
        assert body_weight_lift(exercise.id, None) == body_weight_lift(exercise.id, "My way of it") == expected
        for name in (exercise.name, *exercise.aliases):
            assert body_weight_lift(None, name) == expected, name


@pytest.mark.parametrize(
    ("name", "lift"),
    [
        ("Triceps Dip (Weighted)", "free"),
        ("Towel pull-ups", "free"),
        ("Dead Hang Pull-Up", "free"),
        ("Chin Up (Assisted)", "assisted"),
        ("Banded Muscle Ups", "assisted"),
        ("Seated Dip Machine", None),
        ("Side Plank Hip Dips", None),
        ("Chin-Up Bar Leg Raise", None),
        ("Push Up", None),
        ("Diplomat Curl", None),
        ("", None),
        (None, None),
    ],
)
def test_a_name_that_no_library_knows_is_told_by_its_words(name: str | None, lift: str | None) -> None:
    assert body_weight_lift(None, name) == body_weight_lift("an-id-of-a-coach", name) == lift


def test_assistance_is_a_negative_load_or_any_load_of_an_assisted_exercise() -> None:
    assert moved_kg("free", -30.0, 80.0) == moved_kg("assisted", 30.0, 80.0) == moved_kg("assisted", -30.0, 80.0) == 50
    assert moved_kg("free", -120.0, 80.0) == 0
    assert moved_kg("assisted", None, 80.0) is None, "what a band takes off nobody knows"
    assert moved_kg("free", 20.0, None) is None


def test_the_weight_of_a_day_is_the_trend_of_the_last_weigh_in_for_six_weeks() -> None:
    weights = body_weights(
        [
            WeighIn(record_id="late", date=day(10), weight_kg=82.0),
            WeighIn(record_id="first", date=day(0), weight_kg=80.0),
            WeighIn(record_id="pounds", date=day(12), weight_kg=180.0),
        ]
    )
    assert weights.on(None) is weights.on(day(-1)) is None
    assert weights.on(day(0)) == weights.on(day(9)) == 80.0
    trend_kg = weights.on(day(10))
    assert trend_kg is not None and 81 < trend_kg < 82
    assert weights.on(day(12)) == weights.on(day(10 + BODY_WEIGHT_DAYS_MAX)) == trend_kg
    assert weights.on(day(11 + BODY_WEIGHT_DAYS_MAX)) is None


def history(name: str, *sessions: tuple[int, list[Set]]) -> list[PerformedSet]:
    logs = [(f"w{offset}", workout(day(offset), {name: logged})) for offset, logged in sessions]
    return [performed for workout_id, log in logs for performed in performed_sets(workout_id, log)]


def test_a_week_counts_body_and_load_where_the_weight_is_known_and_reps_apart_where_not() -> None:
    logged = history("Weighted Pull-Up", (0, sets((20.0, 8))), (2, sets((None, 10))))
    [exercise] = volume_of(tallies_of(logged, weighing(80.0, on=day(1))), {}).exercises
    assert (exercise.sets, exercise.volume_load_kg, exercise.body_weight_reps) == (2, 800, 8)


def test_a_late_weigh_in_changes_the_days_after_it() -> None:
    logged = history("Dip", (0, sets((None, 10))), (7, sets((10.0, 10))))
    before = weighing(80.0)
    late = body_weights([WeighIn(record_id=str(at), date=day(at), weight_kg=kg) for at, kg in ((0, 80.0), (3, 82.0))])
    volumes = [[each.totals.volume_load_kg for each in trained_sessions(logged, weights)] for weights in (before, late)]
    assert volumes[0] == [800, 900]
    assert volumes[1][0] == 800 and volumes[1][1] > 900


def drawn(logged: list[PerformedSet], weights: BodyWeights) -> list[tuple[Any, ...]]:
    [line] = progress_of({"name:x": trained_sessions(logged, weights)}, day(-99), day(99), {})
    return [(p.top_load_kg, p.e1rm_kg, p.volume_load_kg, p.body_weight_reps) for p in line.points]


def test_the_top_set_is_told_by_what_hangs_and_its_maximum_by_what_moves() -> None:
    logged = history("Pull Up", (0, sets((None, 12), (20.0, 5))))
    whole = max(estimate(80.0, 12).e1rm_kg, estimate(100.0, 5).e1rm_kg)
    assert drawn(logged, weighing(80.0)) == [(20.0, pytest.approx(whole, abs=1e-3), 80 * 12 + 100 * 5, 0)]
    assert drawn(logged, BodyWeights()) == [(20.0, None, 0.0, 17)]


def test_a_day_without_a_weight_says_nothing_of_the_formula() -> None:
    logged = history("Pull Up", (0, sets((None, 8), rpe=8)), (7, sets((10.0, 8), rpe=8)))
    [line] = progress_of({"name:x": trained_sessions(logged, weighing(80.0, on=day(5)))}, day(-99), day(99), {})
    assert line.formula == "rpe_table"
    assert [point.e1rm_kg for point in line.points] == [None, pytest.approx(estimate(90.0, 8, 8.0).e1rm_kg, abs=1e-3)]


def test_less_assistance_is_the_heavier_set() -> None:
    logged = history("Assisted Dip", (0, sets((40.0, 8), (30.0, 8))))
    e1rm_kg = pytest.approx(estimate(50.0, 8).e1rm_kg, abs=1e-3)
    assert drawn(logged, weighing(80.0)) == [(-30.0, e1rm_kg, 40 * 8 + 50 * 8, 0)]


def kinds(logged: list[PerformedSet], on: date) -> dict[str, float]:
    return {record.kind: record.value for record in personal_records(logged) if record.date == on}


def test_records_are_of_what_hangs_and_of_reps_and_none_of_the_scale() -> None:
    logged = history("Pull Up", (0, sets((20.0, 5), (None, 10))), (7, sets((25.0, 5), (None, 13))))
    assert kinds(logged, day(7)) == {"load_pr": 25.0, "rep_pr": 13.0}
    bench = history("Bench Press", (0, sets((20.0, 5))), (7, sets((25.0, 5))))
    assert kinds(bench, day(7)).keys() > {"load_pr", "e1rm_pr"}


def test_less_assistance_is_a_record_and_more_is_none() -> None:
    less = history("Assisted Pull-Up", (0, sets((40.0, 8))), (7, sets((35.0, 8))))
    more = history("Assisted Pull-Up", (0, sets((40.0, 8))), (7, sets((45.0, 8))))
    assert kinds(less, day(7)) == {"load_pr": -35.0}
    assert kinds(more, day(7)) == {}


def test_other_lifts_know_nothing_of_the_scale() -> None:
    logged = history("Barbell Row", (0, sets((60.0, 8), (None, 8))))
    assert drawn(logged, weighing(80.0)) == drawn(logged, BodyWeights())
    assert weighing(80.0).on(MONDAY + timedelta(days=1)) == 80.0
