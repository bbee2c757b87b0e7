"""The one ranking of exercises: what was meant comes first, and nothing breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_sync.coaching.exercise_library import builtin_exercises
from apex_sync.coaching.exercise_search import SearchedExercise, is_asked_for, searched_exercise
from apex_sync.coaching.name_search import is_called, likeness, ranked
from apex_sync.models import EXERCISES, Exercise
from tests.exercise_queries import NOTHING, QUERIES

LIBRARY = [(exercise.name, searched_exercise(EXERCISES.read(exercise.patch)[0])) for exercise in builtin_exercises()]
NAMES = st.lists(st.text(max_size=40), min_size=1, max_size=4).map(tuple)


@pytest.mark.parametrize(("query", "meant"), QUERIES.items())
def test_what_was_meant_comes_first(query: str, meant: str) -> None:
    assert ranked(query, LIBRARY, limit=1) == [meant]


@pytest.mark.parametrize("query", NOTHING)
def test_what_nobody_means_finds_nothing(query: str) -> None:
    assert ranked(query, LIBRARY, limit=1) == [] or query == "…"


def test_words_for_muscles_and_equipment_are_found_too() -> None:
    [found] = ranked("quads kettlebell", LIBRARY, limit=1)
    assert is_asked_for(dict(LIBRARY)[found], muscle="quads", equipment="kettlebell")


def test_an_empty_query_lists_by_name() -> None:
    assert ranked(" ", LIBRARY, limit=2) == ["45-Degree Hip Extension", "Ab Wheel Rollout"]


@pytest.mark.parametrize(
    ("asked", "has", "fits"),
    [
        ("lats", "lats", True),
        ("Lats", "upper_back", False),
        ("back", "lats", True),
        ("lats", "back", True),
        ("quadriceps", "quads", True),
        ("front delts", "front_delts", True),
        ("", "chest", False),
        ("aura", "", False),
    ],
)
def test_a_muscle_is_asked_for_in_any_of_its_names(asked: str, has: str, fits: bool) -> None:
    assert is_asked_for(SearchedExercise(("x",), (has,), ()), muscle=asked) == fits


@given(st.text(max_size=60), st.builds(SearchedExercise, NAMES, NAMES, NAMES))
def test_any_text_is_searched_for_and_through(query: str, searched: SearchedExercise) -> None:
    assert 0.0 <= likeness(query, searched) <= 1.0
    assert ranked(query, [("a", searched)], limit=1) in ([], ["a"])


@given(st.sampled_from(LIBRARY))
def test_everything_is_found_by_its_own_name(exercise: tuple[str, SearchedExercise]) -> None:
    name, searched = exercise
    assert ranked(name, LIBRARY, limit=1) == [name]
    assert [other for other, each in LIBRARY if is_called(name, each)] == [name]
    assert all(is_called(alias, searched) for alias in searched.names)


def test_a_record_of_whatever_leaves_is_searched() -> None:
    odd = EXERCISES.read({"name": "x" * 5000, "aliases": ["y"] * 500, "equipment": ["z" * 900]})[0]
    searched = searched_exercise(odd)
    assert (len(searched.names[0]), len(searched.names), len(searched.equipment[0])) == (200, 21, 200)
    assert searched_exercise(Exercise()) == SearchedExercise(("",), ("",), ())
