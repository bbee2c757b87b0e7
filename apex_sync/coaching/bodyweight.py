"""Body weight as a trend: smoothed over irregular weigh-ins, with slips of unit and of typing held out.

The trend is an exponentially weighted mean with a = 0.1 a day (Walker, The Hacker's Diet [V]); after a gap of several
days a whole gap's weight is given to the new reading: 1 - (1 - a) ** days [D]. The rate is the slope of the trend, in
per cent of body weight a week. Rates are reported to a coach in neutral words; nothing here sets a target.
"""

import datetime
from collections.abc import Iterable, Sequence
from math import fsum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from apex_sync.coaching.increments import KG_PER_LB
from apex_sync.coaching.leaves import day, local_day, number
from apex_sync.coaching.rounding import as_shown
from apex_sync.coaching.trend import slope_per_week
from apex_sync.coaching.weeks import DAYS, days_before, days_between
from apex_sync.collection import Record

WEIGHT_KG_MIN, WEIGHT_KG_MAX = 1.0, 500.0
"""A reading beyond these is for review, and moves no trend."""

LIKELY_KG_MIN, LIKELY_KG_MAX = 30.0, 250.0
"""Where nothing was weighed before, a person is asked whether they mean a weight beyond these [D]: jockeys weigh some
50 kg, the heaviest strength athletes some 200."""

LIKELY_SHARE, LIKELY_SHARE_PER_WEEK, LIKELY_SHARE_MAX = 0.08, 0.02, 0.3
"""So far from the nearest reading a weight is taken without a question: water and food of a day, and fast loss or gain
in the weeks between, up to a point [D]. Wider than `OUTLIER_SHARE`, as a question costs more than holding one out."""

SMOOTHING_PER_DAY = 0.1
"""Weight of one day's reading in the trend; lags about ten days [V, Walker]."""

OUTLIER_SHARE = 0.04
OUTLIER_KG_PER_DAY = 5.0
"""A reading further than this from the trend, or from the day before, is held out and asked about [D]."""

SLIP_TOLERANCE = 0.06
"""How far the ratio to the trend may be from 2.2046 or 0.4536 to be taken for pounds read as kilograms, or the reverse
[D]; wider than the usual change between two weigh-ins and far narrower than the ratio itself."""

AGREEING_READINGS = 3
"""So many readings running that are held out but agree with each other start a new trend at their mean: the weight
really is another one, after a long gap or a wrong first entry [D]."""

RATE_DAYS = 14
RATE_WEIGH_INS_MIN = 4
RATE_DAYS_SPARSE = 28
"""The rate needs four weigh-ins in two weeks; weekly check-ins are read over four weeks, at low confidence [D]."""

LOSS_YELLOW, LOSS_RED = 1.0, 1.5
"""Per cent a week. Losing 0.5-1 % a week is the usual advice [V, Helms et al. 2014]; red only if it lasts two weeks
[D]."""

GAIN_YELLOW, GAIN_RED = 0.5, 1.0
"""Per cent a week. Gaining 0.25-0.5 % a week is the usual advice [V, Iraki et al. 2019; D for red]."""

GOAL_REACHED_SHARE = 0.01
OPPOSITE_WEEKS = 3
OPPOSITE_RATE_MIN = 0.1
"""Within 1 % the target weight is reached; three weeks against its direction, faster than 0.1 % a week, are yellow
[D]."""

HOLD_RATE_MAX = 0.25
"""Per cent a week within which a reached weight is held [D]."""

FLAG_THRESHOLDS = {
    "fast_loss": {"yellow": LOSS_YELLOW, "red": LOSS_RED},
    "fast_gain": {"yellow": GAIN_YELLOW, "red": GAIN_RED},
    "against_goal": {"weeks": float(OPPOSITE_WEEKS), "rate": OPPOSITE_RATE_MIN},
}
"""What each flag was judged by, in per cent a week."""

Direction = Literal["gain", "lose", "hold"]


