"""The endpoints of exercises, `/api/exercises`: the built-in library, and what coaches add for their athletes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from litestar.params import QueryParameter

from apex_server.db import Connection
from apex_server.exercises.examples import EXERCISE, EXERCISE_PATCH
from apex_server.exercises.payloads import ExerciseResource, ExercisesPage, NewExercise, show_exercises
from apex_server.exercises.search import LIBRARY, search_exercises
from apex_server.resources import KnownRecord, RecordKind
from apex_server.resources.library import LibraryController
from apex_server.resources.requests import NO_NUL
from apex_server.vault import Vault
from apex_sync.coaching.drafts import model_patch
from apex_sync.coaching.exercise_search import SearchedExercise
from apex_sync.models import EXERCISES, Exercise

__all__ = ["exercise_routes"]


@dataclass(frozen=True)
class ExerciseFilters:
    """Which exercises are listed."""

    q: Annotated[
        str | None, QueryParameter(max_length=200, pattern=NO_NUL, description="Part of the name, or a muscle.")
    ] = None


class ExercisesController(LibraryController):
    """The library as the caller sees it."""

    path = "/api/exercises"
    tags = ("exercises",)
    request_max_body_size = 128 * 1024  # Instructions of 10,000 characters and a hundred cues.
    kind = RecordKind(EXERCISES, "exercise", partial(model_patch, known=frozenset(ExerciseResource.__struct_fields__)))
    view, page, new, draft = ExerciseResource, ExercisesPage, NewExercise, Exercise
    examples = (EXERCISE, EXERCISE, EXERCISE_PATCH)
    filters = ExerciseFilters
    library = LIBRARY

    def is_listed(self, q: str, searched: SearchedExercise) -> bool:
        """Tell whether it is called so, in part, or trains that muscle first."""
        return q.lower() in searched.names[0].lower() or q.lower() == searched.muscles[0].lower()

    async def show(
        self, connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
    ) -> list[ExerciseResource]:
        """Show exercises."""
        return show_exercises(found)


exercise_routes = (ExercisesController, search_exercises)
