"""Meals of a plan that were eaten: which meal a name means, and what of it goes into the log of the day.

A meal that is logged has keys that follow from its plan, so two devices that log it without having heard of each other
log it once. What was logged is the day's own: a plan that is changed later rewrites no day.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from apex_sync.coaching.leaves import live_entries, shown, text
from apex_sync.coaching.names import name_key
from apex_sync.collection import Record
from apex_sync.errors import FieldProblem, OutOfBounds
from apex_sync.ids import derived_id, entry_key_from
from apex_sync.models.nutrition import Portion
from apex_sync.op import Patch
from apex_sync.order import order_between

NAMED_MAX = 20
"""Meals that a refusal lists; a week of three a day is 21."""

KEY_BYTES = 5

OWN_FIELDS = frozenset({"meal", "order", "deleted"})
"""What places a portion in its plan, and is another in a log."""

COPIED = tuple(name for name in Portion.__struct_fields__ if name not in OWN_FIELDS)


class MealOfDay(NamedTuple):
    """One meal of a plan: its key, and its name with that of its day."""

    key: str
    day: str
    name: str

    @property
    def label(self) -> str:
        """What tells it from every other meal: `Rest day/Breakfast`."""
        return f"{self.day}/{self.name}" if self.day else self.name


def meals_of_plan(plan: Record) -> list[MealOfDay]:
    """List the meals of a plan in the reader's order; those of no day come last, those of a deleted day not at all."""
    all_days = getattr(plan, "days", None)
    known = all_days if isinstance(all_days, dict) else {}
    places = {
        key: (place, text(getattr(day, "name", None)) or "") for place, (key, day) in enumerate(live_entries(known))
    }
    last = (len(places), "")
    found = []
    for key, meal in live_entries(getattr(plan, "meals", None)):
        day = getattr(meal, "day", None)
        home = day if isinstance(day, str) and day in known else None
        if home is None or home in places:
            place, day_name = last if home is None else places[home]
            found.append((place, MealOfDay(key, day_name, text(getattr(meal, "name", None)) or "")))
    return [meal for _, meal in sorted(found, key=lambda each: each[0])]


def meant_meal(plan: Record, named: str) -> str:
    """Give the key of the meal that is meant: by its key, its name, or that with its day's before it.

    Raises OutOfBounds with the meals there are, where none or several are called so.
    """
    meals = meals_of_plan(plan)
    if any(meal.key == named for meal in meals):
        return named
    wanted = name_key(named)
    called = [meal for meal in meals if wanted in {name_key(meal.name), name_key(meal.label)} and wanted]
    if len(called) == 1:
        return called[0].key
    choices = ", ".join(meal.label or meal.key for meal in (called or meals)[:NAMED_MAX])
    said = f"Expected one of {choices}" if choices else "Expected a plan with meals"
    raise OutOfBounds("meal_plans", FieldProblem("meal", said))


def eaten_meal(plan_id: str, plan: Record, meal_key: str, log: Record, *, is_built_in: Callable[[str], bool]) -> Patch:
    """Give what logs a meal of a plan, or nothing where some of it is in the log of the day already.

    It goes into the meal of that name, or makes the last one. `is_built_in` tells of a food's id whether everybody
    has it. Raises OutOfBounds for a meal with nothing to eat.
    """
    planned = {
        _key(plan_id, food_key): food
        for food_key, food in live_entries(getattr(plan, "foods", None))
        if getattr(food, "meal", None) == meal_key
    }
    if not planned:
        raise OutOfBounds("meal_plans", FieldProblem("meal", "Expected a meal with food in it"))
    logged = live_entries(getattr(log, "foods", None))
    if any(key in planned for key, _ in logged):
        return {}
    home, meals = _home(plan_id, plan, meal_key, log)
    before, last = _held(log, "foods"), _last(logged)
    portions: Patch = {}
    for key, food in planned.items():
        last = order_between(last, None)
        portions[key] = _portion(food, is_built_in, anew=key in before) | {"meal": home, "order": last}
    return {"meals": meals, "foods": portions} if meals else {"foods": portions}


def _home(plan_id: str, plan: Record, meal_key: str, log: Record) -> tuple[str, Patch]:
    """Give the meal of a log that a planned one goes into, and what is to be written of it."""
    planned = _held(plan, "meals").get(meal_key)
    name, key = text(getattr(planned, "name", None)), _key(plan_id, meal_key)
    meals = live_entries(getattr(log, "meals", None))
    found = [own for own, _ in meals if own == key] or [
        own for own, meal in meals if name and name_key(text(getattr(meal, "name", None)) or "") == name_key(name)
    ]
    if found:
        plan_before = shown(getattr(dict(meals)[found[0]], "meal_plan_id", None))
        return found[0], {} if plan_before else {found[0]: {"meal_plan_id": plan_id}}
    new: Patch = {"name": name, "order": order_between(_last(meals), None), "meal_plan_id": plan_id}
    return key, {key: new | ({"deleted": False} if key in _held(log, "meals") else {})}


def _portion(food: Any, is_built_in: Callable[[str], bool], *, anew: bool) -> Patch:
    """Give a planned portion as a food that was eaten; `anew` leaves nothing of one that was logged and taken back."""
    copied = {name: shown(getattr(food, name, None)) for name in COPIED}
    food_id = copied["food_id"]
    known = food_id is not None and is_built_in(food_id)
    held = copied if anew else {name: value for name, value in copied.items() if value is not None}
    return {**held, "source": "database" if known else "custom", **({"deleted": False} if anew else {})}


def _held(record: Record, name: str) -> dict[str, Any]:
    entries = getattr(record, name, None)
    return entries if isinstance(entries, dict) else {}


def _last(entries: Sequence[tuple[str, Any]]) -> str | None:
    return max((shown(getattr(entry, "order", None)) or "" for _, entry in entries), default="") or None


def _key(plan_id: str, planned_key: str) -> str:
    """Give the key that an entry of a plan has in every log."""
    return entry_key_from(UUID(derived_id("eaten", plan_id, planned_key)).bytes[:KEY_BYTES])
