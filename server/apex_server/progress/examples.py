"""Examples of bodies, for the API description; tests send them."""

from typing import Any

__all__ = ["METRICS"]

METRICS: dict[str, Any] = {
    "date": "2026-03-01",
    "weight": 82.5,
    "weight_unit": "kg",
    "body_fat_percent": 14.5,
    "measurements": {"waist_cm": 84.5},
}
