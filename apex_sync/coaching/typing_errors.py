"""Words typed with one error, and the words that were meant: trigrams of short words do not survive one.

`sqaut` shares two trigrams of six with `squat`. A word counts as mistyped where no word of the library begins with it,
so what is spelt as somebody wrote it means itself: `beef` is never taken for `beer`.
"""

from collections.abc import Collection, Mapping

LETTERS_MIN = 4
"""Of a word that may be meant by any one error. Of three letters only two neighbours may have changed places: with any
other error nearly every word of three letters would mean every other [D]."""

LETTERS_OF_TWO_ERRORS_MIN = 8
"""Of a word that may be meant by two errors behind the same first letter, where one error means none [D]."""

MISTYPED_WORDS_MAX = 8
"""Of one query that are looked at; nobody searches by more words than that, all of them wrong."""


def is_one_error_away(typed: str, word: str) -> bool:
    """Say whether one letter was left out, added or replaced, or two neighbours changed places.

    >>> is_one_error_away("sqaut", "squat"), is_one_error_away("honney", "honey"), is_one_error_away("rwo", "row")
    (True, True, True)
    >>> is_one_error_away("raw", "row"), is_one_error_away("curl", "curl")
    (False, False)
    """
    if typed == word or not typed.isalpha() or len(word) < LETTERS_MIN - 1:
        return False
    return _is_within(typed, word, 1) and (len(word) >= LETTERS_MIN or sorted(typed) == sorted(word))


def meant_by(words: Collection[str], vocabulary: Collection[str]) -> Mapping[str, frozenset[str]]:
    """Give what each mistyped word may mean; a word that begins one of the vocabulary is none.

    >>> meant_by(["sqaut", "row", "youghurt"], {"squat", "rows", "yogurt"})
    {'sqaut': frozenset({'squat'}), 'youghurt': frozenset({'yogurt'})}
    """
    unknown = unknown_words(words, vocabulary)[:MISTYPED_WORDS_MAX]
    return {typed: _meant(typed, vocabulary) for typed in unknown}


def unknown_words(words: Collection[str], vocabulary: Collection[str]) -> list[str]:
    """Give those words that begin none of the vocabulary."""
    return [typed for typed in words if not any(word.startswith(typed) for word in vocabulary)]


def _meant(typed: str, vocabulary: Collection[str]) -> frozenset[str]:
    near = frozenset(word for word in vocabulary if is_one_error_away(typed, word))
    if near or len(typed) < LETTERS_OF_TWO_ERRORS_MIN or not typed.isalpha():
        return near
    return frozenset(word for word in vocabulary if word[:1] == typed[0] and _is_within(typed, word, 2))


def _is_within(typed: str, word: str, errors: int) -> bool:
    if abs(len(typed) - len(word)) > errors:
        return False
    same = next((place for place, (a, b) in enumerate(zip(typed, word, strict=False)) if a != b), None)
    if same is None or errors == 0:
        return same is None
    rest, meant = typed[same:], word[same:]
    return (
        _is_within(rest[1:], meant[1:], errors - 1)
        or _is_within(rest[1:], meant, errors - 1)
        or _is_within(rest, meant[1:], errors - 1)
        or (rest[:2] == meant[1::-1] and _is_within(rest[2:], meant[2:], errors - 1))
    )