class WeighIn(Struct, frozen=True, kw_only=True):
    """One reading of body weight; `record_id` and `field` say where it is written."""

    record_id: str
    date: datetime.date
    weight_kg: float
    field: str = "weight_kg"


class TrendDay(Struct, frozen=True, kw_only=True):
    """One day with a reading: its mean weight, the trend after it, and why it was held out, if it was.

    A `unit_slip` looks like pounds read as kilograms or the reverse; an `outlier` is any other implausible reading.
    `line` counts the trends: a new one starts where readings that were held out agree with each other.
    """

    date: datetime.date
    weight_kg: float
    trend_kg: float
    held_out: Literal["unit_slip", "outlier"] | None
    weigh_ins: tuple[WeighIn, ...]
    line: int = 0


class WeightRate(Struct, frozen=True, kw_only=True):
    """How fast the trend moves: per cent of body weight and kilograms a week; from `n` days with a reading."""

    percent_per_week: float
    kg_per_week: float
    trend_kg: float
    window_days: int
    n: int
    low_confidence: bool


class WeightFlag(Struct, frozen=True, kw_only=True):
    """A rate that a coach should know of."""

    kind: Literal["fast_loss", "fast_gain", "against_goal"]
    level: Literal["yellow", "red"]
    rate: WeightRate


def weigh_ins_of(records: Iterable[tuple[str, Record]]) -> list[WeighIn]:
    """Read the weights of check-ins and body metrics, given by id: one trend is made of both. Total for any record.

    A check-in that was not handed in is a draft, and no reading.
    """
    found = []
    for record_id, record in records:
        on = day(getattr(record, "date", None)) or next(
            filter(None, (local_day(getattr(record, name, None)) for name in ("measured_at", "submitted_at"))), None
        )
        weight_kg = number(getattr(record, "weight_kg", None), WEIGHT_KG_MIN, WEIGHT_KG_MAX)
        is_draft = "submitted_at" in record.__struct_fields__ and not getattr(record, "submitted_at", None)
        if on is not None and weight_kg is not None and not is_draft and getattr(record, "deleted", None) is not True:
            found.append(WeighIn(record_id=record_id, date=on, weight_kg=weight_kg))
    return found


def weight_trend(weigh_ins: Iterable[WeighIn]) -> list[TrendDay]:
    """Give the trend over the days with a reading, oldest first; several readings of a day count as their mean.

    An implausible reading beside a plausible one of its day is left out of the day: a slip costs the right one nothing.

    >>> from datetime import date
    >>> readings = [WeighIn(record_id="c", date=date(2026, 3, d), weight_kg=kg) for d, kg in ((1, 80.0), (2, 81.0))]
    >>> [round(day.trend_kg, 2) for day in weight_trend(readings)]
    [80.0, 80.1]
    """
    days: list[TrendDay] = []
    aside: list[float] = []
    accepted_on, trend_kg, line = datetime.date.min, 0.0, 0
    for on, of_day in _by_day(weigh_ins):
        plausible = [each for each in of_day if days and _implausible(on, each.weight_kg, days[-1]) is None]
        readings = plausible or of_day
        weight_kg = fsum(reading.weight_kg for reading in readings) / len(readings)
        held_out = _implausible(on, weight_kg, days[-1]) if days else None
        if held_out is not None:
            aside = [*aside, weight_kg] if _agrees(weight_kg, aside) else [weight_kg]
            if len(aside) == AGREEING_READINGS:
                held_out, trend_kg, line = None, fsum(aside) / len(aside), line + 1
        elif days:
            trend_kg = _smoothed(trend_kg, weight_kg, days_between(accepted_on, on))
        else:
            trend_kg = weight_kg
        if held_out is None:
            accepted_on, aside = on, []
        days.append(
            TrendDay(
                date=on,
                weight_kg=weight_kg,
                trend_kg=trend_kg,
                held_out=held_out,
                weigh_ins=tuple(readings),
                line=line,
            )
        )
    return days


