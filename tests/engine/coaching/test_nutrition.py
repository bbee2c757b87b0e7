"""What a day of eating adds up to, which targets it is held to, and its score."""

import datetime
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.adherence import next_check_in_due
from apex_sync.coaching.nutrition import (
    DayTotals,
    Macros,
    day_score,
    day_totals,
    meal_totals,
    nutrition_adherence,
    portions,
    target_macros,
    targets_on,
)
from apex_sync.coaching.profile import age_years
from apex_sync.collection import Record
from apex_sync.models import NUTRITION_LOGS, NUTRITION_TARGETS, PROFILES
from tests.engine.coaching.garbage import COUNTS, DATES, FLAGS, KEYS, NUMBERS, TEXTS
from tests.engine.coaching.logs import MONDAY, day

ASKED = Macros(energy_kcal=2000, protein_g=150, carbs_g=200, fat_g=60)

foods = st.fixed_dictionaries(
    {},
    optional={
        "meal": KEYS,
        "order": TEXTS,
        "deleted": FLAGS,
        "energy_kcal": NUMBERS | COUNTS,
        "protein_g": NUMBERS | COUNTS,
        "fiber_g": NUMBERS,
    },
)
meals = st.fixed_dictionaries({}, optional={"name": TEXTS, "order": TEXTS, "deleted": FLAGS})
log_states = st.fixed_dictionaries(
    {},
    optional={
        "date": DATES,
        "deleted": FLAGS,
        "meals": st.dictionaries(KEYS, meals, max_size=3),
        "foods": st.dictionaries(st.sampled_from("12345"), foods, max_size=5),
    },
)
amounts = st.none() | st.floats(0, 5000)
macros = st.builds(Macros, energy_kcal=amounts, protein_g=amounts, carbs_g=amounts, fat_g=amounts)


def log(on: datetime.date = MONDAY, **foods: dict[str, Any]) -> Record:
    """Make a day with breakfast `b` and dinner `d`."""
    state = {
        "date": on.isoformat(),
        "meals": {"b": {"name": "Breakfast", "order": "a"}, "d": {"name": "Dinner", "order": "b"}},
        "foods": foods,
    }
    return NUTRITION_LOGS.read(state)[0]


def targets(start: datetime.date, **leaves: Any) -> Record:
    return NUTRITION_TARGETS.read({"start_date": start.isoformat(), **leaves})[0]


def eaten(**leaves: float) -> DayTotals:
    return DayTotals(meals=3, foods=9, macros=Macros(**leaves))


@given(log_states, st.integers())
def test_a_day_is_the_sum_of_its_meals_in_whatever_order_it_was_written(state: dict[str, Any], seed: int) -> None:
    record, _ = NUTRITION_LOGS.read(state)
    total, by_meal = day_totals(record), meal_totals(record)
    assert (total.meals, total.foods) == (len(by_meal), sum(meal.foods for meal in by_meal))
    energies = [meal.macros.energy_kcal for meal in by_meal if meal.macros.energy_kcal is not None]
    assert (total.macros.energy_kcal is None) == (not energies)
    assert (total.macros.energy_kcal or 0.0) == pytest.approx(sum(energies))
    entries = list(state.get("foods", {}).items())
    random.Random(seed).shuffle(entries)
    assert day_totals(NUTRITION_LOGS.read({**state, "foods": dict(entries)})[0]) == total


def test_foods_of_a_deleted_meal_and_deleted_foods_are_not_eaten() -> None:
    record = NUTRITION_LOGS.read(
        {
            "meals": {"b": {"order": "b"}, "d": {"deleted": True}},
            "foods": {
                "1": {"meal": "d", "energy_kcal": 900},
                "2": {"meal": "b", "energy_kcal": 300, "protein_g": 20},
                "3": {"meal": "b", "energy_kcal": 100, "deleted": True},
                "4": {"meal": "nowhere", "energy_kcal": 50.5},
            },
        }
    )[0]
    assert [(portion.key, portion.meal_key) for portion in portions(record)] == [("2", "b"), ("4", "")]
    assert day_totals(record) == DayTotals(meals=2, foods=2, macros=Macros(energy_kcal=350.5, protein_g=20.0))


def test_a_value_beyond_its_bounds_is_not_believed() -> None:
    assert day_totals(log(x={"energy_kcal": 1e9, "fat_g": -1})).macros == Macros()


@given(macros, macros)
def test_a_score_is_a_percentage_or_nothing(of_day: Macros, asked: Macros) -> None:
    score = day_score(DayTotals(meals=2, foods=4, macros=of_day), asked)
    assert score.percent is None or 0 <= score.percent <= 100
    assert not (score.incomplete and score.percent is not None)


