"""What the endpoints of exercises take and give: the model itself, with its place in the world."""

from collections.abc import Iterable
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from apex_server.resources import KnownRecord, record_view, view_of_model
from apex_sync.ids import Scope
from apex_sync.models import Exercise

__all__ = ["ExerciseResource", "ExercisesPage", "NewExercise", "show_exercises"]


class NewExercise(Exercise, kw_only=True):
    """A custom exercise for the coach's library."""

    id: UUID | UnsetType = UNSET


@record_view
class ExerciseResource(Exercise, kw_only=True):
    """One exercise; custom ones belong to a coach, the others to everybody."""

    is_custom: bool = True
    created_by: UUID | None = None
    """The coach who made it; null for a built-in one."""


class ExercisesPage(Struct):
    """Exercises by name; `next` goes into `after` for the page that follows, null on the last."""

    exercises: list[ExerciseResource]
    next: str | None


def show_exercises(found: Iterable[KnownRecord]) -> list[ExerciseResource]:
    """Show exercises in the model's own shape."""
    return [_shown(known) for known in found]


def _shown(known: KnownRecord) -> ExerciseResource:
    shown: ExerciseResource = view_of_model(ExerciseResource, known)
    shown.is_custom = known.scope != "global"
    shown.created_by = UUID(Scope.parse(known.scope).owner_id) if shown.is_custom else None
    return shown
