"""From the text of one cell to a value within the bounds of its field.

A reader gives `(leaves, problem)`: the leaves to put into the set, and what is wrong with the cell. A cell that says
nothing (empty, or the zero that an app writes for "no distance") gives no leaves and no problem.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from msgspec.inspect import FloatType, IntType, StrType, StructType, UnionType, type_info

from apex_sync.coaching.weights import kilograms
from apex_sync.csv_cells import unguarded
from apex_sync.models.workout import LoggedExercise, LoggedSet, WorkoutLog

Cell = tuple[dict[str, Any], str | None]
CellReader = Callable[[str], Cell]

METRES = {
    "m": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "metres": 1.0,
    "km": 1000.0, "kms": 1000.0, "kilometers": 1000.0, "kilometres": 1000.0,
    "mi": 1609.344, "mile": 1609.344, "miles": 1609.344,
    "ft": 0.3048, "feet": 0.3048, "yd": 0.9144, "yards": 0.9144, "cm": 0.01, "in": 0.0254,
}  # fmt: skip
LOAD_UNITS = {
    "kg": "kg", "kgs": "kg", "kilogram": "kg", "kilograms": "kg", "千克": "kg", "公斤": "kg",
    "lb": "lb", "lbs": "lb", "pound": "lb", "pounds": "lb", "磅": "lb",
}  # fmt: skip

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*([^\W\d]+|:)?\.?")
_BARE_MINUTES = re.compile(r"(h)\s*(\d+)$")
_HOUR_WORDS = ("h", "std", "小", "時", "时", "시", "ч", "sa")
_MINUTE_WORDS = ("m", "分", "분", "м", "dk")
_SECOND_WORDS = ("s", "秒", "초", "с")  # noqa: RUF001
_DAY_WORDS = ("d", "j", "t", "天", "日", "д")


class Unreadable(ValueError):
    """A cell that does not hold what its column promises."""


def read_number(cell: str, *, decimal_comma: bool = False) -> float:
    """Read a finite number, `82.5` or `82,5`.

    `1,000` alone may be a thousand or one, and is read only where the file is known to write a decimal comma.

    >>> read_number("82,5")
    82.5

    Raises Unreadable.
    """
    text = cell.strip().replace("−", "-").replace("\xa0", "")
    if "," in text and "." not in text and (decimal_comma or not _GROUPED.fullmatch(text)):
        text = text.replace(",", ".", 1)
    if not _NUMBER.fullmatch(text):
        raise Unreadable(f"{_short(cell)} is not a number")
    number = float(text)
    if math.isinf(number):
        raise Unreadable(f"{_short(cell)} is too large")
    return number


def read_seconds(cell: str, *, decimal_comma: bool = False) -> float:
    """Read a duration: seconds, a clock reading, or hours and minutes in words of many languages.

    >>> read_seconds("2h 18m"), read_seconds("1小时13分钟"), read_seconds("01:30"), read_seconds("95")
    (8280.0, 4380.0, 90.0, 95.0)

    Raises Unreadable.
    """
    text = cell.strip().casefold()
    if ":" in text:
        return _read_clock(text)
    try:
        return read_number(text, decimal_comma=decimal_comma)
    except Unreadable:
        pass
    parts = _DURATION_PART.findall(_BARE_MINUTES.sub(r"\1 \2m", text))
    if not parts or _DURATION_PART.sub("", text).strip(" ,"):
        raise Unreadable(f"{_short(cell)} is not a duration")
    return sum(float(number.replace(",", ".")) * _word_seconds(word, cell) for number, word in parts)


def _read_clock(text: str) -> float:
    parts = text.split(":")
    if len(parts) > 3:
        raise Unreadable(f"{_short(text)} is not a duration")
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + read_number(part)
    return seconds


def _word_seconds(word: str, cell: str) -> int:
    for words, seconds in ((_HOUR_WORDS, 3600), (_MINUTE_WORDS, 60), (_SECOND_WORDS, 1), (_DAY_WORDS, 86_400)):
        if word.startswith(words):
            return seconds
    raise Unreadable(f"{_short(cell)} is not a duration")


def _bounds(model: type) -> dict[str, tuple[float, float]]:
    """Read the numeric bounds off a model, so that they are declared once."""
    info = type_info(model)
    assert isinstance(info, StructType)  # noqa: S101
    arms = ((field.name, arm) for field in info.fields if isinstance(field.type, UnionType) for arm in field.type.types)
    return {
        name: (arm.ge, arm.le)
        for name, arm in arms
        if isinstance(arm, IntType | FloatType) and arm.ge is not None and arm.le is not None
    }


def _max_length(model: type, name: str) -> int:
    info = type_info(model)
    assert isinstance(info, StructType)  # noqa: S101
    field = next(field for field in info.fields if field.name == name)
    assert isinstance(field.type, UnionType)  # noqa: S101
    return next(arm.max_length for arm in field.type.types if isinstance(arm, StrType) and arm.max_length)


BOUNDS = _bounds(LoggedSet) | _bounds(WorkoutLog)
NAME_LENGTH = _max_length(LoggedExercise, "name")
NOTE_LENGTH = _max_length(LoggedSet, "notes")
SUPERSET_LENGTH = _max_length(LoggedExercise, "superset")


def bounded(field: str, value: float) -> float:
    """Give the value back, or raise Unreadable when the model's bounds refuse it."""
    low, high = BOUNDS[field]
    if not low <= value <= high:
        raise Unreadable(f"{field} {value:g} is not within {low:g} to {high:g}")
    return value


