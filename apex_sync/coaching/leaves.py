"""Reading leaves of a record without trusting them.

A merged record may break every bound of its model and lack any leaf. Arithmetic must neither raise on it nor believe
it: a value outside its bounds counts as absent here (the record is marked `needs_review` elsewhere), so a mistyped
load of 10,000 kg never becomes a personal record.
"""

from datetime import date
from typing import Any

from msgspec import UNSET

from apex_sync.models.fields import parse_date, parse_local_time

UNENDED_MINUTES = 24 * 60
"""From here on nobody ended the session, as in imports."""


def shown(value: Any) -> Any:
    """Give what a register holds; absent and explicitly empty look the same to a reader."""
    return None if value is UNSET else value


def number(value: Any, low: float, high: float) -> float | None:
    """Give a finite number within its bounds as a float, else None.

    >>> number(8, 0, 10), number(14.0, 1, 10), number(True, 0, 10), number(float("nan"), 0, 10)
    (8.0, None, None, None)
    """
    return float(value) if (type(value) is float or type(value) is int) and low <= value <= high else None


def whole(value: Any, low: int, high: int) -> int | None:
    """Give a whole number within its bounds, else None."""
    return value if type(value) is int and low <= value <= high else None


def text(value: Any, length_max: int = 200) -> str | None:
    """Give text that is not blank, cut to its bound, else None."""
    return value[:length_max] if isinstance(value, str) and value.strip() else None


def texts(value: Any, count_max: int = 100) -> tuple[str, ...]:
    """Give the texts of a list, without what is no text."""
    return (
        tuple(item[:200] for item in value[:count_max] if isinstance(item, str))
        if isinstance(value, list | tuple)
        else ()
    )


def day(value: Any) -> date | None:
    """Give a calendar day, or None where there is none (absent, 31 February)."""
    return parse_date(value) if isinstance(value, str) else None


def wall_clock(value: Any) -> str | None:
    """Give the time of day that the athlete's clock showed, as text that sorts; None where there is none.

    >>> wall_clock("2026-03-01T18:05:00+01:00")
    '18:05:00.000000'
    """
    moment = parse_local_time(value) if isinstance(value, str) else None
    return moment.time().isoformat("microseconds") if moment else None


def local_day(value: Any) -> date | None:
    """Give the calendar day of a local time, in the athlete's own zone."""
    moment = parse_local_time(value) if isinstance(value, str) else None
    return moment.date() if moment else None


def minutes_lasted(minutes: float | None, start_time: Any, end_time: Any) -> float | None:
    """Give the minutes that a session lasted: those it states, else from its start to its end.

    None where either is missing, only one knows its offset, or nobody ended it within a day.

    >>> minutes_lasted(None, "2026-03-01T18:00:00+01:00", "2026-03-01T19:05:00+01:00"), minutes_lasted(50.0, None, None)
    (65.0, 50.0)
    """
    if minutes is not None:
        return minutes
    if start_time.__class__ is not str or end_time.__class__ is not str:
        return None
    began, ended = parse_local_time(start_time), parse_local_time(end_time)
    if began is None or ended is None or (began.tzinfo is None) != (ended.tzinfo is None):
        return None
    lasted = (ended - began).total_seconds() / 60
    return round(lasted, 2) if 0 < lasted < UNENDED_MINUTES else None


def live_entries(value: Any) -> list[tuple[str, Any]]:
    """List the entries of a map that are not deleted, in the reader's order: by `order`, then by key."""
    if not isinstance(value, dict):
        return []
    live = [
        (order if isinstance(order := getattr(entry, "order", None), str) else "", key, entry)
        for key, entry in value.items()
        if isinstance(key, str) and getattr(entry, "deleted", None) is not True
    ]
    live.sort(key=_order_then_key)
    return [(key, entry) for _, key, entry in live]


def _order_then_key(entry: tuple[str, str, Any]) -> tuple[str, str]:
    return entry[0], entry[1]
