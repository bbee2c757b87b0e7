"""Importing exercises into a coach's own library; what a name means already is left out."""

from typing import TYPE_CHECKING

from apex_client.exercise_searching import names_by_key
from apex_client.library_importing import LibraryImport, write_library
from apex_client.local import LocalReplica
from apex_sync.coaching.names import name_key

if TYPE_CHECKING:
    from apex_client.importers.exercise_db import ExercisePlan


def write_exercises(local: LocalReplica, plan: "ExercisePlan", library: str, *, dry_run: bool) -> LibraryImport:
    """Write what is new. Raises ForbiddenField for who is no coach."""
    names = names_by_key(local)
    return write_library(
        local,
        "exercises",
        library,
        plan.exercises,
        [*plan.skipped],
        known_as=lambda patch: names.get(name_key(patch["name"])),
        dry_run=dry_run,
    )
