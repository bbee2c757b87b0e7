"""What an answer says of a record beside what the record holds."""

from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from apex_server.resources.provenance import ConflictView, ContributionView
from apex_server.resources.reading import KnownRecord
from apex_sync.coaching.workout_view import ValueProblem

__all__ = ["placed", "record_view", "view_of_model"]

View = TypeVar("View", bound=Struct)

PLACE: dict[str, tuple[Any, ...]] = {
    "id": (str,),
    "athlete_id": (str | None, None),
    "created_at": (str | None, None),
    "updated_at": (datetime | None, None),
    "synced_at": (datetime | None, None),
    "needs_review": (bool, False),
    "problems": (list[ValueProblem], []),
    "conflicts": (list[ConflictView] | UnsetType, UNSET),
    "contributions": (list[ContributionView] | UnsetType, UNSET),
}
"""A record's place in the world: whose it is, when its newest edit was made by the clock of whoever made it, when the
server last took something in for it, and which bounds its merged values break."""


def record_view(view: type[View]) -> type[View]:
    """Give a view the fields of `PLACE` that it does not have itself; a decorator, as structs cannot be mixed."""
    fields: Any = [(name, *field) for name, field in PLACE.items() if name not in view.__struct_fields__]
    placed_view: Any = msgspec.defstruct(
        view.__name__,
        fields,
        bases=(view,),
        module=view.__module__,
        namespace={"__doc__": view.__doc__},
        kw_only=True,
        omit_defaults=False,
    )
    whole: type[View] = placed_view
    return whole


def placed(known: KnownRecord) -> dict[str, Any]:
    """Say a record's place in the world."""
    return {name: getattr(known, name) for name in ("athlete_id", "created_at", "updated_at", "synced_at")}


def view_of_model(view: type[View], known: KnownRecord) -> View:
    """Show a record in the model's own shape, in which entries stand in maps by id."""
    held = {name: getattr(known.record, name) for name in known.collection.model.__struct_fields__}
    problems = [ValueProblem(*problem) for problem in known.problems]
    place = {**placed(known), "id": known.id, "needs_review": bool(problems), "problems": problems}
    return view(**{**held, **place})
