"""Examples of bodies, for the API description; tests send them."""

from typing import Any

__all__ = ["BULK_SYNC", "NEW_WORKOUT", "WORKOUT_CHANGES", "WORKOUT_PATCH"]

NEW_WORKOUT: dict[str, Any] = {
    "id": "01922f6c-4b7e-7c3a-9d51-6a2f0c8e4b11",
    "title": "Push Day A",
    "date": "2026-03-01",
    "start_time": "2026-03-01T18:05:00+01:00",
    "exercises": [
        {
            "name": "Bench Press",
            "sets": [
                {"type": "warmup", "reps": 10, "load": 60},
                {"reps": 8, "load": 102.5, "rpe": 8.5},
                {"reps": 7, "load": 225, "load_unit": "lb", "rpe": 9},
            ],
        },
        {"name": "Dip", "skipped": True},
    ],
    "fatigue": 6,
    "completed": True,
}

WORKOUT_CHANGES: dict[str, Any] = {key: value for key, value in NEW_WORKOUT.items() if key != "id"}

WORKOUT_PATCH: dict[str, Any] = {"title": "Push Day A, short", "fatigue": 7}

BULK_SYNC: list[Any] = [{**NEW_WORKOUT, "updated_at": "2026-03-01T19:20:00+01:00"}]
