"""Loads in a patch: what was typed in pounds gets its kilograms."""

from typing import Any

from apex_server.errors import InvalidFields
from apex_sync.coaching.weights import kilograms
from apex_sync.op import Patch

__all__ = ["with_kilograms"]


def with_kilograms(patch: Patch) -> Patch:
    """Complete the loads of the sets in a patch. Raises InvalidFields for a load whose unit is not said.

    >>> with_kilograms({"sets": {"a": {"load": 225, "load_unit": "lb"}}})
    {'sets': {'a': {'load': 225, 'load_unit': 'lb', 'load_kg': 102.058283}}}
    """
    sets = patch.get("sets")
    if not sets:
        return patch
    return {**patch, "sets": {key: _completed(key, entry) for key, entry in sets.items()}}


def _completed(key: str, entry: dict[str, Any]) -> dict[str, Any]:
    load, unit = entry.get("load"), entry.get("load_unit")
    if load is None or "load_kg" in entry:
        return entry
    if unit is None:
        raise InvalidFields.one(f"sets.{key}.load_unit", "Expected the unit beside a load, or load_kg")
    typed = {"load": load, "load_unit": unit} if unit == "lb" else {"load": None, "load_unit": None}
    return {**entry, **typed, "load_kg": kilograms(load, unit)}
