"""Weights as people type them and in kilograms, which everything is computed from; the two are kept together.

REST and SDK write through `with_kilograms`, so whoever changes the value or the unit that was typed changes the
kilograms, too.
"""

from collections.abc import Mapping
from typing import Any, Literal

from apex_sync.coaching.increments import KG_PER_LB
from apex_sync.op import Patch

LOAD_KG_DECIMALS = 6
"""A milligram: pounds that were converted from kilograms round back to the kilograms typed."""
TYPED_SLACK_KG = 0.05
"""How far what was typed may lie from the kilograms beside it: apps round pounds to one or two decimals."""

TYPED_WEIGHTS = {"body_metrics": "weight", "check_ins": "weight", "profiles": "target_weight"}
"""The body weight that records of a collection hold, `weight` with `weight_unit` and `weight_kg`."""


def kilograms(load: float, unit: str) -> float:
    """Give a load in kilograms, to the milligram."""
    return round(load * KG_PER_LB, LOAD_KG_DECIMALS) if unit == "lb" else load


def load_as_typed(
    load_kg: float | None, load: float | None, unit: str | None
) -> tuple[float | None, Literal["kg", "lb"]]:
    """Give load and unit as somebody typed them; in kilograms where concurrent edits have left the two apart.

    >>> load_as_typed(102.058283, 225, "lb"), load_as_typed(100, None, None), load_as_typed(60, 225, "lb")
    ((225, 'lb'), (100, 'kg'), (60, 'kg'))
    """
    if load is None or unit != "lb" or (load_kg is not None and abs(kilograms(load, unit) - load_kg) > TYPED_SLACK_KG):
        return (load if load_kg is None else load_kg), "kg"
    return load, "lb"


def with_kilograms(collection: str, changes: Mapping[str, Any], base: Mapping[str, Any]) -> Patch:
    """Complete changes of a record whose state is `base`: kilograms follow from the value and the unit typed.

    Either is taken from the record where it is not named, and a unit that nobody named is kg. Kilograms that are named
    count where they fit what is typed; named alone, they take away what was typed before.

    >>> with_kilograms("body_metrics", {"weight": 200}, {"weight": 180, "weight_unit": "lb", "weight_kg": 81.646627})
    {'weight': 200, 'weight_unit': 'lb', 'weight_kg': 90.718474}
    """
    typed = TYPED_WEIGHTS.get(collection, "")
    of_unit, in_kg = f"{typed}_unit", f"{typed}_kg"
    if not changes.keys() & {typed, of_unit, in_kg}:
        return dict(changes)
    was_kg = base.get(in_kg)
    was, was_unit = (was_kg, None) if base.get(typed) is None else (base[typed], base.get(of_unit))
    weight, unit = changes.get(typed, was), changes.get(of_unit, was_unit) or "kg"
    weight_kg = changes.get(in_kg)
    if not all(value is None or _is_number(value) for value in (weight, weight_kg)) or unit not in ("kg", "lb"):
        return dict(changes)  # The bounds of the model refuse it.
    if weight is None:
        return {**_emptied(base, in_kg), **changes, **_emptied(base, typed, of_unit)}
    follows, is_same = kilograms(weight, unit), (weight, unit) == (was, was_unit or "kg")
    is_restated = weight_kg not in (None, was_kg)
    if not _fits(weight_kg, follows) and (not changes.keys() & {typed, of_unit} or (is_restated and is_same)):
        return {**changes, **_emptied(base, typed, of_unit)}
    if base.get(typed) is None and not changes.keys() & {typed, of_unit}:
        return dict(changes)
    known = weight_kg if is_restated else was_kg if is_same else None
    return {**changes, typed: weight, of_unit: unit, in_kg: known if _fits(known, follows) else follows}


def _fits(weight_kg: float | None, follows: float) -> bool:
    return weight_kg is not None and abs(weight_kg - follows) <= TYPED_SLACK_KG


def _emptied(base: Mapping[str, Any], *names: str) -> Patch:
    return {name: None for name in names if base.get(name) is not None}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
