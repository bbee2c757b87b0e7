"""Stagnation and decline of one exercise, from its line of estimated maxima, the best of each day.

The window is the shortest run of latest exposures that holds at least three of them and spans enough days. All
thresholds are defaults of ours [D]: no source fixes them.
"""

import datetime
from collections.abc import Sequence
from math import fsum
from typing import Literal

from msgspec import Struct

from apex_sync.coaching.exposures import Best, Exposure, day_bests
from apex_sync.coaching.strength import Formula
from apex_sync.coaching.trend import slope_per_week
from apex_sync.coaching.weeks import days_between

WINDOW_DAYS = 21
WINDOW_DAYS_BEGINNER = 14
WINDOW_DAYS_ADVANCED = 42
BEGINNER_BELOW_YEARS, ADVANCED_ABOVE_YEARS = 1.0, 5.0
"""The shorter someone has trained, the sooner standing still means something."""

WINDOW_SPAN_MAX = 2
"""A window may span so many times its days; exposures sparser than that show no trend."""

WINDOW_EXPOSURES_MIN = 3
HISTORY_EXPOSURES_MIN = 6
"""Exposures in the window, and altogether, before a plateau is spoken of."""

PLATEAU_GAIN = 0.01
PLATEAU_SLOPE_PER_WEEK = 0.001
"""A plateau gains less than this share over the best before the window, and rises no faster than this share a week."""

REGRESSION_SLOPE_PER_WEEK = -0.01
"""A regression falls at least by this share a week."""

ADHERENCE_MIN = 0.70
"""Below this adherence standing still says nothing about the program."""


class Stagnation(Struct, frozen=True, kw_only=True):
    """A plateau or a regression, with the line it was read from.

    `gain` is the best of the window over the best before it, as a share, None where nothing was before;
    `slope_per_week` is a share of the window's mean.
    """

    kind: Literal["plateau", "regression"]
    formula: Formula
    window: tuple[Best, ...]
    window_days: int
    best_before: Best | None
    gain: float | None
    slope_per_week: float
    n: int
    low_confidence: bool


def find_stagnation(
    exposures: Sequence[Exposure],
    *,
    as_of: datetime.date,
    training_age_years: float | None = None,
    adherence: float | None = None,
) -> Stagnation | None:
    """Find a plateau or a regression of one exercise; None where there is neither, or too little to tell.

    Exposures come oldest first and without those of deload weeks. `adherence` is a share, None where it is not known.
    """
    line = day_bests([exposure for exposure in exposures if exposure.date <= as_of])
    days = window_days(training_age_years)
    start = _window_start(line, days)
    if start is None or days_between(line[-1].exposure.date, as_of) > days:
        return None
    window, earlier = line[start:], line[:start]
    mean = fsum(best.estimate.e1rm_kg for best in window) / len(window)
    slope = slope_per_week([(best.exposure.date, best.estimate.e1rm_kg) for best in window])
    if slope is None or mean <= 0:
        return None
    before = max(earlier, key=lambda best: best.estimate.e1rm_kg, default=None)
    highest = max(best.estimate.e1rm_kg for best in window)
    gain = None if before is None else highest / before.estimate.e1rm_kg - 1
    kind = _kind(len(line), gain, slope / mean, adherence)
    if kind is None:
        return None
    return Stagnation(
        kind=kind,
        formula=window[0].estimate.formula,
        window=tuple(window),
        window_days=days_between(window[0].exposure.date, window[-1].exposure.date),
        best_before=before,
        gain=gain,
        slope_per_week=slope / mean,
        n=len(line),
        low_confidence=any(best.estimate.low_confidence for best in window),
    )


def window_days(training_age_years: float | None) -> int:
    """Give the days a window must span at a training age.

    >>> [window_days(years) for years in (None, 0.5, 1.0, 5.0, 5.1)]
    [21, 14, 21, 21, 42]
    """
    if training_age_years is None:
        return WINDOW_DAYS
    if training_age_years < BEGINNER_BELOW_YEARS:
        return WINDOW_DAYS_BEGINNER
    return WINDOW_DAYS_ADVANCED if training_age_years > ADVANCED_ABOVE_YEARS else WINDOW_DAYS


def _window_start(line: Sequence[Best], days: int) -> int | None:
    """Give the index at which the window starts; None where the line is too short or too sparse for one."""
    for start in range(len(line) - WINDOW_EXPOSURES_MIN, -1, -1):
        span = days_between(line[start].exposure.date, line[-1].exposure.date)
        if span >= days:
            return start if span <= days * WINDOW_SPAN_MAX else None
    return None


def _kind(
    n: int, gain: float | None, slope_per_week: float, adherence: float | None
) -> Literal["plateau", "regression"] | None:
    if slope_per_week <= REGRESSION_SLOPE_PER_WEEK:
        return "regression"
    if n < HISTORY_EXPOSURES_MIN or gain is None or (adherence is not None and adherence < ADHERENCE_MIN):
        return None
    return "plateau" if gain < PLATEAU_GAIN and slope_per_week <= PLATEAU_SLOPE_PER_WEEK else None
