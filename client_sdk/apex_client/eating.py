"""Logging foods on the replica; takes the local replica and is run in its thread."""

from collections.abc import Mapping
from typing import Any

from apex_client.local import LocalReplica
from apex_client.views import Snapshot, live_entries
from apex_sync.coaching.names import name_key
from apex_sync.coaching.portions import portion_of
from apex_sync.models import FOODS, NUTRITION_LOGS
from apex_sync.models.nutrition import nutrition_log_id
from apex_sync.op import Patch
from apex_sync.order import order_between


def log_food(
    local: LocalReplica,
    scope: str | None,
    food: Snapshot,
    quantity: float,
    unit: str,
    *,
    meal: str | None,
    day: str,
    keys: tuple[str, str],
) -> Snapshot:
    """Add so much of a food to the log of a day, in the meal of that name; `keys` are for a new meal and the food.

    Raises OutOfBounds, AthleteNeeded.
    """
    source = "database" if food.scope == "global" else "custom"
    portion = portion_of(food.record_id, FOODS.read(food.state)[0], quantity, unit)
    home = scope or local.own_scope(NUTRITION_LOGS.name)
    held = local.store.one(home, nutrition_log_id(home.rpartition(":")[2], day))
    state: Mapping[str, Any] = {} if held is None else held.state
    meal_key, meals = _meal(state, meal, keys[0])
    last = max((entry.get("order") or "" for _, entry in live_entries(state.get("foods"))), default="")
    entry = {**portion, "source": source, "order": order_between(last or None, None)}
    if meal_key is not None:
        entry["meal"] = meal_key
    return local.create(NUTRITION_LOGS.name, home, {"date": day, **meals, "foods": {keys[1]: entry}})


def _meal(state: Mapping[str, Any], name: str | None, new_key: str) -> tuple[str | None, Patch]:
    """Find the meal of a name in a log, or make it the last one."""
    if name is None:
        return None, {}
    meals = live_entries(state.get("meals"))
    known = next((key for key, entry in meals if name_key(entry.get("name") or "") == name_key(name)), None)
    if known is not None:
        return known, {}
    last = max((entry.get("order") or "" for _, entry in meals), default="")
    return new_key, {"meals": {new_key: {"name": name, "order": order_between(last or None, None)}}}
