"""Examples of bodies, for the API description; tests send them."""

from typing import Any

__all__ = ["CHECK_IN", "CHECK_IN_PATCH", "QUESTIONNAIRE", "QUESTIONNAIRE_PATCH"]

CHECK_IN: dict[str, Any] = {
    "date": "2026-03-01",
    "week_number": 4,
    "weight": 180.5,
    "weight_unit": "lb",
    "responses": {"energy": 7, "sleep": 6, "stress": 4},
    "measurements": {"waist_cm": 84.5},
    "notes": "Slept badly on Thursday.",
}

CHECK_IN_PATCH: dict[str, Any] = {"weight": 181, "responses": {"sleep": 7}}

QUESTIONNAIRE: dict[str, Any] = {
    "name": "Every Sunday",
    "active": True,
    "questions": {
        "q1": {"text": "Did you travel?", "type": "text", "order": "a1"},
        "q2": {"text": "How is your knee?", "type": "text", "order": "a2", "required": True},
    },
}

QUESTIONNAIRE_PATCH: dict[str, Any] = {"questions": {"q2": {"required": False}}}
