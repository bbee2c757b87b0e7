"""The built-in library says what it says once, in its own words, and knows what people call their exercises."""

import csv
from collections import Counter
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from apex_sync.coaching import exercise_library
from apex_sync.coaching.exercise_library import BuiltinExercise, Muscle, builtin_exercises
from apex_sync.coaching.muscles import muscle_named
from apex_sync.coaching.names import name_key
from apex_sync.coaching.profile import library_of, traits_of
from apex_sync.models import EXERCISES, Exercise

FILE = Path(exercise_library.__file__).with_suffix(".jsonl")

EXPORTS = pytest.mark.parametrize(
    ("file", "column", "sets", "known"),
    [
        ("fitnotes_kgs_lukaszebedin.csv", "Exercise", 2495, 2397),
        ("hevy_kg_small_mouadja02.csv", "exercise_title", 330, 330),
        ("strong_en_kg_breinsp.csv", "Exercise Name", 2078, 2043),
        ("strong_zh_lbs_dericmei.csv", "运动名称", 6778, 6778),
    ],
)


def test_it_is_a_library() -> None:
    assert len(builtin_exercises()) >= 300
    assert len({exercise.id for exercise in builtin_exercises()}) == len(builtin_exercises())


def test_every_line_stands_in_its_place_and_is_written_in_one_way() -> None:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    slugs = [exercise.slug for exercise in builtin_exercises()]
    assert slugs == sorted(slugs)
    spaced = [msgspec.json.format(msgspec.json.encode(exercise), indent=0) for exercise in builtin_exercises()]
    assert lines == [line.decode() for line in spaced]


def test_no_two_names_mean_one_exercise() -> None:
    keys = Counter(name_key(name) for exercise in builtin_exercises() for name in (exercise.name, *exercise.aliases))
    assert [key for key, count in keys.items() if count > 1] == []


def test_every_record_is_within_the_bounds_of_its_model() -> None:
    for exercise in builtin_exercises():
        EXERCISES.check_bounds({name: value for name, value in exercise.patch.items() if value is not None})


def test_no_muscle_is_trained_twice_by_one_exercise() -> None:
    for exercise in builtin_exercises():
        muscles = [exercise.muscle_group, *exercise.secondary_muscles]
        assert len(set(muscles)) == len(muscles), exercise.slug


def test_volume_is_counted_for_every_muscle_of_the_library() -> None:
    assert [muscle for muscle in get_args(Muscle) if muscle_named(muscle) is None] == []


@pytest.mark.parametrize("line", [b'"muscle_group":"pecs"', b'"muscle_group":"chest","equipment":["sofa"]'])
def test_a_word_outside_of_the_vocabularies_does_not_load(line: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"slug":"x","name":"X",' + line + b"}", type=BuiltinExercise)


@pytest.mark.parametrize(("name", "same"), [("Pull-Ups", "pull up"), ("Fly (Cable)", "cable flys"), ("Übung", "ubung")])
def test_ways_to_write_a_name_are_one_name(name: str, same: str) -> None:
    assert name_key(name) == name_key(same)


@pytest.mark.parametrize(
    ("name", "other"), [("Low to High Fly", "High to Low Fly"), ("Leg Press", "Leg Curl"), ("Row", "Rower")]
)
def test_names_that_only_resemble_each_other_are_two(name: str, other: str) -> None:
    assert name_key(name) != name_key(other)


def test_what_an_exercise_is_called_comes_before_what_it_is_also_called() -> None:
    library = library_of(
        {
            "1": Exercise(name="Barbell Bench Press", aliases=["Bench Press"], muscle_group="chest"),
            "2": Exercise(name="Bench Press", muscle_group="triceps"),
        }
    )
    assert traits_of(library, "name:bench press") is library["id:2"]
    assert traits_of(library, "id:1") is library["id:1"]


@EXPORTS
def test_the_names_of_real_exports_are_known(data_dir: Path, file: str, column: str, sets: int, known: int) -> None:
    """docs/exercises.md has these figures; what is missing is what somebody called the machines of one gym."""
    keys = {name_key(name) for exercise in builtin_exercises() for name in (exercise.name, *exercise.aliases)}
    with (data_dir / file).open(encoding="utf-8-sig", newline="") as export:
        names = [row[column] for row in csv.DictReader(export)]
    assert (len(names), sum(name_key(name) in keys for name in names)) == (sets, known)
