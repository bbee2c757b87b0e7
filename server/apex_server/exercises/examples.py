"""Examples of bodies, for the API description; tests send them."""

from typing import Any

__all__ = ["EXERCISE", "EXERCISE_PATCH"]

EXERCISE: dict[str, Any] = {
    "name": "Deficit Push-Up",
    "aliases": ["Push-up on plates"],
    "muscle_group": "chest",
    "secondary_muscles": ["triceps"],
    "movement_pattern": "push",
    "instructions": "Hands on two plates; let the chest pass between them.",
}

EXERCISE_PATCH: dict[str, Any] = {"coaching_cues": ["Elbows at 45 degrees."]}
