"""A check-in as people read and write it: photos as a list, the weight as it was typed and in kilograms.

`checkin_view` is total. `checkin_patch` goes the way back, to the smallest patch, as `workout_draft` does for workouts.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from apex_sync.coaching.drafts import (
    DraftPatch,
    InvalidDraft,
    Item,
    changed_leaves,
    content_of,
    new_entry_key,
    orders_for,
    read_items,
    refuse_doubled_keys,
    unknown_fields,
)
from apex_sync.coaching.leaves import live_entries, shown
from apex_sync.coaching.questionnaires import AnsweredQuestion
from apex_sync.coaching.reviewing import is_edited_since_review
from apex_sync.coaching.weights import TYPED_SLACK_KG, kilograms
from apex_sync.coaching.workout_view import ValueProblem
from apex_sync.collection import Record
from apex_sync.errors import FieldProblem
from apex_sync.models.body import Measurements, PhotoType
from apex_sync.models.checkin import CheckInPhoto, Flag, Responses
from apex_sync.models.fields import Date, Key, LocalTime, Name, Note, Ref
from apex_sync.models.workout import LoadUnit
from apex_sync.op import Patch


class PhotoView(Struct, kw_only=True):
    """The description of one photo."""

    id: Key | None = None
    """Short, unique within the check-in; made by the server when absent."""
    media_id: Ref | None = None
    url: Annotated[str, Meta(max_length=2000)] | None = None
    """Where it can be had, as is `thumbnail_url`: made from `media_id` where none is stored, not taken beside it."""
    thumbnail_url: Annotated[str, Meta(max_length=2000)] | None = None
    type: PhotoType | None = None
    pose: Name | None = None
    date: Date | None = None
    progress_photo_id: Ref | None = None
    """The progress photo that names the check-in and is shown here; it is changed there, and ignored when sent back."""


class CheckInDraft(Struct, kw_only=True, omit_defaults=True):
    """A check-in as somebody writes it; everything that a view shows beside this is ignored when it is sent back."""

    date: Date | None = None
    week_number: Annotated[int, Meta(ge=1, le=520)] | None = None
    weight: Annotated[float, Meta(gt=0, le=1100)] | None = None
    weight_unit: LoadUnit | None = None
    weight_kg: Annotated[float, Meta(gt=0, le=500)] | None = None
    """Need not be given beside `weight`."""
    body_fat_percent: Annotated[float, Meta(ge=1, le=75)] | None = None
    measurements: Measurements | None = None
    photos: Sequence[PhotoView] = ()
    responses: Responses | None = None
    notes: Note | None = None
    questionnaire_id: Ref | None = None
    questionnaire: dict[str, float | Note | None] = {}
    submitted_at: LocalTime | None = None
    """Null while it is a draft."""
    coach_feedback: Note | None = None
    """Written by the coach, as are the next two."""
    coach_reviewed: bool | None = None
    reviewed_at: LocalTime | None = None
    ai_summary: Note | None = None
    """Written by the server once the coach has approved it, as are the next two."""
    ai_recommendations: list[Note] | None = None
    ai_flags: list[Flag] | None = None


class CheckInView(CheckInDraft, kw_only=True, omit_defaults=False):
    """One reconciled check-in."""

    id: str
    questions: Sequence[AnsweredQuestion] = ()
    """The questionnaire with its answers, in the coach's words and order."""
    edited_since_review: bool = False
    """Whether the athlete has changed an answer since the coach reviewed it: then it waits for the coach again."""
    deleted: bool = False
    needs_review: bool = False
    """Whether the merged values break a bound; `problems` names them."""
    problems: Sequence[ValueProblem] = ()


ADDRESSES = ("url", "thumbnail_url")
PHOTO_FIELDS = tuple(name for name in PhotoView.__struct_fields__ if name not in ("id", "progress_photo_id"))
PICTURE_FIELDS = tuple(name for name in PHOTO_FIELDS if name not in ADDRESSES)
WEIGHT_FIELDS = ("weight", "weight_unit", "weight_kg")
MAPS: Mapping[str, tuple[str, ...] | None] = {
    "measurements": Measurements.__struct_fields__,
    "responses": Responses.__struct_fields__,
    "questionnaire": None,
}
"""The maps of a check-in with the fields they may have; None is any."""

