"""Rows of records that are one row each: every column is a leaf, or a map or list as JSON, or a count of entries.

A column is named for its leaf, or stands for another path into the record; `#` before a path counts the live entries.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from apex_client.views import live_entries

Row = tuple[Any, ...]

GIRTHS = (
    "chest_cm", "shoulders_cm", "biceps_cm", "arms_cm", "forearms_cm", "waist_cm", "hips_cm", "thighs_cm", "calves_cm",
)  # fmt: skip
NUTRIENTS = ("energy_kcal", "protein_g", "carbs_g", "fat_g", "fiber_g", "sugar_g", "sodium_mg")

_json = msgspec.json.Encoder().encode


def _leaves(names: str, **paths: str) -> dict[str, str]:
    return {**{name: name for name in names.split()}, **paths}


FLAT_ROWS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "profiles": (
        "profile_rows",
        _leaves(
            "name phone avatar_media_id date_of_birth gender training_age_years goals weak_points injuries "
            "nutrition_habits volume_tolerance recovery_status equipment training_days_per_week "
            "session_duration_minutes check_in_day_number target_weight_kg target_weight "
            "target_weight_unit height_cm height height_unit load_unit created_at"
        ),
    ),
    "client_files": (
        "client_file_rows",
        _leaves(
            "status subscription_tier tags archived notes program_notes created_at",
            thread_pinned="thread.pinned", thread_archived="thread.archived", thread_tags="thread.tags",
        ),
    ),
    "body_metrics": (
        "body_metric_rows",
        {
            **_leaves("date measured_at weight_kg weight weight_unit body_fat_percent"),
            **{name: f"measurements.{name}" for name in GIRTHS},
            **_leaves("source notes created_at", length_unit="measurements.unit"),
        },
    ),
    "progress_photos": (
        "progress_photo_rows",
        _leaves(
            "date taken_at type pose media_id content_type size_bytes width_px height_px check_in_id notes created_at"
        ),
    ),
    "nutrition_targets": (
        "nutrition_target_rows",
        _leaves("start_date energy_kcal protein_g carbs_g fat_g fiber_g notes created_at"),
    ),
    "meal_plans": (
        "meal_plan_rows",
        _leaves(
            "name status start_date end_date notes source_id days meals foods created_at",
            day_count="#days", meal_count="#meals", food_count="#foods",
        ),
    ),
    "foods": (
        "food_rows",
        {
            **_leaves("name brand barcode"),
            **{name: f"per_100g.{name}" for name in NUTRIENTS},
            **_leaves("servings source source_id aliases category contains"),
        },
    ),
    "questionnaires": (
        "questionnaire_rows",
        _leaves("name description active questions created_at", question_count="#questions"),
    ),
}  # fmt: skip
"""By collection: its table, and the path of each column."""


def flat_row(collection: str, state: Mapping[str, Any]) -> Row:
    """Give the columns of a record, in the order of FLAT_ROWS."""
    return tuple(_value(state, path) for path in FLAT_ROWS[collection][1].values())


def _value(state: Mapping[str, Any], path: str) -> Any:
    if path.startswith("#"):
        return len(live_entries(state.get(path[1:])))
    value: Any = state
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return _json(value).decode() if isinstance(value, dict | list) else value