def reps_reader(*, decimal_comma: bool) -> CellReader:
    """Read a whole number of repetitions; `13.0` is one."""

    def read(cell: str) -> Cell:
        number = read_number(cell, decimal_comma=decimal_comma)
        if number != int(number):
            raise Unreadable(f"reps {_short(cell)} is not a whole number")
        return {"reps": int(bounded("reps", number))}, None

    return guarded(read)


def number_reader(field: str, *, factor: float = 1.0, decimal_comma: bool) -> CellReader:
    """Read a number of which zero means "not measured": RPE, distance."""

    def read(cell: str) -> Cell:
        number = read_number(cell, decimal_comma=decimal_comma)
        return ({field: bounded(field, number * factor)} if number else {}), None

    return guarded(read)


def duration_reader(*, decimal_comma: bool) -> CellReader:
    """Read the seconds of a timed set; zero means that it was not timed."""

    def read(cell: str) -> Cell:
        seconds = read_seconds(cell, decimal_comma=decimal_comma)
        return ({"duration_seconds": bounded("duration_seconds", seconds)} if seconds else {}), None

    return guarded(read)


def load_leaves(load: float, unit: str) -> dict[str, Any]:
    """Give the leaves of a load: kilograms, and for pounds also what was typed.

    >>> load_leaves(225, "lb")
    {'load_kg': 102.058283, 'load': 225, 'load_unit': 'lb'}

    Raises Unreadable beyond the model's bounds.
    """
    if unit == "kg" or not load:
        return {"load_kg": bounded("load_kg", load)}
    load_kg = kilograms(bounded("load", load), unit)
    return {"load_kg": bounded("load_kg", load_kg), "load": load, "load_unit": "lb"}


def guarded(read: CellReader) -> CellReader:
    """Turn what a reader raises into a problem, and white space into nothing."""

    def read_guarded(cell: str) -> Cell:
        if not cell.strip():
            return {}, None
        try:
            return read(cell)
        except Unreadable as problem:
            return {}, str(problem)

    return read_guarded


def _short(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:37] + "...")


def clean_text(cell: str) -> str:
    """Strip white space, NUL, which no store takes, and the apostrophe that keeps a text from being a formula."""
    return unguarded(cell.replace("\x00", "").strip())
