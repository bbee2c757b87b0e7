"""How values are written for people: numbers without false digits, units as they were typed, days by their names.

The functions whose names begin with `as_` are filters of the templates.
"""

import datetime
import re
from typing import Any

from apex_sync.coaching.increments import KG_PER_LB

__all__ = [
    "as_count",
    "as_day",
    "as_days_between",
    "as_device",
    "as_duration",
    "as_instant",
    "as_number",
    "as_problem",
    "as_signed",
    "as_time",
    "as_weight",
]

_DEVICES = {
    "phone": "phone",
    "watch": "watch",
    "tablet": "tablet",
    "desktop": "desktop",
    "web": "desktop",
    "server": "desktop",
    "system": "system",
}
MINUTES_PER_HOUR = 60
_BOUND = re.compile(r"Expected `(?:int|float)` (?P<sign><=|>=) (?P<bound>-?[0-9.]+)")
_BOUND_WORDS = {"<=": "most", ">=": "least"}
_TYPOGRAPHIC_MINUS = "−"


def as_number(value: Any, decimals: int = 2) -> str:
    """Write a number without trailing zeros.

    >>> as_number(102.50), as_number(8), as_number(12345.6, 0)
    ('102.5', '8', '12,346')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", _TYPOGRAPHIC_MINUS)


def as_signed(value: float, decimals: int = 1) -> str:
    """Write a change.

    >>> as_signed(1.25), as_signed(-0.5), as_signed(0)
    ('+1.2', '−0.5', '±0')
    """
    text = as_number(round(value, decimals), decimals)
    return "±0" if text in {"0", f"{_TYPOGRAPHIC_MINUS}0"} else text if value < 0 else f"+{text}"


def as_weight(value_kg: float, unit: str = "kg", decimals: int = 1) -> str:
    """Write kilograms in a unit.

    >>> as_weight(102.058283, "lb"), as_weight(82.5)
    ('225 lb', '82.5 kg')
    """
    return f"{as_number(value_kg / KG_PER_LB if unit == 'lb' else value_kg, decimals)} {unit}"


def as_count(number: int, one: str, many: str | None = None) -> str:
    """Write how many there are of something.

    >>> as_count(1, "set"), as_count(12, "set")
    ('1 set', '12 sets')
    """
    return f"{as_number(number)} {one if number == 1 else many or one + 's'}"


def as_day(value: Any, *, year: bool = True) -> str:
    """Write a day: `Mon 2 Mar 2026`."""
    day = _date(value)
    if day is None:
        return "No date"
    return f"{day:%a} {day.day} {day:%b}{f' {day.year}' if year else ''}"


def as_time(value: Any) -> str:
    """Write the time of day of a wall clock: `18:05`."""
    moment = _moment(value)
    return "" if moment is None else f"{moment:%H:%M}"


def as_instant(moment: datetime.datetime) -> str:
    """Write an instant in UTC; the page's script tells it in the reader's own time."""
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def as_duration(minutes: float) -> str:
    """Write a length of time.

    >>> as_duration(65), as_duration(52.4)
    ('1 h 5 min', '52 min')
    """
    whole = round(minutes)
    hours, left = divmod(whole, MINUTES_PER_HOUR)
    return f"{hours} h {left} min" if hours else f"{left} min"


def as_days_between(earlier: datetime.date, later: datetime.date) -> str:
    """Write how long ago a day was, from another.

    >>> as_days_between(datetime.date(2026, 3, 1), datetime.date(2026, 3, 4))
    '3 days ago'
    """
    days = (later - earlier).days
    return {0: "today", 1: "yesterday"}.get(days, f"{as_number(days)} days ago" if days > 0 else "ahead")


def as_problem(message: str) -> str:
    """Say what is wrong with a value without the words of a type system.

    >>> as_problem("Expected `float` <= 10.0"), as_problem("ends before it starts")
    ('should be at most 10', 'ends before it starts')
    """
    bound = _BOUND.fullmatch(message)
    if bound is None:
        return message[:1].lower() + message[1:]
    return f"should be at {_BOUND_WORDS[bound['sign']]} {as_number(float(bound['bound']))}"


def as_device(kind: str) -> str:
    """Name the icon of a kind of device."""
    return _DEVICES.get(kind, "device")


def _date(value: Any) -> datetime.date | None:
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    moment = _moment(value)
    return moment.date() if moment else None


def _moment(value: Any) -> datetime.datetime | None:
    if isinstance(value, datetime.datetime):
        return value
    try:
        return datetime.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
