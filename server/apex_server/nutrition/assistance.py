"""A model's help with a plan of meals: asked for on terms, and never needed."""

from typing import NamedTuple
from uuid import UUID

from apex_server.ai.asking import BoundedModel, Unanswered
from apex_server.ai.dishes import plan_with_dishes
from apex_server.caller import Caller
from apex_server.consent_texts import VERSIONS_NAMING_MEALS
from apex_server.db import Database, load_queries
from apex_sync.coaching.meal_planning import MealWishes, PlannedDay
from apex_sync.coaching.nutrition import Macros

__all__ = ["Assisted", "assisted_days"]

_queries = load_queries(__package__)


class Assisted(NamedTuple):
    """Days of meals, and whether a model combined the dishes: `given`, or why not."""

    days: list[PlannedDay]
    assistance: str


async def assisted_days(
    by_rules: list[PlannedDay],
    model: BoundedModel | None,
    database: Database,
    caller: Caller,
    athlete_id: UUID,
    targets: Macros,
    wishes: MealWishes,
) -> Assisted:
    """Give the model's days, or those of the rules where there is no model, no consent, or no answer that holds.

    Whoever calls has shown that they may plan for the athlete. Raises DatabaseUnavailable.
    """
    if model is None:
        return Assisted(by_rules, "no_model")
    if caller.role != "coach":  # Whoever asks pays: an athlete's questions would drain their coach's day.
        return Assisted(by_rules, "coaches_only")
    async with database.commit_connection() as connection:
        consented = await connection.fetchval(_queries.may_model_hear, athlete_id, list(VERSIONS_NAMING_MEALS))
    if not consented:
        return Assisted(by_rules, "no_consent")
    try:
        days = await plan_with_dishes(model, targets, wishes, coach_id=caller.user_id, athlete_id=athlete_id)
    except Unanswered as unanswered:
        return Assisted(by_rules, unanswered.outcome)
    return Assisted(days, "given")
