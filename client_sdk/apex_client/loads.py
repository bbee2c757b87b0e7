"""Loads as people type them, and as the models hold them: kilograms, and for pounds what was typed beside."""

from typing import Any

from apex_sync.coaching.weights import kilograms


def load_leaves(load: float | None, unit: str) -> dict[str, Any]:
    """Give the leaves of a load.

    >>> load_leaves(225, "lb")
    {'load_kg': 102.058283, 'load': 225, 'load_unit': 'lb'}
    >>> load_leaves(100, "kg")
    {'load_kg': 100}
    """
    if load is None or unit == "kg":
        return {"load_kg": load}
    return {"load_kg": kilograms(load, unit), "load": load, "load_unit": unit}


def weight_leaves(weight: float | None, unit: str) -> dict[str, Any]:
    """Give the leaves of a body weight.

    >>> weight_leaves(80.5, "kg")
    {'weight_kg': 80.5}
    """
    if weight is None or unit == "kg":
        return {"weight_kg": weight}
    return {"weight_kg": kilograms(weight, unit), "weight": weight, "weight_unit": unit}