def readings_beside(days: Sequence[TrendDay], on: datetime.date) -> list[TrendDay]:
    """Give the days of a trend to judge a weight of a day by: the nearest, and the nearest that was not held out.

    One slip among right readings, or a first one that holds the right ones out, makes them two.
    """
    nearest = sorted(days, key=lambda each: abs(days_between(each.date, on)))
    counted = [each for each in nearest if each.held_out is None]
    return [*nearest[:1], *(each for each in counted[:1] if each is not nearest[0])]


def is_likely_weight(weight_kg: float, on: datetime.date, beside: Sequence[TrendDay]) -> bool:
    """Tell whether somebody with these readings may weigh so much on a day, without being asked whether they mean it.

    >>> from datetime import date
    >>> known = weight_trend([WeighIn(record_id="a", date=date(2026, 3, 1), weight_kg=80.0)])
    >>> [is_likely_weight(kg, date(2026, 3, 15), known) for kg in (70.3, 70.5, 89.5, 89.7)]
    [False, True, True, False]
    >>> [is_likely_weight(kg, date(2026, 3, 15), []) for kg in (28.4, 82.4, 500.0)]
    [False, True, False]
    """
    if not beside:
        return LIKELY_KG_MIN <= weight_kg <= LIKELY_KG_MAX
    return any(abs(weight_kg - each.weight_kg) <= each.weight_kg * _likely_share(each, on) for each in beside)


def _likely_share(reading: TrendDay, on: datetime.date) -> float:
    weeks = abs(days_between(reading.date, on)) / DAYS
    return min(LIKELY_SHARE + LIKELY_SHARE_PER_WEEK * weeks, LIKELY_SHARE_MAX)


def weight_rate(days: Sequence[TrendDay], as_of: datetime.date) -> WeightRate | None:
    """Give the rate of the trend over the two weeks up to a day, else over four; None where readings are too few."""
    for window_days in (RATE_DAYS, RATE_DAYS_SPARSE):
        window = rate_window(days, as_of, window_days)
        slope = slope_per_week([(d.date, d.trend_kg) for d in window]) if len(window) >= RATE_WEIGH_INS_MIN else None
        if slope is not None:
            trend_kg = window[-1].trend_kg
            return WeightRate(
                percent_per_week=100 * slope / trend_kg,
                kg_per_week=slope,
                trend_kg=trend_kg,
                window_days=window_days,
                n=len(window),
                low_confidence=window_days == RATE_DAYS_SPARSE,
            )
    return None


def latest_rate(days: Sequence[TrendDay]) -> WeightRate | None:
    """Give the rate of the trend on the last day whose reading moved it, so that it is the same whoever asks when."""
    moved = [d.date for d in days if d.held_out is None]
    return weight_rate(days, moved[-1]) if moved else None


def trend_as_shown(days: Sequence[TrendDay]) -> list[TrendDay]:
    """Give days with their figures as they are shown."""
    return [replace(day, weight_kg=as_shown(day.weight_kg), trend_kg=as_shown(day.trend_kg)) for day in days]


def rate_as_shown(rate: WeightRate | None) -> WeightRate | None:
    """Give a rate with its figures as they are shown."""
    if rate is None:
        return None
    return replace(
        rate,
        percent_per_week=as_shown(rate.percent_per_week),
        kg_per_week=as_shown(rate.kg_per_week),
        trend_kg=as_shown(rate.trend_kg),
    )


def rate_window(days: Sequence[TrendDay], as_of: datetime.date, window_days: int) -> list[TrendDay]:
    """List the days that a rate is read from: of the latest trend line, without readings that were held out."""
    known = [d for d in days if d.held_out is None and d.date <= as_of]
    return [d for d in known if d.line == known[-1].line and days_between(d.date, as_of) <= window_days]


