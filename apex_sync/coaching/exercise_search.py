"""What is searched of an exercise, beside its names; `name_search` ranks what is found."""

from typing import Any

from msgspec import Struct

from apex_sync.coaching.muscles import muscle_named
from apex_sync.coaching.name_search import names_of, word_of, words_of
from apex_sync.coaching.names import name_words
from apex_sync.coaching.typing_errors import is_one_error_away
from apex_sync.collection import Record


class SearchedExercise(Struct, frozen=True, array_like=True, gc=False):
    """What is searched of an exercise: its own name first among the names, its primary muscle first among muscles.

    >>> from apex_sync.coaching.name_search import likeness
    >>> bench = SearchedExercise(("Barbell Bench Press", "Bench Press"), ("chest",), ("barbell", "bench"))
    >>> likeness("press bench barbell", bench), likeness("benchpress", bench) > 0.8 > likeness("squat", bench)
    (1.0, True)
    """

    names: tuple[str, ...]
    muscles: tuple[str, ...]
    equipment: tuple[str, ...]

    @property
    def about(self) -> tuple[str, ...]:
        """Its muscles and its equipment."""
        return self.muscles + self.equipment


def searched_exercise(exercise: Record | Any) -> SearchedExercise:
    """Read what is searched of a record, as far as it can be read; total for any record."""
    muscles = (word_of(exercise, "muscle_group"), *words_of(exercise, "secondary_muscles"))
    return SearchedExercise(names_of(exercise), muscles, words_of(exercise, "equipment"))


def is_asked_for(searched: SearchedExercise, *, muscle: str | None = None, equipment: str | None = None) -> bool:
    """Say whether an exercise trains a muscle at all and needs a piece of equipment; None asks for nothing.

    >>> row = SearchedExercise(("Barbell Row",), ("upper_back", "lats"), ("barbell",))
    >>> is_asked_for(row, muscle="Back"), is_asked_for(row, muscle="lats"), is_asked_for(row, equipment="cable")
    (True, True, False)
    """
    return (muscle is None or any(_is_muscle(muscle, has) for has in searched.muscles)) and (
        equipment is None or _folded(equipment) in map(_folded, searched.equipment)
    )


def _is_muscle(asked: str, has: str) -> bool:
    return bool(has) and (
        _folded(asked) in (_folded(has), _folded(muscle_named(has) or ""))
        or _folded(has) == (muscle_named(asked) or "")
        or (muscle_named(asked) is None and is_one_error_away(_folded(asked), _folded(has)))
    )


def _folded(word: str) -> str:
    return "".join(name_words(word.replace("_", " ")))
