"""What people put on a plate: which foods a meal is made of, and how much of each somebody eats.

A meal has places (something with protein, something with starch …), and a food fits a place by its category. Of the
built-in foods those that are `planned` are offered; a coach's own are all offered where their category goes [D].
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

MealKind = Literal["breakfast", "main", "snack"]
Place = Literal["protein", "starch", "fruit", "vegetable", "fat"]


class Amount(NamedTuple):
    """How many grams of a food somebody eats at once: at least, at most, and in which steps."""

    least: int
    most: int
    step: int


AMOUNTS: Mapping[str, Amount] = {
    "bread": Amount(30, 200, 10),
    "cereal": Amount(30, 150, 5),
    "cheese": Amount(20, 100, 10),
    "dairy": Amount(100, 500, 10),
    "egg": Amount(50, 250, 50),
    "fish": Amount(60, 350, 10),
    "fruit": Amount(60, 350, 10),
    "grain": Amount(60, 500, 10),
    "legume": Amount(60, 400, 10),
    "meat": Amount(60, 350, 10),
    "nut": Amount(5, 70, 5),
    "oil": Amount(3, 40, 1),
    "plant_protein": Amount(60, 400, 10),
    "potato": Amount(80, 600, 10),
    "poultry": Amount(60, 350, 10),
    "supplement": Amount(10, 70, 5),
    "vegetable": Amount(60, 350, 10),
}
"""By category; what has none here is not planned: sauces, sweets, drinks, whole dishes."""

PLACES: Mapping[MealKind, Mapping[Place, frozenset[str]]] = {
    "breakfast": {
        "protein": frozenset({"cheese", "dairy", "egg", "plant_protein", "supplement"}),
        "starch": frozenset({"bread", "cereal"}),
        "fruit": frozenset({"fruit"}),
        "fat": frozenset({"nut"}),
    },
    "main": {
        "protein": frozenset({"fish", "legume", "meat", "plant_protein", "poultry"}),
        "starch": frozenset({"grain", "potato"}),
        "vegetable": frozenset({"vegetable"}),
        "fat": frozenset({"oil"}),
    },
    "snack": {
        "protein": frozenset({"dairy", "supplement"}),
        "starch": frozenset({"cereal", "bread"}),
        "fruit": frozenset({"fruit"}),
        "fat": frozenset({"nut"}),
    },
}
"""By kind of meal: its places, and the categories that go there."""

DAYS: Mapping[int, tuple[tuple[str, MealKind, str], ...]] = {
    2: (("Lunch", "main", "12:00"), ("Dinner", "main", "19:00")),
    3: (("Breakfast", "breakfast", "07:30"), ("Lunch", "main", "12:30"), ("Dinner", "main", "19:00")),
    4: (
        ("Breakfast", "breakfast", "07:30"), ("Lunch", "main", "12:30"), ("Snack", "snack", "16:00"),
        ("Dinner", "main", "19:00"),
    ),
    5: (
        ("Breakfast", "breakfast", "07:30"), ("Morning snack", "snack", "10:00"), ("Lunch", "main", "12:30"),
        ("Afternoon snack", "snack", "16:00"), ("Dinner", "main", "19:00"),
    ),
    6: (
        ("Breakfast", "breakfast", "07:30"), ("Morning snack", "snack", "10:00"), ("Lunch", "main", "12:30"),
        ("Afternoon snack", "snack", "16:00"), ("Dinner", "main", "19:00"), ("Evening snack", "snack", "21:30"),
    ),
}  # fmt: skip
"""By the number of meals: what each is called, its kind, and when it is."""

SHARES: Mapping[MealKind, float] = {"breakfast": 1.0, "main": 1.35, "snack": 0.6}
"""How much of the day's energy a meal has, one against the other [D]."""