PLAIN_FIELDS = tuple(name for name in CheckInDraft.__struct_fields__ if name not in (*MAPS, *WEIGHT_FIELDS, "photos"))


def checkin_view(
    checkin_id: str,
    record: Record,
    *,
    problems: Sequence[FieldProblem] = (),
    photos: Sequence[tuple[str, Record]] = (),
) -> CheckInView:
    """Show a check-in, with the photos that name it beside its own; a picture that is both is shown once."""
    weight, unit, weight_kg = _weight(record)
    return CheckInView(
        id=checkin_id,
        **{name: shown(getattr(record, name, None)) for name in PLAIN_FIELDS},
        weight=weight,
        weight_unit=unit,
        weight_kg=weight_kg,
        measurements=shown(getattr(record, "measurements", None)),
        responses=shown(getattr(record, "responses", None)),
        questionnaire=_map(record, "questionnaire"),
        photos=_photos(record, photos),
        edited_since_review=is_edited_since_review(record),
        deleted=getattr(record, "deleted", None) is True,
        needs_review=bool(problems),
        problems=[ValueProblem(*problem) for problem in problems],
    )


def checkin_patch(
    checkin_id: str, draft: Mapping[str, Any], base: Record, *, known: Collection[str] = ()
) -> DraftPatch:
    """Give what has to be written so that `base` becomes what the draft says. Raises InvalidDraft."""
    problems = unknown_fields(draft, {*CheckInView.__struct_fields__, *known})
    if problems:
        raise InvalidDraft(problems)
    before = {name: shown(getattr(base, name, None)) for name in PLAIN_FIELDS}
    patch = changed_leaves(before, draft, [name for name in PLAIN_FIELDS if name != "ai_flags"])
    if "ai_flags" in draft and draft["ai_flags"] != _flags(base):
        patch["ai_flags"] = draft["ai_flags"]
    patch |= _weight_change(draft, base)
    for name, fields in MAPS.items():
        changed = _map_change(draft, base, name, fields)
        if changed:
            patch[name] = changed
    photos, places = _photo_changes(checkin_id, draft, base)
    if photos:
        patch["photos"] = photos
    return DraftPatch(patch, places)


def _photos(record: Record, naming: Sequence[tuple[str, Record]]) -> list[PhotoView]:
    own = [_photo(key, entry) for key, entry in live_entries(getattr(record, "photos", None))]
    there = {photo.media_id for photo in own if photo.media_id}
    beside = [
        PhotoView(progress_photo_id=photo_id, **{name: shown(getattr(photo, name, None)) for name in PICTURE_FIELDS})
        for photo_id, photo in naming
        if shown(getattr(photo, "media_id", None)) not in there
    ]
    return [*own, *beside]


def _photo(key: str, entry: CheckInPhoto) -> PhotoView:
    return PhotoView(id=key, **{name: shown(getattr(entry, name)) for name in PHOTO_FIELDS})


def _map(record: Record, name: str) -> dict[str, Any]:
    """Give a map as a dictionary of what was answered."""
    value = getattr(record, name, None)
    if isinstance(value, Struct):
        value = {field: getattr(value, field) for field in value.__struct_fields__}
    return (
        {key: answer for key, answer in value.items() if shown(answer) is not None} if isinstance(value, dict) else {}
    )


def _flags(record: Record) -> Any:
    flags = shown(getattr(record, "ai_flags", None))
    return [{"type": flag.type, "message": flag.message} for flag in flags] if flags else flags


def _map_change(draft: Mapping[str, Any], base: Record, name: str, fields: tuple[str, ...] | None) -> Patch:
    wanted = draft.get(name) or {}
    if not isinstance(wanted, Mapping):
        raise InvalidDraft([FieldProblem(name, "Expected an object")])
    if fields is not None and (problems := unknown_fields(wanted, fields, name)):
        raise InvalidDraft(problems)
    before = _map(base, name)
    return changed_leaves(before, wanted, fields if fields is not None else sorted({*before, *wanted}))


