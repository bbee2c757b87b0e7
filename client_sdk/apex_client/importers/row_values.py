"""The numbers and notes of one row, as leaves of a set.

Cells repeat a great deal (a log has some hundred different loads), so each column remembers what it has read.
"""

from msgspec import Struct

from apex_client.importers.errors import LoadUnit
from apex_client.importers.layouts import Column, Layout
from apex_client.importers.plan import Patch
from apex_client.importers.sources import SET_TYPES
from apex_client.importers.values import (
    LOAD_UNITS,
    METRES,
    NOTE_LENGTH,
    Cell,
    CellReader,
    Unreadable,
    bounded,
    clean_text,
    duration_reader,
    guarded,
    load_leaves,
    number_reader,
    read_number,
    reps_reader,
)

SEPARATOR = "\x00"
"""Joins a number and its unit cell; it cannot stand in a cell."""


class _Reading(Struct):
    """A column (and the column of its unit), how to read it, and what it has read."""

    place: int
    unit_place: int | None
    read: CellReader
    known: dict[str, Cell]
    is_second_load: bool = False
    """FitNotes for iOS has a column for kilograms and one for pounds; the first that is filled counts."""


class RowValues:
    """Reads the set of a row; counts the different loads whose unit nobody has stated."""

    def __init__(self, layout: Layout, unit: LoadUnit | None) -> None:
        self.layout = layout
        self.unit: str | None = unit
        self.comma = layout.decimal_comma
        self.stated_units: set[str] = set()
        self.took_given_unit = False
        self.unstated = 0
        self.bare_distances_as = ""
        self.readings = [reading for column in layout.columns if (reading := self._reading(column))]
        self.extras = [column for column in layout.columns if column.meaning in ("incline", "resistance")]

    def read(self, cells: list[str]) -> tuple[Patch, list[str]]:
        """Give the leaves of a row's set, and what is wrong with the cells that gave none."""
        leaves: Patch = {}
        problems: list[str] = []
        for reading in self.readings:
            cell = cells[reading.place]
            if not cell or (reading.is_second_load and leaves.get("load_kg")):
                continue
            if reading.unit_place is not None:
                cell = f"{cell}{SEPARATOR}{cells[reading.unit_place]}"
            found = reading.known.get(cell)
            if found is None:
                found = reading.known[cell] = reading.read(cell)
            if found[0]:
                leaves.update(found[0])
            if found[1]:
                problems.append(found[1])
        if "duration_seconds" in leaves or "distance_m" in leaves:
            _drop_fillers(leaves)
        if self.extras:
            self._note_extras(cells, leaves)
        return leaves, problems

    def _reading(self, column: Column) -> _Reading | None:
        unit_place = None
        if column.meaning in ("load", "distance") and column.unit is None:
            unit_place = self.layout.place(f"{column.meaning}_unit")
        read = self._reader(column, has_unit_cell=unit_place is not None)
        if read is None:
            return None
        is_second_load = column.meaning == "load" and column.place != self.layout.place("load")
        return _Reading(column.place, unit_place, guarded(read), {}, is_second_load)

    def _reader(self, column: Column, *, has_unit_cell: bool) -> CellReader | None:
        match column.meaning:
            case "load":
                return lambda cell: self._load(*_with_unit(cell, column.unit, has_unit_cell=has_unit_cell))
            case "distance":
                return lambda cell: self._distance(*_with_unit(cell, column.unit, has_unit_cell=has_unit_cell))
            case "reps":
                return reps_reader(decimal_comma=self.comma)
            case "rpe":
                return number_reader("rpe", decimal_comma=self.comma)
            case "seconds":
                return duration_reader(decimal_comma=self.comma)
            case "set_notes":
                return self._note
            case "set_type" | "warmup":
                return _set_type
        return None

    def _load(self, cell: str, unit_text: str) -> Cell:
        load = read_number(cell, decimal_comma=self.comma)
        unit = LOAD_UNITS.get(unit_text) if unit_text else self.unit
        if unit_text and unit is None:
            raise Unreadable(f"load {cell} is in an unknown unit, {unit_text!r}")
        if unit is None and load:
            self.unstated += 1
            return {}, None
        if unit_text and unit:
            self.stated_units.add(unit)
        elif load:
            self.took_given_unit = True
        return load_leaves(load, unit or "kg"), None

    def _distance(self, cell: str, unit_text: str) -> Cell:
        distance = read_number(cell, decimal_comma=self.comma)
        if not distance:
            return {}, None
        if not unit_text:
            unit_text = self._distance_unit(cell)
        if not unit_text:
            return {}, None
        if unit_text not in METRES:
            raise Unreadable(f"distance {cell} is in an unknown unit, {unit_text!r}")
        return {"distance_m": bounded("distance_m", round(distance * METRES[unit_text], 3))}, None

    def _distance_unit(self, cell: str) -> str:
        """Take the system of units of the loads for a distance without a unit."""
        header_units = (column.unit for column in self.layout.columns if column.meaning == "load")
        system = next(header_units, None) or self.unit
        if system is None and self.layout.place("load_unit") is not None:
            raise Unreadable(f"distance {cell} has no unit")
        if system is None:
            self.unstated += 1
            return ""
        self.bare_distances_as = "mi" if LOAD_UNITS.get(system.casefold()) == "lb" else "km"
        return self.bare_distances_as

    def _note(self, cell: str) -> Cell:
        note = clean_text(cell)
        if len(note) <= NOTE_LENGTH:
            return ({"notes": note} if note else {}), None
        return {"notes": note[:NOTE_LENGTH]}, f"a note of {len(note):,} characters was cut to {NOTE_LENGTH:,}"

    def _note_extras(self, cells: list[str], leaves: Patch) -> None:
        """Keep what no field is for in words, after the note that is there."""
        words = [leaves["notes"]] if "notes" in leaves else []
        for column in self.extras:
            cell = cells[column.place].strip()
            if cell.strip("0.,"):
                words.append(f"{column.meaning} {cell[:20]}")
        if words:
            leaves["notes"] = ", ".join(words)[:NOTE_LENGTH]


def _with_unit(cell: str, header_unit: str | None, *, has_unit_cell: bool) -> tuple[str, str]:
    if has_unit_cell:
        number, _, unit = cell.partition(SEPARATOR)
        return number, unit.strip().casefold().rstrip(".")
    return cell, (header_unit or "").casefold().rstrip(".")


def _set_type(cell: str) -> Cell:
    text = cell.strip().casefold()
    if text in ("true", "1", "yes"):
        return {"type": "warmup"}, None
    if text in ("false", "0", "no"):
        return {}, None
    if text not in SET_TYPES:
        raise Unreadable(f"set type {cell[:40]!r} is unknown; read as a working set")
    known = SET_TYPES[text]
    return ({"type": known} if known else {}), None


def _drop_fillers(leaves: Patch) -> None:
    """Leave out the zeros that apps write into the reps and load of a timed or measured set."""
    for field in ("reps", "load_kg"):
        if leaves.get(field) == 0:
            del leaves[field]
