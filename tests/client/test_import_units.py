"""A unit that is not stated is asked for, with a guess from the numbers, and never assumed."""

from pathlib import Path
from typing import Any

import pytest

from apex_client.importers import UnitNeeded, read_export
from apex_client.importers.units import guess_unit

HEADER = "Date,Workout Name,Duration,Exercise Name,Set Order,Weight,Reps,Distance,Seconds,Notes,Workout Notes,RPE\n"


def strong(*loads: object, header: str = HEADER) -> bytes:
    rows = (f'2025-06-03 20:23:00,"A",30m,"Press",{n},{load},8,0,0,"","",\n' for n, load in enumerate(loads, 1))
    return (header + "".join(rows)).encode()


@pytest.mark.parametrize(
    ("file", "guess", "evidence"),
    [
        ("strong_en_kg_breinsp.csv", "kg", "on a 20 kg bar"),
        ("strong_zh_lbs_dericmei.csv", "lb", "whole or half kilograms once divided by 2.20462"),
    ],
)
def test_the_real_strong_exports_are_asked_about_and_guessed_right(
    data_dir: Path, file: str, guess: str, evidence: str
) -> None:
    with pytest.raises(UnitNeeded) as caught:
        read_export(data_dir / file)
    assert caught.value.guess == guess
    assert evidence in caught.value.evidence
    assert guess in str(caught.value)


@pytest.mark.parametrize(
    ("loads", "unit"),
    [
        ([45, 95, 135, 185, 225], "lb"),
        ([135, 135, 140, 45, 50], "lb"),
        ([20, 60, 62.5, 80, 100], "kg"),
        ([12, 14, 16, 22.5, 27.5, 60], "kg"),
        ([405, 500, 615], "lb"),
        ([88.18, 132.28, 176.37, 45], "lb"),
        ([102.058283, 61.23497, 20.411657], "kg"),
        ([], "kg"),
        ([0, 0], "kg"),
    ],
)
def test_the_guess_follows_plates_and_conversions(loads: list[float], unit: str) -> None:
    assert guess_unit(loads).unit == unit


def test_a_log_without_loads_needs_no_unit() -> None:
    assert read_export(strong(0, "0.0", "")).workouts[0].sets == 3


def test_a_distance_without_a_unit_needs_one() -> None:
    with pytest.raises(UnitNeeded):
        read_export((HEADER + '2025-06-03 20:23:00,"A",30m,"Run",1,0,0,5,0,"","",\n').encode())


def test_the_answer_is_used_for_what_is_not_stated_only() -> None:
    header = "Date,Exercise,Category,Weight,Weight Unit,Reps\n"
    rows = "2025-06-03,Press,Chest,40,kgs,8\n2025-06-03,Press,Chest,40,,8\n"
    with pytest.raises(UnitNeeded) as caught:
        read_export((header + rows).encode())
    assert caught.value.guess == "kg"
    plan = read_export((header + rows).encode(), unit="lb")
    assert [entry["load_kg"] for entry in plan.workouts[0].patch["sets"].values()] == [40, 18.143695]


def test_a_stated_unit_wins_over_the_answer_and_says_so() -> None:
    plan = read_export(strong(40, header=HEADER.replace("Weight", "Weight (kg)")), unit="lb")
    assert next(iter(plan.workouts[0].patch["sets"].values()))["load_kg"] == 40
    assert [warning.reason for warning in plan.warnings] == ["the file states its unit, kg; lb was not used"]
    assert plan.load_unit == "kg"


@pytest.mark.parametrize("options", [{"unit": "kgs"}, {"unit": "stone"}, {"accept_doubled": True}])
def test_an_answer_that_is_none_is_refused_before_anything_is_read(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a unit and answer"):
        read_export(strong(40), **options)
