"""`GET /api/exercises/search`: the built-in library and the caller's own, in one order, with room for typing errors.

Postgres brings what resembles the query from the built-in library, by trigrams; exercises of coaches are sealed, so
they are opened here and looked through one by one. Both are put in order by `apex_sync.coaching.exercise_search`, as on
a device.
"""

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Struct

from apex_server.caller import Caller
from apex_server.db import Connection, Database, load_queries
from apex_server.exercises.payloads import ExerciseResource, show_exercises
from apex_server.problems import problem_responses
from apex_server.resources import read_records
from apex_server.resources.requests import NO_NUL, READ_REFUSALS, Limit
from apex_server.sync.sealing import LIBRARY_SEARCHED, DocumentSeal, seals_of_scopes
from apex_sync.coaching.exercise_names import name_words
from apex_sync.coaching.exercise_search import QUERY_LENGTH_MAX, Searched, is_asked_for, ranked
from apex_sync.models import EXERCISES

__all__ = ["ExercisesFound", "search_exercises"]

FOUND_DEFAULT = 20
"""A screen of a phone."""

_queries = load_queries(__package__)
_searched = msgspec.json.Decoder(Searched)


class ExercisesFound(Struct):
    """What a search found, the best first."""

    exercises: list[ExerciseResource]


@get("/api/exercises/search", tags=["exercises"], responses=problem_responses(*READ_REFUSALS))
async def search_exercises(
    caller: NamedDependency[Caller],
    database: NamedDependency[Database],
    q: Annotated[
        str | None,
        QueryParameter(
            max_length=QUERY_LENGTH_MAX, pattern=NO_NUL, description="A name, or words of it, typed anyhow."
        ),
    ] = None,
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
    async with database.request(caller.user_id) as connection:
        rows = await _candidates(connection, q, narrowed=bool(muscle or equipment))
        seals = await seals_of_scopes(connection, database.vault, [row["scope"] for row in rows])
        fitting = [
            (number, searched)
            for number, row in enumerate(rows)
            if (seal := seals.get(row["scope"])) is not None
            and is_asked_for(searched := _opened(row, seal), muscle=muscle or None, equipment=equipment or None)
        ]
        best = [rows[number] for number in ranked(q or "", fitting, limit=limit)]
        places = [(row["scope_id"], row["record_id"]) for row in best]
        found = await read_records(connection, database.vault, EXERCISES, places)
    return ExercisesFound(show_exercises(found))


async def _candidates(connection: Connection, q: str | None, *, narrowed: bool) -> list[Any]:
    """Read what may be found: of the built-in library all where a filter is to choose from it, else what is alike."""
    words = " ".join(name_words(q or ""))
    likely: Any = (_queries.find_builtin, words) if words and not narrowed else (_queries.list_builtin,)
    return [*await connection.fetch(*likely), *await connection.fetch(_queries.list_searched)]


def _opened(row: Any, seal: DocumentSeal) -> Searched:
    return _searched.decode(seal.open_name(row["searched"], LIBRARY_SEARCHED) or "")
