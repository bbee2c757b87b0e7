"""What food a typed name means: one that only resembles the library's is asked back before it is logged."""

from typing import TYPE_CHECKING, Any

from apex_client.cli.failures import CommandFailed
from apex_client.cli.nearest_names import OFFERED, picked
from apex_sync.coaching.names import name_key

if TYPE_CHECKING:
    from apex_client.blocking import Replica
    from apex_client.blocking.records import Record

LOOKED_AT = 50
"""Kinds of one food that begin alike, `Milk, …`: the library has a dozen."""


def meant_food(replica: "Replica", typed: str) -> "Record[Any]":
    """Give the food that a name means for sure, or the one that the person picks. Raises CommandFailed.

    Sure is a name of one food alone, or what stands before the comma in one alone: `rolled oats`.
    """
    near = replica.foods.search(typed, limit=LOOKED_AT)
    called = _narrowed(replica.foods.named(typed), typed) or [food for food in near if _begins(food, typed)]
    names = list(dict.fromkeys(str(food.get("name") or "?") for food in [*called, *near]))[:OFFERED]
    if called and len({food.get("name") for food in called}) == 1:
        return called[0]
    if not names:
        raise CommandFailed("nothing like that is in the library; apex food search finds it by other words")
    wanted = picked(typed, names, as_it_is=False)
    return next(food for food in [*called, *near] if str(food.get("name") or "?") == wanted)


def _narrowed(named: "list[Record[Any]]", typed: str) -> "list[Record[Any]]":
    """Leave of several foods with a name those whose own it is, and of these the coach's."""
    own = [food for food in named if name_key(str(food.get("name"))) == name_key(typed)] or named
    return [food for food in own if food.scope != "global"] or own


def _begins(food: "Record[Any]", typed: str) -> bool:
    head, comma, _ = str(food.get("name")).partition(",")
    return bool(comma) and name_key(head) == name_key(typed)
