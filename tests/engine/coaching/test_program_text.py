"""A program in a coach's own lines becomes the record that says the same; what it can't mean is named with its line."""

import re

import pytest

from apex_sync.coaching.program_text import SETS_IN_PROGRAM_MAX, TEXT_LENGTH_MAX, UnreadableProgram, read_program
from apex_sync.coaching.session_plan import planned_days
from apex_sync.models import PROGRAMS
from tests.conftest import ROOT

TEXT = """
Upper and lower   # a comment
type: hypertrophy
weeks: 3
deload: 3
goals: Build muscle, Chest

week 1-2
day 1: Upper A (chest, back)
  Bench Press: 1x8 50% warmup, 2x6-8 75% @8; rest 150s; tempo 3010; note Pause low
  A1 Incline Press: 3x10 225lb
  A2 Cable Row: 3x10-12 @2rir; rest 90s; cue Elbows in
  circuit C: 2 rounds
  C1 Push-up: amrap
  C2 Swing: 15 24kg; rest 60s

week 3
day 1
  Bench Press: 2x6 60%
"""


def test_every_line_becomes_leaves_of_the_model() -> None:
    program = read_program(TEXT)
    PROGRAMS.check_bounds(program)
    assert PROGRAMS.read(program)[1] == []
    assert (program["name"], program["duration_weeks"], program["goals"]) == (
        "Upper and lower", 3, ["Build muscle", "Chest"],
    )  # fmt: skip
    assert [week["week_number"] for week in program["weeks"].values() if week.get("deload")] == [3]
    assert [(day["week"], day.get("name"), day.get("focus")) for day in program["days"].values()] == [
        ("w1", "Upper A", ["chest", "back"]), ("w2", "Upper A", ["chest", "back"]), ("w3", None, None),
    ]  # fmt: skip
    bench = program["exercises"]["w1d1e1"]
    assert (bench["rest_seconds"], bench["tempo"], bench["notes"]) == (150, "3010", "Pause low")
    warmup, working, _ = [one for one in program["sets"].values() if one["exercise"] == "w1d1e1"]
    assert warmup | {"order": ""} == {
        "exercise": "w1d1e1", "type": "warmup", "reps_min": 8, "load_percent": 50.0, "order": "",
    }  # fmt: skip
    assert (working["reps_min"], working["reps_max"], working["load_percent"], working["rpe"]) == (6, 8, 75.0, 8.0)
    assert program["sets"]["w1d1e2s1"]["load"] == 225.0 and program["sets"]["w1d1e2s1"]["load_kg"] == 102.058283


def test_the_example_of_the_docs_is_a_program() -> None:
    [example] = re.findall(r"```text\n(.*?)```", (ROOT / "docs/programs.md").read_text("utf-8"), re.DOTALL)
    program = read_program(example)
    assert (len(program["days"]), len(program["exercises"]), PROGRAMS.read(program)[1]) == (4, 19, [])


def test_groups_and_rounds_are_read_back_from_the_record() -> None:
    day = planned_days(PROGRAMS.read(read_program(TEXT))[0])[0]
    assert [(group.kind, group.label, group.rounds, group.rest_seconds) for group in day.groups] == [
        ("straight", None, 2, 150), ("superset", "A", 3, 90), ("circuit", "C", 2, 60),
    ]  # fmt: skip
    assert [work.name for group in day.groups for work in group.works] == [
        "Bench Press", "Incline Press", "Cable Row", "Push-up", "Swing",
    ]  # fmt: skip
    assert {planned.type for planned in day.groups[2].works[0].sets} == {"amrap"}


@pytest.mark.parametrize(
    ("lines", "line", "reason"),
    [
        ("", 1, "the first line is the program's name"),
        ("Base", 1, "there is no day"),
        ("Base\nday 8: A", 2, "from 1 (Monday) to 7"),
        ("Base\nday 1\nA1 Dip: 3x8", 3, "superset A has one exercise"),
        ("Base\nday 1\ncircuit C: 3 rounds\nC1 Dip: 8", 4, "circuit C has one exercise"),
        ("Base\nday 1\ncircuit C: 3 rounds\nDip: 8", 2, "circuit C has no exercise"),
        ("Base\nday 1\ncircuit C: 0 rounds\nC1 Dip: 8", 3, "1 to 30 rounds, not 0"),
        ("Base\nday 1\nDip: 3x8 cluster", 3, "'cluster' in '3x8 cluster' means nothing"),
        ("Base\nday 1\nDip: 12-8", 3, "counts down; write 8-12"),
        ("Base\nday 1\nDip: 0x8", 3, "means 0 sets"),
        ("Base\nday 1\nDip: 3x8; slowly", 3, "'slowly' means nothing"),
        ("Base\nday 1\nDip:", 3, "sets are missing"),
        ("Base\nday 1\nDip", 3, "write its sets behind a colon"),
        ("Base\nwheels: 4\nday 1", 2, "nobody knows 'wheels'"),
        ("Base\nweeks: many\nday 1", 2, "takes numbers from 1"),
        ("Base\nweeks: 2\nweek 3\nday 1\nDip: 3x8", 5, "week 3 is after the last of the 2 weeks"),
        ("Base\nweek 3-2\nday 1", 2, "weeks are numbered"),
        ("Base\nDip: 3x8", 2, "stands in no day"),
        ("x" * (TEXT_LENGTH_MAX + 1), 1, "longer than"),
        ("Base\nweeks: 104\n" + "day 1\n" + "Dip: 30x8\n" * 10, 13, f"a program holds {SETS_IN_PROGRAM_MAX}"),
    ],
)
def test_what_means_nothing_is_refused_with_its_line(lines: str, line: int, reason: str) -> None:
    with pytest.raises(UnreadableProgram) as refused:
        read_program(lines)
    assert refused.value.line == line and reason in refused.value.reason
