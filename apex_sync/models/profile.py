"""The athlete's profile: who trains, for what, and with what tolerance; one record, with the athlete's own id.

Name and address of the account are the account's. Age, current weight and whatever else follows from the records is
derived.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from apex_sync.collection import Collection, Entry, Leaf, Record
from apex_sync.errors import FieldProblem
from apex_sync.models.body import BodyWeight, BodyWeightKg, LengthUnit, WeightUnit
from apex_sync.models.fields import Date, Key, Name, Note, Ref, calendar_problems


class Injury(Entry):
    """Where it hurts or hurt: `area` in the athlete's words, `since` as well as they remember."""

    area: Leaf[Name] = UNSET
    side: Leaf[Literal["left", "right", "both"]] = UNSET
    since: Leaf[Date] = UNSET
    severity: Leaf[Literal["mild", "moderate", "severe"]] = UNSET
    status: Leaf[Literal["active", "recovering", "resolved"]] = UNSET
    notes: Leaf[Note] = UNSET


class Profile(Record):
    """Who trains, for what, and with what tolerance. `target_weight` and `height` are as typed, where not canonical."""

    name: Leaf[Name] = UNSET
    phone: Leaf[Annotated[str, Meta(max_length=40)]] = UNSET
    avatar_media_id: Leaf[Ref] = UNSET
    date_of_birth: Leaf[Date] = UNSET
    gender: Leaf[Literal["male", "female", "other"]] = UNSET
    training_age_years: Leaf[Annotated[float, Meta(ge=0, le=80)]] = UNSET
    goals: Leaf[list[Name]] = UNSET
    weak_points: Leaf[list[Name]] = UNSET
    injuries: dict[Key, Injury] | UnsetType = UNSET
    nutrition_habits: Leaf[Note] = UNSET
    volume_tolerance: Leaf[Literal["low", "medium", "high"]] = UNSET
    recovery_status: Leaf[Literal["excellent", "good", "fair", "poor"]] = UNSET
    equipment: Leaf[list[Name]] = UNSET
    training_days_per_week: Leaf[Annotated[int, Meta(ge=0, le=14)]] = UNSET
    session_duration_minutes: Leaf[Annotated[int, Meta(ge=0, le=600)]] = UNSET
    check_in_day_number: Leaf[Annotated[int, Meta(ge=1, le=7)]] = UNSET
    """The day of the week on which a check-in is due, 1 (Monday) to 7."""
    target_weight_kg: Leaf[BodyWeightKg] = UNSET
    target_weight: Leaf[BodyWeight] = UNSET
    target_weight_unit: Leaf[WeightUnit] = UNSET
    height_cm: Leaf[Annotated[float, Meta(gt=0, le=280)]] = UNSET
    height: Leaf[Annotated[float, Meta(gt=0, le=280)]] = UNSET
    height_unit: Leaf[LengthUnit] = UNSET
    load_unit: Leaf[WeightUnit] = UNSET
    """What loads are shown in, unless they were typed otherwise."""


def _check(profile: Profile) -> list[FieldProblem]:
    injuries = (profile.injuries or {}).items()
    return [
        *calendar_problems(profile, "date_of_birth"),
        *(
            FieldProblem(f"injuries.{key}.{problem.field}", problem.message)
            for key, injury in injuries
            for problem in calendar_problems(injury, "since")
        ),
    ]


PROFILES = Collection(
    name="profiles",
    model=Profile,
    scope_kinds=frozenset({"athlete"}),
    default_writers=frozenset({"athlete", "coach"}),
    check=_check,
    version=3,
)
