"""Rows: what a record is in the tables an app queries. A pure function of its folded state.

A deleted record has no rows, and neither has a deleted entry. Hard sets, volume and effort are counted as
`apex_sync.coaching` counts them, which a property test holds; written out here, because a first sync makes tens of
thousands of set rows.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from apex_client.flat_rows import FLAT_ROWS, GIRTHS, NUTRIENTS, Row, flat_row
from apex_client.opened_messages import NOTHING, OpenedParts, open_said
from apex_sync.coaching.leaves import minutes_lasted
from apex_sync.coaching.message_view import CONTENT, sent_messages
from apex_sync.coaching.nutrition import day_totals, portions
from apex_sync.coaching.reviewing import is_reviewed
from apex_sync.coaching.sets import (
    EFFORT_MISMATCH_MAX,
    HARD_RPE_MIN,
    LOAD_KG_MAX,
    REPS_MAX,
    RIR_MAX,
    RPE_MAX,
    RPE_MIN,
)
from apex_sync.models import CHECK_INS, MESSAGES, NUTRITION_LOGS
from apex_sync.models.device_keys import public_key_of
from apex_sync.models.message import SIDES

Rows = dict[str, list[Row]]
"""Rows by table, each beginning with the number of its record."""

Words = tuple[str, str, str]
"""Title, names and notes, for full-text search."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "workout_log_rows": (
        "record_no", "scope_no", "id", "date", "start_time", "end_time", "duration_minutes", "title", "program_id",
        "week_number", "day_number", "fatigue", "pump", "mood", "notes", "completed", "source", "created_at",
        "exercise_count", "set_count", "volume_load_kg", "average_rpe",
    ),
    "logged_exercise_rows": ("record_no", "position", "key", "skipped", "exercise_id", "name", "superset", "notes"),
    "logged_set_rows": (
        "record_no", "position", "key", "exercise_name", "type", "completed", "volume_load_kg", "exercise_key", "reps",
        "load_kg", "rpe", "load", "load_unit", "rir", "failure_reason", "distance_m", "duration_seconds", "notes",
    ),
    "check_in_rows": (
        "record_no", "scope_no", "id", "date", "week_number", "weight_kg", "weight", "weight_unit", "body_fat_percent",
        *GIRTHS, "energy", "hunger", "stress", "sleep", "adherence", "enjoyment", "soreness", "motivation", "notes",
        "questionnaire_id", "questionnaire", "photo_count", "submitted_at", "coach_feedback", "coach_reviewed",
        "reviewed_at", "ai_summary", "ai_recommendations", "ai_flags", "created_at",
    ),
    "program_rows": (
        "record_no", "scope_no", "id", "name", "description", "type", "difficulty", "status", "start_date", "end_date",
        "duration_weeks", "weekly_volume", "intensity_zone", "goals", "notes", "source_id", "week_count", "day_count",
        "exercise_count", "set_count", "athlete_feedback", "created_at",
    ),
    "exercise_rows": (
        "record_no", "scope_no", "id", "name", "muscle_group", "secondary_muscles", "movement_pattern", "equipment",
        "instructions", "aliases", "laterality",
    ),
    "insight_rows": (
        "record_no", "scope_no", "id", "athlete_id", "kind", "about_id", "type", "priority", "title", "summary",
        "recommendations", "status", "dismissed_reason", "acted_at", "superseded_by", "worded_by", "confidence",
        "created_at",
    ),
    "published_insight_rows": (
        "record_no", "scope_no", "id", "source_id", "type", "title", "summary", "recommendations", "flags",
        "published_at",
    ),
    "nutrition_log_rows": (
        "record_no", "scope_no", "id", "date", "notes", "meal_count", "food_count", "energy_kcal", "protein_g",
        "carbs_g", "fat_g", "fiber_g", "created_at",
    ),
    "logged_food_rows": (
        "record_no", "position", "key", "meal_key", "meal_name", "food_id", "name", "quantity", "unit", "grams",
        *NUTRIENTS, "source", "barcode",
    ),
    "message_rows": ("record_no", "scope_no", "id", "sent_at"),
    "said_rows": (
        "record_no", "position", "sender", *CONTENT, "sent_at", "deleted", "read_at", "reactions", "encryption",
    ),
    "device_key_rows": ("record_no", "scope_no", "id", "encryption"),
    "thread_device_rows": (
        "record_no", "position", "side", "key_id", "public_key", "device", "client_id", "removed",
    ),
    **{table: ("record_no", "scope_no", "id", *paths) for table, paths in FLAT_ROWS.values()},
}  # fmt: skip
"""Every table in the order of its columns; parents before children."""

