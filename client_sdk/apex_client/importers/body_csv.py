"""Read body weight, body fat and girths from CSV files of scales and of people, whatever order their columns have.

A unit stands in the header (`Weight (kg)`, `waist_in`) or in the cell (`12st 7lb`, `82 cm`). A girth without one is
left out, since half of all girths may be either.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from typing import NamedTuple

from apex_client.importers.body_plan import (
    STONE_LB,
    BodyPlan,
    NotBodyFile,
    ReadMeasuring,
    local_time,
    measuring,
    weight_in,
)
from apex_client.importers.errors import LoadUnit, UnitNeeded
from apex_client.importers.layouts import DELIMITERS, HEAD_CHARACTERS
from apex_client.importers.records import Record, read_records
from apex_client.importers.values import Unreadable, read_number
from apex_sync.op import Patch

__all__ = ["is_body_csv", "plan_of_csv"]

SOURCE = "csv"

DATES = frozenset({"date", "day", "time", "datetime", "timestamp", "datum"})
WEIGHTS = frozenset({"weight", "body weight", "bodyweight", "gewicht"})
FATS = frozenset({"body fat", "fat"})
GIRTHS = {
    "chest": "chest_cm", "brust": "chest_cm", "shoulders": "shoulders_cm", "shoulder": "shoulders_cm",
    "biceps": "biceps_cm", "bicep": "biceps_cm", "arms": "arms_cm", "arm": "arms_cm",
    "forearms": "forearms_cm", "forearm": "forearms_cm", "waist": "waist_cm", "taille": "waist_cm",
    "hips": "hips_cm", "hip": "hips_cm", "hüfte": "hips_cm", "thighs": "thighs_cm", "thigh": "thighs_cm",
    "calves": "calves_cm", "calf": "calves_cm",
}  # fmt: skip

WEIGHT_UNITS = {
    "kg": "kg", "kgs": "kg", "lb": "lb", "lbs": "lb", "st": "st", "stone": "st", "stones": "st",
}  # fmt: skip
LENGTH_UNITS = {"cm": "cm", "in": "in", "inch": "in", "inches": "in", '"': "in"}
PERCENT = {"%": "%", "percent": "%"}
INCH_CM = 2.54

_STONES = re.compile(r"(\d+(?:[.,]\d+)?)\s*st(?:ones?)?\.?\s*(?:(\d+(?:[.,]\d+)?)\s*(?:lbs?|pounds?)?\.?)?")
_WITH_UNIT = re.compile(r"(.*?[\d.,])\s*([a-z\"]+)\.?")

Number = Callable[[str], float]


class Column(NamedTuple):
    """Where a meaning stands, by what name, and the unit that its header states."""

    place: int
    name: str
    unit: str | None


class Columns(NamedTuple):
    """What is known of a header."""

    delimiter: str
    day: Column | None
    weight: Column | None
    fat: Column | None
    girths: Mapping[str, Column]

    @property
    def known(self) -> int:
        """How many columns are understood."""
        return sum(each is not None for each in (self.day, self.weight, self.fat)) + len(self.girths)

    @property
    def are_of_a_body(self) -> bool:
        """Whether there is a day, and a weight or a girth with its unit."""
        return self.day is not None and (self.weight is not None or any(each.unit for each in self.girths.values()))


def is_body_csv(beginning: str) -> bool:
    """Tell whether a text begins with a header of body weights or girths."""
    return _columns(beginning).are_of_a_body


def plan_of_csv(text: str, unit: LoadUnit | None) -> BodyPlan:
    """Read a measuring a row; `unit` is for weights that state none. Raises NotBodyFile, UnitNeeded."""
    columns = _columns(text)
    day = columns.day
    if day is None or not (columns.weight or columns.girths):
        raise NotBodyFile("its first row names no date and weight")
    plan = BodyPlan(SOURCE)
    by_moment: dict[str, ReadMeasuring] = {}
    number = partial(read_number, decimal_comma=columns.delimiter == ";")
    for leaf in sorted(_without_unit(columns, text)):
        name = columns.girths[leaf].name
        plan.skip("line 1", f"{name} names no unit, so it was left out: write {name} (cm) or {name} (in)")
        columns = columns._replace(girths={other: each for other, each in columns.girths.items() if other != leaf})
    for row in islice(read_records(text, columns.delimiter), 1, None):
        where = f"line {row.line}"
        try:
            leaves = _leaves(row, columns, unit, number)
            moment = local_time(_cell(row, day)).removesuffix("T00:00:00")  # What knows the day alone writes midnight.
        except Unreadable as error:
            plan.skip(where, str(error))
            continue
        known = by_moment.setdefault(moment, measuring(SOURCE, moment, leaves, where))
        if known.where != where:
            plan.skip(where, f"{moment} has a weight already, of {known.where}; with times of day, both are kept")
    plan.measurings = [known for _, known in sorted(by_moment.items())]
    return plan


def _columns(text: str) -> Columns:
    """Read the header by the delimiter with which most of it is understood."""
    found = [(delimiter, next(read_records(text[:HEAD_CHARACTERS], delimiter), None)) for delimiter in DELIMITERS]
    read = [_columns_of(delimiter, head.cells) for delimiter, head in found if head]
    return max(read, key=lambda columns: columns.known, default=Columns(",", None, None, None, {}))


def _columns_of(delimiter: str, cells: list[str]) -> Columns:
    day: Column | None = None
    weight: Column | None = None
    fat: Column | None = None
    girths: dict[str, Column] = {}
    for place, cell in enumerate(cells):
        name, unit = _name_and_unit(cell)
        column = Column(place, cell.strip(), unit)
        if name in DATES and unit is None:
            day = day or column
        elif name in WEIGHTS and (unit is None or unit in WEIGHT_UNITS.values()):
            weight = weight or column
        elif name in FATS and unit in (None, "%"):
            fat = fat or column
        elif name in GIRTHS and (unit is None or unit in LENGTH_UNITS.values()):
            girths.setdefault(GIRTHS[name], column)
    return Columns(delimiter, day, weight, fat, girths)


def _name_and_unit(header: str) -> tuple[str, str | None]:
    """Read a header.

    >>> _name_and_unit("Weight (kg)"), _name_and_unit("waist_in"), _name_and_unit("Body Fat"), _name_and_unit("Gewicht")
    (('weight', 'kg'), ('waist', 'in'), ('body fat', None), ('gewicht', None))
    """
    words = re.sub(r"[_()\[\]]", " ", header.strip().lower()).replace("%", " % ").split()
    unit = (WEIGHT_UNITS | LENGTH_UNITS | PERCENT).get(words[-1]) if len(words) > 1 else None
    return " ".join(words[:-1] if unit else words), unit


def _without_unit(columns: Columns, text: str) -> set[str]:
    """Give the girths of which neither the header nor each cell names a unit."""
    unclear = {leaf: column for leaf, column in columns.girths.items() if column.unit is None}
    if not unclear:
        return set()
    return {
        leaf
        for row in islice(read_records(text, columns.delimiter), 1, None)
        for leaf, column in unclear.items()
        if (cell := _cell(row, column)) and _own_unit(cell, LENGTH_UNITS)[1] is None
    }


def _leaves(row: Record, columns: Columns, unit: LoadUnit | None, number: Number) -> Patch:
    """Read the figures of a row. Raises Unreadable, UnitNeeded."""
    if row.damage:
        raise Unreadable(row.damage)
    leaves: Patch = {}
    if columns.weight and (cell := _cell(row, columns.weight)):
        leaves["weight"], leaves["weight_unit"] = _weight(cell, columns.weight.unit or unit, number)
    if columns.fat and (cell := _cell(row, columns.fat)):
        leaves["body_fat_percent"] = number(cell.removesuffix("%"))
    lengths = {
        leaf: _length(cell, column, number) for leaf, column in columns.girths.items() if (cell := _cell(row, column))
    }
    if lengths:
        unit_typed = "in" if any(unit == "in" for _, unit in lengths.values()) else "cm"
        leaves["measurements"] = {**{leaf: cm for leaf, (cm, _) in lengths.items()}, "unit": unit_typed}
    if not leaves:
        raise Unreadable("it holds no figure")
    return leaves


def _weight(cell: str, unit: str | None, number: Number) -> tuple[float, LoadUnit]:
    """Read a weight in the unit of its cell, else in that of its column. Raises Unreadable, UnitNeeded."""
    if stones := _STONES.fullmatch(cell.lower()):
        return weight_in(number(stones[1]) + (number(stones[2]) / STONE_LB if stones[2] else 0.0), "st")
    amount, own = _own_unit(cell, WEIGHT_UNITS)
    value, stated = number(amount), own or unit
    if stated is None:
        raise UnitNeeded("kg", "the file names its column only 'weight'", of="weights")
    return weight_in(value, stated)


def _length(cell: str, column: Column, number: Number) -> tuple[float, str]:
    """Read a girth in centimetres, with the unit that was typed. Raises Unreadable."""
    amount, own = _own_unit(cell, LENGTH_UNITS)
    unit = own or column.unit or "cm"
    try:
        value = number(amount)
    except Unreadable as error:
        raise Unreadable(f"{column.name}: {error}") from None
    return (round(value * INCH_CM, 2) if unit == "in" else value), unit


def _own_unit(cell: str, units: Mapping[str, str]) -> tuple[str, str | None]:
    """Split a cell into its number and the unit behind it, if there is one of these."""
    found = _WITH_UNIT.fullmatch(cell.strip().lower())
    return (found[1], units[found[2]]) if found and found[2] in units else (cell, None)


def _cell(row: Record, column: Column) -> str:
    return row.cells[column.place].strip() if len(row.cells) > column.place else ""
