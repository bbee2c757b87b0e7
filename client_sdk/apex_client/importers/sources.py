"""The four exports that are understood, in every variant seen in public files.

Strong comes in at least six header rows and several languages; its set number column also carries set tags (`W`, `D`,
`F`) and rows that are no sets (`Rest Timer`, `Note`). Hevy writes one header row in two systems of units. FitNotes and
Fitbod have no sessions, only days.
"""

from typing import Literal

from apex_client.importers.layouts import Source

STRONG = Source(
    name="strong",
    required=frozenset({"start", "exercise", "set_number", "reps"}),
    escapes_line_breaks=True,
    headers={
        "workout #": "workout_number",
        "date": "start", "日期": "start", "datum": "start",
        "workout name": "title", "锻炼名称": "title",
        "nom de l'entraînement": "title", "nom de la séance": "title",
        "duration": "duration", "workout duration": "duration", "时长": "duration", "durée": "duration",
        "exercise name": "exercise", "运动名称": "exercise", "nom de l'exercice": "exercise",
        "set order": "set_number", "设置顺序": "set_number",
        "ordre de la série": "set_number", "ordre des séries": "set_number", "ordre de série": "set_number",
        "weight": "load", "重量": "load", "poids": "load",
        "kg": "load:kg", "kgs": "load:kg", "lb": "load:lb", "lbs": "load:lb",
        "weight unit": "load_unit", "unité de poids": "load_unit",
        "reps": "reps", "次": "reps",
        "réps": "reps", "rép.": "reps", "réps.": "reps", "répétitions": "reps",
        "rpe": "rpe",
        "distance": "distance", "距离": "distance",
        "km": "distance:km", "mi": "distance:mi", "mi.": "distance:mi", "miles": "distance:mi", "m": "distance:m",
        "distance unit": "distance_unit", "unité de distance": "distance_unit",
        "seconds": "seconds", "秒": "seconds", "secondes": "seconds",
        "notes": "exercise_notes", "备注": "exercise_notes", "remarques": "exercise_notes",
        "workout notes": "session_notes", "锻炼备注": "session_notes",
        "notes de l'entraînement": "session_notes", "notes d'entraînement": "session_notes",
        "notes de la séance": "session_notes",
    },
    known_orders=(
        ("start", "title", "duration", "exercise", "set_number", "load", "reps", "distance", "seconds",
         "exercise_notes", "session_notes", "rpe"),
        ("start", "title", "duration", "exercise", "set_number", "load", "reps", "distance", "seconds", "rpe"),
        ("start", "title", "exercise", "set_number", "load", "load_unit", "reps", "rpe", "distance", "distance_unit",
         "seconds", "exercise_notes", "session_notes", "duration"),
        ("workout_number", "start", "title", "duration:sec", "exercise", "set_number", "load", "reps", "rpe",
         "distance:m", "seconds", "exercise_notes", "session_notes"),
        ("start", "title", "exercise", "set_number", "load", "load_unit", "reps", "distance", "distance_unit",
         "seconds", "exercise_notes", "session_notes"),
        ("start", "title", "exercise", "set_number", "load", "reps", "distance", "seconds", "exercise_notes",
         "session_notes"),
        ("start", "title", "exercise", "set_number", "load", "reps", "distance", "seconds", "exercise_notes"),
    ),
)  # fmt: skip

HEVY = Source(
    name="hevy",
    required=frozenset({"start", "exercise", "set_number"}),
    headers={
        "title": "title",
        "start_time": "start",
        "end_time": "end",
        "description": "session_notes",
        "exercise_title": "exercise",
        "superset_id": "superset",
        "exercise_notes": "exercise_notes",
        "set_index": "set_number",
        "set_type": "set_type",
        "weight_kg": "load:kg",
        "weight_lbs": "load:lb",
        "reps": "reps",
        "distance_km": "distance:km",
        "distance_miles": "distance:mi",
        "distance_meters": "distance:m",
        "duration_seconds": "seconds",
        "rpe": "rpe",
    },
)

FITNOTES = Source(
    name="fitnotes",
    required=frozenset({"start", "exercise", "category", "reps"}),
    by_day=True,
    numbers_sets=False,
    headers={
        "date": "start",
        "exercise": "exercise",
        "category": "category",
        "weight": "load",
        "weight unit": "load_unit",
        "reps": "reps",
        "distance": "distance",
        "distance unit": "distance_unit",
        "time": "seconds",
        "comment": "set_notes",
        "notes": "set_notes",
        "kind": "kind",
    },
)

FITBOD = Source(
    name="fitbod",
    required=frozenset({"start", "exercise", "warmup", "reps"}),
    by_day=True,
    numbers_sets=False,
    headers={
        "date": "start",
        "exercise": "exercise",
        "reps": "reps",
        "weight": "load",
        "duration": "seconds",
        "distance": "distance",
        "incline": "incline",
        "resistance": "resistance",
        "iswarmup": "warmup",
        "note": "set_notes",
        "multiplier": "multiplier",
    },
)

SOURCES = (STRONG, HEVY, FITNOTES, FITBOD)

RowKind = Literal["set", "rest", "note"]

SET_TYPES = {
    "normal": None,
    "warmup": "warmup",
    "warm_up": "warmup",
    "dropset": "dropset",
    "drop_set": "dropset",
    "failure": "failure",
    "w": "warmup",
    "d": "dropset",
    "f": "failure",
}
"""Hevy's `set_type` and Strong's set tags in this project's words; a normal set needs none."""

ROW_KINDS: dict[str, RowKind] = {
    "rest timer": "rest",
    "minuteur de repos": "rest",
    "minuteur": "rest",
    "pausentimer": "rest",
    "休息计时器": "rest",
    "note": "note",
    "notes": "note",
    "备注": "note",
}
"""What Strong writes into the set number of a row that is no set."""
