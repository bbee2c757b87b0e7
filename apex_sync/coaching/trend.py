"""Straight lines through dated values, and means that do not depend on the order of addition."""

import datetime
from collections.abc import Sequence
from math import fsum, sqrt

from msgspec import Struct

Point = tuple[datetime.date, float]

RATE_POINTS_MIN = 3
RATE_DAYS_MIN = 7
"""A rate needs so many days with a value, the last so many days after the first: two points draw a line whatever they
are, and two sessions of one week say nothing of a week [D]."""


class Spread(Struct, frozen=True):
    """Mean and sample standard deviation of `n` values; `sd` is None below two."""

    n: int
    mean: float
    sd: float | None


def slope_per_week(points: Sequence[Point]) -> float | None:
    """Give the least-squares slope in units per week; None unless two days differ.

    >>> from datetime import date
    >>> slope_per_week([(date(2026, 3, 2), 100.0), (date(2026, 3, 9), 101.0), (date(2026, 3, 16), 102.0)])
    1.0
    """
    if len({on for on, _ in points}) < 2:
        return None
    days = [float(on.toordinal() - points[0][0].toordinal()) for on, _ in points]
    day_mean = fsum(days) / len(days)
    value_mean = fsum(value for _, value in points) / len(points)
    across = fsum((d - day_mean) * (value - value_mean) for d, (_, value) in zip(days, points, strict=True))
    return 7 * across / fsum((d - day_mean) ** 2 for d in days)


def rate_per_week(points: Sequence[Point]) -> float | None:
    """Give the slope per week where there is enough for a rate; the points come oldest first.

    >>> from datetime import date
    >>> rate_per_week([(date(2026, 3, 2), 100.0), (date(2026, 3, 9), 101.0)]) is None
    True
    """
    days = {on for on, _ in points}
    if len(days) < RATE_POINTS_MIN or (max(days) - min(days)).days < RATE_DAYS_MIN:
        return None
    return slope_per_week(points)


def spread(values: Sequence[float]) -> Spread | None:
    """Give mean and spread of values; None of none."""
    if not values:
        return None
    mean = fsum(values) / len(values)
    squares = fsum((value - mean) ** 2 for value in values)
    return Spread(len(values), mean, sqrt(squares / (len(values) - 1)) if len(values) > 1 else None)


def median(values: Sequence[float]) -> float:
    """Give the middle of values, or the mean of the two in the middle; of none, 0."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if not ordered:
        return 0.0
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
