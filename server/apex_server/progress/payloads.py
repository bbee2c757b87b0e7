"""What the endpoints of progress take and give."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_server.resources import record_view
from apex_sync.coaching.bodyweight import Direction, WeightRate
from apex_sync.models import BodyMetrics, ProgressPhoto

__all__ = [
    "BodyMetricsResource",
    "Charts",
    "Comparison",
    "MetricsPage",
    "NewMetrics",
    "NewPhoto",
    "PhotosPage",
    "Point",
    "ProgressPhotoResource",
    "WeightPoint",
]


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


class NewPhoto(ProgressPhoto, kw_only=True):
    """What is known of a photo whose bytes are handed in at `/api/media`, before or after."""

    id: UUID | UnsetType = UNSET
    athlete_id: UUID | UnsetType = UNSET


@record_view
class ProgressPhotoResource(ProgressPhoto, kw_only=True):
    """One photo; `url` and `thumbnail_url` answer once its bytes have come and were looked at."""

    url: str | None = None
    thumbnail_url: str | None = None


class PhotosPage(Struct):
    """Photos, the newest first; `next` goes into `after` for the page that follows, null on the last."""

    photos: list[ProgressPhotoResource]
    next: str | None


TWO = ["01922f6c-4b7e-7c3a-9d51-6a2f0c8e4b11", "01922f6c-4b7e-7c3a-9d51-6a2f0c8e4b12"]


class Comparison(Struct, forbid_unknown_fields=True):
    """Photos of one athlete that are put side by side, in this order."""

    photo_ids: Annotated[list[UUID], Meta(min_length=2, max_length=4, examples=[TWO])]
