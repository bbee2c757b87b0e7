"""Dishes by a model: it combines foods of the library and names the dish, and the rules decide whether that holds.

Nothing that a person wrote goes out, and nothing that names one: only the meals of a day, and for each place the names
of built-in foods, which the rules have chosen already. Targets and portions stay here; a diet, and what somebody leaves
out, show in what is not offered, and are consented to with the text that says so. An answer is kept like a wording is,
so the same request gives the same plan.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import anyio
import msgspec
from msgspec import Meta, Struct

from apex_server.ai.asking import BoundedModel, Question
from apex_sync.coaching.dish_planning import (
    DISH_LENGTH_MAX,
    OfferedMeal,
    ProposedDish,
    RefusedDishes,
    offered_meals,
    plan_of_dishes,
)
from apex_sync.coaching.finding import canonical_json
from apex_sync.coaching.meal_planning import DAYS_MAX, MealWishes, PlannedDay, builtin_plan_foods
from apex_sync.coaching.nutrition import Macros

__all__ = ["plan_with_dishes"]

PROMPT_VERSION = "1"

INSTRUCTIONS = f"""\
You combine foods into dishes that people like to eat. The JSON document lists the meals of a day, and for each meal \
its places (protein, starch, vegetable …) with the foods that may go there. It gives the number of days, too.

How to answer:
- For every day every meal, in the order of the document: the name of the dish and the ids of its foods.
- Choose at most one food for each place of that meal, by its id, and only of those that are listed for the meal. Fill \
every place but at most one; meals without a source of protein cannot be used.
- Choose what goes together in one dish, and vary the dishes over the days.
- Name the dish in at most {DISH_LENGTH_MAX} characters by its foods and how they are served: "Salmon with rice and \
broccoli". No amounts, no promises about health, no other words."""


class DishReply(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole answer; decoding holds it to its bounds, whatever the provider promised."""

    days: Annotated[list[Annotated[list[ProposedDish], Meta(max_length=6)]], Meta(min_length=1, max_length=DAYS_MAX)]


async def plan_with_dishes(
    model: BoundedModel, targets: Macros, wishes: MealWishes, *, coach_id: UUID, athlete_id: UUID
) -> list[PlannedDay]:
    """Plan days of dishes that the model combines. Raises Unanswered, DatabaseUnavailable."""
    offered = await anyio.to_thread.run_sync(offered_meals, builtin_plan_foods(), wishes)
    labels = labels_of(offered)
    document = question(offered, labels, wishes.days)
    # What was judged by other targets is no answer to these; they are in the key, which goes nowhere.
    key = hashlib.sha256(canonical_json([PROMPT_VERSION, model.name, msgspec.to_builtins(targets)]) + document).digest()
    foods = {label: food_id for food_id, label in labels.items()}
    judge = partial(judged, foods, offered, targets, wishes)
    if (kept := await model.ledger.text(key)) is not None:
        again, _ = await judge(kept.decode())
        if again is not None:
            return again
    days, content = await model.ask(Question(coach_id, INSTRUCTIONS, document, reply_schema()), judge)
    await model.ledger.keep(key, athlete_id, content.encode())
    return days


def labels_of(offered: Sequence[OfferedMeal]) -> dict[str, str]:
    """Give each food a short label, `F1` and so on, by its id."""
    ids = dict.fromkeys(food.id for meal in offered for foods in meal.places.values() for food in foods)
    return {food_id: f"F{number}" for number, food_id in enumerate(ids, 1)}


def question(offered: Sequence[OfferedMeal], labels: Mapping[str, str], days: int) -> bytes:
    """Write the document of a question."""
    meals = [
        {
            "meal": meal.name,
            "places": {
                place: [{"id": labels[food.id], "name": food.names[0]} for food in foods]
                for place, foods in meal.places.items()
            },
        }
        for meal in offered
    ]
    return canonical_json({"kind": "dishes", "days": days, "meals": meals})


async def judged(
    foods: Mapping[str, str], offered: Sequence[OfferedMeal], targets: Macros, wishes: MealWishes, content: str
) -> tuple[list[PlannedDay] | None, list[str]]:
    """Read an answer and hold it to the rules; fitting portions takes 20 ms a day, off the event loop."""
    try:
        reply = msgspec.json.decode(content, type=DishReply, strict=True)
    except (msgspec.DecodeError, RecursionError) as error:
        return None, [f"not of the asked form: {str(error)[:200]}"]
    proposed = [
        [msgspec.structs.replace(dish, foods=[foods.get(label, label) for label in dish.foods]) for dish in day]
        for day in reply.days
    ]
    try:
        return await anyio.to_thread.run_sync(plan_of_dishes, proposed, offered, targets, wishes), []
    except RefusedDishes as refused:
        return None, refused.problems


def reply_schema() -> dict[str, Any]:
    """Give the JSON Schema of an answer in the strict form that providers take."""
    foods = {"type": "array", "items": {"type": "string"}}
    dish = {
        "type": "object",
        "additionalProperties": False,
        "required": ["dish", "foods"],
        "properties": {"dish": {"type": "string"}, "foods": foods},
    }
    days = {"type": "array", "items": {"type": "array", "items": dish}}
    return {"type": "object", "additionalProperties": False, "required": ["days"], "properties": {"days": days}}
