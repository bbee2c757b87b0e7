"""The body: what was measured of it (`body_metrics`), and what is known of a picture of it (`progress_photos`).

A measuring is a record of its own, made on the scale or with the tape; a check-in carries one of its own. The weight
trend reads both (`apex_sync.coaching.bodyweight`). The pixels of a photo are media: here stand their hash and form.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_sync.collection import Collection, Leaf, Record
from apex_sync.errors import FieldProblem
from apex_sync.models.fields import Date, LocalTime, Name, Note, Ref, calendar_problems

WeightUnit = Literal["kg", "lb"]
LengthUnit = Literal["cm", "in"]
PhotoType = Literal["front", "back", "side-left", "side-right", "other"]

BodyWeightKg = Annotated[float, Meta(gt=0, le=500)]
BodyWeight = Annotated[float, Meta(gt=0, le=1100)]
"""As it was typed, in kilograms or pounds."""

BodyFatPercent = Annotated[float, Meta(ge=1, le=75)]
Girth = Annotated[float, Meta(gt=0, le=400)]
"""A circumference in centimetres."""

Pixels = Annotated[int, Meta(ge=1, le=100_000)]


class Measurements(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """Girths in centimetres; `unit` is what the athlete typed them in, for showing them back."""

    chest_cm: Leaf[Girth] = UNSET
    shoulders_cm: Leaf[Girth] = UNSET
    biceps_cm: Leaf[Girth] = UNSET
    arms_cm: Leaf[Girth] = UNSET
    forearms_cm: Leaf[Girth] = UNSET
    waist_cm: Leaf[Girth] = UNSET
    hips_cm: Leaf[Girth] = UNSET
    thighs_cm: Leaf[Girth] = UNSET
    calves_cm: Leaf[Girth] = UNSET
    unit: Leaf[LengthUnit] = UNSET
    recorded_at: Leaf[LocalTime] = UNSET


class BodyMetrics(Record):
    """One measuring: a weighing, a round with the tape, or both. A kilogram needs no `weight` as typed beside it."""

    date: Leaf[Date] = UNSET
    measured_at: Leaf[LocalTime] = UNSET
    weight_kg: Leaf[BodyWeightKg] = UNSET
    weight: Leaf[BodyWeight] = UNSET
    weight_unit: Leaf[WeightUnit] = UNSET
    body_fat_percent: Leaf[BodyFatPercent] = UNSET
    measurements: Measurements | UnsetType = UNSET
    source: Leaf[Annotated[str, Meta(max_length=40)]] = UNSET
    """The app, file or scale that it was imported from; absent when it was typed."""
    notes: Leaf[Note] = UNSET


class ProgressPhoto(Record):
    """What is known of a photo; its addresses are made by the server for whoever asks, and never stored."""

    media_id: Leaf[Ref] = UNSET
    """SHA-256 of the bytes, in hexadecimal: the same picture is the same media."""
    content_type: Leaf[Annotated[str, Meta(max_length=100)]] = UNSET
    size_bytes: Leaf[Annotated[int, Meta(ge=1, le=100_000_000)]] = UNSET
    width_px: Leaf[Pixels] = UNSET
    height_px: Leaf[Pixels] = UNSET
    type: Leaf[PhotoType] = UNSET
    pose: Leaf[Name] = UNSET
    date: Leaf[Date] = UNSET
    taken_at: Leaf[LocalTime] = UNSET
    check_in_id: Leaf[Ref] = UNSET
    notes: Leaf[Note] = UNSET


def _check_metrics(metrics: BodyMetrics) -> list[FieldProblem]:
    return calendar_problems(metrics, "date", "measured_at")


def _check_photo(photo: ProgressPhoto) -> list[FieldProblem]:
    return calendar_problems(photo, "date", "taken_at")


BODY_METRICS = Collection(
    name="body_metrics",
    model=BodyMetrics,
    scope_kinds=frozenset({"athlete"}),
    default_writers=frozenset({"athlete", "coach"}),
    check=_check_metrics,
)

PROGRESS_PHOTOS = Collection(
    name="progress_photos",
    model=ProgressPhoto,
    scope_kinds=frozenset({"athlete"}),
    default_writers=frozenset({"athlete"}),
    check=_check_photo,
)
