"""Examples of bodies, for the API description; tests send them."""

from typing import Any

__all__ = ["FOOD", "MEAL_PLAN", "NUTRITION_LOG"]

_OATS: dict[str, Any] = {
    "name": "Rolled oats",
    "grams": 80,
    "energy_kcal": 303,
    "protein_g": 10.5,
    "carbs_g": 54.1,
    "fat_g": 5.2,
}

NUTRITION_LOG: dict[str, Any] = {
    "date": "2026-03-01",
    "meals": {"m1": {"name": "Breakfast", "order": "a1"}},
    "foods": {"f1": {"meal": "m1", **_OATS, "order": "a1"}},
    "notes": "Late, and hungry.",
}

MEAL_PLAN: dict[str, Any] = {
    "name": "Training days",
    "days": {"d1": {"name": "Training day", "order": "a1"}},
    "meals": {"m1": {"day": "d1", "name": "Breakfast", "time_of_day": "07:30", "order": "a1"}},
    "foods": {"f1": {"meal": "m1", **_OATS, "order": "a1"}},
}

FOOD: dict[str, Any] = {
    "name": "Own granola",
    "brand": "Own kitchen",
    "category": "grain",
    "per_100g": {"energy_kcal": 450, "protein_g": 11, "carbs_g": 58, "fat_g": 18},
    "servings": {"s1": {"name": "Bowl", "grams": 60, "order": "a1"}},
}