CHILDREN: Mapping[str, tuple[str, ...]] = {
    "workout_log_rows": ("logged_exercise_rows", "logged_set_rows"),
    "nutrition_log_rows": ("logged_food_rows",),
    "message_rows": ("said_rows",),
    "device_key_rows": ("thread_device_rows",),
}
"""Tables with a row for each entry of a record, by the table that has one for the record; it takes them along."""

ENTRY_TABLES = frozenset(table for tables in CHILDREN.values() for table in tables)

USUAL_SET_COLUMNS = COLUMNS["logged_set_rows"].index("load")
"""How many columns the row of a usual set has; the rest are for pounds, notes, runs and failures."""

BLANK = ""
"""What stands for an absent leaf in rows of exercises and sets, and becomes NULL.

sqlite3 binds text four times as fast as None, and a first sync has a hundred thousand of these.
"""

_RESPONSES = COLUMNS["check_in_rows"][18:26]

_json = msgspec.json.Encoder().encode


def project(
    collection: str, place: tuple[int, int, str], state: Mapping[str, Any], opened: OpenedParts = NOTHING
) -> tuple[Rows, Words | None]:
    """Give the rows of a record and its searchable words.

    `place` is the number of the record, that of its scope, and the record id. The state has the types of its model;
    `opened` is what this device could open of a message.
    """
    if collection == MESSAGES.name and state.get("deleted") is not True:
        return _message(place, state, opened)
    projector = _PROJECTORS.get(collection)
    if projector is None or state.get("deleted") is True:
        return {}, None
    return projector(place, state)


def full_row(table: str, row: Row) -> Row:
    """Give a row with all columns of its table."""
    return row + (BLANK,) * (len(COLUMNS[table]) - len(row))


def _workout_log(place: tuple[int, int, str], state: Mapping[str, Any]) -> tuple[Rows, Words | None]:
    get = state.get
    number = place[0]
    entries = get("exercises") or {}
    exercise_rows: list[Row] = [
        (
            number,
            position,
            key,
            int(get("skipped") is True),
            get("exercise_id", BLANK),
            get("name", BLANK),
            get("superset", BLANK),
            get("notes", BLANK),
        )
        for position, (_, key, entry) in enumerate(_live(entries), 1)
        for get in (entry.get,)
    ]
    set_rows, volume, average_rpe = _sets(number, get("sets") or {}, entries, exercise_rows)
    row = (
        *place, get("date"), get("start_time"), get("end_time"),
        minutes_lasted(get("duration_minutes"), get("start_time"), get("end_time")), get("title"),
        get("program_id"), get("week_number"), get("day_number"), get("fatigue"), get("pump"), get("mood"),
        get("notes"), get("completed") is True, get("source"), get("created_at"), len(exercise_rows), len(set_rows),
        volume, average_rpe,
    )  # fmt: skip
    names = "\n".join(row[5] for row in exercise_rows if row[5])
    notes = [get("notes"), *(row[-1] for row in exercise_rows), *(row[17] for row in set_rows if len(row) > 17)]
    words = (get("title") or "", names, "\n".join(note for note in notes if note))
    return {"workout_log_rows": [row], "logged_exercise_rows": exercise_rows, "logged_set_rows": set_rows}, words


def _sets(
    number: int,
    sets: Mapping[str, Mapping[str, Any]],
    entries: Mapping[str, Mapping[str, Any]],
    exercise_rows: list[Row],
) -> tuple[list[Row], float, float | None]:
    """Give the set rows in a reader's order, the volume of the hard ones and their mean effort."""
    # By exercise: its position, its name, and whether its sets count as done unless they say otherwise.
    homes = {row[2]: (row[1], row[5], not row[3]) for row in exercise_rows}
    nowhere = len(homes) + 1, BLANK, True
    ordered = []
    for key, entry in sets.items():
        exercise_key = entry.get("exercise")
        home = homes.get(exercise_key, nowhere)
        if entry.get("deleted") is not True and (home is not nowhere or exercise_key not in entries):
            ordered.append((home[0], entry.get("order") or "", key, home, entry))
    ordered.sort()  # Keys differ, so nothing behind them is compared.
    rows: list[Row] = []
    volume, effort_sum, effort_count = 0.0, 0.0, 0
    for position, (_, _, key, home, entry) in enumerate(ordered, 1):
        get = entry.get
        kind, reps, load_kg, rpe = (
            get("type") or "working",
            get("reps", BLANK),
            get("load_kg", BLANK),
            get("rpe", BLANK),
        )
        completed = get("completed")
        if completed is None:
            completed = home[2]
        set_volume = 0.0
        if completed and reps and kind != "warmup" and 0 < reps <= REPS_MAX:
            effort = _effort(rpe, get("rir", BLANK))
            if effort is None or effort >= HARD_RPE_MIN:
                if effort is not None:
                    effort_sum += effort
                    effort_count += 1
                if load_kg and 0 < load_kg <= LOAD_KG_MAX:
                    set_volume = load_kg * reps
                    volume += set_volume
        row: Row = (
            number, position, key, home[1], kind, int(completed), set_volume, get("exercise", BLANK), reps, load_kg, rpe
        )  # fmt: skip
        if not _UNUSUAL.isdisjoint(entry):
            row += tuple(get(leaf, BLANK) for leaf in _UNUSUAL_LEAVES)
        rows.append(row)
    return rows, volume, effort_sum / effort_count if effort_count else None


