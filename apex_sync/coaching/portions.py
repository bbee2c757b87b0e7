"""How much of a food somebody ate: what was typed becomes grams, and grams become nutrients.

>>> from apex_sync.models import Food
>>> cup = Serving(name="1 cup", grams=80)
>>> oats = Food(name="Oats", per_100g=Nutrients(energy_kcal=379, protein_g=13.2), servings={"1": cup})
>>> portion_of("f", oats, 1.5, "cups")["grams"], portion_of("f", oats, 50, "g")["energy_kcal"]
(120.0, 189.5)
"""

import re
from typing import Any

from apex_sync.coaching.increments import KG_PER_LB
from apex_sync.coaching.leaves import live_entries, number, text
from apex_sync.coaching.names import name_key
from apex_sync.collection import Record
from apex_sync.errors import FieldProblem, OutOfBounds
from apex_sync.models.nutrition import Nutrients, Serving
from apex_sync.op import Patch

GRAMS_BY_UNIT = {"g": 1.0, "kg": 1000.0, "oz": 1000.0 * KG_PER_LB / 16, "lb": 1000.0 * KG_PER_LB}

DRINK_UNITS = {"ml": 1.0, "l": 1000.0}
"""Of what is drunk, a millilitre weighs a gram, give or take three per cent [D]."""

DRINKS = ("beverage", "dairy")

QUANTITY_MAX, GRAMS_MAX = 100_000.0, 5_000.0
"""The bounds of a logged food; nobody eats five kilograms of one thing."""

DECIMALS = 1

_COUNTED = re.compile(r"(?P<count>[0-9]+(?:[.,][0-9]+)?)\s+(?P<unit>.+)")


def portion_of(food_id: str, food: Record, quantity: float, unit: str) -> Patch:
    """Give so much of a food as a logged or planned food holds it, with the nutrients of that much.

    Raises OutOfBounds for a unit the food does not have, and for a quantity that is none.
    """
    amount = number(quantity, 0.0, QUANTITY_MAX)
    if not amount:
        raise OutOfBounds("foods", FieldProblem("quantity", "Expected how much of it, more than nothing"))
    by_unit = grams_by_unit(food)
    each = {name_key(name): grams for name, grams in by_unit.items()}.get(name_key(unit))
    if each is None:
        raise OutOfBounds("foods", FieldProblem("unit", f"Expected one of {', '.join(by_unit)}"))
    grams = number(amount * each, 0.0, GRAMS_MAX)
    if grams is None:
        raise OutOfBounds("foods", FieldProblem("quantity", "Expected no more than 5 kg of one food"))
    known = {"food_id": food_id, "name": text(getattr(food, "name", None)), "quantity": amount, "unit": unit.strip()}
    named = {name: value for name, value in known.items() if value is not None}
    return {**named, "grams": round(grams, 3), **nutrients_in(food, grams)}


def nutrients_in(food: Record, grams: float) -> dict[str, float]:
    """Give what so many grams of a food hold, as far as the food says; to a tenth."""
    per_100g = getattr(food, "per_100g", None)
    held = {name: number(getattr(per_100g, name, None), 0.0, 1_000_000.0) for name in Nutrients.__struct_fields__}
    return {name: round(value * grams / 100, DECIMALS) for name, value in held.items() if value is not None}


def grams_by_unit(food: Record) -> dict[str, float]:
    """List the units a food may be measured in, with the grams of one: weights, and its servings by name."""
    units = {**GRAMS_BY_UNIT, **(DRINK_UNITS if getattr(food, "category", None) in DRINKS else {})}
    for _, serving in live_entries(getattr(food, "servings", None)):
        named = _serving(serving)
        if named is not None:
            units.setdefault(*named)
    return units


def _serving(serving: Serving | Any) -> tuple[str, float] | None:
    """Read a serving as its unit and the grams of one: `5 leaves` of 2.5 g are half a gram each."""
    name, grams = text(getattr(serving, "name", None)), number(getattr(serving, "grams", None), 0.0, GRAMS_MAX)
    if name is None or not grams:
        return None
    counted = _COUNTED.fullmatch(name.strip())
    count = float(counted["count"].replace(",", ".")) if counted else 1.0
    unit = counted["unit"] if counted else name
    return (unit, grams / count) if name_key(unit) and count else None
