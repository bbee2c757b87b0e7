"""Examples for the API description: composed from the types, with words for what only a field's name tells.

A type that has an example of its own keeps it. What is composed fits its schema, which a test holds.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from apex_server.consent_texts import CONSENT_TEXTS

__all__ = ["composed", "with_examples"]

Schema = Mapping[str, Any]


class ExampleMissing(LookupError):
    """Nothing known fits a field: its type needs `Meta(examples=...)`, or its name an entry in BY_NAME."""


DEPTH_MAX = 12
"""How far an example follows types into each other; a tree of comments would have no end."""

AN_ID = "01922f6c-4b7e-7c3a-9d51-6a2f0c8e4b11"

BY_FORMAT = {
    "date": "2026-03-01",
    "date-time": "2026-03-01T18:05:00Z",
    "duration": "P14D",
    "time": "07:30:00",
    "uuid": AN_ID,
}

BY_NAME: dict[str, Any] = {
    "action": "open_record",
    "ai_summary": "Sleep was short, strength held.",
    "address": "203.0.113.7",
    "area": "left knee",
    "aliases": "Flat bench",
    "athlete_feedback": "The best block so far.",
    "barcode": "4006381333931",
    "brand": "Own kitchen",
    "budget": "requests",
    "code": "123456",
    "coach_feedback": "Well done; one rest day more this week.",
    "coaching_cues": "Keep the shoulder blades back.",
    "collection": "workout_logs",
    "csv": "name,email\nAnna,anna@example.com\n",
    "current_password": "correct horse battery staple",
    "date_of_birth": "1994-05-17",
    "email": "anna@example.com",
    "emojis": "\N{FLEXED BICEPS}",
    "energy_kcal": 540,
    "equipment": "barbell",
    "etag": '"1z141z4"',
    "excluded": "mushrooms",
    "exercise": "e1",
    "exercise_name": "Bench press",
    "goals": "Build muscle",
    "height": 172,
    "height_cm": 172,
    "instance": "/api/workouts",
    "media_id": "9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015",
    "instructions": "Lower to the chest, press up.",
    "invite": "K7QF9-3XZ0M-PAV41-8TWEN",
    "kind": "phone",
    "length_unit": "cm",
    "link": "https://sync.example.com/invite/K7QF9-3XZ0M-PAV41-8TWEN",
    "load": 100,
    "load_kg": 100,
    "method": "POST",
    "muscle": "chest",
    "muscle_group": "chest",
    "name": "Anna",
    "new_password": "another correct horse staple",
    "next": "MjAyNi0wMy0wMQ",
    "notes": "Felt strong.",
    "order": "a1",
    "nutrition_habits": "Cooks on Sundays.",
    "password": "correct horse battery staple",
    "path": "sets.s1.reps",
    "percent": 85,
    "phone": "+491701234567",
    "reason": "Already talked about.",
    "recovery_codes": "7k2m-9qxd",
    "recommendations": "Go to bed an hour earlier.",
    "reps": 8,
    "rir": 2,
    "role": "athlete",
    "rpe": 8,
    "scope": "athlete:" + AN_ID,
    "secondary_muscles": "triceps",
    "source": "apex",
    "status": "active",
    "subscription_tier": "standard",
    "summary": "Three nights under six hours of sleep.",
    "superset": "a",
    "tags": "contest prep",
    "tempo": "3-0-1-0",
    "text": "Add 2.5 kg to the bench press.",
    "time_of_day": "07:30",
    "timezone": "Europe/Berlin",
    "title": "Check-in: sleep was short",
    "token": "q0Vh3cYt9uW2kZ7n5sXb1pLd8mRf4aJe6gTi0oKyHwE",
    "unit": "kg",
    "url": "https://example.com/bench-press",
    "version": CONSENT_TEXTS["ai_analysis"].version,
    "video_url": "https://example.com/bench-press",
    "weak_points": "calves",
    "weight": 82.5,
    "weight_kg": 82.5,
}
"""What fields of a name look like where their type does not say, or else the end of it."""

LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "ConsentChange": ("days",),
    "ImportRequest": ("rows",),
    "NewMedia": ("scope",),
    "NewMessage": ("duration_seconds", "file_name", "media_id", "reply_to", "thumbnail_media_id"),
    "RegisterRequest": ("invite",),
}
"""Fields of a body that do not go with the others: an example that has all of them would be refused."""

NAMED = {
    "Exercise": "Bench press",
    "Food": "Rolled oats",
    "Meal": "Breakfast",
    "Metrics": "Waist",
    "Naming": "Iron Gym",
    "Organisation": "Iron Gym",
    "Passkey": "Anna's phone",
    "Program": "Upper and lower, 8 weeks",
    "TrainingDay": "Push A",
}
"""The `name` in types that are called so."""


def with_examples(description: Mapping[str, Any]) -> dict[str, Any]:
    """Give an API description in which each type of a body or an answer has an example."""
    schemas = description["components"]["schemas"]
    shown = dict(schemas)
    for name in sorted(set(_bodies(description))):
        if "properties" in schemas[name] and "examples" not in schemas[name]:
            example = composed(schemas[name], schemas)
            fits = {field: value for field, value in example.items() if field not in LEFT_OUT.get(name, ())}
            shown[name] = {**schemas[name], "examples": [fits]}
    return {**description, "components": {**description["components"], "schemas": shown}}


def composed(schema: Schema, schemas: Mapping[str, Schema], name: str = "", depth: int = 0) -> Any:
    """Make a value of a type; `name` is the field's that it is for.

    >>> composed({"type": "object", "properties": {"reps": {"type": "integer", "minimum": 0}}}, {})
    {'reps': 8}
    """
    if "$ref" in schema:
        return composed(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, depth)
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return next(value for value in schema["enum"] if value is not None)
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in schema:
            rest = {key: value for key, value in schema.items() if key != choice}
            kind = next(one for one in schema[choice] if one.get("type") != "null")
            return composed({**kind, **rest}, schemas, name, depth)
    match schema.get("type"):
        case "object":
            return _object(schema, schemas, name, depth)
        case "array":
            return [composed(schema.get("items", {}), schemas, name, depth + 1)] if depth < DEPTH_MAX else []
        case "string":
            return _string(schema, name)
        case "integer" | "number":
            return _number(schema, name)
        case "boolean":
            return False
        case "null":
            return None
    return {}


def _object(schema: Schema, schemas: Mapping[str, Schema], name: str, depth: int) -> dict[str, Any]:
    if depth >= DEPTH_MAX:
        return {}
    named = {
        field: composed(its, schemas, field, depth + 1) for field, its in sorted(schema.get("properties", {}).items())
    }
    if "name" in named:
        title = schema.get("title", "")
        named["name"] = next((called for kind, called in NAMED.items() if kind in title), named["name"])
    others = schema.get("additionalProperties")
    return named or ({"k1": composed(others, schemas, name, depth + 1)} if isinstance(others, Mapping) else {})


def _string(schema: Schema, name: str) -> str:
    known = _by_name(name)
    if isinstance(known, str) and _fits(known, schema):
        return known
    if schema.get("format") in BY_FORMAT:
        return BY_FORMAT[schema["format"]]
    guesses = (AN_ID, *BY_FORMAT.values(), name.replace("_", " ").capitalize(), "k1")
    for guess in guesses:
        if _is_meant(guess, name) and _fits(guess, schema):
            return guess
    raise ExampleMissing(name, schema)


def _is_meant(guess: str, name: str) -> bool:
    """Say whether a value goes with a field by its name: ids to `_id`, times to `_at`."""
    if guess == AN_ID:
        return name == "id" or name.endswith(("_id", "_ids", "_by"))
    if guess == BY_FORMAT["date-time"]:
        return name.endswith("_at") or name in ("time", "since", "start_time", "end_time")
    if guess in BY_FORMAT.values():
        return name.endswith("date") or name in ("day", "from", "until", "since", "date_of_birth")
    return True


def _fits(text: str, schema: Schema) -> bool:
    return (
        schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text))
        and re.search(schema.get("pattern", ""), text) is not None
    )


def _number(schema: Schema, name: str) -> float:
    known = _by_name(name)
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = known if isinstance(known, int | float) else 1
    if value < low or (high is not None and value > high):
        value = low
    return int(value) if schema.get("type") == "integer" else value


def _by_name(name: str) -> Any:
    words = name.split("_")
    endings = ("_".join(words[start:]) for start in range(len(words)))
    return next((BY_NAME[ending] for ending in endings if ending in BY_NAME), None)


def _bodies(description: Mapping[str, Any]) -> Iterator[str]:
    """Name the types of all bodies and answers."""
    for methods in description["paths"].values():
        for operation in methods.values():
            if not isinstance(operation, Mapping):
                continue
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in part.get("content", {}).values():
                    schema = content.get("schema", {})
                    for one in (schema, schema.get("items", {}), *schema.get("oneOf", ())):
                        if "$ref" in one:
                            yield one["$ref"].rpartition("/")[2]