@given(macros)
def test_a_day_just_as_asked_has_the_full_score(asked: Macros) -> None:
    assert day_score(DayTotals(meals=2, foods=4, macros=asked), asked).percent in (None, 100.0)


@pytest.mark.parametrize(
    ("of_day", "percent"),
    [
        (eaten(energy_kcal=2100, protein_g=150, carbs_g=200, fat_g=60), 100.0),
        (eaten(energy_kcal=2400, protein_g=150, carbs_g=200, fat_g=60), 87.5),
        (eaten(energy_kcal=2000, protein_g=300, carbs_g=200, fat_g=60), 100.0),
        (eaten(energy_kcal=2000, protein_g=60, carbs_g=200, fat_g=60), 75.0),
        (eaten(energy_kcal=2000), 100.0),
        (eaten(energy_kcal=999, protein_g=150), None),
    ],
)
def test_a_score_falls_with_the_distance_beyond_the_tolerance(of_day: DayTotals, percent: float | None) -> None:
    score = day_score(of_day, ASKED)
    assert score.percent == (pytest.approx(percent) if percent is not None else None)
    assert score.incomplete == (percent is None)


def test_a_day_of_one_meal_is_incomplete_and_not_bad() -> None:
    assert day_score(DayTotals(meals=1, foods=1, macros=ASKED), ASKED).incomplete


def test_the_targets_that_began_last_are_in_force() -> None:
    known = [("a", targets(day(0))), ("b", targets(day(7))), ("c", targets(day(9), deleted=True))]
    assert targets_on(known, day(-1)) is None
    assert [targets_on(known, day(n))[0] for n in (0, 6, 7, 30)] == ["a", "a", "b", "b"]  # type: ignore[index]


def test_adherence_is_the_mean_of_the_days_that_were_written_down() -> None:
    asked = [(day(0), Macros(energy_kcal=2000))]
    logs = {
        day(1): log(a={"meal": "b", "energy_kcal": 1000}, b={"meal": "d", "energy_kcal": 1000}),
        day(2): log(a={"meal": "b", "energy_kcal": 1000}, b={"meal": "d", "energy_kcal": 1700}),
        day(3): log(a={"meal": "b", "energy_kcal": 1000}),
        day(-3): log(a={"meal": "b", "energy_kcal": 1000}),
        day(20): log(),
    }
    eaten = [(on, day_totals(each)) for on, each in logs.items()]
    found = nutrition_adherence(eaten, asked, as_of=day(13))
    assert (found.percent, found.days, found.incomplete_days) == (50.0, 2, 1)
    assert nutrition_adherence(eaten, [], as_of=day(13)).percent is None


@given(st.lists(st.tuples(st.integers(-30, 60).map(day), log_states)))
def test_adherence_never_raises(states: list[tuple[datetime.date, dict[str, Any]]]) -> None:
    eaten = [(on, day_totals(NUTRITION_LOGS.read(state)[0])) for on, state in states]
    found = nutrition_adherence(eaten, [(day(0), Macros(energy_kcal=2000))], as_of=day(30), window_days=400)
    assert found.percent is None or 0 <= found.percent <= 100


def test_targets_are_read_like_what_was_eaten() -> None:
    assert target_macros(targets(day(0), energy_kcal=2000, protein_g=150)) == Macros(energy_kcal=2000, protein_g=150)


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        ("1996-03-02", datetime.date(2026, 3, 1), 29),
        ("1996-03-02", datetime.date(2026, 3, 2), 30),
        ("2000-02-29", datetime.date(2026, 2, 28), 25),
        ("2000-02-29", datetime.date(2026, 3, 1), 26),
        ("2030-01-01", datetime.date(2026, 3, 1), None),
        ("2000-02-31", datetime.date(2026, 3, 1), None),
        (None, datetime.date(2026, 3, 1), None),
    ],
)
def test_an_age_is_in_whole_years(born: str | None, on: datetime.date, years: int | None) -> None:
    assert age_years(PROFILES.read({"date_of_birth": born})[0], on) == years


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)), st.integers(0, 40_000))
def test_nobody_gets_younger(born: datetime.date, days: int) -> None:
    profile = PROFILES.read({"date_of_birth": born.isoformat()})[0]
    ages = [age_years(profile, born + datetime.timedelta(days=n)) for n in (days, days + 1)]
    assert None not in ages and 0 <= (ages[1] or 0) - (ages[0] or 0) <= 1


@given(st.integers(1, 7), st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)))
def test_the_next_check_in_is_due_on_its_weekday_within_two_weeks(day_number: int, as_of: datetime.date) -> None:
    due = next_check_in_due(day_number, [], as_of)
    assert due is not None and due.isoweekday() == day_number and 0 <= (due - as_of).days < 7
    assert next_check_in_due(day_number, [due], as_of) == (due if due > as_of else due + datetime.timedelta(days=7))