_UNUSUAL_LEAVES = COLUMNS["logged_set_rows"][USUAL_SET_COLUMNS:]
_UNUSUAL = frozenset(_UNUSUAL_LEAVES)


def _effort(rpe_leaf: Any, rir: Any) -> float | None:
    """Give the effort as RPE; where RPE and RIR contradict each other, RIR is believed."""
    rpe: float | None = rpe_leaf if rpe_leaf not in _ABSENT and RPE_MIN <= rpe_leaf <= RPE_MAX else None
    if rir in _ABSENT or not 0 <= rir <= RIR_MAX:
        return rpe
    if rpe is not None and abs(rpe + rir - 10.0) <= EFFORT_MISMATCH_MAX:
        return rpe
    return max(RPE_MIN, 10.0 - float(rir))


_ABSENT = (BLANK, None)


def _check_in(place: tuple[int, int, str], state: Mapping[str, Any]) -> tuple[Rows, Words | None]:
    get = state.get
    measured, answers = get("measurements") or {}, get("responses") or {}
    reviewed = get("coach_reviewed") is True and is_reviewed(CHECK_INS.read(state)[0])
    row = (
        *place, get("date"), get("week_number"), get("weight_kg"), get("weight"), get("weight_unit"),
        get("body_fat_percent"), *map(measured.get, GIRTHS), *map(answers.get, _RESPONSES), get("notes"),
        get("questionnaire_id"), _as_json(get("questionnaire")), len(_live(get("photos") or {})), get("submitted_at"),
        get("coach_feedback"), reviewed, get("reviewed_at"), get("ai_summary"),
        _as_json(get("ai_recommendations")), _as_json(get("ai_flags")), get("created_at"),
    )  # fmt: skip
    notes = [note for note in (get("notes"), get("coach_feedback"), get("ai_summary")) if note]
    return {"check_in_rows": [row]}, ("", "", "\n".join(notes)) if notes else None


def _program(place: tuple[int, int, str], state: Mapping[str, Any]) -> tuple[Rows, Words | None]:
    get = state.get
    counts = [len(_live(get(field) or {})) for field in ("weeks", "days", "exercises", "sets")]
    row = (
        *place, get("name"), get("description"), get("type"), get("difficulty"), get("status"), get("start_date"),
        get("end_date"), get("duration_weeks"), get("weekly_volume"), get("intensity_zone"), _as_json(get("goals")),
        get("notes"), get("source_id"), *counts, get("athlete_feedback"), get("created_at"),
    )  # fmt: skip
    names = [entry.get("name") for _, _, entry in _live(get("exercises") or {})]
    notes = "\n".join(note for note in (get("description"), get("notes")) if note)
    return {"program_rows": [row]}, (get("name") or "", "\n".join(name for name in names if name), notes)


def _exercise(place: tuple[int, int, str], state: Mapping[str, Any]) -> tuple[Rows, Words | None]:
    get = state.get
    row = (
        *place, get("name"), get("muscle_group"), _as_json(get("secondary_muscles")), get("movement_pattern"),
        _as_json(get("equipment")), get("instructions"), _as_json(get("aliases")), get("laterality"),
    )  # fmt: skip
    also = [get("muscle_group") or "", *(get("aliases") or ()), *(get("secondary_muscles") or ())]
    return {"exercise_rows": [row]}, (get("name") or "", "\n".join([*also, *(get("equipment") or ())]), "")


def _insight(place: tuple[int, int, str], state: Mapping[str, Any]) -> tuple[Rows, Words | None]:
    get = state.get
    row = (
        *place, get("athlete_id"), get("kind"), get("about_id"), get("type"), get("priority"), get("title"),
        get("summary"), _as_json(get("recommendations")), get("status"), get("dismissed_reason"), get("acted_at"),
        get("superseded_by"), get("worded_by"), get("confidence"), get("created_at"),
    )  # fmt: skip
    return {"insight_rows": [row]}, (get("title") or "", "", get("summary") or "")


def _published_insight(place: tuple[int, int, str], state: Mapping[str, Any]) -> tuple[Rows, Words | None]:
    get = state.get
    row = (
        *place, get("source_id"), get("type"), get("title"), get("summary"), _as_json(get("recommendations")),
        _as_json(get("flags")), get("published_at"),
    )  # fmt: skip
    return {"published_insight_rows": [row]}, (get("title") or "", "", get("summary") or "")


