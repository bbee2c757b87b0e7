"""What the replica's search reads of exercises."""

from apex_client.library_searching import Library, listed
from apex_client.local import LocalReplica
from apex_client.views import Snapshot
from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.coaching.exercise_search import SearchedExercise, is_asked_for, searched_exercise
from apex_sync.coaching.names import name_key


def _read(
    name: str | None, aliases: str | None, muscle: str | None, secondary: str | None, equipment: str | None
) -> SearchedExercise:
    return SearchedExercise((name or "", *listed(aliases)), (muscle or "", *listed(secondary)), listed(equipment))


EXERCISE_LIBRARY = Library(
    "exercises",
    "exercise_rows",
    ("name", "aliases", "muscle_group", "secondary_muscles", "equipment"),
    _read,
    builtin_exercises,
    searched_exercise,
)


def found(local: LocalReplica, text: str, *, muscle: str | None, equipment: str | None, limit: int) -> list[Snapshot]:
    """Find exercises, the best match first."""

    def fits(searched: SearchedExercise) -> bool:
        return is_asked_for(searched, muscle=muscle or None, equipment=equipment or None)

    return EXERCISE_LIBRARY.found(local, text, fits=fits if muscle or equipment else None, limit=limit)


def names_by_key(local: LocalReplica) -> dict[str, str]:
    """Give what every exercise is called, by the key of each of its names."""
    return {
        name_key(name): searched.names[0]
        for _, searched in EXERCISE_LIBRARY.candidates(local, "")
        for name in searched.names
    }
