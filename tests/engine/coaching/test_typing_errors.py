"""A short word typed with one error finds what has the word that was meant, and a word spelt right means itself."""

from collections.abc import Iterator

import pytest

from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.coaching.exercise_search import SearchedExercise, is_asked_for, searched_exercise
from apex_sync.coaching.food_library import builtin_foods
from apex_sync.coaching.food_search import searched_food
from apex_sync.coaching.name_search import Named, has_unknown_words, ranked
from apex_sync.coaching.names import name_words
from apex_sync.coaching.typing_errors import is_one_error_away, meant_by
from apex_sync.models import EXERCISES, FOODS

EXERCISE_WORDS = [
    "bench",
    "curl",
    "deadlift",
    "dip",
    "lunge",
    "plank",
    "press",
    "pulldown",
    "raise",
    "row",
    "shrug",
    "squat",
    "thrust",
]
FOOD_WORDS = ["bread", "butter", "cheese", "honey", "milk", "oats", "quark", "rice", "salmon", "skyr", "tofu"]
EXERCISE_LIBRARY: list[tuple[int, Named]] = [
    (place, searched_exercise(EXERCISES.read(line.patch)[0])) for place, line in enumerate(builtin_exercises())
]
FOOD_LIBRARY: list[tuple[int, Named]] = [
    (place, searched_food(FOODS.read(line.patch)[0])) for place, line in enumerate(builtin_foods())
]


def swapped(word: str) -> Iterator[str]:
    """Give a word with each two neighbouring letters in each other's place."""
    for place in range(len(word) - 1):
        if word[place] != word[place + 1]:
            yield word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def has_word(named: Named, word: str) -> bool:
    return any(each.startswith(word) for name in (*named.names, *named.about) for each in name_words(name))


@pytest.mark.parametrize(
    ("library", "words"), [(EXERCISE_LIBRARY, EXERCISE_WORDS), (FOOD_LIBRARY, FOOD_WORDS)], ids=["exercises", "foods"]
)
def test_two_letters_in_each_others_place_find_the_word(library: list[tuple[int, Named]], words: list[str]) -> None:
    searched = dict(library)
    for word in words:
        for typed in swapped(word):
            found = ranked(typed, library, limit=5)
            assert any(has_word(searched[each], word) for each in found), (typed, word)


@pytest.mark.parametrize(
    ("typed", "word", "near"),
    [
        ("sqat", "squat", True),
        ("squaat", "squat", True),
        ("squet", "squat", True),
        ("squatt", "squat", True),
        ("squa", "squat", True),
        ("sqtua", "squat", False),
        ("rwo", "row", True),
        ("rowe", "row", False),
        ("ow", "row", False),
        ("or", "ro", False),
        ("1000", "100", False),
        ("squat", "squat", False),
    ],
)
def test_one_error_is_one(typed: str, word: str, near: bool) -> None:
    assert is_one_error_away(typed, word) == near


def test_two_errors_are_looked_for_in_long_words_alone() -> None:
    assert meant_by(["youghurt"], {"yogurt"}) == {"youghurt": {"yogurt"}}
    assert meant_by(["yxgxrt"], {"yogurt"}) == {"yxgxrt": frozenset()}


def test_a_word_spelt_right_means_itself() -> None:
    assert meant_by(["beef"], {"beef", "beer"}) == {}
    beer, beef = SearchedExercise(("Beer",), (), ()), SearchedExercise(("Ground beef, lean",), (), ())
    assert ranked("beef", [("beer", beer), ("beef", beef)], limit=1) == ["beef"]
    assert has_unknown_words("befe", [beef]) and not has_unknown_words("beef", [beef])


def test_of_what_a_word_may_mean_the_best_answer_counts() -> None:
    yogurt = SearchedExercise(("Greek yogurt", "Griechischer Joghurt"), (), ())
    plain = SearchedExercise(("Greek yogurt, 2% fat",), (), ())
    assert ranked("greek yoghurt", [("plain", plain), ("yogurt", yogurt)], limit=1) == ["yogurt"]


def test_a_misspelt_muscle_is_the_one_that_was_meant() -> None:
    squat = SearchedExercise(("Squat",), ("quads",), ())
    assert is_asked_for(squat, muscle="qads") and not is_asked_for(squat, muscle="chets")
