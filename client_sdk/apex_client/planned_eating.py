"""Logging meals of a plan on the replica; takes the local replica and is run in its thread. Loaded by the first."""

from datetime import date
from functools import partial

from apex_client import listing
from apex_client.library_searching import GLOBAL_SCOPE
from apex_client.local import LocalReplica
from apex_client.views import Snapshot
from apex_sync.coaching.food_library import builtin_foods
from apex_sync.coaching.plan import followed_on
from apex_sync.coaching.planned_meals import eaten_meal, meant_meal
from apex_sync.errors import FieldProblem, OutOfBounds
from apex_sync.models import FOODS, MEAL_PLANS, NUTRITION_LOGS
from apex_sync.models.nutrition import nutrition_log_id

PLANS_MAX = 100
"""Looked through for what an athlete follows; years of plans are some dozens."""


def log_planned(local: LocalReplica, scope: str | None, meal: str, plan: Snapshot | None, *, day: str) -> Snapshot:
    """Add a meal of a plan to the log of a day, by its key or name; a second time changes nothing.

    Without a plan it is the one that is followed that day. Raises OutOfBounds, AthleteNeeded.
    """
    home = scope or local.own_scope(NUTRITION_LOGS.name)
    with local.store.transaction():
        meant = plan or followed_plan(local, home, day)
        if meant is None:
            raise OutOfBounds(MEAL_PLANS.name, FieldProblem("plan", f"Expected a plan: none is followed on {day}"))
        held = local.store.one(home, nutrition_log_id(home.rpartition(":")[2], day))
        planned = MEAL_PLANS.read(meant.state)[0]
        log = NUTRITION_LOGS.read({} if held is None else held.state)[0]
        is_built_in = partial(_is_built_in, local)
        eaten = eaten_meal(meant.record_id, planned, meant_meal(planned, meal), log, is_built_in=is_built_in)
        return local.create(NUTRITION_LOGS.name, home, {"date": day, **eaten})


def followed_plan(local: LocalReplica, scope: str | None, day: str) -> Snapshot | None:
    """Give the meal plan that an athlete follows on a day: of the active ones the one that started last."""
    home = scope or local.own_scope(NUTRITION_LOGS.name)
    held = {one.record_id: one for one in listing.recently_changed(local, MEAL_PLANS.name, home, limit=PLANS_MAX)}
    followed = followed_on(
        ((plan_id, MEAL_PLANS.read(one.state)[0]) for plan_id, one in held.items()), date.fromisoformat(day)
    )
    return None if followed is None else held[followed[0]]


def _is_built_in(local: LocalReplica, food_id: str) -> bool:
    """Tell whether everybody has a food, also before the first sync has brought it."""
    scopes = local.store.scopes_of(food_id, FOODS.name)
    return GLOBAL_SCOPE in scopes or (not scopes and any(food.id == food_id for food in builtin_foods()))
