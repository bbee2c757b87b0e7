"""Planning meals on the replica; takes the local replica and is run in its thread. Loaded by the first plan."""

from datetime import date

from apex_client import listing
from apex_client.local import LocalReplica
from apex_client.views import Snapshot
from apex_sync.coaching.meal_planning import (
    MealWishes,
    PlanFood,
    builtin_plan_foods,
    meal_plan_patch,
    plan_days,
    plan_food,
)
from apex_sync.coaching.nutrition import Macros, target_macros, targets_on
from apex_sync.errors import FieldProblem, OutOfBounds
from apex_sync.models import FOODS, MEAL_PLANS, NUTRITION_TARGETS

OWN_FOODS_MAX = 500
"""Of coaches and the athlete that meals are planned with, the most recently changed; as many as the server takes."""

FOODS_MAX = 20_000
TARGETS_MAX = 200


def plan_meals(
    local: LocalReplica, scope: str | None, targets: Macros | None, wishes: MealWishes, *, name: str, today: str
) -> Snapshot:
    """Plan meals and keep them as a draft. Raises TargetsUnmet, and OutOfBounds where nobody set targets."""
    home = scope or local.own_scope(MEAL_PLANS.name)
    asked = targets or _targets_in_force(local, home, date.fromisoformat(today))
    days = plan_days([*builtin_plan_foods(), *_own_foods(local, home)], asked, wishes)
    return local.create(MEAL_PLANS.name, home, meal_plan_patch(days, name=name))


def _targets_in_force(local: LocalReplica, home: str, on: date) -> Macros:
    held = listing.recently_changed(local, NUTRITION_TARGETS.name, home, limit=TARGETS_MAX)
    in_force = targets_on([(one.record_id, NUTRITION_TARGETS.read(one.state)[0]) for one in held], on)
    targets = Macros() if in_force is None else target_macros(in_force[1])
    if not targets.energy_kcal:
        raise OutOfBounds(MEAL_PLANS.name, FieldProblem("targets", "Expected targets: nobody has set any yet"))
    return targets


def _own_foods(local: LocalReplica, home: str) -> list[PlanFood]:
    """Read what coaches added, and the athlete for whom it is planned."""
    held = listing.recently_changed(local, FOODS.name, None, limit=FOODS_MAX)
    own = [one for one in held if one.scope == home or one.scope.startswith("library:")][:OWN_FOODS_MAX]
    return [food for one in own if (food := plan_food(one.record_id, FOODS.read(one.state)[0])) is not None]
