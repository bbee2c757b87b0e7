"""Examples of bodies, for the API description; tests send them."""

from typing import Any

__all__ = ["PROGRAM", "PROGRAM_PATCH"]

PROGRAM: dict[str, Any] = {
    "name": "Upper and lower, 8 weeks",
    "type": "hypertrophy",
    "difficulty": "intermediate",
    "duration_weeks": 8,
    "goals": ["Build muscle"],
    "weeks": {"w1": {"week_number": 1, "order": "a1"}},
    "days": {"d1": {"week": "w1", "day_number": 1, "name": "Upper A", "order": "a1"}},
    "exercises": {"e1": {"day": "d1", "name": "Bench Press", "rest_seconds": 150, "order": "a1"}},
    "sets": {
        "s1": {"exercise": "e1", "type": "warmup", "reps_min": 8, "load_percent": 50, "order": "a1"},
        "s2": {"exercise": "e1", "type": "working", "reps_min": 6, "reps_max": 8, "rir": 2, "order": "a2"},
    },
}

PROGRAM_PATCH: dict[str, Any] = {"notes": "One rep closer to failure.", "sets": {"s2": {"rir": 1}}}
