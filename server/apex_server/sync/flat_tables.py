"""The projections of collections whose records are one row each: every column is a leaf, read by its kind.

A column is named for its leaf, or stands for another path into the record. What a kind takes of a leaf, and the type
it has in Postgres, is in KINDS. The same tables stand in db/migrations, which a test holds.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from apex_server.sync import column_values as take
from apex_server.sync.store import Row
from apex_sync.coaching.reviewing import is_reviewed
from apex_sync.collection import Record

__all__ = ["FLAT_TABLES", "KINDS", "MACROS", "FlatColumn", "PostgresType", "flat_row"]

PostgresType = Literal["text", "bigint", "integer", "double precision", "boolean", "date", "timestamp", "sealed"]
"""`sealed` is text that people chose, and bytea in Postgres."""

Kind = Literal[
    "number",
    "whole",
    "count",
    "word",
    "id",
    "barcode",
    "name",
    "searchable_exercise",
    "searchable_food",
    "flag",
    "whether",
    "reviewed",
    "day",
    "moment",
    "offset",
]

KINDS: Mapping[Kind, tuple[PostgresType, Callable[[Any], Any]]] = {
    "number": ("double precision", take.number),
    "whole": ("bigint", take.whole),
    "count": ("integer", take.count),
    "word": ("text", take.word),
    "id": ("text", take.id_of),
    "barcode": ("text", take.barcode),
    "name": ("sealed", take.text),
    "searchable_exercise": ("sealed", take.searchable_exercise),
    "searchable_food": ("sealed", take.searchable_food),
    "flag": ("boolean", take.flag),
    "whether": ("boolean", take.whether),
    "reviewed": ("boolean", is_reviewed),
    "day": ("date", take.day),
    "moment": ("timestamp", take.moment),
    "offset": ("integer", take.offset),
}

GIRTHS = (
    "chest_cm",
    "shoulders_cm",
    "biceps_cm",
    "arms_cm",
    "forearms_cm",
    "waist_cm",
    "hips_cm",
    "thighs_cm",
    "calves_cm",
)
ANSWERS = ("energy", "hunger", "stress", "sleep", "adherence", "enjoyment", "soreness", "motivation")
MACROS = ("energy_kcal", "protein_g", "carbs_g", "fat_g", "fiber_g")


class FlatColumn(NamedTuple):
    """A column, and the path of the leaf it shows."""

    name: str
    kind: Kind
    path: tuple[str, ...]


def flat_row(record: Record, columns: Iterable[FlatColumn]) -> Row:
    """Give the row of a record; total, whatever its leaves hold."""
    return tuple(KINDS[column.kind][1](_leaf(record, column.path)) for column in columns)


def _leaf(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = getattr(value, name, None)
    return value


def _leaves(**kinds: Kind) -> list[FlatColumn]:
    return [FlatColumn(name, kind, (name,)) for name, kind in kinds.items()]


def _within(parent: str, names: Iterable[str], kind: Kind) -> list[FlatColumn]:
    return [FlatColumn(name, kind, (parent, name)) for name in names]


def _at(leaf: str, **kinds: Kind) -> list[FlatColumn]:
    """Give columns that show another leaf than their name says."""
    return [FlatColumn(name, kind, (leaf,)) for name, kind in kinds.items()]


FLAT_TABLES: Mapping[str, list[FlatColumn]] = {
    "check_ins": [
        *_leaves(date="day", week_number="whole", weight_kg="number", weight="number", weight_unit="word"),
        *_leaves(body_fat_percent="number"),
        *_within("measurements", GIRTHS, "number"),
        *_within("responses", ANSWERS, "whole"),
        *_at("photos", photo_count="count"),
        *_at("submitted_at", submitted_at="moment", utc_offset_minutes="offset"),
        FlatColumn("coach_reviewed", "reviewed", ()),
        *_leaves(reviewed_at="moment"),
    ],
    "programs": [
        *_leaves(type="word", difficulty="word", status="word", start_date="day", end_date="day"),
        *_leaves(duration_weeks="whole", weekly_volume="word", intensity_zone="word", source_id="id"),
        *_at("weeks", week_count="count"),
        *_at("days", day_count="count"),
        *_at("exercises", exercise_count="count"),
        *_at("sets", set_count="count"),
    ],
    "exercises": [
        *_leaves(name="name", muscle_group="name", movement_pattern="word"),
        FlatColumn("searched", "searchable_exercise", ()),
    ],
    "profiles": [
        *_leaves(training_age_years="number", volume_tolerance="word", recovery_status="word"),
        *_leaves(training_days_per_week="whole", session_duration_minutes="whole"),
        *_leaves(target_weight_kg="number", height_cm="number", load_unit="word"),
        *_leaves(check_in_day_number="whole", avatar_media_id="id"),
    ],
    "insights": [
        *_leaves(athlete_id="id", kind="word", about_id="id", type="word", priority="word", status="word"),
        *_leaves(acted_at="moment", superseded_by="id", worded_by="word", model_name="id", confidence="number"),
        *_leaves(expires_at="moment", facts_digest="id"),
    ],
    "client_files": _leaves(status="word", subscription_tier="word", archived="whether"),
    "body_metrics": [
        *_leaves(date="day"),
        *_at("measured_at", measured_at="moment", utc_offset_minutes="offset"),
        *_leaves(weight_kg="number", weight="number", weight_unit="word", body_fat_percent="number"),
        *_within("measurements", GIRTHS, "number"),
    ],
    "progress_photos": [
        *_leaves(date="day", type="word", media_id="id", check_in_id="id"),
        *_leaves(size_bytes="whole", width_px="whole", height_px="whole"),
    ],
    "nutrition_targets": [
        *_leaves(start_date="day", energy_kcal="number", protein_g="number", carbs_g="number", fat_g="number"),
        *_leaves(fiber_g="number"),
    ],
    "meal_plans": [
        *_leaves(status="word", start_date="day", end_date="day", source_id="id"),
        *_at("days", day_count="count"),
        *_at("meals", meal_count="count"),
        *_at("foods", food_count="count"),
    ],
    "foods": [
        *_leaves(name="name", brand="name", barcode="barcode", source="word"),
        *_within("per_100g", MACROS, "number"),
        FlatColumn("searched", "searchable_food", ()),
    ],
    "questionnaires": [*_leaves(active="whether"), *_at("questions", question_count="count")],
}
"""The columns of each table, which is named for its collection."""
