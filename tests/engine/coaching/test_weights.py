"""A body weight as typed and its kilograms change together."""

from typing import Any

import pytest

from apex_sync.coaching.weights import with_kilograms

POUNDS = {"weight": 180, "weight_unit": "lb", "weight_kg": 81.646627}
SCALE = {"weight_kg": 80.0}
NONE: dict[str, Any] = dict.fromkeys(("weight", "weight_unit", "weight_kg"))


@pytest.mark.parametrize(
    ("base", "changes", "after"),
    [
        ({}, {"weight": 80}, (80, "kg", 80)),
        ({}, {"weight": 180, "weight_unit": "lb"}, (180, "lb", 81.646627)),
        ({}, {"weight": 180, "weight_unit": "lb", "weight_kg": 81.65}, (180, "lb", 81.65)),
        ({}, {"weight": 180, "weight_unit": "lb", "weight_kg": 70}, (180, "lb", 81.646627)),
        ({}, SCALE, (None, None, 80.0)),
        (POUNDS, {"weight": 200}, (200, "lb", 90.718474)),
        (POUNDS, {"weight_unit": "kg"}, (180, "kg", 180)),
        (POUNDS, {**POUNDS, "weight": 200}, (200, "lb", 90.718474)),
        (POUNDS, {**POUNDS, "weight": 180.1}, (180.1, "lb", 81.691986)),
        (POUNDS, {"weight": None}, (None, None, None)),
        (POUNDS, {"weight": None, "weight_unit": "lb"}, (None, None, None)),
        (POUNDS, {"weight_kg": None}, (None, None, None)),
        (POUNDS, {"weight_kg": 70}, (None, None, 70)),
        (POUNDS, {**POUNDS, "weight_kg": 70}, (None, None, 70)),
        (POUNDS, {**NONE, "weight_kg": 70}, (None, None, 70)),
        (POUNDS, {"weight_kg": 81.65}, (180, "lb", 81.65)),
        ({**POUNDS, "weight_kg": 81.65}, {"weight": 180, "weight_unit": "lb"}, (180, "lb", 81.65)),
        ({**POUNDS, "weight_kg": 70}, {"weight": 180}, (180, "lb", 81.646627)),
        (SCALE, {"weight_kg": 80.01}, (None, None, 80.01)),
        (SCALE, {"weight_unit": "lb"}, (80.0, "lb", 36.28739)),
        (SCALE, {"weight": None}, (None, None, None)),
    ],
)
def test_kilograms_follow_what_is_typed(
    base: dict[str, Any], changes: dict[str, Any], after: tuple[float | None, str | None, float | None]
) -> None:
    state = {**base, **with_kilograms("body_metrics", changes, base)}
    assert tuple(state.get(name) for name in ("weight", "weight_unit", "weight_kg")) == after


def test_what_speaks_of_no_weight_stays_as_it_is() -> None:
    assert with_kilograms("body_metrics", {"notes": "x"}, POUNDS) == {"notes": "x"}
    assert with_kilograms("workout_logs", {"weight": 1}, {}) == {"weight": 1}
    assert with_kilograms("body_metrics", {"weight": "heavy"}, {}) == {"weight": "heavy"}
