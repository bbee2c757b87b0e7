"""What the endpoints of progress take and give."""

from datetime import date
from typing import Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from apex_server.resources import record_view
from apex_sync.coaching.bodyweight import Direction, WeightRate
from apex_sync.models import BodyMetrics

__all__ = ["BodyMetricsResource", "Charts", "MetricsPage", "NewMetrics", "Point", "WeightPoint"]


class NewMetrics(BodyMetrics, kw_only=True):
    """A measuring to be logged; a coach names the athlete. A weight in pounds needs no `weight_kg` beside it."""

    id: UUID | UnsetType = UNSET
    athlete_id: UUID | UnsetType = UNSET


@record_view
class BodyMetricsResource(BodyMetrics, kw_only=True):
    """One measuring: a weighing, a round with the tape, or both."""


class MetricsPage(Struct):
    """Measurings, the newest first; `next` goes into `after` for the page that follows, null on the last."""

    metrics: list[BodyMetricsResource]
    next: str | None


class WeightPoint(Struct):
    """The mean weight of a day and the trend after it; a reading that is `held_out` does not move the trend."""

    date: date
    weight_kg: float
    trend_kg: float
    held_out: Literal["unit_slip", "outlier"] | None


class Point(Struct):
    """One reading."""

    date: date
    value: float


class Charts(Struct):
    """What to draw, oldest first. `rate` is that of the trend at the last day; null where readings are too few."""

    weight: list[WeightPoint]
    rate: WeightRate | None
    target_weight_kg: float | None
    goal: Direction | None
    """Which way the target lies."""
    body_fat_percent: list[Point]
    girths: dict[str, list[Point]]
    """By name: `waist_cm`."""
