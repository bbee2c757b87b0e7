"""Examples of bodies, for the API description; tests send them."""

from typing import Any

__all__ = ["METRICS", "METRICS_PATCH", "PHOTO", "PHOTO_PATCH"]

METRICS: dict[str, Any] = {
    "date": "2026-03-01",
    "weight": 82.5,
    "weight_unit": "kg",
    "body_fat_percent": 14.5,
    "measurements": {"waist_cm": 84.5},
}

METRICS_PATCH: dict[str, Any] = {"weight": 82.1}

PHOTO: dict[str, Any] = {
    "date": "2026-03-01",
    "type": "front",
    "pose": "Front double biceps",
    "media_id": "9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015",
    "content_type": "image/jpeg",
    "size_bytes": 2_345_678,
    "width_px": 3024,
    "height_px": 4032,
    "taken_at": "2026-03-01T07:30:00+01:00",
}

PHOTO_PATCH: dict[str, Any] = {"pose": "Front lat spread"}
