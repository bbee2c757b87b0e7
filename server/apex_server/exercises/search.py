"""`GET /api/exercises/search`: the built-in exercises and the caller's own, by name, muscle and equipment."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Struct

from apex_server.caller import Caller
from apex_server.db import Database
from apex_server.exercises.payloads import ExerciseResource, show_exercises
from apex_server.problems import problem_responses
from apex_server.resources.library import FOUND_DEFAULT, Library, NameAskedFor
from apex_server.resources.requests import NO_NUL, READ_REFUSALS, Limit
from apex_sync.coaching.exercise_search import SearchedExercise, is_asked_for
from apex_sync.coaching.name_search import QUERY_LENGTH_MAX
from apex_sync.models import EXERCISES

__all__ = ["LIBRARY", "ExercisesFound", "search_exercises"]

LIBRARY = Library(EXERCISES, SearchedExercise)


class ExercisesFound(Struct):
    """What a search found, the best first."""

    exercises: list[ExerciseResource]


@get("/api/exercises/search", tags=["exercises"], responses=problem_responses(*READ_REFUSALS))
async def search_exercises(
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    q: NameAskedFor = None,
    muscle: Annotated[
        str | None,
        QueryParameter(
            max_length=QUERY_LENGTH_MAX, pattern=NO_NUL, description="A muscle it trains, `lats` or `back`."
        ),
    ] = None,
    equipment: Annotated[
        str | None, QueryParameter(max_length=QUERY_LENGTH_MAX, pattern=NO_NUL, description="What it needs, `cable`.")
    ] = None,
    limit: Limit = FOUND_DEFAULT,
) -> ExercisesFound:
    """Search exercises by name, muscle and equipment, the best match first; without `q`, all that fit, by name."""

    def fits(searched: SearchedExercise) -> bool:
        return is_asked_for(searched, muscle=muscle or None, equipment=equipment or None)

    async with database.request(caller.user_id) as connection:
        found = await LIBRARY.search(
            connection, database.vault, q, fits=fits if muscle or equipment else None, limit=limit
        )
    return ExercisesFound(show_exercises(found))
