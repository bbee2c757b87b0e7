"""How foods and what they add up to are shown at a terminal."""

from typing import Any

FIGURES = ("energy_kcal", "protein_g", "carbs_g", "fat_g")
HEADINGS = ("kcal", "protein", "carbs", "fat")

SUMS = "SELECT date, energy_kcal, protein_g, carbs_g, fat_g FROM nutrition_logs WHERE id = ?"
"""What a day adds up to, by the id of its log."""


def summed(figures: Any) -> str:
    """Write what foods add up to."""
    grams = (f"{figure(figures[name])} g {word}" for name, word in zip(FIGURES[1:], HEADINGS[1:], strict=True))
    return ", ".join((f"{figure(figures['energy_kcal'])} kcal", *grams))


def figure(value: Any) -> str:
    """Write a figure that may not be known."""
    return "" if value is None else f"{value:,.0f}"
