"""What a day of eating adds up to, which targets it is held to, and how well it met them.

A day's score is 100 less the mean over energy, protein, carbohydrate and fat of how far each is off its target beyond a
tolerance; 30 % beyond it counts as entirely missed [D]. A day that was only half written down has no score: it says
nothing about what was eaten.
"""

import datetime
from collections.abc import Iterable, Sequence
from math import fsum
from typing import Any

from msgspec import Struct

from apex_sync.coaching.leaves import day, live_entries, number
from apex_sync.coaching.weeks import WINDOW_DAYS, days_between
from apex_sync.collection import Record

ENERGY_TOLERANCE, MACRO_TOLERANCE = 0.05, 0.10
MISSED_SHARE = 0.30
"""Within its tolerance a target is met; this share of it further away, it is missed altogether [D]."""

MEALS_MIN = 2
LOGGED_ENERGY_SHARE_MIN = 0.5
"""A day with fewer meals, or less than this share of the energy asked for, was not written down to its end [D]."""

ENERGY_KCAL_MAX, GRAMS_MAX = 50_000.0, 10_000.0
"""The bounds of one portion; what is beyond them counts as not said."""


class Macros(Struct, frozen=True, kw_only=True):
    """Energy and macronutrients; None where nobody said."""

    energy_kcal: float | None = None
    protein_g: float | None = None
    carbs_g: float | None = None
    fat_g: float | None = None
    fiber_g: float | None = None


class Portion(Struct, frozen=True, kw_only=True):
    """One food that was eaten, as it stands in the log; `meal_key` is empty where it is of no known meal."""

    key: str
    meal_key: str
    entry: Any


class MealTotals(Struct, frozen=True, kw_only=True):
    """What one meal adds up to; `key` is empty for foods of no meal."""

    key: str
    foods: int
    macros: Macros


class DayTotals(Struct, frozen=True, kw_only=True):
    """What a day adds up to, and from how many meals with food and how many foods."""

    meals: int = 0
    foods: int = 0
    macros: Macros = Macros()


class DayScore(Struct, frozen=True, kw_only=True):
    """How well a day met its targets, 0 to 100; None where there is none, or the day is `incomplete`."""

    percent: float | None
    incomplete: bool


class NutritionAdherence(Struct, frozen=True, kw_only=True):
    """The mean score of the days that have one, with how many those are and how many were incomplete."""

    percent: float | None
    days: int
    incomplete_days: int


def portions(log: Record) -> list[Portion]:
    """List what was eaten, meal by meal in the reader's order; foods of a deleted meal are left out.

    Foods of no known meal come last.
    """
    meals = getattr(log, "meals", None)
    known = meals if isinstance(meals, dict) else {}
    places = {key: place for place, (key, _) in enumerate(live_entries(known))}
    found = []
    for key, entry in live_entries(getattr(log, "foods", None)):
        meal = getattr(entry, "meal", None)
        home = meal if isinstance(meal, str) and meal in known else ""
        if not home or home in places:
            found.append(Portion(key=key, meal_key=home, entry=entry))
    return sorted(found, key=lambda portion: places.get(portion.meal_key, len(places)))


def meal_totals(log: Record) -> list[MealTotals]:
    """Add up each meal that holds food, in the order of `portions`."""
    by_meal: dict[str, list[Any]] = {}
    for portion in portions(log):
        by_meal.setdefault(portion.meal_key, []).append(portion.entry)
    return [MealTotals(key=key, foods=len(entries), macros=_sum(entries)) for key, entries in by_meal.items()]


def day_totals(log: Record) -> DayTotals:
    """Add up a nutrition log; total for any record, and the same whatever the order of its entries."""
    eaten = portions(log)
    return DayTotals(
        meals=len({portion.meal_key for portion in eaten}),
        foods=len(eaten),
        macros=_sum([portion.entry for portion in eaten]),
    )


def target_macros(targets: Record) -> Macros:
    """Read what a record of targets asks for."""
    return _sum([targets])


def targets_on(targets: Iterable[tuple[str, Record]], on: datetime.date) -> tuple[str, Record] | None:
    """Give the targets in force on a day, by id: those that began last."""
    begun = [
        (start, id_, record)
        for id_, record in targets
        if (start := day(getattr(record, "start_date", None))) is not None
        and start <= on
        and getattr(record, "deleted", None) is not True
    ]
    if not begun:
        return None
    _, id_, record = max(begun, key=lambda each: each[:2])
    return id_, record


