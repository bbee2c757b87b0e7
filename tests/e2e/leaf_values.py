"""A value for every leaf of a model, made from its JSON Schema, and another one for each, as far as bounds allow.

So a leaf that a view shows at the place of its neighbour is missed. What was typed in pounds or inches has beside it
the kilograms and centimetres that follow from it.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from apex_sync.coaching.weights import kilograms
from apex_sync.collection import Collection

__all__ = ["ENTRY", "leaves"]

SCHEMAS = Path(__file__).parents[2] / "schemas" / "collections"

ENTRY = "k1"
"""What every entry of a map is called, so that entries which name each other do."""

LINKS = ("day", "exercise", "meal", "week")
"""Fields of an entry that name another entry of the record."""

SAME = ("date", "_unit", "unit")
"""Endings of fields that are the same in every variant: a day's log keeps its day, pounds stay pounds."""

OF_THE_RECORD = ("created_at", "deleted")
CM_PER_INCH = 2.54
FIRST_DAY = datetime(2026, 3, 1, 7, tzinfo=UTC)


def leaves(collection: Collection, role: str, variant: int) -> dict[str, Any]:
    """Make a value for every leaf that a role writes; another one for another variant."""
    schema = msgspec.json.decode((SCHEMAS / f"{collection.name}.json").read_bytes())
    maker = _Maker(schema.get("$defs", {}), variant)
    return maker.fields(
        {
            field: its
            for field, its in schema["properties"].items()
            if field not in OF_THE_RECORD and role == _writer(collection, field)
        },
        "",
    )


def _writer(collection: Collection, field: str) -> str:
    """Give the one role that writes a field here, where several may."""
    writers = collection.writers.get(field, collection.default_writers)
    return next(role for role in ("athlete", "coach", "system") if role in writers)


class _Maker:
    """Makes values one after the other; the number of a leaf makes its value unlike the others'."""

    def __init__(self, types: Mapping[str, Any], variant: int) -> None:
        self._types = types
        self._variant = variant
        self._numbers = count(1)

    def fields(self, schemas: Mapping[str, Any], path: str) -> dict[str, Any]:
        made = {field: self._value(its, f"{path}{field}") for field, its in schemas.items()}
        for field in schemas:
            typed = made.get(field.removesuffix("_unit"))
            if field.endswith("_unit") and typed is not None:
                canonical = {"lb": ("_kg", kilograms(typed, "lb")), "in": ("_cm", typed * CM_PER_INCH)}
                ending, value = canonical[made[field]]
                made[field.removesuffix("_unit") + ending] = value
        return made

    def _value(self, schema: Mapping[str, Any], path: str) -> Any:
        name = path.rpartition(".")[2]
        variant = 0 if name.endswith(SAME) else self._variant
        if "$ref" in schema:
            return self._value(self._types[schema["$ref"].rpartition("/")[2]], path)
        if "anyOf" in schema:
            return self._value(next(each for each in schema["anyOf"] if each.get("type") != "null"), path)
        if "enum" in schema:
            return schema["enum"][-1] if name.endswith("unit") else schema["enum"][variant % len(schema["enum"])]
        if "properties" in schema:
            return self.fields(
                {field: its for field, its in schema["properties"].items() if field != "deleted"}, f"{path}."
            )
        match schema["type"]:
            case "object":
                return {ENTRY: self._value(schema["additionalProperties"], f"{path}.{ENTRY}")}
            case "array":
                return [self._value(schema["items"], path)]
            case "boolean":
                return variant == 0
            case "string":
                return ENTRY if name in LINKS else _text(schema, path, next(self._numbers), variant)
            case _:
                return _number(schema, next(self._numbers) + variant)


def _text(schema: Mapping[str, Any], path: str, number: int, variant: int) -> str:
    time = FIRST_DAY + timedelta(days=variant, minutes=number)
    day = (date(2026, 3, 1) + timedelta(days=number + variant)).isoformat()
    if path.endswith("date"):
        return day
    guesses = (
        f"{path} {variant}"[-schema.get("maxLength", 100) :],
        day,
        f"{time:%Y-%m-%dT%H:%M:%S}+01:00",
        f"{time:%Y-%m-%dT%H:%M:%S}.000Z",
    )
    return next(guess for guess in guesses if re.search(schema.get("pattern", ""), guess))


def _number(schema: Mapping[str, Any], number: int) -> float:
    low, high = max(schema.get("minimum", 0), 1), schema.get("maximum", 1000)
    if schema["type"] == "integer":
        return int(low + number % (high - low + 1))
    return float(low + number % (high - low) + 0.5)