def goal_direction(trend_kg: float, target_weight_kg: float | None) -> Direction | None:
    """Say which way the target weight lies; None where there is no target.

    >>> goal_direction(80.0, 75.0), goal_direction(80.0, 80.5), goal_direction(80.0, None)
    ('lose', 'hold', None)
    """
    if target_weight_kg is None:
        return None
    if abs(target_weight_kg - trend_kg) <= trend_kg * GOAL_REACHED_SHARE:
        return "hold"
    return "lose" if target_weight_kg < trend_kg else "gain"


def on_course(rate: WeightRate, target_weight_kg: float | None) -> bool:
    """Say whether the weight moves towards its target, or holds where it has been reached."""
    direction = goal_direction(rate.trend_kg, target_weight_kg)
    if direction == "hold":
        return abs(rate.percent_per_week) <= HOLD_RATE_MAX
    return direction is not None and (rate.percent_per_week < 0) == (direction == "lose")


def weight_flags(days: Sequence[TrendDay], as_of: datetime.date, target_weight_kg: float | None) -> list[WeightFlag]:
    """Give what a coach should know of the rate on a day: too fast down or up, or against the goal for three weeks."""
    rate = weight_rate(days, as_of)
    if rate is None:
        return []
    flags = []
    percent = rate.percent_per_week
    if percent < -LOSS_YELLOW:
        before = weight_rate(days, days_before(as_of, DAYS))
        lasting = percent < -LOSS_RED and before is not None and before.percent_per_week < -LOSS_RED
        flags.append(WeightFlag(kind="fast_loss", level="red" if lasting else "yellow", rate=rate))
    if percent > GAIN_YELLOW:
        flags.append(WeightFlag(kind="fast_gain", level="red" if percent > GAIN_RED else "yellow", rate=rate))
    direction = goal_direction(rate.trend_kg, target_weight_kg)
    if direction in ("lose", "gain") and _against(days, as_of, 1 if direction == "lose" else -1):
        flags.append(WeightFlag(kind="against_goal", level="yellow", rate=rate))
    return flags


def _against(days: Sequence[TrendDay], as_of: datetime.date, sign: int) -> bool:
    """Say whether the rate had this sign, the wrong one, now and in each of the weeks before."""
    rates = [weight_rate(days, days_before(as_of, DAYS * back)) for back in range(OPPOSITE_WEEKS)]
    return all(rate is not None and sign * rate.percent_per_week > OPPOSITE_RATE_MIN for rate in rates)


def _by_day(weigh_ins: Iterable[WeighIn]) -> list[tuple[datetime.date, list[WeighIn]]]:
    grouped: dict[datetime.date, list[WeighIn]] = {}
    for reading in weigh_ins:
        grouped.setdefault(reading.date, []).append(reading)
    return [(on, sorted(grouped[on], key=lambda r: (r.record_id, r.field, r.weight_kg))) for on in sorted(grouped)]


def _implausible(on: datetime.date, weight_kg: float, last: TrendDay) -> Literal["unit_slip", "outlier"] | None:
    trend_kg = last.trend_kg
    next_day = days_between(last.date, on) <= 1 and last.held_out is None
    jumped = next_day and abs(weight_kg - last.weight_kg) > OUTLIER_KG_PER_DAY
    if abs(weight_kg - trend_kg) <= trend_kg * OUTLIER_SHARE and not jumped:
        return None
    ratio = weight_kg / trend_kg
    slips = (1 / KG_PER_LB, KG_PER_LB)
    return "unit_slip" if any(abs(ratio / slip - 1) <= SLIP_TOLERANCE for slip in slips) else "outlier"


def _agrees(weight_kg: float, aside: Sequence[float]) -> bool:
    return bool(aside) and abs(weight_kg - aside[-1]) <= aside[-1] * OUTLIER_SHARE


def _smoothed(trend_kg: float, weight_kg: float, days: int) -> float:
    return trend_kg + (1 - (1 - SMOOTHING_PER_DAY) ** days) * (weight_kg - trend_kg)
