"""The endpoints of exercises, `/api/exercises`: the built-in library, and what coaches add for their athletes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from litestar.params import QueryParameter

from apex_server.caller import Caller
from apex_server.db import Connection, load_queries
from apex_server.exercises.examples import EXERCISE
from apex_server.exercises.payloads import ExerciseResource, ExercisesPage, NewExercise, show_exercises
from apex_server.exercises.search import search_exercises
from apex_server.resources import (
    Asked,
    KnownRecord,
    NameMark,
    RecordController,
    RecordKind,
)
from apex_server.resources.requests import NO_NUL
from apex_server.sync.sealing import LIBRARY_MUSCLE, LIBRARY_NAME, DocumentSeal, seals_of_scopes
from apex_server.vault import Vault
from apex_sync.coaching.drafts import model_patch
from apex_sync.ids import library_scope
from apex_sync.models import EXERCISES, Exercise

__all__ = ["exercise_routes"]

_queries = load_queries(__package__)


@dataclass(frozen=True)
class ExerciseFilters:
    """Which exercises are listed."""

    q: Annotated[
        str | None, QueryParameter(max_length=200, pattern=NO_NUL, description="Part of the name, or a muscle.")
    ] = None


class _Listed(NamedTuple):
    """An exercise as far as a list is about it: whose it is, and its place in the list."""

    scope_id: UUID
    name: str
    record_id: UUID


class ExercisesController(RecordController):
    """The library as the caller sees it."""

    path = "/api/exercises"
    tags = ("exercises",)
    request_max_body_size = 128 * 1024  # Instructions of 10,000 characters and a hundred cues.
    kind = RecordKind(EXERCISES, "exercise", partial(model_patch, known=frozenset(ExerciseResource.__struct_fields__)))
    view, page, new, draft = ExerciseResource, ExercisesPage, NewExercise, Exercise
    examples = (EXERCISE, EXERCISE)
    filters = ExerciseFilters
    list_query, sorted_by, mark = _queries.list_exercises, "name", NameMark
    made_by = ("coach",)

    def scope_of_new(self, caller: Caller, draft: Mapping[str, Any]) -> str:
        """Add an exercise to the coach's library, which their athletes see."""
        return library_scope(str(caller.user_id))

    async def rows(
        self, connection: Connection, vault: Vault, filters: tuple[Any, ...], asked: Asked
    ) -> Sequence[Sequence[Any]]:
        """Find a page by opening every name, as they are sealed: a library has some thousands."""
        [q] = filters
        rows = await connection.fetch(self.list_query)
        seals = await seals_of_scopes(connection, vault, [row["scope"] for row in rows])
        found = (
            _Listed(row["scope_id"], seal.open_name(row["name"], LIBRARY_NAME) or "", row["record_id"])
            for row in rows
            if (seal := seals.get(row["scope"])) is not None and _is_asked_for(row, seal, q)
        )
        listed = sorted(found, key=_place, reverse=asked.backwards)
        if asked.after is not None:
            mark = self.mark.key(asked.after)
            listed = [one for one in listed if (_place(one) < mark if asked.backwards else _place(one) > mark)]
        return listed[: asked.limit + 1]

    async def show(
        self, connection: Connection, vault: Vault, found: Sequence[KnownRecord], include: Collection[str]
    ) -> list[ExerciseResource]:
        """Show exercises."""
        return show_exercises(found)


exercise_routes = (ExercisesController, search_exercises)


def _place(listed: _Listed) -> tuple[str, UUID]:
    return listed.name, listed.record_id


def _is_asked_for(row: Any, seal: DocumentSeal, q: str | None) -> bool:
    """Tell whether a search finds it."""
    if q is None:
        return True
    name, muscle = seal.open_name(row["name"], LIBRARY_NAME), seal.open_name(row["muscle_group"], LIBRARY_MUSCLE)
    return q.lower() in (name or "").lower() or q.lower() == (muscle or "").lower()
