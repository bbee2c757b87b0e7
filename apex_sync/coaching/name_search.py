"""What a search by name finds, best first: the one ranking of exercises and foods, on the server and on every device.

An index (Postgres' pg_trgm, SQLite's FTS5) only brings candidates; what comes before what is decided here, so everybody
sees the same order. Likeness is counted in trigrams, of the words as pg_trgm counts them and of what they are without
spaces: `benchpress`, `bench-press` and `bnech press` all share most of theirs with `Bench Press`. Words that nothing
has are taken for those that they are one typing error away from (`typing_errors`).
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from apex_sync.coaching.leaves import text, texts
from apex_sync.coaching.names import NAMES_REMEMBERED_MAX, name_key, name_words
from apex_sync.coaching.typing_errors import meant_by, unknown_words
from apex_sync.collection import Record

Key = TypeVar("Key", str, int)
"""What the caller tells things apart by."""

QUERY_LENGTH_MAX = 200
"""As long as a name may be; what stands beyond it is not looked at."""

ALIASES_MAX = 20
"""Of one thing that are searched; those that are built in have at most seven."""

LIKENESS_MIN = 0.4
"""Of what a search finds at least: two typing errors in a word of ten letters leave about half of its trigrams [D]."""

ALIAS_SHARE = 0.98
"""A name that people also use comes right behind one that is the thing's own [D]."""

COVERED_SHARE = 0.5
"""How much it counts that all of the query is found, against that nothing else is there [D]."""


MISTYPED_SHARE = 0.95
"""What is found by a word one typing error away comes behind what is called so [D]."""


class Named(Protocol):
    """What a search looks at: every name, the thing's own first, and words that say more about it."""

    @property
    def names(self) -> tuple[str, ...]:
        """What it is called."""

    @property
    def about(self) -> tuple[str, ...]:
        """What else one may type to find it: a muscle, a brand."""


def likeness(query: str, named: Named) -> float:
    """Say how well something answers a query, from 0 to 1; names alone can reach 1.

    Words about it count where the name has none of theirs: `chest dumbbell`.
    """
    asked = trigrams(query)
    if not asked:
        return 0.0
    about = _trigrams_of(named.about)
    best = 0.0
    for place, name in enumerate(named.names):
        has = trigrams(name)
        shared = len(asked & has)
        covered = (shared + len((asked - has) & about)) / len(asked)
        found = (1 - COVERED_SHARE) * 2 * shared / (len(asked) + len(has)) + COVERED_SHARE * covered
        if found > LIKENESS_MIN and name_key(name) == name_key(query):
            found = 1.0
        best = max(best, found * ALIAS_SHARE if place else found)
    return best


def is_called(name: str, named: Named) -> bool:
    """Say whether a name means this, and not only resembles it."""
    return name_key(name) in map(name_key, named.names)


def ranked(query: str, things: Iterable[tuple[Key, Named]], *, limit: int) -> list[Key]:
    """Give the keys of what a query finds, the best first; an empty query finds all, by name."""
    query = query[:QUERY_LENGTH_MAX]
    if not name_key(query):
        return [each for _, each in sorted((named.names[0].casefold(), each) for each, named in things)][:limit]
    looked_at = list(things)
    meant = meant_by(_words(query), _vocabulary(named for _, named in looked_at))
    found = [
        (-how, named.names[0].casefold(), each)
        for each, named in looked_at
        if (how := max(likeness(query, named), _likeness_of_meant(query, meant, named))) >= LIKENESS_MIN
    ]
    return [each for _, _, each in sorted(found)][:limit]


def has_unknown_words(query: str, candidates: Iterable[Named]) -> bool:
    """Say whether a query has a word that no candidate has, so that what it means may be none of them."""
    return bool(unknown_words(_words(query[:QUERY_LENGTH_MAX]), _vocabulary(candidates)))


def _likeness_of_meant(query: str, meant: Mapping[str, frozenset[str]], named: Named) -> float:
    """Put the words that were meant in the place of those typed, of each the one that answers best."""
    has = _vocabulary([named]) if meant else set()
    words, best = _words(query), 0.0
    for typed, options in meant.items():
        tried = [[option if word == typed else word for word in words] for option in sorted(has & options)]
        if tried:
            best, words = max((likeness(" ".join(each), named), each) for each in tried)
    return MISTYPED_SHARE * best


def _vocabulary(things: Iterable[Named]) -> set[str]:
    return {word for named in things for name in (*named.names, *named.about) for word in _words(name)}


def _words(name: str) -> list[str]:
    return list(name_words(name.replace("_", " ")))


@lru_cache(maxsize=NAMES_REMEMBERED_MAX)
def trigrams(name: str) -> frozenset[str]:
    """Give the trigrams of a name's words, with two spaces before and one behind each, and of all of them in a row.

    >>> sorted(trigrams("T-bar"))
    ['  b', '  t', ' ba', ' t ', 'ar ', 'bar', 'tba']
    """
    words = name_words(name.replace("_", " "))
    parts = [f"  {word} " for word in words] + ["".join(words)]
    return frozenset(part[place : place + 3] for part in parts for place in range(len(part) - 2))


def names_of(record: Record | Any) -> tuple[str, ...]:
    """Read the names of a record, its own first, as far as they can be read; total for any record."""
    return (word_of(record, "name"), *words_of(record, "aliases"))


def word_of(record: Record | Any, leaf: str) -> str:
    """Read a leaf as one word to search by; empty where it has none."""
    return (text(getattr(record, leaf, None)) or "")[:QUERY_LENGTH_MAX]


def words_of(record: Record | Any, leaf: str) -> tuple[str, ...]:
    """Read a list of words to search by."""
    return tuple(word[:QUERY_LENGTH_MAX] for word in texts(getattr(record, leaf, None))[:ALIASES_MAX])


@lru_cache(maxsize=NAMES_REMEMBERED_MAX)
def _trigrams_of(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset[str]().union(*map(trigrams, words))
