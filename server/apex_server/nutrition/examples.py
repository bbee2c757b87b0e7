"""Examples of bodies, for the API description; tests send them."""

from typing import Any

__all__ = ["FOOD", "FOOD_PATCH", "MEAL_PLAN", "MEAL_PLAN_PATCH", "NUTRITION_LOG", "NUTRITION_LOG_PATCH"]

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

NUTRITION_LOG_PATCH: dict[str, Any] = {"foods": {"f1": {"grams": 40, "energy_kcal": 152}}}

MEAL_PLAN: dict[str, Any] = {
    "name": "Training days",
    "days": {"d1": {"name": "Training day", "order": "a1"}},
    "meals": {"m1": {"day": "d1", "name": "Breakfast", "time_of_day": "07:30", "order": "a1"}},
    "foods": {"f1": {"meal": "m1", **_OATS, "order": "a1"}},
}

MEAL_PLAN_PATCH: dict[str, Any] = {"meals": {"m1": {"time_of_day": "08:00"}}}

FOOD: dict[str, Any] = {
    "name": "Own granola",
    "brand": "Own kitchen",
    "category": "grain",
    "per_100g": {"energy_kcal": 450, "protein_g": 11, "carbs_g": 58, "fat_g": 18},
    "servings": {"s1": {"name": "Bowl", "grams": 60, "order": "a1"}},
}

FOOD_PATCH: dict[str, Any] = {"per_100g": {"fiber_g": 7.5}}