def _weight(record: Record) -> tuple[float | None, LoadUnit | None, float | None]:
    """Give weight and unit as typed, in kilograms where the two have come apart, and the kilograms."""
    typed, unit, weight_kg = (shown(getattr(record, name, None)) for name in WEIGHT_FIELDS)
    if (
        typed is None
        or unit != "lb"
        or (weight_kg is not None and abs(kilograms(typed, unit) - weight_kg) > TYPED_SLACK_KG)
    ):
        weight = typed if weight_kg is None else weight_kg
        return weight, None if weight is None else "kg", weight_kg
    return typed, "lb", weight_kg


def _weight_change(draft: Mapping[str, Any], base: Record) -> Patch:
    """Give the three leaves of a weight, all or none."""
    weight, unit, weight_kg = draft.get("weight"), draft.get("weight_unit") or "kg", draft.get("weight_kg")
    was, was_unit, was_kg = _weight(base)
    if not all(value is None or _is_number(value) for value in (weight, weight_kg)) or unit not in ("kg", "lb"):
        return {"weight": weight, "weight_unit": unit, "weight_kg": weight_kg}
    same_typed = (weight, unit) == (was, was_unit or "kg")
    if same_typed and weight_kg in (None, was_kg):
        return {}
    if weight is None or (same_typed and was is not None):
        weight, unit = weight_kg, "kg"
    canonical = None if weight is None else kilograms(weight, unit)
    if canonical is not None and weight_kg not in (None, was_kg) and abs(canonical - weight_kg) > TYPED_SLACK_KG:
        raise InvalidDraft([FieldProblem("weight_kg", "contradicts weight and weight_unit")])
    typed = {"weight": weight, "weight_unit": unit} if unit == "lb" else {"weight": None, "weight_unit": None}
    return {"weight_kg": canonical, **typed}


def _photo_changes(checkin_id: str, draft: Mapping[str, Any], base: Record) -> tuple[Patch, dict[tuple[str, str], str]]:
    items = [
        item
        for item in read_items(draft, "photos", "", PhotoView.__struct_fields__)
        if item.value.get("progress_photo_id") is None
    ]
    refuse_doubled_keys(items)
    entries = value if isinstance(value := getattr(base, "photos", None), dict) else {}
    keys = _photo_keys(checkin_id, items, entries)
    changes: Patch = {}
    for key, item in zip(keys, items, strict=True):
        entry = entries.get(key)
        before = _photo(key, entry) if entry is not None else PhotoView()
        fields = PICTURE_FIELDS if item.value.get("media_id") else PHOTO_FIELDS
        changes[key] = changed_leaves(msgspec.structs.asdict(before), item.value, fields)
        if entry is not None and entry.deleted is True:
            changes[key]["deleted"] = False
    live = dict(live_entries(entries))
    for key, order in orders_for(keys, {key: shown(live[key].order) or "" for key in keys if key in live}).items():
        changes[key]["order"] = order
    changes |= {key: {"deleted": True} for key in live if key not in keys}
    places = {("photos", key): item.place for key, item in zip(keys, items, strict=True)}
    return {key: change for key, change in changes.items() if change}, places


def _photo_keys(checkin_id: str, items: Sequence[Item], entries: Mapping[str, Any]) -> list[str]:
    taken = {*entries, *(item.key for item in items if item.key)}
    keys: list[str] = []
    for index, item in enumerate(items):
        key = (
            item.key
            or _photo_of(item, entries, keys)
            or new_entry_key(taken, checkin_id, "photo", str(index), content_of(item))
        )
        taken.add(key)
        keys.append(key)
    return keys


def _photo_of(item: Item, entries: Mapping[str, Any], claimed: Collection[str]) -> str | None:
    """Find the photo without an id by its media."""
    media = item.value.get("media_id") or item.value.get("url")
    for key, entry in live_entries(entries):
        if media is not None and key not in claimed and media in (shown(entry.media_id), shown(entry.url)):
            return key
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
