"""When two names mean one thing: `Bench Press (Barbell)` of one app is the `Barbell Bench Press` of another.

Case, accents, plurals, punctuation and the order of words do not tell exercises or foods apart; every other difference
does, so that nothing is taken for what it only resembles. The order counts around a `to`: low to high is not high to
low.
"""

import re
import unicodedata
from functools import lru_cache

NAMES_REMEMBERED_MAX = 16_384
"""Folded names that are kept: a library of some thousand exercises with their aliases, about 3 MB."""

ABBREVIATIONS = {"bb": "barbell", "bw": "bodyweight", "db": "dumbbell", "kb": "kettlebell"}
"""Words that are written short and mean one thing in the name of an exercise."""

_WORD = re.compile(r"[^\W_]+")
_PLURAL_OF_SIBILANT = ("ches", "shes", "sses", "xes")


@lru_cache(maxsize=NAMES_REMEMBERED_MAX)
def name_key(name: str) -> str:
    """Give what all ways to write the name of one exercise, or of one food, have in common.

    >>> name_key("Bench Press (Barbell)") == name_key("barbell bench-press")
    True
    >>> name_key("Chin Ups"), name_key("Bicep Curl"), name_key("Schulterdrücken")
    ('chin up', 'bicep curl', 'schulterdrucken')
    """
    words = [_singular(word) for word in name_words(name)]
    return " ".join(words if "to" in words else sorted(set(words)))


@lru_cache(maxsize=NAMES_REMEMBERED_MAX)
def name_words(name: str) -> tuple[str, ...]:
    """Give the words of a name in their order, without case and accents, and written out.

    >>> name_words("Farmer's Walk"), name_words("DB Row")
    (('farmers', 'walk'), ('dumbbell', 'row'))
    """
    decomposed = unicodedata.normalize("NFKD", name.replace("'", "").replace("\u2019", ""))
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return tuple(ABBREVIATIONS.get(word, word) for word in _WORD.findall(bare.casefold()))


def _singular(word: str) -> str:
    if word.endswith(_PLURAL_OF_SIBILANT):
        return word[:-2]
    return word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word
