"""The four public exports: every count is checked against the raw text, read without csv and without the importer."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from apex_client.importers import ImportPlan, read_export
from apex_client.importers.reading import AcceptDoubled
from apex_sync.models.workout import WORKOUT_LOGS


class Export(NamedTuple):
    file: str
    source: str
    unit: Any
    rows: int
    workouts: int
    start_in_line: str
    numbers_in_line: str
    """Load and reps of a row, found in its raw line."""


STRONG_KG = Export(
    "strong_en_kg_breinsp.csv", "strong", "kg", 2078, 129,
    r"^([\d-]{10} [\d:]{8})", r",\d+,(?P<load>[\d.]+),(?P<reps>\d+),\d+,\d+,",
)  # fmt: skip
STRONG_LB = STRONG_KG._replace(file="strong_zh_lbs_dericmei.csv", unit="lb", rows=6778, workouts=384)
HEVY = Export(
    "hevy_kg_small_mouadja02.csv", "hevy", None, 330, 17,
    r'"(\d+ \w{3} \d{4}, \d\d:\d\d)","\d+ \w{3} \d{4}, \d\d:\d\d"', r',\d+,"normal",(?P<load>[\d.]*),(?P<reps>\d+),,,$',
)  # fmt: skip
FITNOTES = Export(
    "fitnotes_kgs_lukaszebedin.csv", "fitnotes", None, 2495, 124,
    r"^([\d-]{10}),", r",(?P<load>[\d.]+),kgs,(?P<reps>\d+),,,$",
)  # fmt: skip
EXPORTS = (STRONG_KG, STRONG_LB, HEVY, FITNOTES)
EVERY_EXPORT = pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.file)

KG_PER_UNIT = {"kg": 1.0, None: 1.0, "lb": 0.45359237}


def plan_of(export: Export, data_dir: Path, accept_doubled: AcceptDoubled | None = None) -> ImportPlan:
    return read_export(data_dir / export.file, unit=export.unit, accept_doubled=accept_doubled)


def raw_rows(export: Export, data_dir: Path) -> list[str]:
    """Give the lines under the header; none of these files has a line break within a cell."""
    return (data_dir / export.file).read_text("utf-8").splitlines()[1:]


@EVERY_EXPORT
def test_every_row_of_the_file_is_a_set_of_a_workout(export: Export, data_dir: Path) -> None:
    plan = plan_of(export, data_dir, "both")
    assert plan.source == export.source
    assert plan.rows_read == len(raw_rows(export, data_dir)) == export.rows
    assert len(plan.workouts) == export.workouts
    assert sum(workout.sets for workout in plan.workouts) == export.rows
    assert (plan.skipped, plan.quarantined) == ([], [])


@EVERY_EXPORT
def test_each_session_has_as_many_sets_as_the_file_has_lines_of_it(export: Export, data_dir: Path) -> None:
    starts = Counter(re.search(export.start_in_line, line)[1] for line in raw_rows(export, data_dir))  # type: ignore[index]
    plan = plan_of(export, data_dir, "both")
    assert sorted(workout.sets for workout in plan.workouts) == sorted(starts.values())
    assert len(starts) == export.workouts


@EVERY_EXPORT
def test_reps_and_volume_add_up_to_those_of_the_raw_text(export: Export, data_dir: Path) -> None:
    rows = [re.search(export.numbers_in_line, line) for line in raw_rows(export, data_dir)]
    assert all(rows)
    raw = [(float(row["load"] or 0), int(row["reps"])) for row in rows if row]
    plan = plan_of(export, data_dir, "both")
    sets = [entry for workout in plan.workouts for entry in workout.patch["sets"].values()]
    timed = [entry for entry in sets if "reps" not in entry]
    assert sum(entry.get("reps", 0) for entry in sets) == sum(reps for _, reps in raw)
    assert all(entry["duration_seconds"] for entry in timed)
    volume_kg = sum(load * reps for load, reps in raw) * KG_PER_UNIT[export.unit]
    imported_kg = sum(entry.get("load_kg", 0) * entry.get("reps", 0) for entry in sets)
    assert imported_kg == pytest.approx(volume_kg, rel=1e-9)


@EVERY_EXPORT
def test_every_patch_is_within_the_bounds_of_a_workout_log(export: Export, data_dir: Path) -> None:
    for workout in plan_of(export, data_dir, "both").workouts:
        WORKOUT_LOGS.check_bounds(workout.patch)
        assert WORKOUT_LOGS.read(workout.patch)[1] == []


@EVERY_EXPORT
def test_a_second_reading_gives_the_same_plan(export: Export, data_dir: Path) -> None:
    assert plan_of(export, data_dir) == plan_of(export, data_dir)


@EVERY_EXPORT
def test_lines_name_the_rows_of_the_workout_in_the_file(export: Export, data_dir: Path) -> None:
    lines = (data_dir / export.file).read_text("utf-8").splitlines()
    for workout in plan_of(export, data_dir, "both").workouts:
        first, last = workout.lines
        assert last - first + 1 == workout.rows
        starts = {re.search(export.start_in_line, line)[1] for line in lines[first - 1 : last]}  # type: ignore[index]
        assert len(starts) == 1


@EVERY_EXPORT
def test_sets_and_exercises_are_in_the_order_of_the_file(export: Export, data_dir: Path) -> None:
    """Sorted by order key, the sets of a session name the exercises as its lines do."""
    lines = (data_dir / export.file).read_text("utf-8").splitlines()
    for workout in plan_of(export, data_dir, "both").workouts:
        exercises = workout.patch["exercises"]
        sets = sorted(workout.patch["sets"].values(), key=lambda entry: entry["order"])
        by_order = sorted(exercises.items(), key=lambda item: item[1]["order"])
        assert list(dict.fromkeys(entry["exercise"] for entry in sets)) == [key for key, _ in by_order]
        for entry, line in zip(sets, lines[workout.lines[0] - 1 :], strict=False):
            assert exercises[entry["exercise"]]["name"] in line


def test_the_doubled_sessions_are_quarantined_and_listed(data_dir: Path) -> None:
    plan = plan_of(STRONG_LB, data_dir)
    assert len(plan.quarantined) == 29
    assert sum(workout.rows for workout in plan.quarantined) == 2 * 433
    assert len(plan.workouts) == 384 - 29
    first = plan.quarantined[0]
    assert (first.title, first.date, first.lines, first.rows) == ("4.Legs&Back", "2021-01-24", (1223, 1262), 40)


@pytest.mark.parametrize("export", [STRONG_KG, HEVY, FITNOTES], ids=lambda export: export.file)
def test_sets_that_people_repeat_are_no_doubling(export: Export, data_dir: Path) -> None:
    """1,089 rows of the FitNotes file equal an earlier one; every one of them is a set."""
    assert plan_of(export, data_dir).quarantined == []


def test_accepted_once_a_doubled_session_has_one_copy_and_the_other_is_accounted_for(data_dir: Path) -> None:
    once, both = (plan_of(STRONG_LB, data_dir, answer) for answer in ("once", "both"))
    assert (len(once.workouts), len(once.skipped)) == (384, 433)
    assert {row.reason for row in once.skipped} == {"second copy of a doubled workout"}
    whole = {workout.record_id: workout.patch["sets"].keys() for workout in both.workouts}
    assert all(workout.patch["sets"].keys() <= whole[workout.record_id] for workout in once.workouts)


def test_a_session_nobody_ended_keeps_its_start_and_loses_its_duration(data_dir: Path) -> None:
    plan = plan_of(STRONG_LB, data_dir)
    (warning,) = plan.warnings
    assert warning.reason == "a duration of '72小时16分钟' was left out: nobody ended this session"
    unended = [workout.patch for workout in plan.workouts if "duration_minutes" not in workout.patch]
    assert len(unended) == 1
    assert unended[0]["start_time"].startswith(unended[0]["date"])
    assert max(w.patch.get("duration_minutes", 0) for w in plan.workouts) == 18 * 60 + 42


def test_pounds_that_were_typed_in_kilograms_come_back_as_those_kilograms(data_dir: Path) -> None:
    first = next(iter(plan_of(STRONG_LB, data_dir).workouts[0].patch["sets"].values()))
    assert first["load_kg"] == 20.0
    assert (first["load"], first["load_unit"]) == (44.09245243697551, "lb")


def test_the_real_sessions_read_as_a_person_would(data_dir: Path) -> None:
    strong = plan_of(STRONG_KG, data_dir).workouts[0].patch
    assert (strong["title"], strong["start_time"]) == ("Mittwoch", "2021-02-10T16:46:13")
    assert strong["duration_minutes"] == 138
    hevy = plan_of(HEVY, data_dir).workouts
    assert hevy[-1].patch["title"] == "Evening workout 🏋️"
    assert (hevy[0].patch["start_time"], hevy[0].patch["end_time"]) == ("2025-06-30T19:56:00", "2025-06-30T20:58:00")
    supersets = [e["superset"] for w in hevy for e in w.patch["exercises"].values() if "superset" in e]
    assert set(supersets) == {"A", "B"}
    day = next(
        workout.patch for workout in plan_of(FITNOTES, data_dir).workouts if workout.patch["date"] == "2023-12-15"
    )
    names = [entry["name"] for entry in day["exercises"].values()]
    assert (names[0], names[-1], names.count("Leg Press")) == ("Leg Press", "Leg Press", 2)
    assert day.keys() == {"date", "source", "completed", "exercises", "sets"}
