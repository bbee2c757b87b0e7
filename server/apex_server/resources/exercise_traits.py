"""What is known of the exercises in somebody's logs: by the built-in library, and by the coaches they read."""

from collections import ChainMap
from collections.abc import Iterable
from functools import cache
from uuid import UUID

from apex_server.db import Connection, load_queries
from apex_server.resources.reading import read_records
from apex_server.vault import Vault
from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.coaching.profile import ExerciseTraits, Library, library_of
from apex_sync.ids import Scope
from apex_sync.models import EXERCISES, Exercise

__all__ = ["library_for"]

_queries = load_queries(__package__)
OWN_EXERCISES_MAX = 5000
"""Looked through for a name, as on a device: the built-in library eight times over. Ids are looked up beyond it."""

_GLOBAL = Scope.parse("global").id


async def library_for(connection: Connection, vault: Vault, exercises: Iterable[str]) -> Library:
    """Give a library for exercises, by identity; a coach's own goes before a built-in one of the same name."""
    builtin = builtin_traits()
    others = [exercise for exercise in exercises if not (exercise.startswith("id:") and exercise in builtin)]
    if not others:
        return builtin
    meant = [exercise_id for exercise in others if (exercise_id := _record_id(exercise)) is not None]
    is_named = any(exercise.startswith("name:") for exercise in others)
    rows = await connection.fetch(
        _queries.list_custom_exercises, _GLOBAL, meant, is_named, len(meant) + OWN_EXERCISES_MAX
    )
    found = await read_records(connection, vault, EXERCISES, [(row["scope_id"], row["record_id"]) for row in rows])
    return ChainMap(library_of({known.id: known.record for known in found}), builtin)


def _record_id(exercise: str) -> UUID | None:
    """Give the id by which an exercise is known; None for a name, and for an id of another app."""
    try:
        return UUID(exercise.removeprefix("id:"))
    except ValueError:
        return None


@cache
def builtin_traits() -> dict[str, ExerciseTraits]:
    """Index what the built-in library says of each exercise."""
    return library_of({exercise.id: Exercise(**exercise.patch) for exercise in builtin_exercises()})
