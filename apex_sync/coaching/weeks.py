"""ISO weeks in the athlete's calendar, each named by its Monday; day arithmetic that never leaves the calendar."""

import datetime
from collections.abc import Callable, Iterable
from typing import TypeVar

DAYS = 7
LAST_DAY = datetime.date.max.toordinal()

WINDOW_DAYS = 14
"""The trailing days that adherence, of sessions and of eating, is stated for, unless asked otherwise [D]."""

T = TypeVar("T")


def monday_of(on: datetime.date) -> datetime.date:
    """Give the Monday of the ISO week of a day.

    >>> monday_of(datetime.date(2026, 3, 1)).isoformat()
    '2026-02-23'
    """
    return datetime.date.fromordinal(on.toordinal() - on.weekday())


def by_week(items: Iterable[T], day_of: Callable[[T], datetime.date]) -> dict[datetime.date, list[T]]:
    """Group what has a day by the Monday of its ISO week, in its order."""
    weeks: dict[int, list[T]] = {}
    for item in items:
        weeks.setdefault((day_of(item).toordinal() - 1) // DAYS, []).append(item)  # The first of all days is a Monday.
    return {datetime.date.fromordinal(week * DAYS + 1): members for week, members in weeks.items()}


def days_before(on: datetime.date, days: int) -> datetime.date:
    """Give the day so many days earlier (later, if negative), held within the calendar."""
    return datetime.date.fromordinal(min(max(1, on.toordinal() - days), LAST_DAY))


def days_between(earlier: datetime.date, later: datetime.date) -> int:
    """Count the days from one day to another."""
    return later.toordinal() - earlier.toordinal()


def complete_weeks(as_of: datetime.date, count: int) -> list[datetime.date]:
    """List the Mondays of the last complete ISO weeks, oldest first; the week of `as_of` is not complete.

    >>> [monday.day for monday in complete_weeks(datetime.date(2026, 3, 11), 2)]
    [23, 2]
    """
    this = monday_of(as_of)
    return [days_before(this, DAYS * back) for back in range(count, 0, -1)]


def weeks_between(first: datetime.date, last: datetime.date) -> list[datetime.date]:
    """List the Mondays of the ISO weeks from that of one day to that of another, oldest first.

    >>> [monday.day for monday in weeks_between(datetime.date(2026, 3, 8), datetime.date(2026, 3, 16))]
    [2, 9, 16]
    """
    return [
        datetime.date.fromordinal(day)
        for day in range(monday_of(first).toordinal(), monday_of(last).toordinal() + 1, DAYS)
    ]


def week_end(week: datetime.date) -> datetime.date:
    """Give the Sunday of the week of a Monday."""
    return days_before(week, -(DAYS - 1))