def day_score(eaten: DayTotals, asked: Macros) -> DayScore:
    """Score a day against its targets.

    Protein over its target costs nothing. A target of nothing, and a nutrient that no food names, are left out.

    >>> asked = Macros(energy_kcal=2000, protein_g=150, carbs_g=200, fat_g=60)
    >>> eaten = Macros(energy_kcal=2000, protein_g=180, carbs_g=200, fat_g=75)
    >>> day_score(DayTotals(meals=3, foods=9, macros=eaten), asked).percent
    87.5
    """
    if _is_incomplete(eaten, asked):
        return DayScore(percent=None, incomplete=True)
    misses = macro_misses(eaten.macros, asked).values()
    return DayScore(percent=100.0 - fsum(misses) / len(misses) if misses else None, incomplete=False)


def macro_misses(eaten: Macros, asked: Macros) -> dict[str, float]:
    """Say by nutrient how far an amount is off its target: 0 within the tolerance, 100 where it is missed altogether.

    >>> macro_misses(Macros(energy_kcal=2000, fat_g=75), Macros(energy_kcal=2000, protein_g=150, fat_g=60))
    {'energy_kcal': 0.0, 'fat_g': 50.0}
    """
    return {
        name: _miss(actual, target, tolerance, over_is_fine=over_is_fine)
        for name, actual, target, tolerance, over_is_fine in (
            ("energy_kcal", eaten.energy_kcal, asked.energy_kcal, ENERGY_TOLERANCE, False),
            ("protein_g", eaten.protein_g, asked.protein_g, MACRO_TOLERANCE, True),
            ("carbs_g", eaten.carbs_g, asked.carbs_g, MACRO_TOLERANCE, False),
            ("fat_g", eaten.fat_g, asked.fat_g, MACRO_TOLERANCE, False),
        )
        if actual is not None and target
    }


def nutrition_adherence(
    eaten: Iterable[tuple[datetime.date, DayTotals]],
    asked: Sequence[tuple[datetime.date, Macros]],
    *,
    as_of: datetime.date,
    window_days: int = WINDOW_DAYS,
) -> NutritionAdherence:
    """State how well the days up to `as_of`, that day included, met what was in force on each.

    `eaten` is what days add up to, `asked` what was asked for since when, the earliest first.
    """
    scores = []
    for on, totals in eaten:
        in_force = [macros for start, macros in asked if start <= on]
        if in_force and 0 <= days_between(on, as_of) < window_days:
            scores.append(day_score(totals, in_force[-1]))
    percents = [score.percent for score in scores if score.percent is not None]
    return NutritionAdherence(
        percent=fsum(percents) / len(percents) if percents else None,
        days=len(percents),
        incomplete_days=sum(score.incomplete for score in scores),
    )


def _sum(entries: Sequence[Any]) -> Macros:
    return Macros(
        energy_kcal=_sum_of(entries, "energy_kcal", ENERGY_KCAL_MAX),
        protein_g=_sum_of(entries, "protein_g", GRAMS_MAX),
        carbs_g=_sum_of(entries, "carbs_g", GRAMS_MAX),
        fat_g=_sum_of(entries, "fat_g", GRAMS_MAX),
        fiber_g=_sum_of(entries, "fiber_g", GRAMS_MAX),
    )


def _sum_of(entries: Sequence[Any], name: str, most: float) -> float | None:
    said = [value for entry in entries if (value := number(getattr(entry, name, None), 0.0, most)) is not None]
    return fsum(said) + 0.0 if said else None


def _is_incomplete(eaten: DayTotals, asked: Macros) -> bool:
    energy_kcal = eaten.macros.energy_kcal
    if eaten.meals < MEALS_MIN:
        return True
    return bool(asked.energy_kcal) and (energy_kcal or 0.0) < LOGGED_ENERGY_SHARE_MIN * (asked.energy_kcal or 0.0)


def _miss(actual: float, target: float, tolerance: float, *, over_is_fine: bool) -> float:
    """Give how far an amount is off its target: 0 within the tolerance, 100 where it is missed altogether."""
    if over_is_fine and actual >= target:
        return 0.0
    beyond = abs(actual - target) / target - tolerance
    return min(100.0, 100.0 * max(0.0, beyond) / MISSED_SHARE)
