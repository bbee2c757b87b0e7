"""What a person calls a record or a field of it: `Push of 2026-03-01`, not a UUID."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apex_client.blocking import Replica


SHORT_ID_LENGTH = 6
"""One of sixteen millions; whoever meets two alike writes more of it."""

UNITS = {
    "kg": "kg",
    "g": "g",
    "mg": "mg",
    "cm": "cm",
    "m": "m",
    "kcal": "kcal",
    "percent": "%",
    "seconds": "s",
    "minutes": "min",
}


def short_id(record_id: str) -> str:
    """Give the end of an id, which tells records of one moment apart, as their beginning does not.

    >>> short_id("019a0c1e-7d4b-7000-8000-0123453f9a1c")
    '3f9a1c'
    """
    return record_id[-SHORT_ID_LENGTH:]


def noun_of(collection: str) -> str:
    """Give the noun for one record of a collection.

    >>> noun_of("workout_logs"), noun_of("check_ins")
    ('workout log', 'check-in')
    """
    return "check-in" if collection == "check_ins" else collection.removesuffix("s").replace("_", " ")


def in_words(field: str) -> str:
    """Write a field as a person would, its unit behind it.

    >>> in_words("energy_kcal"), in_words("responses.sleep"), in_words("body_fat_percent"), in_words("coach_feedback")
    ('energy (kcal)', 'responses: sleep', 'body fat (%)', 'coach feedback')
    """
    stem, _, unit = field.rpartition("_")
    written = f"{stem} ({UNITS[unit]})" if stem and unit in UNITS else field
    return written.replace("_", " ").replace(".", ": ")


def record_name(collection: str, state: Mapping[str, Any]) -> str:
    """Name a record by what its state holds.

    >>> record_name("workout_logs", {"title": "Push", "date": "2026-03-01"}), record_name("check_ins", {})
    ('Push of 2026-03-01', 'check-in')
    """
    name = state.get("title") or state.get("name") or noun_of(collection)
    return f"{name} of {state['date']}" if state.get("date") else str(name)


def field_name(collection: str, keys: Sequence[str], state: Mapping[str, Any]) -> str:
    """Name a field of a record: `Bench Press, set 3: reps` where its path is `sets.k3f9.reps`."""
    from apex_client.views import exercise_entries

    if collection == "workout_logs" and len(keys) > 2:
        key, leaf = keys[1], ".".join(keys[2:])
        for exercise in exercise_entries(state):
            if exercise.key == key:
                return f"{exercise.name}: {leaf}"
            for number, logged in enumerate(exercise.sets, 1):
                if logged.key == key:
                    return f"{exercise.name}, set {number}: {leaf}"
    return ".".join(keys)


def state_of(replica: "Replica", collection: str, record_id: str) -> Mapping[str, Any]:
    """Read a record for its name; empty where it has gone."""
    from apex_client.errors import RecordError

    try:
        return replica.record(collection, record_id).state
    except RecordError:
        return {}
