"""What a search for exercises finds, best first: the one ranking, on the server and on every device.

An index (Postgres' pg_trgm, SQLite's FTS5) only brings candidates; what comes before what is decided here, so everybody
sees the same order. Likeness is counted in trigrams, of the words as pg_trgm counts them and of what they are without
spaces: `benchpress`, `bench-press` and `bnech press` all share most of theirs with `Bench Press`.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeVar

from msgspec import Struct

from apex_sync.coaching.exercise_names import NAMES_REMEMBERED_MAX, name_key, name_words
from apex_sync.coaching.leaves import text, texts
from apex_sync.coaching.muscles import muscle_named
from apex_sync.collection import Record

Key = TypeVar("Key", str, int)
"""What the caller tells exercises apart by."""

QUERY_LENGTH_MAX = 200
"""As long as a name may be; what stands beyond it is not looked at."""

ALIASES_MAX = 20
"""Of one exercise that are searched; the built-in library has at most seven."""

LIKENESS_MIN = 0.4
"""Of what a search finds at least: two typing errors in a word of ten letters leave about half of its trigrams [D]."""

ALIAS_SHARE = 0.98
"""A name that people also use comes right behind one that is the exercise's own [D]."""

COVERED_SHARE = 0.5
"""How much it counts that all of the query is found, against that nothing else is there [D]."""


class Searched(Struct, frozen=True, array_like=True, gc=False):
    """What is searched of an exercise: its own name first among the names, its primary muscle first among muscles."""

    names: tuple[str, ...]
    muscles: tuple[str, ...]
    equipment: tuple[str, ...]


def searched_of(exercise: Record | Any) -> Searched:
    """Read what is searched of a record, as far as it can be read; total for any record."""
    name, muscle = text(getattr(exercise, "name", None)), text(getattr(exercise, "muscle_group", None))
    return Searched(
        ((name or "")[:QUERY_LENGTH_MAX], *_cut(getattr(exercise, "aliases", None))),
        ((muscle or "")[:QUERY_LENGTH_MAX], *_cut(getattr(exercise, "secondary_muscles", None))),
        _cut(getattr(exercise, "equipment", None)),
    )


def likeness(query: str, searched: Searched) -> float:
    """Say how well an exercise answers a query, from 0 to 1; names alone can reach 1.

    Words for its muscles and its equipment count where the name has none of theirs: `chest dumbbell`.

    >>> bench = Searched(("Barbell Bench Press", "Bench Press"), ("chest",), ("barbell", "bench"))
    >>> likeness("press bench barbell", bench), likeness("benchpress", bench) > 0.8 > likeness("squat", bench)
    (1.0, True)
    """
    asked = trigrams(query)
    if not asked:
        return 0.0
    about = _trigrams_about(searched.muscles, searched.equipment)
    best = 0.0
    for place, name in enumerate(searched.names):
        has = trigrams(name)
        shared = len(asked & has)
        covered = (shared + len((asked - has) & about)) / len(asked)
        found = (1 - COVERED_SHARE) * 2 * shared / (len(asked) + len(has)) + COVERED_SHARE * covered
        if found > LIKENESS_MIN and name_key(name) == name_key(query):
            found = 1.0
        best = max(best, found * ALIAS_SHARE if place else found)
    return best


def is_asked_for(searched: Searched, *, muscle: str | None = None, equipment: str | None = None) -> bool:
    """Say whether an exercise trains a muscle at all and needs a piece of equipment; None asks for nothing.

    >>> row = Searched(("Barbell Row",), ("upper_back", "lats"), ("barbell",))
    >>> is_asked_for(row, muscle="Back"), is_asked_for(row, muscle="lats"), is_asked_for(row, equipment="cable")
    (True, True, False)
    """
    return (muscle is None or any(_is_muscle(muscle, has) for has in searched.muscles)) and (
        equipment is None or _folded(equipment) in map(_folded, searched.equipment)
    )


def is_called(name: str, searched: Searched) -> bool:
    """Say whether a name means this exercise, and not only resembles it."""
    return name_key(name) in map(name_key, searched.names)


def ranked(query: str, exercises: Iterable[tuple[Key, Searched]], *, limit: int) -> list[Key]:
    """Give the keys of the exercises that a query finds, the best first; an empty query finds all, by name."""
    query = query[:QUERY_LENGTH_MAX]
    if not name_key(query):
        return [each for _, each in sorted((searched.names[0].casefold(), each) for each, searched in exercises)][
            :limit
        ]
    found = [
        (-how, searched.names[0].casefold(), each)
        for each, searched in exercises
        if (how := likeness(query, searched)) >= LIKENESS_MIN
    ]
    return [each for _, _, each in sorted(found)][:limit]


@lru_cache(maxsize=NAMES_REMEMBERED_MAX)
def trigrams(name: str) -> frozenset[str]:
    """Give the trigrams of a name's words, with two spaces before and one behind each, and of all of them in a row.

    >>> sorted(trigrams("T-bar"))
    ['  b', '  t', ' ba', ' t ', 'ar ', 'bar', 'tba']
    """
    words = name_words(name.replace("_", " "))
    parts = [f"  {word} " for word in words] + ["".join(words)]
    return frozenset(part[place : place + 3] for part in parts for place in range(len(part) - 2))


@lru_cache(maxsize=NAMES_REMEMBERED_MAX)
def _trigrams_about(muscles: tuple[str, ...], equipment: tuple[str, ...]) -> frozenset[str]:
    return frozenset[str]().union(*map(trigrams, (*muscles, *equipment)))


def _is_muscle(asked: str, has: str) -> bool:
    return bool(has) and (
        _folded(asked) in (_folded(has), _folded(muscle_named(has) or ""))
        or _folded(has) == (muscle_named(asked) or "")
    )


def _folded(word: str) -> str:
    return "".join(name_words(word.replace("_", " ")))


def _cut(names: Any) -> tuple[str, ...]:
    return tuple(name[:QUERY_LENGTH_MAX] for name in texts(names)[:ALIASES_MAX])
