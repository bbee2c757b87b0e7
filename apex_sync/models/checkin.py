"""Check-ins: the athlete's weekly report, the coach's answer, and the approved analysis."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from apex_sync.collection import Collection, Entry, Leaf, Record, Role
from apex_sync.errors import FieldProblem
from apex_sync.models.body import BodyFatPercent, BodyWeight, BodyWeightKg, Measurements, PhotoType, WeightUnit
from apex_sync.models.fields import Date, Key, LocalTime, Name, Note, Ref, Score, calendar_problems

FlagType = Literal["warning", "concern", "positive"]


class Responses(Struct, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """The subjective answers, each 1 to 10."""

    energy: Leaf[Score] = UNSET
    hunger: Leaf[Score] = UNSET
    stress: Leaf[Score] = UNSET
    sleep: Leaf[Score] = UNSET
    adherence: Leaf[Score] = UNSET
    enjoyment: Leaf[Score] = UNSET
    soreness: Leaf[Score] = UNSET
    motivation: Leaf[Score] = UNSET


class CheckInPhoto(Entry):
    """A photo that was handed in with a check-in; what is known of the picture itself is in `progress_photos`."""

    media_id: Leaf[Ref] = UNSET
    url: Leaf[Annotated[str, Meta(max_length=2000)]] = UNSET
    thumbnail_url: Leaf[Annotated[str, Meta(max_length=2000)]] = UNSET
    type: Leaf[PhotoType] = UNSET
    pose: Leaf[Name] = UNSET
    date: Leaf[Date] = UNSET


class Flag(Struct, forbid_unknown_fields=True):
    """One finding of the approved analysis."""

    type: FlagType
    message: Annotated[str, Meta(max_length=1000)]


class CheckIn(Record):
    """One check-in. The athlete answers, the coach reviews, the system carries the approved analysis."""

    date: Leaf[Date] = UNSET
    week_number: Leaf[Annotated[int, Meta(ge=1, le=520)]] = UNSET
    weight_kg: Leaf[BodyWeightKg] = UNSET
    weight: Leaf[BodyWeight] = UNSET
    weight_unit: Leaf[WeightUnit] = UNSET
    body_fat_percent: Leaf[BodyFatPercent] = UNSET
    measurements: Measurements | UnsetType = UNSET
    photos: dict[Key, CheckInPhoto] | UnsetType = UNSET
    responses: Responses | UnsetType = UNSET
    notes: Leaf[Note] = UNSET
    questionnaire_id: Leaf[Ref] = UNSET
    questionnaire: dict[Annotated[str, Meta(max_length=200)], Leaf[float | Note]] | UnsetType = UNSET
    """Answers by the key of the question."""
    submitted_at: Leaf[LocalTime] = UNSET
    """Absent while it is a draft."""
    coach_feedback: Leaf[Note] = UNSET
    coach_reviewed: Leaf[bool] = UNSET
    reviewed_at: Leaf[LocalTime] = UNSET
    reviewed_answers: Leaf[Annotated[str, Meta(max_length=64)]] = UNSET
    """Stands for the answers that were reviewed (`apex_sync.coaching.reviewing`), so that a later edit shows."""
    ai_summary: Leaf[Note] = UNSET
    ai_recommendations: Leaf[list[Note]] = UNSET
    ai_flags: Leaf[list[Flag]] = UNSET


def _check(check_in: CheckIn) -> list[FieldProblem]:
    return calendar_problems(check_in, "date", "submitted_at", "reviewed_at")


_COACH: frozenset[Role] = frozenset({"coach"})
_SYSTEM: frozenset[Role] = frozenset({"system"})

CHECK_INS = Collection(
    name="check_ins",
    model=CheckIn,
    scope_kinds=frozenset({"athlete"}),
    default_writers=frozenset({"athlete"}),
    writers={
        "coach_feedback": _COACH,
        "coach_reviewed": _COACH,
        "reviewed_at": _COACH,
        "reviewed_answers": _COACH,
        "ai_summary": _SYSTEM,
        "ai_recommendations": _SYSTEM,
        "ai_flags": _SYSTEM,
    },
    check=_check,
    version=3,
)