def _nutrition_log(place: tuple[int, int, str], state: Mapping[str, Any]) -> tuple[Rows, Words | None]:
    get = state.get
    number = place[0]
    log, _ = NUTRITION_LOGS.read(state)
    eaten = day_totals(log)
    meals, entries = get("meals") or {}, get("foods") or {}
    names_of_meals = {key: meal.get("name") for key, meal in meals.items()}
    foods: list[Row] = [
        (
            *(number, position, portion.key, portion.meal_key, names_of_meals.get(portion.meal_key)),
            *(entries[portion.key].get(name, BLANK) for name in COLUMNS["logged_food_rows"][5:]),
        )
        for position, portion in enumerate(portions(log), 1)
    ]
    macros = (getattr(eaten.macros, name) for name in COLUMNS["nutrition_log_rows"][7:12])
    row = (*place, get("date"), get("notes"), eaten.meals, eaten.foods, *macros, get("created_at"))
    names = "\n".join(food[6] for food in foods if food[6])
    notes = [get("notes"), *(meal.get("notes") for _, _, meal in _live(meals))]
    words = ("", names, "\n".join(note for note in notes if note))
    return {"nutrition_log_rows": [row], "logged_food_rows": foods}, words if any(words) else None


def _message(
    place: tuple[int, int, str], state: Mapping[str, Any], opened: OpenedParts = NOTHING
) -> tuple[Rows, Words | None]:
    record = msgspec.convert(state, MESSAGES.loose_model)
    said = [open_said(each, opened) for each in sent_messages(place[2], record)]
    rows: list[Row] = [
        (
            *(place[0], position, each.sender),
            *(getattr(each, name) for name in CONTENT),
            *(each.sent_at, each.deleted, each.read_at, _as_json(each.reactions or None), each.encryption),
        )
        for position, each in enumerate(said, 1)
    ]
    first = min((each.sent_at for each in said if each.sent_at), default=None)
    texts = "\n".join(each.text for each in said if each.text)
    return {"message_rows": [(*place, first)], "said_rows": rows}, ("", "", texts) if texts else None


def _device_keys(place: tuple[int, int, str], state: Mapping[str, Any]) -> tuple[Rows, Words | None]:
    found = [
        (side, key_id, entry)
        for side in SIDES
        for key_id, entry in sorted((state.get(side) or {}).items())
        if public_key_of(key_id, entry.get("key")) is not None
    ]
    devices: list[Row] = [
        (
            *(place[0], position, side, key_id),
            *(entry.get(name) for name in ("key", "device", "client_id")),
            entry.get("deleted") is True,
        )
        for position, (side, key_id, entry) in enumerate(found, 1)
    ]
    return {"device_key_rows": [(*place, state.get("encryption"))], "thread_device_rows": devices}, None


def _flat(collection: str) -> "Projector":
    """Make what projects a collection whose records are one row each."""
    table = FLAT_ROWS[collection][0]

    def project_flat(place: tuple[int, int, str], state: Mapping[str, Any]) -> tuple[Rows, Words | None]:
        get = state.get
        names = "\n".join(filter(None, (get("brand"), get("category"), *(get("aliases") or ()))))
        title, notes = get("name") or "", get("notes") or ""
        words = (title, names, notes) if title or names or notes else None
        return {table: [(*place, *flat_row(collection, state))]}, words

    return project_flat


def _live(entries: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """List entries that are not deleted as (order, key, entry), in the reader's order."""
    live = [
        (entry.get("order") or "", key, entry) for key, entry in entries.items() if entry.get("deleted") is not True
    ]
    live.sort()  # Keys differ, so entries are never compared.
    return live


def _as_json(value: Any) -> str | None:
    return None if value is None else _json(value).decode()


Projector = Callable[[tuple[int, int, str], Mapping[str, Any]], tuple[Rows, Words | None]]

_PROJECTORS: Mapping[str, Projector] = {
    "workout_logs": _workout_log,
    "check_ins": _check_in,
    "programs": _program,
    "exercises": _exercise,
    "insights": _insight,
    "published_insights": _published_insight,
    "nutrition_logs": _nutrition_log,
    "messages": _message,
    "device_keys": _device_keys,
    **{collection: _flat(collection) for collection in FLAT_ROWS},
}

TABLES: Mapping[str, str] = {
    collection: next(iter(projector((0, 0, ""), {})[0])) for collection, projector in _PROJECTORS.items()
}
"""The table that has one row for each record of a collection."""

TRIGRAM_TABLES = {"exercises": "exercise_trigrams", "foods": "food_trigrams"}
"""Where the names of a library are searched with room for typing errors, by collection."""
