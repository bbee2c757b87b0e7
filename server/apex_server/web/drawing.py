"""Small drawings, as numbers for SVG: a weight trend, lines of strength, bars of weekly sets. No script draws them."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from msgspec import Struct

from apex_server.resources import weigh_ins_of_rows
from apex_server.web.wording import as_signed, as_weight
from apex_sync.coaching.analytics import ExerciseProgress
from apex_sync.coaching.bodyweight import TrendDay, latest_rate, weight_trend
from apex_sync.coaching.strength import FORMULA_NAMES

__all__ = ["StrengthLine", "WeekBar", "WeightTrend", "draw_strength", "draw_weeks", "draw_weight"]

WIDTH, HEIGHT, MARGIN = 280.0, 72.0, 6.0
SPAN_MIN_KG = 1.0
"""A steady weight is drawn as a steady line, not as mountains of 100 g."""
POINTS_MIN = 2
LINES_MAX = 4
"""Beside a timeline; the API has all exercises."""
NO_RATE = "not enough data for a rate"
DAYS_DRAWN_MAX = 400
"""About a year of daily weigh-ins; the trend knows what came before."""


class WeightTrend(Struct, frozen=True, kw_only=True):
    """Readings as dots and their trend as lines, one for each stretch; with the newest values in words."""

    dots: Sequence[tuple[float, float, bool, str]]
    lines: Sequence[str]
    latest: str
    trend: str
    rate: str | None
    first: date
    last: date
    summary: str


class StrengthLine(Struct, frozen=True, kw_only=True):
    """The estimated maxima of an exercise as dots on a line, records among them marked, with the newest in words."""

    name: str
    dots: Sequence[tuple[float, float, bool, str]]
    line: str
    latest: str
    formula: str
    rate: str
    first: date
    last: date


class WeekBar(Struct, frozen=True, kw_only=True):
    """One week as a bar."""

    x: float
    y: float
    height: float
    sets: int
    sessions: int
    week: date


def draw_weight(rows: Sequence[Any]) -> WeightTrend | None:
    """Draw what was measured, newest first; None of fewer than two weigh-ins."""
    days = weight_trend(weigh_ins_of_rows(rows))[-DAYS_DRAWN_MAX:]
    if len(days) < POINTS_MIN:
        return None
    typed_in = next(row["weight_unit"] for row in rows if row["weight_kg"] is not None)
    unit = typed_in if typed_in == "lb" else "kg"
    shown = [day for day in days if day.held_out is None] or days
    low, high = (
        pick(min(d.weight_kg, d.trend_kg) if pick is min else max(d.weight_kg, d.trend_kg) for d in shown)
        for pick in (min, max)
    )
    spare = max(0.0, SPAN_MIN_KG - (high - low)) / 2
    scale = _Scale(days[0].date, days[-1].date, low - spare, high + spare)
    rate = latest_rate(days)
    latest, trend = as_weight(days[-1].weight_kg, unit), as_weight(shown[-1].trend_kg, unit)
    pace = None if rate is None else f"{as_signed(rate.percent_per_week, 2)} % a week"
    return WeightTrend(
        dots=[
            (scale.x(d.date), scale.y(d.weight_kg), d.held_out is not None, as_weight(d.weight_kg, unit)) for d in days
        ],
        lines=[
            " ".join(f"{scale.x(d.date):.1f},{scale.y(d.trend_kg):.1f}" for d in stretch)
            for stretch in _stretches(shown)
        ],
        latest=latest,
        trend=trend,
        rate=pace,
        first=days[0].date,
        last=days[-1].date,
        summary=f"Latest {latest}, trend {trend}" + (f", {pace}" if pace else ""),
    )


def draw_strength(progress: Iterable[ExerciseProgress], unit: str) -> list[StrengthLine]:
    """Draw the exercises trained most that have estimates of two days."""
    lines: list[StrengthLine] = []
    for each in progress:
        points = [(point, point.e1rm_kg) for point in each.points if point.e1rm_kg is not None]
        if len(points) < POINTS_MIN or each.name is None or len(lines) == LINES_MAX:
            continue
        low, high = min(kg for _, kg in points), max(kg for _, kg in points)
        spare = max(0.0, SPAN_MIN_KG - (high - low)) / 2
        scale = _Scale(points[0][0].date, points[-1][0].date, low - spare, high + spare)
        best = {record.date for record in each.records if record.kind == "e1rm_pr"}
        lines.append(
            StrengthLine(
                name=each.name,
                dots=[
                    (scale.x(point.date), scale.y(kg), point.date in best, as_weight(kg, unit)) for point, kg in points
                ],
                line=" ".join(f"{scale.x(point.date):.1f},{scale.y(kg):.1f}" for point, kg in points),
                latest=as_weight(points[-1][1], unit),
                formula=FORMULA_NAMES[each.formula],
                rate=NO_RATE if each.percent_per_week is None else f"{as_signed(each.percent_per_week, 1)} % a week",
                first=points[0][0].date,
                last=points[-1][0].date,
            )
        )
    return lines


def draw_weeks(rows: Sequence[Any]) -> list[WeekBar]:
    """Draw weekly sets, oldest first; weeks without training are gaps."""
    if not rows:
        return []
    by_week = {row["week"]: row for row in rows}
    newest = max(by_week)
    weeks = [newest - timedelta(weeks=back) for back in reversed(range(12))]
    most = max(row["sets"] for row in rows) or 1
    bars = []
    for place, week in enumerate(weeks):
        row = by_week.get(week)
        height = 0.0 if row is None else 56.0 * row["sets"] / most
        bars.append(
            WeekBar(
                x=place * (WIDTH / 12) + 2,
                y=round(58.0 - height, 1),
                height=round(height, 1),
                sets=row["sets"] if row else 0,
                sessions=row["sessions"] if row else 0,
                week=week,
            )
        )
    return bars


class _Scale:
    def __init__(self, first: date, last: date, low: float, high: float) -> None:
        self._first, self._days = first, max((last - first).days, 1)
        self._low, self._span = low, (high - low) or 1.0

    def x(self, on: date) -> float:
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (on - self._first).days / self._days, 1)

    def y(self, weight_kg: float) -> float:
        share = min(max((weight_kg - self._low) / self._span, 0.0), 1.0)
        return round(HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * share, 1)


def _stretches(days: Iterable[TrendDay]) -> list[list[TrendDay]]:
    stretches: dict[int, list[TrendDay]] = {}
    for day in days:
        stretches.setdefault(day.line, []).append(day)
    return list(stretches.values())
