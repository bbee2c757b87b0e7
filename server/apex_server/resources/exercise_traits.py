"""What is known of the exercises in somebody's logs: by the built-in library, and by the coaches they read."""

from collections import ChainMap
from collections.abc import Iterable
from functools import cache

from apex_server.db import Connection, load_queries
from apex_server.resources.reading import read_records
from apex_server.vault import Vault
from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.coaching.profile import ExerciseTraits, Library, library_of
from apex_sync.ids import Scope
from apex_sync.models import EXERCISES, Exercise

__all__ = ["library_for"]

_queries = load_queries(__package__)
_GLOBAL = Scope.parse("global").id


async def library_for(connection: Connection, vault: Vault, exercises: Iterable[str]) -> Library:
    """Give a library for exercises, by identity; a coach's own goes before a built-in one of the same name."""
    builtin = builtin_traits()
    if all(exercise.startswith("id:") and exercise in builtin for exercise in exercises):
        return builtin
    rows = await connection.fetch(_queries.list_custom_exercises, _GLOBAL)
    found = await read_records(connection, vault, EXERCISES, [(row["scope_id"], row["record_id"]) for row in rows])
    return ChainMap(library_of({known.id: known.record for known in found}), builtin)


@cache
def builtin_traits() -> dict[str, ExerciseTraits]:
    """Index what the built-in library says of each exercise."""
    return library_of({exercise.id: Exercise(**exercise.patch) for exercise in builtin_exercises()})
