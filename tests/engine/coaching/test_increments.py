"""The next load that can be put on a bar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.increments import (
    BARBELL_LOWER,
    BARBELL_UPPER,
    DUMBBELL,
    MACHINE,
    canonical_kg,
    lowered_kg,
    raised_kg,
    step_for,
    typed,
)

STEPS = st.sampled_from([BARBELL_UPPER, BARBELL_LOWER, DUMBBELL, MACHINE])
UNITS = st.sampled_from(["kg", "lb"])


def test_a_pound_is_exactly_0_45359237_kilograms() -> None:
    assert canonical_kg(1.0, "lb") == 0.453592
    assert typed(225 * 0.45359237, "lb") == 225.0


@pytest.mark.parametrize(
    ("load", "unit", "step", "expected"),
    [
        (100.0, "kg", BARBELL_UPPER, 102.5),
        (100.0, "kg", BARBELL_LOWER, 105.0),
        (225.0, "lb", BARBELL_UPPER, 230.0),
        (50.0, "kg", BARBELL_LOWER, 55.0),
        (49.0, "kg", BARBELL_LOWER, 51.5),
        (25.0, "kg", BARBELL_UPPER, 27.5),
        (24.0, "kg", BARBELL_UPPER, 25.25),
        (20.0, "kg", DUMBBELL, 22.0),
        (19.9, "kg", BARBELL_LOWER, 24.9),
        (50.0, "kg", MACHINE, 55.0),
        (49.9, "kg", MACHINE, None),
        (-20.0, "kg", BARBELL_UPPER, -17.5),
    ],
)
def test_the_next_load_is_one_step_up_and_never_more_than_a_tenth(
    load: float, unit: str, step: object, expected: float | None
) -> None:
    found = raised_kg(canonical_kg(load, unit), unit, step)  # type: ignore[arg-type]
    assert (found if found is None else typed(found, unit)) == expected


def test_a_share_is_rounded_to_whole_steps_but_is_at_least_one() -> None:
    assert raised_kg(200.0, "kg", BARBELL_UPPER, 0.025) == 205.0
    assert raised_kg(150.0, "kg", BARBELL_UPPER, 0.025) == 155.0
    assert raised_kg(140.0, "kg", BARBELL_UPPER, 0.025) == 142.5
    assert raised_kg(60.0, "kg", BARBELL_UPPER, 0.025) == 62.5


def test_a_lower_load_lies_on_the_grid_of_plates() -> None:
    assert lowered_kg(102.5, "kg", BARBELL_UPPER, 0.05) == 95.0
    assert lowered_kg(100.0, "kg", BARBELL_UPPER, 0.05) == 95.0
    assert lowered_kg(30.0, "kg", DUMBBELL, 0.05) == 28.0
    assert typed(lowered_kg(canonical_kg(225.0, "lb"), "lb", BARBELL_UPPER, 0.10) or 0, "lb") == 200.0
    assert lowered_kg(2.5, "kg", BARBELL_UPPER, 0.05) is None


@given(st.floats(20, 500), UNITS, STEPS, st.none() | st.floats(0, 0.2))
def test_a_raise_from_20_kg_is_within_a_tenth_and_a_real_raise(
    load: float, unit: str, step: object, share: float | None
) -> None:
    found = raised_kg(load, unit, step, share)  # type: ignore[arg-type]
    assert found is None or load < found <= load * 1.1 + 1e-3


@given(st.floats(0.1, 500), UNITS, STEPS, st.floats(0.02, 0.2))
def test_a_cut_is_at_least_the_share(load: float, unit: str, step: object, share: float) -> None:
    found = lowered_kg(load, unit, step, share)  # type: ignore[arg-type]
    assert found is None or 0 < found <= load * (1 - share) + 1e-3


def test_the_step_follows_equipment_and_body_part() -> None:
    assert step_for("Barbell", lower_body=True) is BARBELL_LOWER
    assert step_for("barbell") is BARBELL_UPPER
    assert step_for("dumbbell", lower_body=True) is DUMBBELL
    assert step_for(None, lower_body=True) is step_for("bands") is BARBELL_UPPER
