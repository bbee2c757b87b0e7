"""The athlete's profile, as far as analysis needs it; one record per athlete, with the athlete's own id."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta

from apex_sync.collection import Collection, Leaf, Record
from apex_sync.models.fields import Date, Name, Note


class Profile(Record):
    """Who trains, for what, and with what tolerance."""

    name: Leaf[Name] = UNSET
    date_of_birth: Leaf[Date] = UNSET
    gender: Leaf[Literal["male", "female", "other"]] = UNSET
    training_age_years: Leaf[Annotated[float, Meta(ge=0, le=80)]] = UNSET
    goals: Leaf[list[Name]] = UNSET
    weak_points: Leaf[list[Name]] = UNSET
    nutrition_habits: Leaf[Note] = UNSET
    volume_tolerance: Leaf[Literal["low", "medium", "high"]] = UNSET
    recovery_status: Leaf[Literal["excellent", "good", "fair", "poor"]] = UNSET
    equipment: Leaf[list[Name]] = UNSET
    training_days_per_week: Leaf[Annotated[int, Meta(ge=0, le=14)]] = UNSET
    session_duration_minutes: Leaf[Annotated[int, Meta(ge=0, le=600)]] = UNSET
    target_weight_kg: Leaf[Annotated[float, Meta(gt=0, le=500)]] = UNSET
    height_cm: Leaf[Annotated[float, Meta(gt=0, le=280)]] = UNSET
    load_unit: Leaf[Literal["kg", "lb"]] = UNSET


PROFILES = Collection(
    name="profiles",
    model=Profile,
    scope_kinds=frozenset({"athlete"}),
    default_writers=frozenset({"athlete", "coach"}),
)
